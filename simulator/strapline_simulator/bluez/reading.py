"""How bluetoothd reads notifications: by and by, out of a buffer of the kernel that holds so many and no more."""

import asyncio
from collections import deque
from collections.abc import Callable

_EVERY_S = 0.01
_AT_ONCE = 8
"""Together 800 a second: more than a real connection carries, less than a simulated one can."""


class SlowReader:
    """`limit()` is what the buffer holds, None for no limit and no delay."""

    def __init__(self, limit: Callable[[], int | None]) -> None:
        self._limit = limit
        self._waiting: deque[Callable[[], None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self.lost = 0

    def take(self, hand_over: Callable[[], None]) -> None:
        limit = self._limit()
        if limit is None and not self._waiting:
            hand_over()
        elif limit is not None and len(self._waiting) >= limit:
            self.lost += 1
        else:
            self._waiting.append(hand_over)
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(0, self._read)

    def _read(self) -> None:
        for _ in range(min(_AT_ONCE, len(self._waiting))):
            self._waiting.popleft()()
        self._timer = asyncio.get_running_loop().call_later(_EVERY_S, self._read) if self._waiting else None

    def close(self) -> None:
        """What has not been read is gone with the connection."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
