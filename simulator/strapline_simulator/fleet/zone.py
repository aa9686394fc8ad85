"""The place that a wearer without a base station must stay away from: chosen so that no ordinary outing comes near it."""

from random import Random
from typing import Any

from strapline_protocol.codes import Rule
from strapline_simulator.fleet.person import Person, Point, distance_m, near
from strapline_simulator.fleet.routine import Outing, Routine

RADIUS_M = 300
_CLEAR_M = 900.0
"""From its middle: the radius, what a receiver errs by between houses, and a wide berth."""

_BANDS_M = ((2000, 4500), (6500, 9000))
"""From home; a year's outings leave room in the second one only."""

_TRIES = 40
_STEPS = 20


def draw_zone(random: Random, person: Person, routine: Routine) -> Point | None:
    """Its middle; None where the outings leave no room."""
    ways = [point for outing in routine.outings for point in _way(person.home, outing)]
    for band in _BANDS_M:
        for _ in range(_TRIES):
            middle = near(random, person, *band)
            if all(distance_m(middle, point) > _CLEAR_M for point in ways):
                return middle
    return None


def zone_order(middle: Point) -> tuple[tuple[Any, ...], ...]:
    """As the verb `zones` takes it."""
    corner = (round(middle[0] * 1e7), round(middle[1] * 1e7))
    return ((1, int(Rule.STAY_OUT), 0, RADIUS_M, (corner,)),)


def _way(home: Point, outing: Outing) -> list[Point]:
    if outing.track is not None:
        return [(lat, lon) for _, lat, lon in outing.track.around(home)]
    shares = (step / _STEPS for step in range(_STEPS + 1))
    return [
        (home[0] + share * (outing.to[0] - home[0]), home[1] + share * (outing.to[1] - home[1])) for share in shares
    ]
