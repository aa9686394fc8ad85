"""What befalls a home without anybody's guilt: mains fail, the router starts again, a line is down, the broker is serviced."""

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from strapline_simulator.fleet.diary import Diary, Span

_YEAR_S = 365.25 * 86400
_BEGINNING_S = 1800.0
_CLEAR_S = 1800.0


class Fault(NamedTuple):
    """So often in a year, and for so long: the shortest and the longest, drawn evenly over their logarithm."""

    verb: str
    per_year: float
    shortest_s: float
    longest_s: float


FAULTS: Sequence[Fault] = (
    # The grid: 12.2 min a year for each consumer, of failures longer than 3 min (Bundesnetzagentur, 2019). At some 40 min each that is
    # one in three years; fuses, and plugs that somebody pulls to vacuum, are an assumption.
    Fault("gateway_mains", 0.3, 180, 7200),
    Fault("gateway_mains", 1.0, 60, 1200),
    # Assumptions, from here on: a router that starts again, a line that is down, a broker that is serviced.
    Fault("gateway_line", 8.0, 60, 420),
    Fault("gateway_line", 1.0, 1800, 21600),
    Fault("broker", 1.0, 60, 600),
)


def befall(diary: Diary, kept: Sequence[Span], end_s: float, random: Random) -> None:
    """Enter a home's faults; none while something is sown in it, so that what is told has one cause."""
    for fault in FAULTS:
        at = _BEGINNING_S + random.expovariate(fault.per_year / _YEAR_S)
        while at < end_s:
            length_s = fault.shortest_s * (fault.longest_s / fault.shortest_s) ** random.random()
            span = Span(at - _CLEAR_S, at + length_s + _CLEAR_S)
            if not any(span.meets(other) for other in kept):
                diary.enter(at, fault.verb, False)
                diary.enter(at + length_s, fault.verb, True)
            at = at + length_s + random.expovariate(fault.per_year / _YEAR_S)
