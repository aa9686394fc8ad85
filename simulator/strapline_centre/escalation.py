"""Who is told of an alert that nobody has acknowledged, and when (R28). Sans-I/O: what is due comes out, and somebody else tells it.

The roles are names; who answers to one is the operator's affair.
"""

import heapq
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from strapline_centre.alert_rows import Alert


class Step(NamedTuple):
    """After so long without an acknowledgement this role is told."""

    after_s: float
    role: str


STEPS = (Step(0, "primary"), Step(900, "secondary"), Step(1800, "tertiary"), Step(6300, "inquiry"))
"""R28: the primary has 15 minutes, then the secondary, then the tertiary; inquiry bodies have it within two hours, with a quarter of an
hour to spare."""


class Due(NamedTuple):
    """The step of an alert with this number (from 0) is due."""

    alert: int
    number: int
    role: str


class Escalation:
    """Of the alerts that it is told of. A step is given out once."""

    def __init__(self, steps: Sequence[Step] = STEPS) -> None:
        self._steps = tuple(sorted(steps))
        self._waiting: list[tuple[datetime, int, int]] = []
        """(when, alert, step)."""
        self._open: set[int] = set()

    def raised(self, alert: Alert, done: Iterable[int] = ()) -> None:
        """It is open; `done` are the numbers of the steps that were taken already."""
        if alert.id in self._open:
            return
        self._open.add(alert.id)
        for number, step in enumerate(self._steps):
            if number not in set(done):
                heapq.heappush(self._waiting, (alert.raised_utc + timedelta(seconds=step.after_s), alert.id, number))

    def settled(self, alert: int) -> None:
        """A person has acknowledged it, or another alert goes on for it."""
        self._open.discard(alert)

    def next_deadline(self) -> datetime | None:
        while self._waiting and self._waiting[0][1] not in self._open:
            heapq.heappop(self._waiting)
        return self._waiting[0][0] if self._waiting else None

    def due(self, now: datetime) -> list[Due]:
        """In the order in which they fell due."""
        found = []
        while (at := self.next_deadline()) is not None and at <= now:
            _, alert, number = heapq.heappop(self._waiting)
            found.append(Due(alert, number, self._steps[number].role))
        return found
