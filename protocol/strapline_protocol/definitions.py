"""The one source of the protocol: every frame declared once in `construct`, with units, ranges and enumerations.

It says the layout and nothing else. Everything that speaks the protocol is generated from here by `strapline_protocol.generate`.
"""

import construct as c

from strapline_protocol.codes import ALARMS, ClockQuality, EventCode, Kind, Refusal, Rule, Setting, State, Window
from strapline_protocol.downlink import BODY_LIMIT, COMMANDS, DOCUMENT_LIMIT
from strapline_protocol.layout import Bounded, Frame, Leaf, is_fixed, leaves, number, octets, records_of

__all__ = [
    "ALARMS", "BODY_LIMIT", "DOCUMENT_LIMIT", "ENVELOPE", "FRAMES", "HEADER", "Bounded", "ClockQuality", "EventCode", "Frame", "Kind",
    "Leaf", "Refusal", "Rule", "Setting", "State", "Window", "is_fixed", "leaves", "records_of",
]  # fmt: skip

_STAMP = (
    number("boot", c.Int16ub, "how often the tag has started", "boots"),
    number("uptime_s", c.Int32ub, "time since that start", "s"),
)

HEADER = c.Struct(
    number("version_kind", c.Int8ub, "two bits of version (1), six bits of kind"),
    number("pseudonym", c.Int32ub, "changes with the BLE address every 5 to 15 min"),
    number("masked_counter", c.Int32ub, "the counter of the key, masked with AES over the MIC"),
)

ENVELOPE = c.Struct(
    number("kind", c.Int8ub, "what the sealed body is"),
    number(
        "flags", c.Int8ub, "bit 0: alarm lane; of a record, bits 1-7: the low bits of the boot in which it was made"
    ),
    number("origin", c.Int32ub, "record: journal id; command: the centre's epoch (Unix time of its start)"),
    number("number", c.Int32ub, "record: sequence in the journal, from 1; command: number in the epoch"),
)


FRAMES = (
    Frame(
        Kind.HEARTBEAT,
        "tag",
        "broadcast",
        c.Struct(
            number("flags", c.Int16ub, "state flags"),
            number("strap_openings", c.Int8ub, "openings since arming; stays at 255"),
            number("battery_percent", c.Int8ub, "charge left", "%", 0, 100),
            number("uptime_4s", c.Int16ub, "time since start in steps of 4 s, wrapping", "4 s"),
            number("newest_alarm", c.Int8ub, "low byte of the newest alarm's sequence; 0 where there is none"),
        ),
        "The advertisement. Its 7 bytes fill a legacy advertisement exactly.",
    ),
    Frame(
        Kind.HELLO,
        "tag",
        "link (HMAC)",
        c.Struct(octets("nonce", 8, "fresh random bytes")),
        "Opens a connection. The tag speaks first on every bearer, and says nothing by which two of its pseudonyms could be linked.",
    ),
    Frame(
        Kind.WELCOME,
        "gateway",
        "link (HMAC)",
        c.Struct(
            number("gateway", c.Int32ub, "the gateway's id"),
            octets("nonce", 8, "fresh random bytes"),
            number("flags", c.Int8ub, "bit 0: this gateway is the wearer's home"),
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
            number("code", c.Int8ub, "what happened (event codes)", names=EventCode),
            number("flags", c.Int8ub, "bit 0: alarm; bits 1-2: clock quality; others are ignored"),
            *_STAMP,
            number("uptime_ms", c.Int16ub, "the milliseconds of that", "ms", 0, 999),
            number("utc_s", c.Int32ub, "the tag's Unix time when it sealed the record; 0 where it had none", "s"),
            number("detail", c.Int32sb, "depends on the code"),
        ),
        "A record of something that happened. Never rewritten, never thinned.",
    ),
    Frame(
        Kind.FIX,
        "tag",
        "end-to-end",
        c.Struct(
            *_STAMP,
            number(
                "utc_s", c.Int32ub, "the receiver's Unix time of the fix (seconds of the day where it had no date)", "s"
            ),
            number("utc_ms", c.Int16ub, "the milliseconds of that", "ms", 0, 999),
            number("lat_e7", c.Int32sb, "latitude, WGS 84, north positive", "1e-7 degree", -900000000, 900000000),
            number("lon_e7", c.Int32sb, "longitude, WGS 84, east positive", "1e-7 degree", -1800000000, 1800000000),
            number("accuracy_dm", c.Int16ub, "estimated horizontal accuracy; 65535 where unknown", "dm"),
            number("speed_dm_s", c.Int8ub, "speed over ground; stays at 255", "dm/s"),
            number("flags", c.Int8ub, "bit 0: the date is known; bits 1-2: clock quality; others are ignored"),
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
        Kind.TOMBSTONE,
        "tag",
        "end-to-end",
        c.Struct(
            *_STAMP,
            number("first", c.Int32ub, "sequence of the first position that was dropped", "", 1),
            number("last", c.Int32ub, "sequence of the last one", "", 1),
            number("dropped", c.Int32ub, "how many were dropped between the two, both included", "", 1),
        ),
        "A record in place of positions that a full journal has dropped. Whatever else lies between them is still to come: once the centre"
        " misses just `dropped` of these sequences, it knows which they are.",
    ),
    *COMMANDS,
)
