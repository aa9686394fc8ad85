"""The open lines of one link, by the station's numbers: where bytes come from, where they go, how a line ends."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from strapline_gateway.station import Abandon, Connect, HangUp, Station, Transmit
from strapline_gateway.tap import Tap


class Line(Protocol):
    """One connection, as far as the station's wishes go."""

    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class Lines:
    """Give it what comes and goes; `on_change` is called when the station may have something to do.

    What passes is noted at the tap as on this interface.
    """

    def __init__(
        self, station: Station, on_change: Callable[[], None], tap: Tap | None = None, interface: str = "cellular"
    ) -> None:
        self._station = station
        self._on_change = on_change
        self._tap = tap or Tap()
        self._interface = interface
        self._open: dict[int, Line] = {}
        self.last_heard_s: float | None = None
        self.failures: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def open(self, line: Line) -> int:
        """Somebody is there; gives the line's number."""
        number = self._station.open_link(_now())
        self._open[number] = line
        self._on_change()
        return number

    def receive(self, number: int, data: bytes) -> None:
        """Bytes have come, in any portions."""
        self.last_heard_s = now = _now()
        self._tap.note(self._interface, data, inbound=True, line=number)
        self._station.receive_data(number, data, now)
        if b"\0" in data:  # no frame ends without one
            self._on_change()

    def close(self, number: int) -> None:
        """The line is gone, whoever ended it."""
        del self._open[number]
        self._station.close_link(number, _now())
        self._on_change()

    def perform(self, event: Connect | Abandon | Transmit | HangUp) -> bool:
        """Do what the station asks; False where the line is not one of ours."""
        if isinstance(event, Connect | Abandon):
            return False
        line = self._open.get(event.link)
        if line is None:
            return False
        if isinstance(event, Transmit):
            self._tap.note(self._interface, event.data, inbound=False, line=event.link)
            line.write(event.data)
        else:
            line.close()
        return True


def _now() -> float:
    return asyncio.get_running_loop().time()
