"""The numbers that the protocol gives to things: kinds, events, states, settings. Numbers are never used again for something else.

A number that an end does not know is kept and shown as a number; what that end does with it is said in docs/protocol.md.
"""

from enum import IntEnum, IntFlag
from typing import NamedTuple


class Kind(IntEnum):
    """The low six bits of a frame's first byte, and the first byte of an envelope."""

    HEARTBEAT = 0x01
    HELLO = 0x02
    WELCOME = 0x03
    RECORD = 0x04
    COMMAND = 0x05
    REPLY = 0x06
    EVENT = 0x10
    FIX = 0x11
    TIME_REQUEST = 0x12
    TOMBSTONE = 0x13
    RECEIPT = 0x20
    TIME = 0x21
    ARM = 0x22
    RECEIPT_FAR = 0x23
    DISARM = 0x24
    CONFIG = 0x25
    CURFEW = 0x26
    ZONES = 0x27
    MESSAGE = 0x28
    LOCATE = 0x29
    UPDATE_BEGIN = 0x2A
    UPDATE_CHUNK = 0x2B
    UPDATE_COMMIT = 0x2C
    REFUSED = 0x2D
    REKEY = 0x2E
    PART = 0x2F


class EventCode(IntEnum):
    """What an EVENT tells."""

    STARTED = 1
    ARMED = 2
    ARM_REFUSED = 3
    BEACON = 4
    DISARMED = 5
    DISARM_REFUSED = 6
    APPLIED = 7
    COMMAND_REFUSED = 8
    REKEYED = 9
    CHECKED = 10
    CLOCK_UNTRUSTED = 11
    CLOCK_TRUSTED = 12
    JOURNAL_FAULT = 13
    COUNTER_LOW = 14
    STRAP_OPEN = 16
    STRAP_CLOSED = 17
    STRAP_ALTERED = 18
    CASE_OPEN = 19
    CASE_CLOSED = 20
    IMMERSED = 21
    SURFACED = 22
    SKIN_LOST = 24
    SKIN_BACK = 25
    REMOVED = 26
    TOO_HOT = 27
    LEFT_HOME = 32
    CAME_HOME = 33
    CURFEW_BROKEN = 34
    CURFEW_KEPT = 35
    CALLED_IN = 36
    CALL_IN_MISSED = 37
    NO_FIX = 40
    MOVING_WITHOUT_FIX = 41
    LOCATED = 42
    SHIELDED = 43
    JAMMED = 44
    SPOOFED = 45
    SKY_BACK = 46
    ZONE_BROKEN = 48
    ZONE_KEPT = 49
    RESTING = 56
    MOVING = 57
    BATTERY_LOW = 64
    BATTERY_CRITICAL = 65
    BATTERY_LAST = 66
    CHARGING = 67
    UNPLUGGED = 68
    MESSAGE_SHOWN = 72
    MESSAGE_ANSWERED = 73
    MESSAGE_UNANSWERED = 74
    VIBRATED = 75
    BUTTON = 76
    UPDATE_TAKEN = 80
    UPDATE_REFUSED = 81
    UPDATE_UNDONE = 82
    IMAGE_CORRUPT = 83


class Meaning(NamedTuple):
    """One event code explained; `rows` are the requirements (docs/requirements.md) that it serves."""

    text: str
    detail: str = ""
    rows: tuple[str, ...] = ()
    alarm: bool = False


