"""The machine that the bench runs on, and whether it slept meanwhile."""

import time
from collections.abc import Callable
from typing import NamedTuple

ASLEEP_S = 2.0
"""So far apart the two clocks do not drift in a test: the machine slept, or somebody set its clock."""


class Clocks(NamedTuple):
    """Seconds each."""

    monotonic: Callable[[], float]
    """Stands still while the machine sleeps."""
    wall: Callable[[], float]


HOST = Clocks(time.monotonic, time.time)


class Moment(NamedTuple):
    """What both clocks said."""

    monotonic_s: float
    wall_s: float

    @classmethod
    def now(cls, clocks: Clocks = HOST) -> "Moment":
        return cls(clocks.monotonic(), clocks.wall())


def slept_s(before: Moment, now: Moment) -> float:
    """How much further the wall's clock went; negative where it was set back."""
    return (now.wall_s - before.wall_s) - (now.monotonic_s - before.monotonic_s)


def asleep(before: Moment, now: Moment) -> str:
    """What is to be said of it; empty where both clocks agree."""
    gap_s = slept_s(before, now)
    if abs(gap_s) < ASLEEP_S:
        return ""
    return (
        f"this machine: its clock on the wall went {gap_s:+.0f} s against the time it was awake: it slept, or the clock was set; "
        "keep it awake (systemd-inhibit, caffeinate) and run again"
    )
