"""A thread that sees whether the centre's loop still turns: who hangs cannot say so himself."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Self

STALL_S = 20.0
"""A database that does not answer holds the loop up for about 10 s at most."""

_LOG = logging.getLogger(__name__)


class LoopWatch:
    """`beat` from the loop; `on_stall(seconds)` is called on the watch's own thread, once for each stall. Use as a context manager."""

    def __init__(
        self,
        on_stall: Callable[[float], None],
        *,
        stall_s: float = STALL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_stall = on_stall
        self._stall_s = stall_s
        self._clock = clock
        self._beat_at = clock()
        self._told_at: float | None = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="strapline-watchdog", daemon=True)

    def beat(self) -> float:
        """The loop turns; gives for how long it had stood when that was told, 0 where it was not."""
        stood_s = self._clock() - self._beat_at if self._told_at is not None else 0.0
        self._beat_at, self._told_at = self._clock(), None
        return stood_s

    def look(self) -> None:
        """Tell, if it stands."""
        stood_s = self._clock() - self._beat_at
        if stood_s >= self._stall_s and self._told_at is None:
            self._told_at = self._clock()
            _LOG.critical("the centre's loop stands still", extra={"seconds": round(stood_s, 1)})
            self._on_stall(stood_s)

    def _run(self) -> None:
        while not self._end.wait(self._stall_s / 4):
            self.look()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._end.set()
        self._thread.join()
