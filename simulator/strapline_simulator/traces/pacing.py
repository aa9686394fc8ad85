"""When each piece of a trace is due as it is played again."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Pace(NamedTuple):
    """`rate` times as fast as it was, 0: without any pause; no pause of the trace counts for more than `skip_gaps_s`."""

    rate: float = 1.0
    skip_gaps_s: float | None = None

    def due(self, times_s: Sequence[float]) -> list[float]:
        """Seconds from the beginning at which each is due; a trace whose clock went back goes on without a pause."""
        due_s, offsets, before = 0.0, [], times_s[0] if times_s else 0.0
        for at in times_s:
            gap = max(0.0, at - before)
            if self.skip_gaps_s is not None:
                gap = min(gap, self.skip_gaps_s)
            due_s += gap / self.rate if self.rate else 0.0
            before = at
            offsets.append(due_s)
        return offsets


class Stepper:
    """The hand on the replay: with `wanted` each piece waits for somebody to press Enter, and `stop` ends it in good order."""

    def __init__(self, *, wanted: bool = False, ask: Callable[[str], None] = lambda _text: None) -> None:
        self._wanted = wanted
        self._ask = ask
        self._stop = asyncio.Event()

    @property
    def stopped(self) -> bool:
        """Nothing more is to be played."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Play no more."""
        self._stop.set()

    async def until(self, at_s: float, text: str) -> bool:
        """Wait until then, on the loop's clock, and for Enter where that is wanted; False where no more is to be played."""
        try:
            async with asyncio.timeout_at(at_s):
                await self._stop.wait()
        except TimeoutError:
            pass
        if self._wanted and not self.stopped:
            self._ask(text)
            if not await self._line():
                self.stop()  # the input has ended
        return not self.stopped

    async def _line(self) -> str:
        loop = asyncio.get_running_loop()
        if not sys.stdin.isatty():
            return await loop.run_in_executor(None, sys.stdin.readline)
        # At a terminal nobody may ever press Enter again, and a thread that waits for it would hold up the end.
        pressed = asyncio.Event()
        loop.add_reader(sys.stdin, pressed.set)
        waiting = [asyncio.ensure_future(one.wait()) for one in (pressed, self._stop)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            loop.remove_reader(sys.stdin)
            for one in waiting:
                one.cancel()
        return sys.stdin.readline() if pressed.is_set() else ""
