"""The one source of the protocol: every frame declared once in `construct`, with units, ranges and enumerations.

It says the layout and nothing else. Everything that speaks the protocol is generated from here by `strapline_protocol.generate`.
"""

from collections.abc import Iterator
from enum import IntEnum, IntFlag
from typing import Any, NamedTuple

import construct as c


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
    RECEIPT = 0x20
    TIME = 0x21
    ARM = 0x22
    RECEIPT_FAR = 0x23


class EventCode(IntEnum):
    """What an EVENT tells. Codes are never reused; an unknown code is kept and shown as a number."""

    STARTED = 1
    ARMED = 2
    ARM_REFUSED = 3
    BEACON = 4
    STRAP_OPEN = 16
    STRAP_CLOSED = 17
    STRAP_ALTERED = 18
    SKIN_LOST = 24
    SKIN_BACK = 25
    REMOVED = 26
    LEFT_HOME = 32
    CAME_HOME = 33
    NO_FIX = 40


ALARMS = frozenset({EventCode.STRAP_OPEN, EventCode.STRAP_ALTERED, EventCode.REMOVED})
"""The codes that go first and burst: each may mean that a person has got out of the tag."""


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


class ClockQuality(IntEnum):
    """How far the tag's own UTC can be believed (bits 1 and 2 of a record's flags)."""

    UNTRUSTED = 0
    TRUSTED = 1


class Bounded(c.Validator):  # type: ignore[misc]
    """A field with a unit and a range; construct itself refuses what lies outside."""

    def __init__(self, subcon: Any, unit: str, low: int | None, high: int | None) -> None:
        super().__init__(subcon)
        self.unit = unit
        self.low = low
        self.high = high

    def _validate(self, obj: Any, _context: Any, _path: str) -> bool:
        return (self.low is None or obj >= self.low) and (self.high is None or obj <= self.high)


def _field(name: str, subcon: Any, doc: str, unit: str = "", low: int | None = None, high: int | None = None) -> Any:
    return (name / Bounded(subcon, unit, low, high)) * doc


_STAMP = (
    _field("boot", c.Int16ub, "how often the tag has started", "boots"),
    _field("uptime_s", c.Int32ub, "time since that start", "s"),
)

HEADER = c.Struct(
    _field("version_kind", c.Int8ub, "two bits of version (1), six bits of kind"),
    _field("pseudonym", c.Int32ub, "changes with the BLE address every 5 to 15 min"),
    _field("masked_counter", c.Int32ub, "the counter of the key, masked with AES over the MIC"),
)

ENVELOPE = c.Struct(
    _field("kind", c.Int8ub, "what the sealed body is"),
    _field("flags", c.Int8ub, "bit 0: alarm lane"),
    _field("origin", c.Int32ub, "record: journal id; command: the centre's epoch (Unix time of its start)"),
    _field("number", c.Int32ub, "record: sequence in the journal, from 1; command: number in the epoch"),
)


class Frame(NamedTuple):
    """One frame body: its kind, who sends it, under which key, and its layout."""

    kind: Kind
    sender: str
    sealed_with: str
    layout: Any
    doc: str


