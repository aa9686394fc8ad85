"""When a wearer sleeps, is out, and may be out: weeks of work, shifts, sick days, weekends. Not what happens meanwhile."""

from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

from strapline_simulator.fleet.diary import HOUR_S, Calendar, Span
from strapline_simulator.fleet.person import SPEED_M_S, Person, Point, distance_m, near
from strapline_simulator.fleet.recorded import Recorded, recorded_outings

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_SICK = 0.065
"""15.1 days of sick leave in some 230 working days (Destatis, Germany 2023)."""

_HOLIDAY = 0.11
"""25 days of leave."""

_RECORDED = 0.1
"""Of free days, where recordings are to be had."""

_AT_THE_EDGE = 0.03
"""Of returns: within a minute and a half of the window's end. The tag's curfew has five minutes of grace at each change."""

_EARLIEST_H, _APART_H = 0.05, 0.6

Hours = tuple[float, float]


class Outing(NamedTuple):
    """From leaving home until being home again."""

    span: Span
    kind: str
    to: Point
    travel_s: float
    """Each way."""
    track: Recorded | None = None


class Shift(NamedTuple):
    """A working day in hours: up, may leave from, work begins, ends, may be out until, to bed."""

    up_h: float
    opens_h: float
    begin_h: float
    end_h: float
    closes_h: float
    bed_h: float


_SHIFTS = {
    "early": Shift(4.4, 4.75, 6.0, 14.0, 17.0, 21.5),
    "late": Shift(8.5, 9.0, 14.0, 22.0, 23.75, 24.6),
    "night": Shift(8.0, 20.75, 22.0, 30.0, 31.5, 32.0),
}
"""As the metal industry has them; `night` ends on the next day."""

_ROTATION = ("early", "late", "night")


