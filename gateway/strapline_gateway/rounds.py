"""When what has no receipt yet is published again: one lane's rows, by number, in blocks. It reads no clock and knows no file."""

import heapq
from typing import NamedTuple

BLOCK = 64
"""Rows that come again together. So a long backlog costs memory by the block, and the disk nothing."""

_RETRY_S = 30.0
_DOUBLINGS = 16


class Due(NamedTuple):
    """Rows `first` … `last` are to be published again; they have been `tries` times."""

    first: int
    last: int
    tries: int


class _Plan(NamedTuple):
    due_s: float
    tries: int
    resume: int
    """Where a round goes on for which there was no room."""


class Rounds:
    """Pauses grow from 30 s, doubling, to `longest_s`. A row that joins a block makes its pauses short again."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self.cursor = 0
        """The last row that was ever published on this connection."""
        self._plans: dict[int, _Plan] = {}
        self._heap: list[tuple[float, int]] = []

    def restart(self) -> None:
        """Everything is to be published anew."""
        self.cursor = 0
        self._plans.clear()
        self._heap.clear()

    def next_s(self) -> float | None:
        """When the next block is due."""
        while self._heap:
            due_s, block = self._heap[0]
            if block in self._plans and self._plans[block].due_s == due_s:
                return due_s
            heapq.heappop(self._heap)
        return None

    def take(self, now: float) -> Due | None:
        """The next block that is due, which has then no plan until it is given one."""
        due_s = self.next_s()
        if due_s is None or due_s > now:
            return None
        _, block = heapq.heappop(self._heap)
        plan = self._plans.pop(block)
        return Due(max(block * BLOCK, plan.resume), min(block * BLOCK + BLOCK - 1, self.cursor), plan.tries)

    def published(self, due: Due, now: float) -> float:
        """The block has been published to its end; gives its pause. Where nothing of it is left, do not tell it, and it is forgotten."""
        pause_s = self.pause_s(due.tries)
        self._plan(due.first // BLOCK, _Plan(now + pause_s, due.tries + 1, 0))
        return pause_s

    def interrupted(self, due: Due, resume: int, now: float) -> None:
        """There was no room for more of it: it goes on at `resume`."""
        self._plan(due.first // BLOCK, _Plan(now, due.tries, resume))

    def fresh(self, ident: int, now: float) -> None:
        """A row was published for the first time."""
        self.cursor = max(self.cursor, ident)
        block = ident // BLOCK
        due_s = now + self.pause_s(0)
        plan = self._plans.get(block)
        if plan is None or plan.due_s > due_s or plan.tries > 1:
            self._plan(
                block, _Plan(due_s if plan is None else min(plan.due_s, due_s), 1, 0 if plan is None else plan.resume)
            )

    def pause_s(self, tries: int) -> float:
        """How long after the try with this number (from 0) the next one comes."""
        return float(min(_RETRY_S * 2 ** min(tries, _DOUBLINGS), self._longest_s))

    def _plan(self, block: int, plan: _Plan) -> None:
        self._plans[block] = plan
        heapq.heappush(self._heap, (plan.due_s, block))
