"""A wearer's time as spans and moments: seconds since the home's start, told from local days and hours."""

from bisect import insort
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from strapline_simulator.fleet.spec import Sown, Stimulus

HOUR_S = 3600.0


class Span(NamedTuple):
    """From, until."""

    begin_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        return self.end_s - self.begin_s

    def shrunk(self, at_begin_s: float, at_end_s: float) -> "Span":
        return Span(self.begin_s + at_begin_s, self.end_s - at_end_s)

    def meets(self, other: "Span") -> bool:
        return self.begin_s < other.end_s and other.begin_s < self.end_s


class Calendar:
    """Local days of one home. Hours may be beyond 24: they are of the next day; across a change of the clocks they are as on the wall."""

    def __init__(self, start: datetime, zone: str, hours: float) -> None:
        self.zone = ZoneInfo(zone)
        self._start = start
        self._midnight = start.astimezone(self.zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        self.end_s = hours * HOUR_S
        self.days = int(hours / 24) + 2

    def moment(self, day: int, hour: float) -> datetime:
        wall = self._midnight + timedelta(days=day, seconds=round(hour * HOUR_S))
        return wall.replace(tzinfo=self.zone)

    def at(self, day: int, hour: float) -> float:
        return self.moment(day, hour).timestamp() - self._start.timestamp()

    def span(self, day: int, begin_h: float, end_h: float) -> Span:
        return Span(self.at(day, begin_h), self.at(day, end_h))

    def weekday(self, day: int) -> int:
        """Monday is 0."""
        return self.moment(day, 12).weekday()

    def day_of_year(self, t_s: float) -> float:
        moment = self._start + timedelta(seconds=t_s)
        return moment.timetuple().tm_yday + moment.hour / 24


class Diary:
    """What happens to one tag, entered in any order. `kept` are spans that something needs undisturbed, some of them tampers."""

    def __init__(self, end_s: float) -> None:
        self._end_s = end_s
        self._entries: list[tuple[float, int, str, Any]] = []
        self.kept: list[Span] = []
        self.kept_for_tampers: list[Span] = []
        self.sown: list[Sown] = []

    def enter(self, t_s: float, verb: str, argument: Any) -> None:
        """Of two at the same moment the first entered comes first. What lies outside the life is left out."""
        if 0 <= t_s < self._end_s:
            insort(self._entries, (round(t_s, 1), len(self._entries), verb, argument), key=lambda entry: entry[:2])

    def enter_all(self, t_s: float, what: Iterable[tuple[float, str, Any]]) -> None:
        """Each with its seconds after `t_s`."""
        for after_s, verb, argument in what:
            self.enter(t_s + after_s, verb, argument)

    def is_free(self, span: Span) -> bool:
        return span.end_s <= self._end_s and not any(span.meets(kept) for kept in self.kept)

    def keep(self, span: Span) -> None:
        self.kept.append(span)

    @property
    def stimuli(self) -> tuple[Stimulus, ...]:
        return tuple(Stimulus(t_s, verb, argument) for t_s, _, verb, argument in self._entries)


def gaps(busy: Iterable[Span], within: Span) -> list[Span]:
    """What is left of `within`."""
    found, at = [], within.begin_s
    for span in sorted(busy):
        if span.begin_s > at:
            found.append(Span(at, min(span.begin_s, within.end_s)))
        at = max(at, span.end_s)
        if at >= within.end_s:
            return found
    return [*found, Span(at, within.end_s)]
