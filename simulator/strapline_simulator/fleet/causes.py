"""What of a life explains an alert: a tamper that was sown, or what the wearer did. What nothing explains is a false alert."""

from collections.abc import Mapping

from strapline_simulator.fleet.spec import TagSpec

_LATE_S = 900.0
"""An alert may come so much later than a tamper's bound and still be that tamper's."""

_DAY_S = 86400.0

_DONE: Mapping[str, tuple[tuple[str, ...], float]] = {
    "strap_open": (("cut_strap", "open_strap"), 900.0),
    "strap_altered": (("strap_ohm",), 900.0),
    "case_open": (("case",), 900.0),
    "removed": (("take_off",), 7200.0),
    "curfew_broken": (("go", "track", "curfew", "take_off", "shelter"), _DAY_S),
    "left_home": (("go", "track", "shelter"), _DAY_S),
    "call_in_missed": (("go", "track", "shelter"), 7200.0),
    "moving_without_fix": (("sky", "shelter"), 2 * _DAY_S),
    "shielded": (("shelter", "cell"), 7200.0),
    "tag_silent": (("cell", "shelter"), 2 * _DAY_S),
    "mains_lost": (("gateway_mains",), 900.0),
    "gateway_lost": (("gateway_line", "gateway_mains"), 2 * _DAY_S),
    "moved": (("gateway_mains", "gateway_line"), 900.0),
    "battery_low": (("gateway_mains",), 2 * _DAY_S),
    "battery_critical": (("gateway_mains",), 2 * _DAY_S),
    "last_gasp": (("gateway_mains",), 2 * _DAY_S),
    "cut_off": (("broker",), 900.0),
    "too_hot": (("surroundings", "ambient"), 7200.0),
}
"""By code of an alert: what of a wearer's or a house's doing leads to it, and how long before it may lie."""

_BATTERY = ("battery_low", "battery_critical", "battery_last")


def cause_of(code: str, at_s: float, subject: str, lives: Mapping[str, TagSpec]) -> str:
    """The kind of a sown tamper, a verb, `battery` for a tag that nobody has charged; empty where nothing explains it."""
    concerned = [lives[subject]] if subject in lives else list(lives.values())
    for life in concerned:
        for sown in life.sown:
            if sown.t_s - 1 <= at_s <= sown.t_s + sown.within_s + _LATE_S and (code in sown.alarms or code == "alarm"):
                return str(sown.kind)
    verbs, before_s = _DONE.get(code, ((), 0.0))
    for life in concerned:
        for stimulus in reversed(life.stimuli):
            if stimulus.verb in verbs and at_s - before_s <= stimulus.t_s <= at_s:
                return str(stimulus.verb)
    return "battery" if code in _BATTERY and subject in lives else ""
