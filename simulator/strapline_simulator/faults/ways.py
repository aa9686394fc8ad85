"""A way for bytes on which pieces are spoilt, lost, doubled or late. In order, as on any connection; it knows no frames."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from random import Random

SPOILS = ("flip", "halve", "lose", "double")


class Way:
    """One direction of one line, over all its connections. `draw` decides; without faults it hands on at once."""

    def __init__(self, draw: Random, deliver: Callable[[bytes], None]) -> None:
        self._draw = draw
        self._deliver = deliver
        self._free_at = 0.0
        # A line keeps the order; an event loop does not, of what is due at the same moment.
        self._under_way: deque[tuple[int, bytes]] = deque()
        self._connection = 0
        self.shares: Mapping[str, float] = {}
        """Of the pieces, by `SPOILS`."""
        self.delay_s = 0.0
        self.is_dead = False
        """Nothing comes through, and nobody is told."""

    def connection(self) -> None:
        """A connection begins or has ended: what is on its way reaches nobody."""
        self._connection += 1

    def send(self, data: bytes) -> None:
        if self.is_dead:
            return
        now = asyncio.get_running_loop().time()
        for piece in self._spoilt(data):
            at = max(self._free_at, now + self.delay_s)
            if at <= now:
                self._deliver(piece)
            else:
                self._free_at = at
                self._under_way.append((self._connection, piece))
                asyncio.get_running_loop().call_at(at, self._arrive)

    def _arrive(self) -> None:
        connection, piece = self._under_way.popleft()
        if connection == self._connection and not self.is_dead:
            self._deliver(piece)

    def _spoilt(self, data: bytes) -> list[bytes]:
        if not self.shares or not data:
            return [data]
        if self._does("lose"):
            return []
        if self._does("halve"):
            data = data[: len(data) // 2]
        if self._does("flip"):
            at = self._draw.randrange(8 * max(1, len(data)))
            spoilt = bytearray(data or b"\0")
            spoilt[at // 8] ^= 1 << at % 8
            data = bytes(spoilt)
        return [data, data] if self._does("double") else [data]

    def _does(self, what: str) -> bool:
        return what in self.shares and self._draw.random() < self.shares[what]


class Lines:
    """The four ways of one tag: up and down over BLE, up and down over cellular."""

    def __init__(
        self, draw: Random, *, ble: Mapping[bool, Callable[[bytes], None]], cell: Mapping[bool, Callable[[bytes], None]]
    ) -> None:
        """`ble` and `cell` give who takes what goes up (True) and down (False)."""
        self.ble = {up: Way(draw, take) for up, take in ble.items()}
        self.cell = {up: Way(draw, take) for up, take in cell.items()}

    def spoil(self, shares: Mapping[str, float]) -> None:
        """From now on these shares of all pieces on all four."""
        for way in (*self.ble.values(), *self.cell.values()):
            way.shares = {what: share for what, share in shares.items() if share}

    def delay_cellular(self, delay_s: float) -> None:
        for way in self.cell.values():
            way.delay_s = delay_s

    def kill_cellular(self, *, dead: bool) -> None:
        for way in self.cell.values():
            way.is_dead = dead