FRAMES = (
    Frame(
        Kind.HEARTBEAT,
        "tag",
        "broadcast",
        c.Struct(
            _field("flags", c.Int16ub, "state flags"),
            _field("strap_openings", c.Int8ub, "openings since arming; stays at 255"),
            _field("battery_percent", c.Int8ub, "charge left", "%", 0, 100),
            _field("uptime_4s", c.Int16ub, "time since start in steps of 4 s, wrapping", "4 s"),
            _field("newest_alarm", c.Int8ub, "low byte of the newest alarm's sequence; 0 where there is none"),
        ),
        "The advertisement. Its 7 bytes fill a legacy advertisement exactly.",
    ),
    Frame(
        Kind.HELLO,
        "tag",
        "link (HMAC)",
        c.Struct(_field("nonce", c.Bytes(8), "fresh random bytes")),
        "Opens a connection. The tag speaks first on every bearer, and says nothing by which two of its pseudonyms could be linked.",
    ),
    Frame(
        Kind.WELCOME,
        "gateway",
        "link (HMAC)",
        c.Struct(
            _field("gateway", c.Int32ub, "the gateway's id"),
            _field("nonce", c.Bytes(8), "fresh random bytes"),
            _field("flags", c.Int8ub, "bit 0: this gateway is the wearer's home"),
        ),
        "Answers HELLO; from here on both ends use the session key.",
    ),
    Frame(
        Kind.REPLY,
        "tag",
        "session",
        c.Struct(*_STAMP),
        "The tag's first frame under the session key: shows that HELLO was no recording, and tells its uptime.",
    ),
    Frame(
        Kind.EVENT,
        "tag",
        "end-to-end",
        c.Struct(
            _field("code", c.Int8ub, "what happened (event codes)"),
            _field("flags", c.Int8ub, "bit 0: alarm; bits 1-2: clock quality", "", 0, 7),
            *_STAMP,
            _field("uptime_ms", c.Int16ub, "the milliseconds of that", "ms", 0, 999),
            _field("utc_s", c.Int32ub, "the tag's Unix time when it sealed the record; 0 where it had none", "s"),
            _field("detail", c.Int32sb, "depends on the code"),
        ),
        "A record of something that happened. Never rewritten, never thinned.",
    ),
    Frame(
        Kind.FIX,
        "tag",
        "end-to-end",
        c.Struct(
            *_STAMP,
            _field(
                "utc_s", c.Int32ub, "the receiver's Unix time of the fix (seconds of the day where it had no date)", "s"
            ),
            _field("utc_ms", c.Int16ub, "the milliseconds of that", "ms", 0, 999),
            _field("lat_e7", c.Int32sb, "latitude, WGS 84, north positive", "1e-7 degree", -900000000, 900000000),
            _field("lon_e7", c.Int32sb, "longitude, WGS 84, east positive", "1e-7 degree", -1800000000, 1800000000),
            _field("accuracy_dm", c.Int16ub, "estimated horizontal accuracy; 65535 where unknown", "dm"),
            _field("speed_dm_s", c.Int8ub, "speed over ground; stays at 255", "dm/s"),
            _field("flags", c.Int8ub, "bit 0: the date is known; bits 1-2: clock quality", "", 0, 7),
        ),
        "A record of a position.",
    ),
    Frame(
        Kind.TIME_REQUEST,
        "tag",
        "end-to-end",
        c.Struct(*_STAMP),
        "Asks for the time. The envelope's origin and number together are the nonce that TIME must bring back.",
    ),
    Frame(
        Kind.RECEIPT,
        "centre",
        "end-to-end",
        c.Struct(
            _field("journal", c.Int32ub, "journal id"),
            _field("base", c.Int32ub, "every sequence below it is at the centre"),
            _field("bitmap", c.Int32ub, "bit i: sequence base + 1 + i is there too"),
        ),
        "Lets records leave the journal. Nothing but a receipt does.",
    ),
    Frame(
        Kind.RECEIPT_FAR,
        "centre",
        "end-to-end",
        c.Struct(
            _field("journal", c.Int32ub, "journal id"),
            _field("first", c.Int32ub, "this sequence is at the centre"),
            _field("bitmap", c.Int32ub, "bit i: sequence first + 1 + i is there too"),
        ),
        "A receipt for records that lie further behind a gap than RECEIPT's bitmap reaches; it says nothing of any other.",
    ),
    Frame(
        Kind.TIME,
        "centre",
        "end-to-end",
        c.Struct(
            _field("nonce", c.Bytes(8), "of the request it answers"),
            _field("utc_s", c.Int32ub, "Unix time", "s"),
            _field("utc_ms", c.Int16ub, "the milliseconds of that", "ms", 0, 999),
        ),
        "The trusted time; counts within 10 s of the request, once.",
    ),
    Frame(
        Kind.ARM,
        "centre",
        "end-to-end",
        c.Struct(
            _field("key_id", c.Int32ub, "which electronic key was presented"),
            _field("issued_utc_s", c.Int32ub, "when the centre made it", "s"),
        ),
        "Starts monitoring. Carried to the tag by the electronic key.",
    ),
)


class Leaf(NamedTuple):
    """One field as the generators see it."""

    name: str
    doc: str
    unit: str
    low: int | None
    high: int | None
    code: str
    """The field's `struct` format character(s)."""
    size: int
    type_name: str

    @property
    def limits(self) -> tuple[int, int]:
        """The range that the declaration allows: its own bounds, or those of its integer type."""
        bits = self.size * 8
        signed = self.code.islower() and self.type_name == "int"
        low = -(1 << (bits - 1)) if signed else 0
        high = (1 << (bits - 1)) - 1 if signed else (1 << bits) - 1
        return (low if self.low is None else self.low), (high if self.high is None else self.high)


def leaves(layout: Any) -> Iterator[Leaf]:
    """The fields of a layout in order."""
    for renamed in layout.subcons:
        bounded = renamed.subcon
        while isinstance(bounded, c.Renamed):
            bounded = bounded.subcon
        plain = bounded.subcon
        is_bytes = isinstance(plain, c.Bytes)
        code = f"{plain.length}s" if is_bytes else plain.fmtstr[1:]
        yield Leaf(
            renamed.name,
            renamed.docs,
            bounded.unit,
            bounded.low,
            bounded.high,
            code,
            plain.sizeof(),
            "bytes" if is_bytes else "int",
        )
