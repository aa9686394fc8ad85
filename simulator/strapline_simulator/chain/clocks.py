"""The world's wall clock, and what each machine takes for it."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from strapline_simulator.chain.parts import CENTRE, HOME, INGRESS


class Clocks:
    """On the loop's time, which `begin` ties to the scenario's start: now, or on the wall's clock when that was."""

    def __init__(self, start: datetime, *, on_the_wall: bool = False) -> None:
        self._start = start
        self._on_the_wall = on_the_wall
        self.origin_s = 0.0
        """The loop's time at the scenario's start."""
        self.off_s = {HOME: 0.0, INGRESS: 0.0, CENTRE: 0.0}
        """How far the wall clock of each is off."""

    def open(self) -> None:
        """Before anything starts: in real time it is known by now how late it is."""
        if self._on_the_wall:
            self.begin()

    def begin(self) -> None:
        """The scenario's start is now; in real time it was when the wall's clock says that it was."""
        ago_s = (datetime.now(UTC) - self._start).total_seconds() if self._on_the_wall else 0.0
        self.origin_s = asyncio.get_running_loop().time() - ago_s

    def now_s(self) -> float:
        """Seconds since the scenario's start."""
        return asyncio.get_running_loop().time() - self.origin_s

    def utc(self) -> datetime:
        """The world's."""
        return self._start + timedelta(seconds=self.now_s())

    def of(self, part: str) -> Callable[[], datetime]:
        """That of one machine, right or wrong."""
        return lambda: self.utc() + timedelta(seconds=self.off_s[part])