MEANINGS = {
    EventCode.STARTED: Meaning("the tag has started", "number of starts", ("R35", "R38")),
    EventCode.ARMED: Meaning("monitoring has begun", "id of the electronic key", ("R34",)),
    EventCode.ARM_REFUSED: Meaning("an electronic key was held to a tag that cannot be armed now", "loop, Ω", ("R34",)),
    EventCode.BEACON: Meaning("the self-check of every four hours", "battery, %", ("R11", "R50")),
    EventCode.DISARMED: Meaning("monitoring has ended", "id of the electronic key", ("R34",)),
    EventCode.DISARM_REFUSED: Meaning("a DISARM could not be carried out", "id of the electronic key"),
    EventCode.APPLIED: Meaning("a command has taken effect", "its kind × 2^24 + 24 bits of its revision, or of how far it is", ("R47",)),
    EventCode.COMMAND_REFUSED: Meaning("a genuine command was not carried out", "its kind × 256 + a refusal reason", ("R47",)),
    EventCode.REKEYED: Meaning("the tag has new keys", "generation of the keys", ("R36",)),
    EventCode.CHECKED: Meaning("the check, at arming and daily", "bits of what failed (docs/protocol.md); 0: all well", ("R34",)),
    EventCode.CLOCK_UNTRUSTED: Meaning("the tag does not know the time any more", "age of the last answer, s", ("R46",)),
    EventCode.CLOCK_TRUSTED: Meaning("the tag knows the time again", "step, s", ("R46",)),
    EventCode.JOURNAL_FAULT: Meaning("a part of the journal's memory has failed", "records given up", ("R24", "R25")),
    EventCode.COUNTER_LOW: Meaning("a counter comes near its end: the keys must change", "its key: 0 broadcast, 1 journal", ("R35",)),
    EventCode.STRAP_OPEN: Meaning("the strap is open", "openings since arming", ("R01", "R02", "R04", "R05", "R06", "R12"), alarm=True),
    EventCode.STRAP_CLOSED: Meaning("the strap is closed again; the tamper stays latched", "time open, ms", ("R04", "R05")),
    EventCode.STRAP_ALTERED: Meaning("the strap's resistance has changed: bypassed or lengthened", "loop, Ω", ("R03",), alarm=True),
    EventCode.CASE_OPEN: Meaning("the case is open", "", ("R06",), alarm=True),
    EventCode.CASE_CLOSED: Meaning("the case is closed again"),
    EventCode.IMMERSED: Meaning("the tag is under water", "", ("R51",)),
    EventCode.SURFACED: Meaning("the tag is out of the water", "time under water, s", ("R51",)),
    EventCode.SKIN_LOST: Meaning("no body heat", "skin, 0.01 °C", ("R51",)),
    EventCode.SKIN_BACK: Meaning("body heat again", "skin, 0.01 °C", ("R51",)),
    EventCode.REMOVED: Meaning("off the body: heat agrees with the strap, or with long rest", "skin, 0.01 °C", ("R51",), alarm=True),
    EventCode.TOO_HOT: Meaning("hotter than the tag is built for", "ambient, 0.01 °C", ("R51",)),
    EventCode.LEFT_HOME: Meaning("home is out of reach", "since home was last heard, s", ("R15", "R53")),
    EventCode.CAME_HOME: Meaning("home is in reach again", "", ("R15", "R50")),
    EventCode.CURFEW_BROKEN: Meaning("away where the curfew says home, or home where it says away", "revision", ("R33",), alarm=True),
    EventCode.CURFEW_KEPT: Meaning("the curfew is kept again", "revision", ("R33",)),
    EventCode.CALLED_IN: Meaning("the wearer has checked in", "after leaving, s", ("R53",)),
    EventCode.CALL_IN_MISSED: Meaning("the wearer has not checked in", "after leaving, s", ("R53",), alarm=True),
    EventCode.NO_FIX: Meaning("no position in the time allowed", "that time, s", ("R09",)),
    EventCode.MOVING_WITHOUT_FIX: Meaning("on the move without positions", "since the last fix, s", ("R14",), alarm=True),
    EventCode.LOCATED: Meaning("the answer to LOCATE has been taken: a fix, or none", "id of the request", ("R08",)),
    EventCode.SHIELDED: Meaning("radio and sky were taken away at once: foil, not a lift", "the drop, 0.1 dB", ("R18", "R19"), alarm=True),
    EventCode.JAMMED: Meaning("the sky is drowned in noise", "the receiver's jamming indicator, 0 to 255", ("R18", "R19"), alarm=True),
    EventCode.SPOOFED: Meaning("positions or their time cannot be genuine", "step, s or m", ("R46",), alarm=True),
    EventCode.SKY_BACK: Meaning("positions again", "without them, s", ("R14", "R19")),
    EventCode.ZONE_BROKEN: Meaning("outside a zone to stay in, or inside one to stay out of", "id of the zone", ("R10", "R32"), alarm=True),
    EventCode.ZONE_KEPT: Meaning("the zone is kept again", "id of the zone", ("R32",)),
    EventCode.RESTING: Meaning("the tag lies still", "", ("R13", "R52")),
    EventCode.MOVING: Meaning("the tag moves", "", ("R13", "R52")),
    EventCode.BATTERY_LOW: Meaning("battery low", "charge, %", ("R22", "R23")),
    EventCode.BATTERY_CRITICAL: Meaning("battery critical", "charge, %", ("R23",)),
    EventCode.BATTERY_LAST: Meaning("the last word before the battery ends", "voltage, mV", ("R23",), alarm=True),
    EventCode.CHARGING: Meaning("on the charger", "charge, %", ("R23",)),
    EventCode.UNPLUGGED: Meaning("off the charger", "charge, %", ("R23",)),
    EventCode.MESSAGE_SHOWN: Meaning("a message is shown to the wearer", "id of the message", ("R26", "R27")),
    EventCode.MESSAGE_ANSWERED: Meaning("the wearer has acknowledged a message by the button", "id of the message", ("R26",)),
    EventCode.MESSAGE_UNANSWERED: Meaning("no answer to a message in time", "id of the message", ("R26",), alarm=True),
    EventCode.VIBRATED: Meaning("the tag has vibrated", "time, ms", ("R27",)),
    EventCode.BUTTON: Meaning("the button was pressed", "time, ms", ("R53",)),
    EventCode.UPDATE_TAKEN: Meaning("new firmware runs", "its sequence", ("R37", "R47")),
    EventCode.UPDATE_REFUSED: Meaning("an update was refused", "a refusal reason", ("R37",)),
    EventCode.UPDATE_UNDONE: Meaning("new firmware failed its self-test: the old one runs", "its sequence", ("R38",)),
    EventCode.IMAGE_CORRUPT: Meaning("a firmware image does not match its signature any more", "its slot", ("R38",)),
}  # fmt: skip

