# A replay window, 64 counters wide, one for each key: RFC 4303 section 3.4.3 in integers.
from strapline_wire.compat import const
from strapline_wire.errors import RemoteProtocolError

_WIDTH = const(64)


class ReplayWindow:
    def __init__(self):
        self.newest = -1
        self._seen = 0  # bit i: newest - i was accepted

    def check(self, counter: int) -> None:
        # Raises where the counter was seen or is too old to tell. Call before opening; `accept` only after the MIC held.
        age = self.newest - counter
        if age < 0:
            return
        if age >= _WIDTH:
            raise RemoteProtocolError("too_old")
        if (self._seen >> age) & 1:
            raise RemoteProtocolError("replayed")

    def accept(self, counter: int) -> None:
        age = self.newest - counter
        if age < 0:
            self._seen = ((self._seen << (-age if age > -_WIDTH else _WIDTH)) | 1) & 0xFFFFFFFFFFFFFFFF
            self.newest = counter
        else:
            self._seen |= 1 << age
