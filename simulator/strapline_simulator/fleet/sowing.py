"""Tampers sown into a life: so many for each person-day on average, each where it can happen and where nothing else disturbs it."""

import math
from random import Random

from strapline_simulator.fleet.diary import HOUR_S, Calendar, Diary, Span, gaps
from strapline_simulator.fleet.person import Person, Point, near
from strapline_simulator.fleet.routine import Routine
from strapline_simulator.fleet.spec import Sown
from strapline_simulator.fleet.tampers import CALL_OMITTED, CALL_S, KINDS, ZONE_ENTERED, Kind, Tamper, Where

_BEFORE_S = 1200.0
"""So long nothing else happens before it: what was before is told and over."""

_BEGINNING_S = HOUR_S
_TRIES = 8


class Sower:
    """Of one wearer. `sow` enters the tampers; `omitted` are the outings without their call."""

    def __init__(
        self,
        person: Person,
        calendar: Calendar,
        diary: Diary,
        random: Random,
        *,
        alone: bool,
        zone: Point | None = None,
    ) -> None:
        self._person = person
        self._calendar = calendar
        self._diary = diary
        self._random = random
        self._zone = zone
        self._kinds = sorted(
            name for name, kind in KINDS.items() if person.profile in kind.profiles and (alone or not kind.alone)
        )
        if zone is None and ZONE_ENTERED in self._kinds:
            self._kinds.remove(ZONE_ENTERED)
        if person.profile == "call-in":
            self._kinds.append(CALL_OMITTED)
        self.omitted: set[float] = set()

    def sow(self, routine: Routine, per_day: float) -> None:
        spans = self._spans(routine)
        for _ in range(_poisson(self._random, per_day * self._calendar.end_s / 86400)):
            # One for which there is no room is another one, not none.
            for _ in range(_TRIES):
                name = self._random.choice(self._kinds)
                if self._omit_call(routine) if name == CALL_OMITTED else self._try(name, KINDS[name], routine, spans):
                    break

    def _spans(self, routine: Routine) -> dict[Where, list[Span]]:
        outings = [outing.span for outing in routine.outings]
        stays = [
            Span(o.span.begin_s + o.travel_s, o.span.end_s - o.travel_s).shrunk(900, 300)
            for o in routine.outings
            if o.kind == "work" or (o.kind == "visit" and not self._person.dead_spot)
        ]
        awake = gaps([*routine.sleeps, *outings], Span(0, self._calendar.end_s))
        return {
            "awake": [span.shrunk(600, 900) for span in awake],
            "asleep": [span.shrunk(600, 900) for span in routine.sleeps],
            "stay": stays,
        }

    def _try(self, name: str, kind: Kind, routine: Routine, spans: dict[Where, list[Span]]) -> bool:
        tamper = kind.draw(self._random)
        needed = _BEFORE_S + tamper.length_s
        fitting = [span for where in kind.where for span in spans[where] if span.length_s > needed]
        if not fitting:
            return False
        span = self._random.choice(fitting)
        at = self._random.uniform(span.begin_s + _BEFORE_S, span.end_s - tamper.length_s)
        whole = Span(at - _BEFORE_S, at + tamper.length_s)
        if (
            whole.begin_s < _BEGINNING_S
            or not self._diary.is_free(whole)
            or (name == "left_in_curfew" and self._may_leave(routine, whole))
        ):
            return False
        self._enter(name, at, tamper, whole)
        return True

    def _enter(self, name: str, at: float, tamper: Tamper, whole: Span) -> None:
        diary = self._diary
        diary.keep(whole)
        away = near(self._random, self._person, 900, 1500)
        places = {
            "away": (*away, 1100.0),
            "home": (*self._person.home, 1100.0),
            "zone": (*(self._zone or away), 1100.0),
        }
        for after_s, verb, argument in tamper.happenings:
            diary.enter(at + after_s, verb, places[argument] if verb == "go" else argument)
        diary.sown.append(Sown(round(at + tamper.at_s, 1), name, tamper.alarms, tamper.within_s))

    def _may_leave(self, routine: Routine, whole: Span) -> bool:
        """Whether a window lies near: then it would be no breach."""
        day = int(whole.begin_s // 86400)
        return any(
            whole.meets(window.shrunk(-900, -900)) for on in (day - 1, day, day + 1) for window in routine.allowed(on)
        )

    def _omit_call(self, routine: Routine) -> bool:
        outings = [o for o in routine.outings if o.span.length_s > 2400 and o.span.begin_s not in self.omitted]
        if not outings:
            return False
        outing = self._random.choice(outings)
        whole = Span(outing.span.begin_s - _BEFORE_S, outing.span.begin_s + 1500)
        if not self._diary.is_free(whole):
            return False
        self._diary.keep(whole)
        self.omitted.add(outing.span.begin_s)
        self._diary.sown.append(Sown(round(outing.span.begin_s, 1), CALL_OMITTED, ("call_in_missed",), CALL_S))
        return True


def _poisson(random: Random, mean: float) -> int:
    """Knuth's way; means here are small, and larger ones are split."""
    if mean > 30:
        return _poisson(random, mean / 2) + _poisson(random, mean / 2)
    limit, count, product = math.exp(-mean), 0, random.random()
    while product > limit:
        count += 1
        product *= random.random()
    return count
