"""The wall clock beside one that nobody sets: when it was set, by how much, and what its times are worth. It reads neither itself."""

from collections.abc import Callable

JUMP_S = 2.0
"""What a time service slews (at most 500 ppm, adjtimex(2)) does not come near between two looks; a step or a hand does."""

SET_FOR_S = 600.0
"""So long after a jump times are marked `set`: what was heard shortly before bears a time of the other reckoning."""

_ASK_EVERY_S = 10.0

SYNCHRONISED, UNSURE, SET = "synchronised", "unsure", "set"


class ClockWatch:
    """`synchronised()` says what the platform knows of its time service; None where it cannot tell."""

    def __init__(self, synchronised: Callable[[], bool | None]) -> None:
        self._synchronised = synchronised
        self._offset_s: float | None = None
        self._jumped_at_s = float("-inf")
        self._asked_at_s = float("-inf")
        self._is_synchronised: bool | None = None

    def look(self, wall_s: float, steady_s: float) -> float | None:
        """The two clocks as they stand now; gives the jump in seconds (positive: set forward), None where there was none."""
        offset_s, before = wall_s - steady_s, self._offset_s
        self._offset_s = offset_s
        if before is None or abs(offset_s - before) < JUMP_S:
            return None
        self._jumped_at_s, self._asked_at_s = steady_s, float("-inf")
        return offset_s - before

    def quality(self, steady_s: float) -> str:
        """What a time of this moment is worth."""
        if steady_s < self._jumped_at_s + SET_FOR_S:
            return SET
        if steady_s >= self._asked_at_s + _ASK_EVERY_S:
            self._asked_at_s, self._is_synchronised = steady_s, self._synchronised()
        return SYNCHRONISED if self._is_synchronised else UNSURE
