"""Plain words for codes, bodies and durations: what a reader without the protocol at hand needs."""

_NB = "\N{NO-BREAK SPACE}"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400

_BODIES = {
    "model": "a simulated device: the tag’s firmware, run by CPython",
    "micropython": "a simulated device: the tag’s firmware, run by MicroPython",
    "virtual": "a simulated device: the product build, run by MicroPython with every chip simulated",
    "virtual-board": "a simulated device: the product build, run by MicroPython with every chip simulated",
}
_BODIES_AT = {
    "serial": "a simulated device: the tag’s firmware, run by MicroPython on a bare board at {}, its sensors simulated",
    "qemu": "a simulated device: the tag’s firmware, run by MicroPython on an emulated processor ({})",
    "rig": "a real tag on the rig {}: nothing of the device is simulated, its surroundings are",
}


# The protocol's event codes, in the words of a person who has never read it.
_CODES = {
    "started": "tag switched on",
    "armed": "monitoring armed",
    "arm_refused": "arming refused",
    "beacon": "sign of life",
    "strap_open": "strap open",
    "strap_closed": "strap closed",
    "strap_altered": "strap altered",
    "skin_lost": "skin contact lost",
    "skin_back": "skin contact back",
    "removed": "tag off the body",
    "left_home": "left home",
    "came_home": "came home",
    "no_fix": "no position found",
    "rekeyed": "new keys",
    "command_refused": "command refused",
}
_ACRONYMS = {"gnss": "GNSS", "gps": "GPS", "utc": "UTC", "mqtt": "MQTT", "rssi": "RSSI", "mic": "MIC", "sim": "SIM"}


def body_words(body: str) -> str:
    """What the firmware ran on, in a phrase that always says what is simulated."""
    kind, _, where = body.partition(":")
    if where and kind in _BODIES_AT:
        return _BODIES_AT[kind].format(where)
    return _BODIES.get(body, f"a simulated device: {body}")


def code_words(code: str) -> str:
    """An event's code or a reason as words: "strap_open" is "Strap open", an unknown "LID_OFF" is "Lid off"."""
    plain = _CODES.get(code.casefold()) or code.replace("_", " ").replace("-", " ").strip().lower()
    words = " ".join(_ACRONYMS.get(word, word) for word in plain.split())
    return words[:1].upper() + words[1:] if words else code


def duration_words(seconds: float) -> str:
    """A duration to about three figures, with no-break spaces: "0.42 s", "3 min 10 s", "26 h", "3 d 4 h"."""
    if seconds < 0:
        return f"−{duration_words(-seconds)}"
    if seconds < 9.995:
        return f"{seconds:.2f}{_NB}s"
    if seconds < 59.95:
        return f"{seconds:.1f}{_NB}s"
    whole = round(seconds)
    if whole < _HOUR:
        return _pair(whole, _MINUTE, "min", 1, "s")
    if whole < 2 * _DAY:
        return _pair(whole, _HOUR, "h", _MINUTE, "min")
    return _pair(whole, _DAY, "d", _HOUR, "h")


def _pair(whole: int, large: int, large_name: str, small: int, small_name: str) -> str:
    rest = whole % large // small
    return f"{whole // large}{_NB}{large_name}" + (f"{_NB}{rest}{_NB}{small_name}" if rest else "")


def count_words(count: int) -> str:
    """A count with thin groups of three: "93 600"."""
    return f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
