"""What happens when, on one virtual clock, in an order that nothing but the seed decides. No asyncio: nobody here waits."""

import heapq
import itertools
from collections.abc import Callable
from typing import Protocol

EPOCH_S = 1772481600.0
"""The world's wall clock at its start: 2026-03-02T20:00Z."""


class Machine(Protocol):
    """A state machine with timers of its own, such as a tag or a gateway's process."""

    def next_deadline(self) -> float | None:
        """When it wants to run next, or None."""

    def handle_timer(self) -> None:
        """It is that time."""


class Timeline:
    """Times are seconds from the start; whole milliseconds, so that sums do not depend on their order."""

    def __init__(self) -> None:
        self.now_ms = 0
        self._heap: list[tuple[int, int, Callable[..., object], tuple[object, ...]]] = []
        self._order = itertools.count()
        self._machines: list[Machine] = []

    @property
    def now(self) -> float:
        return self.now_ms / 1000

    def add(self, machine: Machine) -> None:
        """Let its timers run too."""
        self._machines.append(machine)

    def at(self, when: float, call: Callable[..., object], *arguments: object) -> None:
        """Call at this time, at once where it is past."""
        at_ms = max(self.now_ms, round(when * 1000))
        heapq.heappush(self._heap, (at_ms, next(self._order), call, arguments))

    def after(self, delay_s: float, call: Callable[..., object], *arguments: object) -> None:
        """Call so much later, and never at once."""
        self.at(self.now + max(0.001, delay_s), call, *arguments)

    def run(self, until: float) -> None:
        """Go on to this time."""
        end_ms = round(until * 1000)
        while True:
            machine, due_ms = self._soonest()
            called_ms = self._heap[0][0] if self._heap else end_ms + 1
            if min(due_ms, called_ms) > end_ms:
                self.now_ms = end_ms
                return
            self.now_ms = max(self.now_ms, min(due_ms, called_ms))
            if called_ms <= due_ms or machine is None:
                _, _, call, arguments = heapq.heappop(self._heap)
                call(*arguments)
            else:
                machine.handle_timer()

    def _soonest(self) -> tuple[Machine | None, int]:
        best: Machine | None = None
        best_ms = 1 << 62
        for machine in self._machines:
            deadline = machine.next_deadline()
            if deadline is not None and (at_ms := _up_to_ms(deadline)) < best_ms:
                best, best_ms = machine, at_ms
        return best, best_ms


def _up_to_ms(when: float) -> int:
    at_ms = round(when * 1000)
    return at_ms if at_ms / 1000 >= when else at_ms + 1  # what floats round off must not come too early
