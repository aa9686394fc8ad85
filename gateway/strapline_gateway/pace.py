"""How fast a backlog goes out after a reconnection, so that ten thousand gateways are no stampede (R42). No clock, no random source."""

import hashlib

AT_ONCE = 16
"""Rows of history that nobody needs to wait for: hardly more than the birth and the subscriptions."""

SPREAD_S = 30.0
"""Over this the gateways spread the beginning of more; alarms never wait."""

_FIRST, _LEAST, _MOST = 64, 8, 2048


class Pace:
    """History goes as the centre takes it: so many rows may lie without a receipt. A receipt raises that number, a time-out halves it.

    Each gateway's part of the spread follows from its name, so that it differs among them and is the same again in a test.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._connections = 0
        self.history_from_s = float("-inf")
        """Before that no history goes out."""
        self.most_open = _FIRST
        """So many rows of history may lie without a receipt before more goes out for the first time."""

    def connected(self, now: float, waiting: int) -> None:
        """A connection is there, and so much history."""
        self._connections += 1
        self.most_open = _FIRST
        self.history_from_s = now + (self._fraction() * SPREAD_S if waiting > AT_ONCE else 0.0)

    def _fraction(self) -> float:
        digest = hashlib.sha256(f"{self._name}/{self._connections}".encode()).digest()
        return int.from_bytes(digest[:4], "big") / 2**32

    def receipted(self, rows: int) -> None:
        """The centre has taken so many."""
        self.most_open = min(_MOST, self.most_open + rows)

    def timed_out(self) -> None:
        """Some had to go out again: somebody is slow on the way."""
        self.most_open = max(_LEAST, self.most_open // 2)
