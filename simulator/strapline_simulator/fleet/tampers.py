"""What a wearer may do to be rid of the tag: each kind with what happens, which alarms must come, and how soon.

Bounds are those of docs/requirements.md: R02 a strap alarm within 3 min, R06 any alarm on a live link within 4 min, R07 what waited within
15 min after the link is back, R51 a fitting bypass within 75 min, R55 a gateway that is gone within 5 min. Where none is, it is said.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Literal, NamedTuple

Where = Literal["awake", "asleep", "stay"]
"""At home and up, at home in bed, or where an outing has led to."""

Happening = tuple[float, str, Any]

STRAP_S, ALARM_S, AFTER_OUTAGE_S, SILENT_FITTING_S = 180.0, 240.0, 900.0, 4500.0
GATEWAY_GONE_S = 300.0 + 60.0
"""R55 counts from the last beat."""

LEFT_S = 600.0
"""Out of reach first; then 30 s of silence in curfew hours (R15), and the way of the alarm (R06)."""

JAMMED_S = 600.0
"""R19 has no bound: a receiver that is looked at each three minutes hears it, for a minute."""

CALL_S = 900.0
"""R53: five minutes until the leaving counts, five to call; then R06."""

UNWRAPPED_S = 600.0
"""R19 has no bound. Nothing goes through foil: it is told once it is off, with the next try to dial (at most ten minutes)."""

ZONE_S = 200.0 + 180.0 + ALARM_S
"""Over the edge within 200 s; R11 a position each three minutes; one so deep inside is sure (R32)."""

ZONE_ENTERED = "zone_entered"

STRAP_OHM, FITTING_OHM, BYPASS_OHM = 1000, 1010, 500
_RADIO = frozenset({"home-rf", "two-piece", "call-in", "facility"})
_RECEIVER = frozenset({"two-piece", "one-piece"})
_ALL = _RADIO | {"one-piece"}
_MENDED_S = 5400.0
"""So long after it somebody comes, mends the tag and arms it anew."""


class Tamper(NamedTuple):
    """One that is drawn: what happens from its moment on, and what must be told."""

    happenings: tuple[Happening, ...]
    alarms: tuple[str, ...]
    within_s: float
    length_s: float
    """So long it takes, with what mends it."""
    at_s: float = 0.0
    """From when the bound counts."""


class Kind(NamedTuple):
    where: tuple[Where, ...]
    profiles: frozenset[str]
    draw: Callable[[Random], Tamper]
    alone: bool = False
    """Only where one tag lives: it is done to the base station."""


def _mended(*happenings: Happening) -> tuple[Happening, ...]:
    return (*happenings, (_MENDED_S, "present_key", "arm"))


def _cut(_random: Random) -> Tamper:
    what = _mended((0, "cut_strap", True), (_MENDED_S - 60, "close_strap", True))
    return Tamper(what, ("strap_open",), STRAP_S, _MENDED_S + 600)


def _cut_in_water(_random: Random) -> Tamper:
    bath = ((0, "surroundings", "bath"), (900, "cut_strap", True), (1800, "surroundings", "room"))
    what = _mended(*bath, (_MENDED_S - 60, "close_strap", True))
    return Tamper(what, ("strap_open",), STRAP_S, _MENDED_S + 600, at_s=900)


def _cut_without_coverage(random: Random) -> Tamper:
    dark_s = random.uniform(1200, 3600)
    what = _mended(
        (0, "cell", False), (300, "cut_strap", True), (dark_s, "cell", True), (_MENDED_S - 60, "close_strap", True)
    )
    return Tamper(what, ("strap_open",), dark_s - 300 + AFTER_OUTAGE_S, _MENDED_S + 600, at_s=300)


def _glitch(random: Random) -> Tamper:
    return Tamper(
        _mended((0, "open_strap", round(random.uniform(0.05, 2.0), 3))), ("strap_open",), STRAP_S, _MENDED_S + 600
    )


def _bypass(random: Random) -> Tamper:
    ohm = random.choice((BYPASS_OHM, random.randint(0, 780), random.randint(1220, 5000)))
    what = _mended((0, "strap_ohm", ohm), (_MENDED_S - 60, "strap_ohm", STRAP_OHM))
    return Tamper(what, ("strap_altered",), STRAP_S, _MENDED_S + 600)


def _bypass_slowly(_random: Random) -> Tamper:
    steps = [(300.0 * step, "strap_ohm", STRAP_OHM - 40 * step) for step in range(7)]
    # The sixth step is the first that leaves the band of 20 %.
    what = _mended(*steps, (_MENDED_S - 60, "strap_ohm", STRAP_OHM))
    return Tamper(what, ("strap_altered",), STRAP_S, _MENDED_S + 600, at_s=1800)


def _rough_bypass(_random: Random) -> Tamper:
    what = (
        (0, "strap_ohm", BYPASS_OHM),
        (120, "take_off", True),
        (_MENDED_S - 300, "put_on", True),
        (_MENDED_S - 60, "strap_ohm", STRAP_OHM),
    )
    return Tamper(_mended(*what), ("strap_altered", "removed"), STRAP_S, _MENDED_S + 600)


def _fitting_bypass(_random: Random) -> Tamper:
    back_s = SILENT_FITTING_S + 1200
    what = (
        (0, "strap_ohm", FITTING_OHM),
        (60, "take_off", True),
        (back_s, "put_on", True),
        (back_s + 60, "strap_ohm", STRAP_OHM),
        (back_s + 900, "present_key", "arm"),
    )
    return Tamper(what, ("removed",), SILENT_FITTING_S, back_s + 1500, at_s=60)


def _case(random: Random) -> Tamper:
    return Tamper(
        _mended((0, "case", "open"), (random.uniform(20, 600), "case", "closed")),
        ("case_open",),
        ALARM_S,
        _MENDED_S + 600,
    )


def _foil(random: Random) -> Tamper:
    wrapped_s = random.uniform(900, 2400)
    what = ((0, "shelter", "foil"), (wrapped_s, "shelter", "indoors"))
    return Tamper(what, ("shielded",), wrapped_s + UNWRAPPED_S, wrapped_s + 1800)


def _foil_at_home(random: Random) -> Tamper:
    wrapped_s = random.uniform(1200, 2400)
    what = ((0, "shelter", "foil"), (wrapped_s, "shelter", "indoors"))
    return Tamper(what, ("curfew_broken", "shielded"), wrapped_s + UNWRAPPED_S, wrapped_s + 3600)


def _jammer(random: Random) -> Tamper:
    length_s = random.uniform(900, 1800)
    return Tamper(((0, "jammer", True), (length_s, "jammer", False)), ("jammed",), JAMMED_S, length_s + 1200)


def _leave(random: Random) -> Tamper:
    """The place is put in by whoever sows it: it is relative to a home."""
    away_s = random.uniform(2400, 5400)
    what = (
        (0, "motion", "awake"),
        (0, "surroundings", "room"),
        (0, "shelter", "street"),
        (1, "go", "away"),
        (away_s, "go", "home"),
        (away_s + 1200, "shelter", "indoors"),
        (away_s + 1300, "motion", "sleep"),
        (away_s + 1300, "surroundings", "bed"),
    )
    return Tamper(what, ("curfew_broken",), LEFT_S, away_s + 2400)


def _enter_zone(_random: Random) -> Tamper:
    """The place is put in by whoever sows it."""
    what = (
        (0, "shelter", "street"),
        (1, "go", "zone"),
        (2600, "go", "home"),
        (3700, "shelter", "indoors"),
    )
    return Tamper(what, ("zone_broken",), ZONE_S, 5400, at_s=900)


def _unplug(random: Random) -> Tamper:
    return Tamper(
        ((0, "gateway_mains", False), (random.uniform(600, 3600), "gateway_mains", True)),
        ("mains_lost",),
        ALARM_S,
        4800,
    )


def _carry_off(_random: Random) -> Tamper:
    what = ((0, "gateway_mains", False), (30, "gateway_moved", "carried"), (3600, "gateway_mains", True))
    return Tamper(what, ("moved",), ALARM_S, 4800)


def _take_offline(random: Random) -> Tamper:
    length_s = random.uniform(1200, 3600)
    what = ((0, "gateway_line", False), (length_s, "gateway_line", True))
    return Tamper(what, ("gateway_lost", "gateway_silent"), GATEWAY_GONE_S, length_s + 1200)


KINDS: Mapping[str, Kind] = {
    "strap_cut": Kind(("awake", "asleep", "stay"), _ALL, _cut),
    "strap_cut_in_water": Kind(("awake",), _ALL, _cut_in_water),
    "strap_cut_without_coverage": Kind(("stay",), _ALL, _cut_without_coverage),
    "strap_opened_shortly": Kind(("awake", "asleep", "stay"), _ALL, _glitch),
    "strap_bypassed": Kind(("awake", "stay"), _ALL, _bypass),
    "strap_bypassed_slowly": Kind(("awake",), _ALL, _bypass_slowly),
    "removed_with_rough_bypass": Kind(("awake",), _ALL, _rough_bypass),
    "removed_with_fitting_bypass": Kind(("awake",), _ALL, _fitting_bypass),
    "case_opened": Kind(("awake", "asleep", "stay"), _ALL, _case),
    "foil": Kind(("stay",), _RECEIVER, _foil),
    "foil_at_home": Kind(("asleep",), frozenset({"home-rf", "two-piece", "call-in", "facility"}), _foil_at_home),
    "jammer": Kind(("stay",), _RECEIVER, _jammer),
    "left_in_curfew": Kind(("asleep",), frozenset({"home-rf", "two-piece", "call-in", "facility"}), _leave),
    ZONE_ENTERED: Kind(("awake",), frozenset({"one-piece"}), _enter_zone),
    "gateway_unplugged": Kind(("awake", "asleep"), _RADIO, _unplug, alone=True),
    "gateway_carried_off": Kind(("awake", "asleep"), _RADIO, _carry_off, alone=True),
    "gateway_offline": Kind(("awake", "asleep"), _RADIO, _take_offline, alone=True),
}
CALL_OMITTED = "call_omitted"
"""Of the profile call-in: a leaving without the call. It is sown in an outing that there is."""