ALARMS = frozenset(code for code, meaning in MEANINGS.items() if meaning.alarm)
"""The codes that go first and burst: each may mean that a person is out of the tag, or where they must not be."""


class State(IntFlag):
    """The state flags of a HEARTBEAT."""

    ARMED = 1 << 0
    STRAP_OPEN = 1 << 1
    STRAP_LATCHED = 1 << 2
    SKIN_LOST = 1 << 3
    AWAY = 1 << 4
    PENDING = 1 << 5
    ALARM_PENDING = 1 << 6
    CLOCK_TRUSTED = 1 << 7
    GNSS_ON = 1 << 8
    ASKS = 1 << 9
    """A call of a home gateway is wanted, to know whether this is still home."""


class ClockQuality(IntEnum):
    """How far the tag's own UTC can be believed (bits 1 and 2 of a record's flags)."""

    UNTRUSTED = 0
    TRUSTED = 1


class Window(IntEnum):
    """What a window of a curfew says; where several of one list hold, the highest. Outside all windows the wearer is to be at home."""

    MAY_LEAVE = 0
    MUST_LEAVE = 1
    STAY_HOME = 2


class Rule(IntEnum):
    """What a zone asks."""

    STAY_IN = 0
    STAY_OUT = 1


class Refusal(IntEnum):
    """Why something genuine was not taken."""

    UNKNOWN_KIND = 1
    MALFORMED = 2
    OUT_OF_RANGE = 3
    NOT_NOW = 4
    TOO_LONG = 5
    OLD_REVISION = 6
    CANNOT_OPEN = 7
    UNSIGNED = 16
    WRONG_BOARD = 17
    EXPIRED = 18


