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
    """With `wanted` each piece waits for somebody to press Enter; `ask` shows what comes."""

    def __init__(self, *, wanted: bool, ask: Callable[[str], None]) -> None:
        self._wanted = wanted
        self._ask = ask

    async def step(self, text: str) -> bool:
        """False where nobody presses any more (the input has ended)."""
        if not self._wanted:
            return True
        self._ask(text)
        return bool(await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline))
