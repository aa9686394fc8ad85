"""The world's wall clock, and what each machine takes for it."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from strapline_simulator.chain.parts import CENTRE, HOME, INGRESS


class Clocks:
    """On the loop's time, which `begin` ties to the scenario's start."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self.origin_s = 0.0
        """The loop's time at the scenario's start."""
        self.off_s = {HOME: 0.0, INGRESS: 0.0, CENTRE: 0.0}
        """How far the wall clock of each is off."""

    def begin(self) -> None:
        """The scenario's start is now."""
        self.origin_s = asyncio.get_running_loop().time()

    def now_s(self) -> float:
        """Seconds since the scenario's start."""
        return asyncio.get_running_loop().time() - self.origin_s

    def utc(self) -> datetime:
        """The world's."""
        return self._start + timedelta(seconds=self.now_s())

    def of(self, part: str) -> Callable[[], datetime]:
        """That of one machine, right or wrong."""
        return lambda: self.utc() + timedelta(seconds=self.off_s[part])