class Setting(IntEnum):
    """What CONFIG may set, each by the name that `strapline_tag.config` gives it."""

    HEARTBEAT_SHORTEST_MS = 1
    HEARTBEAT_LONGEST_MS = 2
    BEACON_PERIOD_S = 3
    HOME_SILENCE_S = 4
    AWAY_FIX_S = 5
    VIOLATION_FIX_S = 6
    FIX_TIMEOUT_S = 7
    STRAP_TOLERANCE_PERCENT = 8
    SKIN_LOST_S = 9
    REMOVED_S = 10
    ALARM_FALLBACK_MS = 11
    REST_AFTER_S = 12
    REMOVED_STILL_S = 13
    BATTERY_LOW_PERCENT = 14
    BATTERY_CRITICAL_PERCENT = 15
    MODE = 30
    HOME_SILENCE_CURFEW_S = 31
    LOCATE_AT_HOME = 32
    ZONE_POINTS = 33
    ZONE_SURE_M = 34
    NO_FIX_MOTION_S = 35
    NO_FIX_GRACE_S = 36
    SHIELD_S = 37
    JAM_LIMIT = 38
    CURFEW_GRACE_S = 50
    CALL_IN_S = 51


class Range(NamedTuple):
    """Within which a setting may lie, and where that comes from."""

    unit: str
    low: int
    high: int
    source: str


RANGES = {
    Setting.HEARTBEAT_SHORTEST_MS: Range("ms", 500, 10000, "R17"),
    Setting.HEARTBEAT_LONGEST_MS: Range("ms", 1000, 30000, "R17"),
    Setting.BEACON_PERIOD_S: Range("s", 60, 14400, "R11: at least every 4 h"),
    Setting.HOME_SILENCE_S: Range("s", 30, 1800, "R15"),
    Setting.AWAY_FIX_S: Range("s", 15, 600, "R11"),
    Setting.VIOLATION_FIX_S: Range("s", 1, 60, "R11"),
    Setting.FIX_TIMEOUT_S: Range("s", 30, 600, "R09"),
    Setting.STRAP_TOLERANCE_PERCENT: Range("%", 5, 50, "R03"),
    Setting.SKIN_LOST_S: Range("s", 60, 7200, "R51"),
    Setting.REMOVED_S: Range("s", 30, 1800, "R51"),
    Setting.ALARM_FALLBACK_MS: Range("ms", 1000, 180000, "R06"),
    Setting.REST_AFTER_S: Range("s", 60, 3600, "R13"),
    Setting.REMOVED_STILL_S: Range("s", 600, 14400, "R51"),
    Setting.BATTERY_LOW_PERCENT: Range("%", 5, 50, "R23"),
    Setting.BATTERY_CRITICAL_PERCENT: Range("%", 4, 40, "R23"),
    Setting.MODE: Range("", 0, 2, "R50: 0 combined, 1 radio, 2 satellite"),
    Setting.HOME_SILENCE_CURFEW_S: Range("s", 15, 1800, "R15"),
    Setting.LOCATE_AT_HOME: Range("", 0, 1, "R08, R50: whether LOCATE takes a position at home"),
    Setting.ZONE_POINTS: Range("", 1, 20, "R32"),
    Setting.ZONE_SURE_M: Range("m", 20, 10000, "R32"),
    Setting.NO_FIX_MOTION_S: Range("s", 60, 3600, "R14"),
    Setting.NO_FIX_GRACE_S: Range("s", 60, 3600, "R14"),
    Setting.SHIELD_S: Range("s", 60, 3600, "R19"),
    Setting.JAM_LIMIT: Range("", 1, 255, "R19: jamInd of UBX-MON-RF"),
    Setting.CURFEW_GRACE_S: Range("s", 0, 3600, "R33"),
    Setting.CALL_IN_S: Range("s", 0, 3600, "R53; 0: no call is owed"),
}
