"""What happens on an outing and at home: ways, lifts, metros, lunch, sport, saunas, baths, the charger, beds."""

from collections.abc import Container
from random import Random

from strapline_simulator.fleet.diary import HOUR_S, Calendar, Diary, Span, gaps
from strapline_simulator.fleet.person import Person
from strapline_simulator.fleet.routine import Outing, Routine
from strapline_simulator.fleet.weather import outside_c

_MINUTE_S = 60.0
_SETTLED_S = 600.0
_SHELTERED_C = 30.0
"""Below clothes."""

_CALL_S = (450.0, 600.0)
"""After the door: the leaving is noticed after five minutes and a half to seven, and the call is owed within five more."""

_OWN = frozenset({"walk", "recorded"})
"""Outings that are a way and no stay."""


class Stays:
    """Writes one wearer's diary."""

    def __init__(self, person: Person, calendar: Calendar, diary: Diary, random: Random) -> None:
        self._person = person
        self._calendar = calendar
        self._diary = diary
        self._random = random

    def write(self, routine: Routine, without_call: Container[float] = ()) -> None:
        """All of it, around what the diary keeps free. `without_call`: when outings begin on which nobody calls in."""
        for span in routine.sleeps:
            self._sleep(span)
        for outing in routine.outings:
            self._go_out(outing, calls=outing.span.begin_s not in without_call)
        busy = [*routine.sleeps, *(outing.span for outing in routine.outings)]
        awake = gaps(busy, Span(_SETTLED_S, self._calendar.end_s))
        self._keep_house(awake, routine.sleeps)

    # Nights.

    def _sleep(self, span: Span) -> None:
        at = max(span.begin_s, _SETTLED_S)
        enter = self._diary.enter
        enter(at, "motion", "sleep")
        enter(at + 1, "surroundings", "bed")
        enter(span.end_s, "surroundings", "room")
        enter(span.end_s, "motion", "awake")
        if self._person.cold_limb:
            enter(at + 900, "limb", "cold")
            enter(span.end_s + 600, "limb", "warm")

    # Ways.

    def _go_out(self, outing: Outing, *, calls: bool) -> None:
        leaves, comes = outing.span
        diary = self._diary
        diary.enter(leaves, "motion", "awake")
        self._outside(leaves)
        if self._person.profile == "call-in" and calls:
            diary.enter(leaves + self._random.uniform(*_CALL_S), "press_button", 1.0)
        if outing.track is not None:
            diary.enter(leaves, "track", outing.track.around(self._person.home))
        else:
            self._travel(leaves, outing, there=True)
            stay = Span(leaves + outing.travel_s, comes - outing.travel_s)
            if outing.kind not in _OWN:
                getattr(self, f"_{outing.kind}")(stay)
                self._outside(stay.end_s)
            self._travel(stay.end_s, outing, there=False)
        diary.enter(comes, "shelter", "indoors")
        diary.enter(comes, "surroundings", "room")
        diary.enter(comes, "motion", "awake")

    def _outside(self, t_s: float) -> None:
        moment = self._calendar.day_of_year(t_s)
        bare_c = outside_c(moment, moment % 1 * 24, self._random)
        warmth = 0.0 if self._person.thin_clothes else 0.6
        self._diary.enter(t_s, "cell", True)
        self._diary.enter(t_s, "shelter", "street")
        self._diary.enter(t_s, "ambient", round(bare_c + warmth * (_SHELTERED_C - bare_c), 1))

    def _travel(self, t_s: float, outing: Outing, *, there: bool) -> None:
        diary, travel_s = self._diary, outing.travel_s
        lat, lon = outing.to if there else self._person.home
        diary.enter(t_s, "go", (lat, lon, travel_s))
        if outing.kind == "walk" or self._person.way in ("on_foot", "bicycle"):
            return
        rides = self._person.way == "metro" and travel_s > 480
        diary.enter(t_s + 60, "motion", "still")
        if rides:
            diary.enter(t_s + 0.15 * travel_s, "shelter", "metro")
            diary.enter(t_s + 0.85 * travel_s, "shelter", "street")
        diary.enter(t_s + 0.9 * travel_s, "motion", "awake")

    # Stays.

    def _go_in(self, t_s: float) -> float:
        """By a lift or out of a car park, now and then; gives when one is inside."""
        diary, random = self._diary, self._random
        if random.random() < 0.1 and self._person.way == "car":
            diary.enter(t_s, "shelter", "car_park")
            t_s += random.uniform(180, 480)
        if random.random() < 0.2:
            diary.enter(t_s, "shelter", "lift")
            t_s += random.uniform(40, 150)
        diary.enter(t_s, "shelter", "indoors")
        diary.enter(t_s, "surroundings", "room")
        return t_s

    def _work(self, stay: Span) -> None:
        inside = self._go_in(stay.begin_s)
        middle = (inside + stay.end_s) / 2
        lunch = Span(middle - self._random.uniform(900, 1800), middle + 600)
        if lunch.begin_s > inside + 1800 and self._diary.is_free(lunch) and self._random.random() < 0.5:
            self._outside(lunch.begin_s)
            self._walk_about(lunch)
            self._diary.enter(lunch.end_s, "shelter", "indoors")
            self._diary.enter(lunch.end_s, "surroundings", "room")
        shift = Span(inside + 900, inside + 900 + self._random.uniform(600, 5400))
        if self._random.random() < 0.3 and self._diary.is_free(shift) and shift.end_s < min(lunch.begin_s, stay.end_s):
            self._walk_about(shift)  # who works on their feet

    def _walk_about(self, span: Span) -> None:
        self._diary.enter(span.begin_s, "motion", "walk")
        self._diary.enter(span.end_s, "motion", "awake")

    def _errand(self, stay: Span) -> None:
        inside = self._go_in(stay.begin_s)
        self._walk_about(Span(inside, max(inside + 60, stay.end_s - 60)))

    def _visit(self, stay: Span) -> None:
        if not self._person.dead_spot:
            self._go_in(stay.begin_s)
            return
        self._diary.enter(stay.begin_s, "sky", "indoors")
        self._diary.enter(stay.begin_s, "surroundings", "room")
        self._diary.enter(stay.begin_s + 1, "cell", False)

    def _sport(self, stay: Span) -> None:
        diary = self._diary
        begin, end = stay.begin_s + 300, stay.end_s - 900
        if self._person.sport == "sport":
            self._go_in(stay.begin_s)
        diary.enter(begin, "motion", self._person.sport)
        diary.enter(max(begin + 300, end), "motion", "awake")
        self._go_in(max(begin + 300, end) + 1)
        self._shower(max(begin + 300, end) + 120)

    def _sauna(self, stay: Span) -> None:
        diary = self._diary
        at = self._go_in(stay.begin_s) + 900
        for _ in range(2):
            if at + 2400 > stay.end_s:
                return
            sweat_s = self._random.uniform(600, 900)
            diary.enter(at, "surroundings", "sauna")
            diary.enter(at + sweat_s, "surroundings", "lake")
            diary.enter(at + sweat_s + 120, "surroundings", "room")
            at += 2700

    # At home.

    def _shower(self, at: float) -> None:
        self._diary.enter(at, "surroundings", "bath")
        self._diary.enter(at + self._random.uniform(240, 540), "surroundings", "room")

    def _bathe(self, at: float) -> None:
        length_s = self._random.uniform(1200, 2400)
        if self._person.iron_bath:
            self._diary.enter(at, "shelter", "bath")
            self._diary.enter(at + length_s, "shelter", "indoors")
        self._diary.enter(at, "surroundings", "bath")
        self._diary.enter(at + length_s, "surroundings", "room")

    def _keep_house(self, awake: list[Span], sleeps: list[Span]) -> None:
        for sleep in sleeps:
            evening = [gap for gap in awake if abs(gap.end_s - sleep.begin_s) < 1]
            morning = [gap for gap in awake if abs(gap.begin_s - sleep.end_s) < 1]
            wash = morning if self._person.showers == "morning" else evening
            if wash and (at := self._hole(wash[0], 900)) is not None:
                self._shower(at)
            day = int(sleep.begin_s // (24 * HOUR_S))
            if (
                evening
                and self._calendar.weekday(day) == self._person.bath_day
                and (at := self._hole(evening[0], 3000))
            ):
                self._bathe(at)
            self._charge(sleep, evening)

    def _charge(self, sleep: Span, evening: list[Span]) -> None:
        length_s = self._random.uniform(3600, 5400)
        if not self._person.charges_asleep and evening and (at := self._hole(evening[0], length_s + 300)) is not None:
            self._diary.keep(Span(at, at + length_s))
        else:
            at = sleep.begin_s + 900
            if not self._diary.is_free(Span(at, at + length_s)):
                return
        self._diary.enter(at, "charger", True)
        self._diary.enter(at + length_s, "charger", False)

    def _hole(self, gap: Span, length_s: float) -> float | None:
        """A moment in the gap from which so long is free."""
        for _ in range(5):
            if gap.length_s < length_s + 2 * _SETTLED_S:
                return None
            at = self._random.uniform(gap.begin_s + _SETTLED_S, gap.end_s - _SETTLED_S - length_s)
            if self._diary.is_free(Span(at, at + length_s)):
                self._diary.keep(Span(at, at + length_s))
                return at
        return None
