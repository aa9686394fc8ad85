"""What happens when, in virtual milliseconds: a heap of calls, and nothing about what they do."""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

Call = Callable[[Any], None]


class Agenda:
    """Calls of the same moment are made in the order in which they were entered: a run has one order, on any machine."""

    __slots__ = ("_entered", "heap", "now_ms", "until_ms")

    def __init__(self) -> None:
        self.now_ms = 0
        self.until_ms = 0
        """Nothing behind this is done by the `run` that goes on."""
        self.heap: list[tuple[int, int, Call, Any]] = []
        self._entered = 0

    def at(self, at_ms: int, call: Call, argument: Any = None) -> None:
        """Make this call then; not before now."""
        self._entered = entered = self._entered + 1
        heappush(self.heap, (at_ms, entered, call, argument))

    def after(self, delay_ms: int, call: Call, argument: Any = None) -> None:
        self.at(self.now_ms + delay_ms, call, argument)

    @property
    def next_ms(self) -> int:
        """The moment of the next call, or the end of the run."""
        heap, until_ms = self.heap, self.until_ms
        return heap[0][0] if heap and heap[0][0] < until_ms else until_ms

    def run(self, until_ms: int) -> None:
        """Make all calls up to this moment, which is now then."""
        self.until_ms = until_ms
        heap = self.heap
        while heap and heap[0][0] <= until_ms:
            at_ms, _, call, argument = heappop(heap)
            self.now_ms = max(self.now_ms, at_ms)  # what a fold has passed over, and is void, may lie behind
            call(argument)
        self.now_ms = until_ms
