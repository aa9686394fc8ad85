"""One home and the lives in it, from a seed: who lives there, what they do, what befalls the house, which tampers are sown.

The same arguments give the same home, to the last stimulus, in any process. What is modelled and what is left out: docs/fleets.md.
"""

from collections.abc import Mapping
from datetime import datetime
from random import Random

from strapline_protocol.profiles import PROFILES
from strapline_simulator.fleet.diary import Calendar, Diary
from strapline_simulator.fleet.house_faults import befall
from strapline_simulator.fleet.person import Person, draw_home, draw_person
from strapline_simulator.fleet.question import DEFAULT_MIX, FACILITY_TAGS
from strapline_simulator.fleet.routine import Routine
from strapline_simulator.fleet.sowing import Sower
from strapline_simulator.fleet.spec import HomeSpec, TagSpec
from strapline_simulator.fleet.stays import Stays
from strapline_simulator.fleet.zone import draw_zone, zone_order

_ARMED_S, _RULES_S = 60.0, 180.0
WITHOUT_GATEWAY = "one-piece"


def home_spec(
    number: int,
    seed: int,
    start: datetime,
    hours: float,
    *,
    mix: Mapping[str, int] = DEFAULT_MIX,
    profile: str | None = None,
    tags: int | None = None,
    zone: str = "Europe/Berlin",
    tampers: float = 0.0,
    fold: bool = False,
) -> HomeSpec:
    """`start` with its time zone; `tampers` for each person-day on average. Without profile and tags they are drawn from `mix`."""
    random = Random(f"{seed}/home/{number}")
    drawn = random.choices(sorted(mix), [mix[name] for name in sorted(mix)])[0]
    kind = drawn if profile is None else profile
    count = tags if tags is not None else FACILITY_TAGS if kind == "facility" else 1
    home = draw_home(random)
    calendar = Calendar(start, zone, hours)
    diaries = []
    for place in range(count):
        mine = Random(f"{seed}/home/{number}/tag/{place}")
        diaries.append(_live(draw_person(mine, kind, home), calendar, mine, tampers, alone=count == 1))
    if kind != WITHOUT_GATEWAY:
        kept = [span for diary in diaries for span in diary.kept_for_tampers]
        befall(diaries[0], kept, calendar.end_s, random)
    settings = {setting.name.lower(): value for setting, value in PROFILES[kind].items()}
    lives = tuple(
        TagSpec(_ident(number, place), kind, settings, diary.stimuli, tuple(sorted(diary.sown)))
        for place, diary in enumerate(diaries)
    )
    return HomeSpec(number, seed, start, hours, zone, home, lives, fold)


def _live(person: Person, calendar: Calendar, random: Random, tampers: float, *, alone: bool) -> Diary:
    diary = Diary(calendar.end_s)
    diary.enter(0.0, "shelter", "indoors")
    diary.enter(_ARMED_S, "present_key", "arm")
    routine = Routine(person, calendar, random)
    zone = draw_zone(random, person, routine) if person.profile == WITHOUT_GATEWAY else None
    if zone is not None:
        diary.enter(_RULES_S, "zones", zone_order(zone))
    if person.profile != WITHOUT_GATEWAY:
        for at, order in routine.orders():
            diary.enter(at, "curfew", order)
    sower = Sower(person, calendar, diary, random, alone=alone, zone=zone)
    sower.sow(routine, tampers)
    diary.kept_for_tampers = list(diary.kept)
    Stays(person, calendar, diary, random).write(routine, sower.omitted)
    return diary


def _ident(number: int, place: int) -> str:
    """Eight digits: six of the home, two of the tag in it."""
    return f"{number + 1:06x}{place + 1:02x}"
