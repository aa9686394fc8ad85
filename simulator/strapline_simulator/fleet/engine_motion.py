"""How the limb moves: what the accelerometer's FIFO holds each second. From real recordings where they are to be had."""

from array import array
from functools import cache
from typing import NamedTuple

from strapline_simulator.world.limb import RATE_HZ, Vector, data_folder, movement, read_recordings

_RECORDINGS = "wrist-activities-10hz"
_BUILT_IN = {"walk": 1.0, "run": 2.2, "sport": 2.2}
"""Effort of the built-in movement."""

_RECORDED = {"walk": "walking", "run": "running", "sport": "badminton"}

_LOOP_S = 10
_FIFO = 32
"""Triplets that the chip holds: as many as the tag reads in a second at most."""

NOTHING = array("h")


class Stretch(NamedTuple):
    """How far the vector travels in some seconds, mg; what it takes from the one before to their first is not in it."""

    travel: int
    first: Vector | None
    """None: nothing moves."""
    last: Vector | None


class Activity:
    """Movement that comes again: in each period the first `moves_s` seconds, then none; without a period it never ends.

    `seconds`: x, y, z in mg by turns, for one second after the other, over and over. `travels`: how far the vector travels within each.
    """

    __slots__ = ("_least_travels", "_stretches", "moves_s", "period_s", "seconds", "travels")

    def __init__(
        self, seconds: tuple["array[int]", ...], travels: tuple[int, ...], moves_s: int, period_s: int
    ) -> None:
        self.seconds = seconds
        self.travels = travels
        self.moves_s = moves_s
        self.period_s = period_s
        self._stretches: dict[tuple[int, int], Stretch] = {}
        """What has been asked for, by where in the movement it begins and by its length."""
        self._least_travels: dict[int, int] = {}

    def stretch(self, second: int, count: int) -> Stretch:
        """What so many seconds from this one on bring."""
        key = second % (self.period_s or len(self.seconds)), count
        known = self._stretches.get(key)
        if known is None:
            known = self._stretches[key] = self._travel(second, count)
        return known

    def travel(self, second: int, count: int, before: Vector) -> tuple[int, Vector]:
        """How far the vector travels from `before` through so many seconds, mg, and where it is then."""
        travelled, first, last = self.stretch(second, count)
        return (travelled, before) if first is None or last is None else (travelled + way(before, first), last)

    def least_travel(self, count: int) -> int:
        """Within any so many seconds, mg: none in a movement with pauses."""
        least = self._least_travels.get(count)
        if least is None:
            starts = () if self.period_s else range(len(self.seconds))
            least = self._least_travels[count] = min((self._travel(at, count).travel for at in starts), default=0)
        return least

    def _travel(self, second: int, count: int) -> Stretch:
        travel, first, last = 0, None, None
        for at in [self.which(one) for one in range(second, second + count)]:
            vectors = self.seconds[at] if at >= 0 else NOTHING
            if vectors:
                begin = vectors[0], vectors[1], vectors[2]
                travel += self.travels[at] + (0 if last is None else way(last, begin))
                first = first or begin
                last = vectors[-3], vectors[-2], vectors[-1]
        return Stretch(travel, first, last)

    def at(self, second: int) -> "array[int]":
        """What comes in this second of the home's time."""
        into = second % self.period_s if self.period_s else second
        if self.period_s and into >= self.moves_s:
            return NOTHING
        return self.seconds[into % len(self.seconds)]

    def which(self, second: int) -> int:
        """Which of them comes in this second; -1: none."""
        into = second % self.period_s if self.period_s else second
        return -1 if self.period_s and into >= self.moves_s else into % len(self.seconds)

    def next_s(self, now_s: float) -> float:
        """Of a moment without movement: when some comes."""
        return (now_s // self.period_s + 1) * self.period_s if self.moves_s else float("inf")


def way(one: Vector, other: Vector) -> int:
    """How far the vector travels from the one to the other, mg: along each axis."""
    return abs(one[0] - other[0]) + abs(one[1] - other[1]) + abs(one[2] - other[2])


@cache
def activity(name: str) -> Activity:
    """By the name in a life. Raises ValueError for one that is not known."""
    if name == "still":
        return Activity((NOTHING,), (0,), 0, 60)
    if name in ("sleep", "asleep"):  # turning over each 25 minutes, as the scenario language has it
        return Activity(*_moving("walk"), 6, 1500)
    if name == "awake":
        return Activity(*_moving("walk"), 6, 300)
    if name not in _BUILT_IN:
        raise ValueError(f"motion: {name!r} is none of {', '.join(('still', 'sleep', 'awake', *_BUILT_IN))}")
    return Activity(*_moving(name), 0, 0)


def _travels(seconds: tuple["array[int]", ...]) -> tuple[int, ...]:
    return tuple(sum(abs(second[i + 3] - second[i]) for i in range(len(second) - 3)) for second in seconds)


@cache
def _moving(name: str) -> tuple[tuple["array[int]", ...], tuple[int, ...]]:
    vectors: list[Vector] = []
    if data_folder() is not None:
        for recording in read_recordings(_RECORDINGS):
            if recording.activity == _RECORDED[name]:
                vectors += recording.vectors
    if not vectors:
        vectors = movement(0.0, _LOOP_S, _BUILT_IN[name])
    seconds = [vectors[at : at + RATE_HZ] for at in range(0, len(vectors) - RATE_HZ + 1, RATE_HZ)]
    read = tuple(array("h", [value for vector in second[:_FIFO] for value in vector]) for second in seconds)
    return read, _travels(read)
