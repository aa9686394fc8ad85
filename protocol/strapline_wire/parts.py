# A body that is longer than a command holds comes in parts, and is given out when all of them are there: as a whole or not at all.
from strapline_wire.documents import PART_LIMIT
from strapline_wire.errors import RemoteProtocolError


class Assembly:
    # One document at a time, of at most `limit` bytes: the first part of another makes room for it.
    def __init__(self, limit: int):
        self._limit = limit
        self._transfer: tuple = None
        self._parts = {}

    def drop(self) -> None:
        self._transfer = None
        self._parts = {}

    def add(self, part) -> "tuple | None":
        # (kind, body) with the last missing part, else None. A part that fits no document raises RemoteProtocolError and is not taken.
        if part.part >= part.parts or (part.part < part.parts - 1 and len(part.content) != PART_LIMIT):
            raise RemoteProtocolError("malformed")
        if (part.parts - 1) * PART_LIMIT >= self._limit:
            raise RemoteProtocolError("too_long")
        transfer = (part.transfer, part.document, part.parts)
        if transfer != self._transfer:
            self.drop()
            self._transfer = transfer
        self._parts[part.part] = part.content
        if len(self._parts) < part.parts:
            return None
        body = b"".join([self._parts[at] for at in range(part.parts)])
        self.drop()
        if len(body) > self._limit:
            raise RemoteProtocolError("too_long")
        return part.document, body
