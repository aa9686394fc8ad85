"""Which steps of a scenario may bring about which alert: one that nothing has caused is a false one, and as bad as a lost alarm."""

from collections.abc import Collection

_WAY = {
    *("stop", "gateway_line", "broker_forgets", "broker_queue", "broker_tampers", "gateway_device", "ingress_restart"),
    *("ledger_locked", "gateway_disk", "gateway_clock", "centre_clock", "gateway_mains"),
}
"""What silences a gateway for the centre, or the centre for a gateway, or takes messages away between them."""

_HOME = {
    "adapter",
    "radio_loss",
    "line_noise",
    "radio_reports",
    "noise",
    "power_cut",
    "brown_out",
    "shelter",
    "gateway_device",
    "gateway_mains",
}
"""What keeps the base station from calling on a tag that is at home: neither can tell that from a tag that has gone."""

_AWAY = {"modem", "cell", "cell_delay", "shelter", "flash_block", "receiver", "sensor", "sky", "jammer"}

_CAUSES: dict[str, Collection[str]] = {
    "strap_open": {"cut_strap", "open_strap", "sensor"},
    "strap_altered": {"strap_ohm", "sensor"},
    "removed": {"take_off", "sensor"},
    "case_open": {"case"},
    "case_opened": {"gateway_case"},
    "moved": {"gateway_moved"},
    "mains_lost": {"gateway_mains"},
    "left_home": {"go", *_HOME},
    "curfew_broken": {"curfew", "gateway_schedule", "go", *_HOME},
    "zone_broken": {"zones"},
    "call_in_missed": {"config", "go"},
    "message_unanswered": {"message"},
    "gateway_lost": _WAY,
    "gateway_silent": _WAY,
    "centre_silent": _WAY,
    "cut_off": _WAY,
    "gap": _WAY,
    "dropping": _WAY,
    "tag_silent": _WAY | _HOME | _AWAY,
    "clock_jumped": {"gateway_clock"},
    "disk_full": {"gateway_disk"},
    "store_set_aside": {"gateway_device"},
    "conflict": {"gateway_device"},
    "radio_deaf": {"adapter"},
    "radio_jammed": {"noise"},
    "tampered": {"broker_tampers"},
    "clone_heard": {"clone_tag"},
    "replay_heard": {"replay_radio", "clone_tag"},
    "delayed_replay_heard": {"replay_radio", "clone_tag"},
    "two_places": {"clone_tag"},
    "jammed": {"jammer", "receiver"},
    "spoofed": {"spoofer", "receiver"},
    "shielded": {"shelter", "cell", "sky", "receiver", "modem"},
    "moving_without_fix": {"shelter", "sky", "receiver", "sensor"},
    "battery_low": {"battery", "sensor"},
    "battery_critical": {"battery", "gateway_battery", "gateway_mains", "sensor"},
    "battery_last": {"battery", "sensor"},
    "last_gasp": {"gateway_battery", "gateway_mains"},
    "too_hot": {"ambient", "surroundings", "sensor"},
    "update_undone": {"update"},
    "image_corrupt": {"spoil_image"},
}

_ALARMING = {
    "cut_strap",
    "open_strap",
    "strap_ohm",
    "take_off",
    "case",
    "sensor",
    "zones",
    "curfew",
    "config",
    "message",
    "shelter",
    "jammer",
    "receiver",
}


def has_cause(code: str, verbs: Collection[str]) -> bool:
    """Whether a scenario with these verbs may raise an alert of this code."""
    if code == "alarm":  # a heartbeat told of an alarm whose record came another way
        return any(verb in verbs for verb in _ALARMING | set(_CAUSES["left_home"]))
    return any(verb in verbs for verb in _CAUSES.get(code, ()))
