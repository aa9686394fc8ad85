"""Profiles: the kinds of system in the field as named sets of settings. A tag knows only the settings."""

from collections.abc import Mapping
from enum import IntEnum

from strapline_protocol.codes import Setting
from strapline_wire import documents


class Mode(IntEnum):
    """The setting `mode`: by what the tag knows where the wearer is."""

    COMBINED = 0
    """The base station at home, positions away from it."""
    RADIO = 1
    """The base station alone: no position is ever taken."""
    SATELLITE = 2
    """Positions alone: there is no base station, and zones say what is home."""


PROFILES: Mapping[str, Mapping[Setting, int]] = {
    # A bracelet and a base station.
    "home-rf": {Setting.MODE: Mode.RADIO},
    # A bracelet, a unit with the receiver worn on the body, and a base station.
    "two-piece": {Setting.MODE: Mode.COMBINED, Setting.AWAY_FIX_S: 60},
    # The receiver in the bracelet, and no base station: nothing but the network hears it. With a sign of life each hour the centre's bound
    # for its silence (R55: 4.5 h) lets it spend three hours and a half where there is no coverage.
    "one-piece": {Setting.MODE: Mode.SATELLITE, Setting.AWAY_FIX_S: 180, Setting.BEACON_PERIOD_S: 3600},
    # The simplest: whoever leaves calls in.
    "call-in": {Setting.MODE: Mode.RADIO, Setting.CALL_IN_S: 300},
    # Many readers in a building: one or other of them is always near, and who leaves is missed within a minute.
    "facility": {Setting.MODE: Mode.RADIO, Setting.HOME_SILENCE_S: 60, Setting.HEARTBEAT_LONGEST_MS: 3000},
}


def settings_of(profile: str) -> tuple[documents.SettingValue, ...]:
    """What `CommandSealer.config` takes as `settings`; `KeyError` for a name that is none."""
    return tuple(documents.SettingValue((setting, value)) for setting, value in PROFILES[profile].items())