class Routine:
    """Of one wearer for a whole life."""

    def __init__(self, person: Person, calendar: Calendar, random: Random) -> None:
        self._person = person
        self._calendar = calendar
        self._random = random
        self._leaves: dict[int, Hours] = {}
        """Days with a leave of their own, beside the week's windows."""
        self.sleeps = [span for day in range(-1, calendar.days) if (span := self._sleep(day)).end_s > 0]
        self.outings: list[Outing] = []
        for day in range(calendar.days):
            self._spend(day)
        self.outings.sort()

    # Sleep.

    def _shift(self, day: int) -> Shift | None:
        """Of someone who works in shifts: Monday to Friday, but nights from Monday to Thursday."""
        weekday = self._calendar.weekday(day)
        if self._person.work != "shifts" or weekday > 4:
            return None
        name = _ROTATION[self._week(day) % 3]
        return None if name == "night" and weekday > 3 else _SHIFTS[name]

    def _week(self, day: int) -> int:
        return (day + self._calendar.weekday(0)) // 7

    def _is_night(self, day: int) -> bool:
        shift = self._shift(day)
        return shift is not None and shift.end_h > 24

    def _sleep(self, day: int) -> Span:
        """The one that follows this day."""
        if self._is_night(day):
            return self._calendar.span(day + 1, 8.0, 15.0)
        shift, following = self._shift(day), self._shift(day + 1)
        bed_h = shift.bed_h if shift else self._person.bed_h + self._random.gauss(0, 0.4)
        up_h = following.up_h if following else self._person.up_h + self._random.gauss(0, 0.3)
        return Span(self._calendar.at(day, bed_h), self._calendar.at(day + 1, up_h))

    # What the centre allows.

    def windows(self, day: int) -> list[Hours]:
        """Local hours of that day in which the wearer may be out; beyond 24 is the next day."""
        person, weekday, shift = self._person, self._calendar.weekday(day), self._shift(day)
        if person.work == "inside":
            return []
        late_h = 21.5 if weekday in person.sport_days else 0.0
        if shift is not None:
            return [(shift.opens_h, shift.closes_h)]
        if weekday > 4:
            return [(9.0, max(late_h, 20.0 if weekday == 5 else 18.0))]
        if person.work in ("office", "part_time"):
            way_h = self._travel_s(person.work_at) / HOUR_S
            return [(_quarter(person.begin_h - way_h - 0.75), max(late_h, _quarter(person.end_h + way_h + 1.5)))]
        return [(9.0, max(late_h, 18.0))]

    def allowed(self, day: int) -> list[Span]:
        """The same as spans, with the day's own leave."""
        own = [self._leaves[day]] if day in self._leaves else []
        return [self._calendar.span(day, *hours) for hours in (*self.windows(day), *own)]

    def orders(self) -> Iterator[tuple[float, dict[str, Any]]]:
        """When the centre sends which schedule: at the start, and on Sunday mornings where the next week is another."""
        before = None
        for week in range(self._week(self._calendar.days) + 1):
            monday = week * 7 - self._calendar.weekday(0)
            order = self._order(monday)
            if order != before:
                yield (180.0 if week == 0 else self._calendar.at(monday - 1, 8.5)), order
            before = order

    def _order(self, monday: int) -> dict[str, Any]:
        weekly = [
            {"window": "may_leave", "days": [_DAYS[offset]], "between": f"{_clock(begins)}-{_clock(ends)}"}
            for offset in range(7)
            for begins, ends in self.windows(monday + offset)
        ]
        once = [
            {
                "window": "may_leave",
                "begins": self._calendar.moment(day, leave[0]).isoformat(),
                "ends": self._calendar.moment(day, leave[1]).isoformat(),
            }
            for day, leave in sorted(self._leaves.items())
            if monday - 1 <= day < monday + 8
        ]
        return {"weekly": weekly, "once": once}

    # Where the day goes.

    def _travel_s(self, to: Point) -> float:
        return distance_m(self._person.home, to) / SPEED_M_S[self._person.way] + 120

    def _spend(self, day: int) -> None:
        random, person = self._random, self._person
        shift, weekday = self._shift(day), self._calendar.weekday(day)
        works = shift is not None or (person.work in ("office", "part_time") and weekday < 5)
        if works and random.random() < _SICK:
            return
        if works and random.random() >= _HOLIDAY:
            begin_h, end_h = (shift.begin_h, shift.end_h) if shift else (person.begin_h, person.end_h)
            self._go_to_work(day, begin_h, end_h)
        elif not works and self._record(day):
            return
        for kind, least_h, most_h in self._wishes(day, weekday, works):
            self._fit(day, kind, random.uniform(least_h, most_h))

    def _go_to_work(self, day: int, begin_h: float, end_h: float) -> None:
        travel_s = self._travel_s(self._person.work_at)
        leave_h = begin_h - travel_s / HOUR_S - self._random.uniform(0.05, 0.3)
        back_h = end_h + travel_s / HOUR_S + self._random.uniform(0.0, 0.4)
        self._add(day, leave_h, back_h, "work", self._person.work_at, travel_s)

    def _wishes(self, day: int, weekday: int, works: bool) -> Iterator[tuple[str, float, float]]:
        random, person = self._random, self._person
        if weekday in person.sport_days:
            yield "sport", 1.5, 2.0
        if person.sauna_day == weekday and random.random() < 0.5:
            yield "sauna", 2.0, 3.0
        if random.random() < (0.25 if works else 0.7):
            yield "errand", 0.5, 1.2
        if random.random() < (0.05 if works else 0.35):
            yield "visit", 1.5, 3.5
        if random.random() < (0.1 if works else 0.35):
            yield "walk", 0.5, 1.2

    def _fit(self, day: int, kind: str, length_h: float) -> None:
        """Into the first hole of the day's windows that is long enough; nowhere, where there is none."""
        random = self._random
        for opens_h, closes_h in self.windows(day):
            for _ in range(6):
                leave_h = random.uniform(opens_h + _EARLIEST_H, closes_h - length_h)
                if leave_h < opens_h + _EARLIEST_H:
                    break
                far_m = (200, 700) if kind == "walk" else (400, 6000)
                to = near(random, self._person, *far_m)
                travel_s = self._travel_s(to) if kind != "walk" else far_m[1] / 1.3
                back_h = leave_h + max(length_h, 2 * travel_s / HOUR_S + 0.25)
                if self._add(day, leave_h, back_h, kind, to, travel_s):
                    return

    def _record(self, day: int) -> bool:
        outings = recorded_outings() if self._person.work != "inside" else ()
        if not outings or self._random.random() >= _RECORDED:
            return False
        track = self._random.choice(outings)
        leave_h = self._random.uniform(9.5, 11.0)
        back_h = leave_h + track.length_s / HOUR_S
        span = self._calendar.span(day, leave_h, back_h)
        if not self._is_free(span):
            return False
        self._leaves[day] = (_quarter(leave_h - 0.5), _quarter(back_h + 0.75))
        self.outings.append(Outing(span, "recorded", self._person.home, 0.0, track))
        return True

    def _add(self, day: int, leave_h: float, back_h: float, kind: str, to: Point, travel_s: float) -> bool:
        """Where the windows and the day leave room for it."""
        opens_h, closes_h = next(iter(self.windows(day)), (0.0, 0.0))
        margin_h = self._random.uniform(0.15, 0.75)
        if self._random.random() < _AT_THE_EDGE and closes_h - back_h < 1.5:
            back_h, margin_h = closes_h + self._random.uniform(-60, 90) / HOUR_S, -1.0
        back_h = min(back_h, closes_h - margin_h)
        if leave_h < opens_h + _EARLIEST_H or back_h - leave_h < 2 * travel_s / HOUR_S + 0.2:
            return False
        span = self._calendar.span(day, leave_h, back_h)
        if not self._is_free(span):
            return False
        self.outings.append(Outing(span, kind, to, travel_s))
        return True

    def _is_free(self, span: Span) -> bool:
        wide = span.shrunk(-_APART_H * HOUR_S, -_APART_H * HOUR_S)
        return (
            span.begin_s > 2 * HOUR_S
            and not any(wide.meets(o.span) for o in self.outings)
            and not any(span.meets(s.shrunk(-0.4 * HOUR_S, -0.4 * HOUR_S)) for s in self.sleeps)
        )


def _quarter(hour: float) -> float:
    return round(hour * 4) / 4


def _clock(hour: float) -> str:
    minutes = round(hour * 60) % 1440
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
