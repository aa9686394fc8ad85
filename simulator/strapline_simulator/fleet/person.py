"""Who wears a tag: work, home town, habits. Drawn once from a seed; assumptions unless a source stands beside them (docs/fleets.md)."""

import math
from random import Random
from typing import Literal, NamedTuple

Work = Literal["office", "shifts", "part_time", "none", "inside"]
Way = Literal["on_foot", "bicycle", "car", "metro"]

METRE_DEG = 1 / 111320
_TOWNS = ((53.2487, 10.4078), (52.5200, 13.4050), (48.1372, 11.5755), (51.0504, 13.7373), (50.9375, 6.9603))
"""Lüneburg, Berlin, Munich, Dresden, Cologne."""

SPEED_M_S: dict[Way, float] = {"on_foot": 1.3, "bicycle": 4.2, "car": 9.0, "metro": 8.0}

_WAYS: tuple[Way, ...] = ("on_foot", "bicycle", "car", "metro")
_WAY_SHARES = (15, 20, 45, 20)

Point = tuple[float, float]


class Person(NamedTuple):
    """One wearer. Hours are local; days of the week count from Monday, 0."""

    profile: str
    home: Point
    work: Work
    work_at: Point
    way: Way
    up_h: float
    bed_h: float
    begin_h: float
    """Work begins, and ends, in an ordinary week."""
    end_h: float
    sport_days: tuple[int, ...]
    sport: Literal["sport", "run"]
    showers: Literal["morning", "evening"]
    bath_day: int | None
    iron_bath: bool
    sauna_day: int | None
    cold_limb: bool
    charges_asleep: bool
    thin_clothes: bool
    """The limb is bare to the weather: shorts, or a sleeve that is pushed up."""
    dead_spot: bool
    """Friends live where no cell is."""


def draw_home(random: Random) -> Point:
    """Within 5 km of a town's middle."""
    return _near(random, random.choice(_TOWNS), 0, 5000)


def draw_person(random: Random, profile: str, home: Point) -> Person:
    inside = profile == "facility"
    # Of 20- to 64-year-olds in Germany about four in five work (Eurostat, employment rate); fewer of those who are monitored.
    work: Work = "inside" if inside else random.choices(("office", "shifts", "part_time", "none"), (45, 15, 15, 25))[0]
    begin_h = random.choice((6.5, 7.0, 7.5, 8.0, 8.5, 9.0))
    # 7 h 39 min of main work on a working day, 8 h 39 min of sleep (INE, Time Use Survey 2009-2010).
    length_h = 4.5 if work == "part_time" else random.uniform(7.5, 9.0)
    way: Way = random.choices(_WAYS, _WAY_SHARES)[0]
    far_m = {"on_foot": 1800, "bicycle": 5000, "car": 14000, "metro": 9000}
    up_h = min(begin_h - random.uniform(1.3, 2.0), 8.5) if work in ("office", "part_time") else random.uniform(6.5, 9.0)
    sport_days = tuple(sorted(random.sample(range(7), random.choice((0, 0, 1, 2))))) if not inside else ()
    return Person(
        profile=profile,
        home=home,
        work=work,
        work_at=_near(random, home, far_m[way] / 3, far_m[way]),
        way=way,
        up_h=up_h,
        bed_h=up_h + 24 - random.gauss(8.6, 0.5),
        begin_h=begin_h,
        end_h=begin_h + length_h,
        sport_days=sport_days,
        sport=random.choice(("sport", "run")),
        showers=random.choice(("morning", "evening")),
        bath_day=random.choice((None, None, random.randrange(7))),
        iron_bath=random.random() < 0.03,  # most tubs are steel or acrylic, and most flats have a shower
        sauna_day=random.choice((5, 6)) if random.random() < 0.1 and not inside else None,
        cold_limb=random.random() < 0.05,
        charges_asleep=random.random() < 0.3,
        thin_clothes=random.random() < 0.2,
        dead_spot=random.random() < 0.2,
    )


def near(random: Random, person: Person, least_m: float, most_m: float) -> Point:
    """A place that far from the person's home."""
    return _near(random, person.home, least_m, most_m)


def _near(random: Random, around: Point, least_m: float, most_m: float) -> Point:
    way, far = random.uniform(0, 2 * math.pi), random.uniform(least_m, most_m) * METRE_DEG
    return around[0] + far * math.cos(way), around[1] + far * math.sin(way) / math.cos(math.radians(around[0]))


def distance_m(a: Point, b: Point) -> float:
    """Flat, which is right to the metre in one town."""
    return math.hypot(a[0] - b[0], (a[1] - b[1]) * math.cos(math.radians(a[0]))) / METRE_DEG
