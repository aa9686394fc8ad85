"""Which alerts a life explains, strictly: what was sown, or what really befell the house. All else is a false alert.

A wearer who goes to work is no cause of an alert, however soon after it: lives keep every rule but where something is sown.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from strapline_simulator.fleet.spec import HomeResult, HomeSpec, Sown, TagSpec, Told

_BEFORE_S = 1.0
_LATE_S = 900.0
"""A consequence may come so long after the bound of what was sown."""

_GATEWAY_S = 900.0
"""R55 and a last will: a gateway that is gone is told within minutes; one that comes back tells what it has kept."""

_RUNGS_S = 8 * 3600.0
"""A base station's battery goes down its ladder over hours, and charges for hours."""

_DARK_S = 4 * 3600.0
"""R11, R55: a tag from which nothing could come for nearly as long as the bound of its silence."""

_CONSEQUENCES: Mapping[str, frozenset[str]] = {
    "strap_cut": frozenset({"strap_open", "removed"}),
    "strap_cut_in_water": frozenset({"strap_open", "removed"}),
    "strap_cut_without_coverage": frozenset({"strap_open", "removed"}),
    "strap_opened_shortly": frozenset({"strap_open"}),
    "strap_bypassed": frozenset({"strap_altered", "strap_open"}),
    "strap_bypassed_slowly": frozenset({"strap_altered"}),
    "removed_with_rough_bypass": frozenset({"strap_altered", "removed"}),
    "removed_with_fitting_bypass": frozenset({"removed"}),
    "case_opened": frozenset({"case_open"}),
    "foil": frozenset({"shielded", "moving_without_fix", "left_home"}),
    "foil_at_home": frozenset({"shielded", "curfew_broken", "left_home", "call_in_missed"}),
    "jammer": frozenset({"jammed", "moving_without_fix"}),
    "left_in_curfew": frozenset({"curfew_broken", "left_home", "call_in_missed"}),
    "zone_entered": frozenset({"zone_broken"}),
    "gateway_unplugged": frozenset({"mains_lost"}),
    "gateway_carried_off": frozenset({"mains_lost", "moved"}),
    "gateway_offline": frozenset({"gateway_lost", "gateway_silent"}),
    "call_omitted": frozenset({"call_in_missed"}),
}
"""What else than its own alarm a tamper makes true. `alarm` is any of them before its record has come."""

_HOUSE: Mapping[str, tuple[str, float, float]] = {
    "mains_lost": ("gateway_mains", 0.0, 60.0),
    "battery_low": ("gateway_mains", 0.0, _RUNGS_S),
    "battery_critical": ("gateway_mains", 0.0, _RUNGS_S),
    "last_gasp": ("gateway_mains", 0.0, _RUNGS_S),
    "gateway_lost": ("gateway_line broker gateway_mains", 0.0, _GATEWAY_S),
    "gateway_silent": ("gateway_line broker gateway_mains", 0.0, _GATEWAY_S),
    "centre_silent": ("gateway_line broker", 0.0, _GATEWAY_S),
    "cut_off": ("broker", 0.0, _GATEWAY_S),
    "gap": ("gateway_line broker cell", _DARK_S, _GATEWAY_S),
    "tag_silent": ("gateway_line broker cell", _DARK_S, _GATEWAY_S),
}
"""Alerts that a house's fault explains: the verbs that took something away, for how long at least, and how long after its end at most."""

_UNTIL_NOTICED_S = 600.0


class Outage(NamedTuple):
    """Something was not there."""

    verb: str
    begin_s: float
    end_s: float


def judge(spec: HomeSpec, result: HomeResult) -> HomeResult:
    """The result with each alert's cause as this module has it."""
    lives = {tag.ident: tag for tag in spec.tags}
    outages = list(_outages(spec))
    told = tuple(alert._replace(cause=cause_of(alert, lives, outages)) for alert in result.alerts)
    return result._replace(alerts=told)


def cause_of(told: Told, lives: Mapping[str, TagSpec], outages: list[Outage]) -> str:
    """The kind of tamper, or the verb of the house's fault; empty for a false one."""
    concerned = [lives[told.tag]] if told.tag in lives else list(lives.values())
    for life in concerned:
        for sown in life.sown:
            if _explains(sown, told):
                return sown.kind
    verbs, least_s, after_s = _HOUSE.get(told.code, ("", 0.0, 0.0))
    for outage in outages:
        long_enough = outage.end_s - outage.begin_s >= least_s
        if outage.verb in verbs.split() and long_enough and outage.begin_s <= told.t_s <= outage.end_s + after_s:
            return outage.verb
    return ""


def _explains(sown: Sown, told: Told) -> bool:
    latest_s = sown.t_s + max(sown.within_s, _UNTIL_NOTICED_S) + _LATE_S
    if told.code in ("removed", "gateway_lost", "gateway_silent"):
        latest_s += 7200
    known = told.code == "alarm" or told.code in sown.alarms or told.code in _CONSEQUENCES.get(sown.kind, ())
    return known and sown.t_s - _BEFORE_S <= told.t_s <= latest_s


def _outages(spec: HomeSpec) -> Iterator[Outage]:
    end_s = spec.hours * 3600
    for tag in spec.tags:
        begun: dict[str, float] = {}
        for stimulus in tag.stimuli:
            if stimulus.verb not in ("gateway_mains", "gateway_line", "broker", "cell"):
                continue
            if not stimulus.argument:
                begun.setdefault(stimulus.verb, stimulus.t_s)
            elif stimulus.verb in begun:
                yield Outage(stimulus.verb, begun.pop(stimulus.verb), stimulus.t_s)
        yield from (Outage(verb, at, end_s) for verb, at in begun.items())
