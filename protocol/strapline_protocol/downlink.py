"""What the centre sends: receipts and time, commands, and the documents that a tag keeps. All of it is sealed end to end."""

import construct as c

from strapline_protocol.codes import Kind, Refusal, Rule, Setting, Window
from strapline_protocol.layout import Frame, Record, blob, items, number, octets, text

DOCUMENT_LIMIT = 8192
"""Bytes of a body that comes in parts: 16 zones of 32 vertices are 4,261, and a tag must hold it whole before it takes effect."""

BODY_LIMIT = 494
"""Bytes of a body: what a record or a command of 512 leaves after its envelope and its MIC."""

PART_LIMIT = 480
"""Bytes of a document in one PART: what a body leaves after PART's own fields."""

_REVISION = number("revision", c.Int32ub, "rises with each new one; an older one is refused")

_SETTING = Record(
    "SettingValue",
    c.Struct(
        number("setting", c.Int16ub, "which (settings)", names=Setting),
        number("value", c.Int32sb, "in that setting's unit"),
    ),
)

_CHANGE = Record(
    "ZoneChange",
    c.Struct(
        number("from_utc_s", c.Int32ub, "Unix time from which it holds; the first may lie in the past", "s"),
        number("offset_min", c.Int16sb, "local time less UTC", "min", -840, 840),
    ),
)

_WEEKLY = Record(
    "WeeklyWindow",
    c.Struct(
        number("window", c.Int8ub, "what it says (windows)", names=Window),
        number("start_min", c.Int16ub, "local time since Monday 00:00", "min", 0, 10079),
        number("length_min", c.Int16ub, "how long; may run into the next week", "min", 1, 10080),
    ),
)

_ONCE = Record(
    "OnceWindow",
    c.Struct(
        number("window", c.Int8ub, "what it says (windows)", names=Window),
        number("from_utc_s", c.Int32ub, "Unix time", "s"),
        number("until_utc_s", c.Int32ub, "Unix time", "s"),
    ),
)

_VERTEX = Record(
    "Vertex",
    c.Struct(
        number("lat_e7", c.Int32sb, "latitude, WGS 84, north positive", "1e-7 degree", -900000000, 900000000),
        number("lon_e7", c.Int32sb, "longitude, WGS 84, east positive", "1e-7 degree", -1800000000, 1800000000),
    ),
)

_ZONE = Record(
    "Zone",
    c.Struct(
        number("zone", c.Int16ub, "id of the zone"),
        number("rule", c.Int8ub, "what it asks (rules)", names=Rule),
        number("tolerance_m", c.Int16ub, "so far beyond the edge is still taken for inside", "m"),
        number(
            "radius_m", c.Int32ub, "of a circle around its one vertex; 0: the vertices are a polygon's", "m", 0, 1000000
        ),
        items(
            "vertices", _VERTEX, 64, "centre of the circle, or corners in order, without the first again at the end", 1
        ),
    ),
)

COMMANDS = (
    Frame(
        Kind.RECEIPT,
        "centre",
        "end-to-end",
        c.Struct(
            number("journal", c.Int32ub, "journal id"),
            number("base", c.Int32ub, "every sequence below it is at the centre, or proved dropped by a tombstone"),
            number("bitmap", c.Int32ub, "bit i: sequence base + 1 + i is there too"),
        ),
        "Lets records leave the journal. Nothing but a receipt does.",
    ),
    Frame(
        Kind.RECEIPT_FAR,
        "centre",
        "end-to-end",
        c.Struct(
            number("journal", c.Int32ub, "journal id"),
            number("first", c.Int32ub, "this sequence is at the centre"),
            number("bitmap", c.Int32ub, "bit i: sequence first + 1 + i is there too"),
        ),
        "A receipt for records that lie further behind a gap than RECEIPT's bitmap reaches; it says nothing of any other.",
    ),
    Frame(
        Kind.TIME,
        "centre",
        "end-to-end",
        c.Struct(
            octets("nonce", 8, "of the request it answers"),
            number("utc_s", c.Int32ub, "Unix time", "s"),
            number("utc_ms", c.Int16ub, "the milliseconds of that", "ms", 0, 999),
        ),
        "The trusted time; counts within 10 s of the request, once.",
    ),
    Frame(
        Kind.ARM,
        "centre",
        "end-to-end",
        c.Struct(
            number("key_id", c.Int32ub, "which electronic key was presented"),
            number("issued_utc_s", c.Int32ub, "when the centre made it", "s"),
        ),
        "Starts monitoring. Carried to the tag by the electronic key.",
    ),
    Frame(
        Kind.DISARM,
        "centre",
        "end-to-end",
        c.Struct(
            number("key_id", c.Int32ub, "which electronic key was presented"),
            number("issued_utc_s", c.Int32ub, "when the centre made it", "s"),
        ),
        "Ends monitoring. Carried to the tag by the electronic key; it works once.",
    ),
    Frame(
        Kind.CONFIG,
        "centre",
        "end-to-end",
        c.Struct(
            _REVISION,
            items(
                "homes",
                Record("Home", c.Struct(number("gateway", c.Int32ub, "a gateway's id"))),
                8,
                "the gateways that are the wearer's home; none: any that says so",
            ),
            items("settings", _SETTING, 64, "what is set; the rest stays as it is"),
        ),
        "Settings of the tag. All of them take effect, or none.",
    ),
    Frame(
        Kind.CURFEW,
        "centre",
        "end-to-end",
        c.Struct(
            _REVISION,
            items(
                "changes",
                _CHANGE,
                16,
                "the time zone, with daylight saving worked out by the centre for the years to come",
                1,
            ),
            items("weekly", _WEEKLY, 128, "windows of each week"),
            items("once", _ONCE, 64, "windows of one day, such as the doctor's; they go before weekly ones"),
        ),
        "When the wearer may, must or must not be out.",
    ),
    Frame(
        Kind.ZONES,
        "centre",
        "end-to-end",
        c.Struct(_REVISION, items("zones", _ZONE, 32, "circles and polygons")),
        "Where the wearer is to stay, and what to stay away from.",
    ),
    Frame(
        Kind.MESSAGE,
        "centre",
        "end-to-end",
        c.Struct(
            number("message", c.Int32ub, "id of the message"),
            number("flags", c.Int8ub, "bit 0: to be acknowledged by the button; bit 1: vibrate until then"),
            number("answer_within_s", c.Int16ub, "no answer by then is an alarm; 0: never", "s"),
            text("language", 16, "BCP 47, such as `de`"),
            text("text", 320, "in the wearer's language"),
        ),
        "Words for the wearer.",
    ),
    Frame(
        Kind.LOCATE,
        "centre",
        "end-to-end",
        c.Struct(
            number("request", c.Int32ub, "id of the request"),
            number("within_s", c.Int16ub, "give up then, and say so", "s", 1, 600),
        ),
        "A position now.",
    ),
    Frame(
        Kind.UPDATE_BEGIN,
        "centre",
        "end-to-end",
        c.Struct(
            number("update", c.Int32ub, "id of the transfer"),
            number("size", c.Int32ub, "of the whole stream: the signed manifest, then the image", "bytes", 1, 1048576),
            number("manifest_size", c.Int16ub, "of the manifest with its signature", "bytes", 1, 8192),
            octets("digest", 32, "SHA-256 of the whole stream, by which the transfer is known"),
        ),
        "An update begins. What it holds counts only by the manifest's own signature.",
    ),
    Frame(
        Kind.UPDATE_CHUNK,
        "centre",
        "end-to-end",
        c.Struct(
            number("update", c.Int32ub, "id of the transfer"),
            number("offset", c.Int32ub, "where in the stream", "bytes", 0, 1048575),
            blob("data", 448, "the page that begins there: 256 bytes, the last one fewer"),
        ),
        "A piece of an update's stream.",
    ),
    Frame(
        Kind.UPDATE_COMMIT,
        "centre",
        "end-to-end",
        c.Struct(
            number("update", c.Int32ub, "id of the transfer"),
            octets("digest", 32, "as in UPDATE_BEGIN"),
        ),
        "All of it is there: check it, and try it. While it is not, the tag says how far it is.",
    ),
    Frame(
        Kind.REFUSED,
        "centre",
        "end-to-end",
        c.Struct(
            number("journal", c.Int32ub, "journal id"),
            number("sequence", c.Int32ub, "of the record", "", 1),
            number("reason", c.Int8ub, "why (refusals)", names=Refusal),
        ),
        "The centre has this record and cannot read it: it is kept raw, and a person has been told. Sending it again brings nothing.",
    ),
    Frame(
        Kind.REKEY,
        "centre",
        "end-to-end",
        c.Struct(
            number("generation", c.Int32ub, "of the keys: one more than before"),
            octets("salt", 16, "fresh random bytes"),
        ),
        "New keys from the next advertisement on. The journal goes on.",
    ),
    Frame(
        Kind.PART,
        "centre",
        "end-to-end",
        c.Struct(
            number("document", c.Int8ub, "the kind that all parts together are", names=Kind),
            number("transfer", c.Int32ub, "the same in all parts of one document"),
            number("part", c.Int8ub, "number of this part, from 0"),
            number("parts", c.Int8ub, "how many there are", "", 1),
            blob("content", PART_LIMIT, "all parts but the last are full"),
        ),
        "One of several parts of a body that is longer than a command holds. It takes effect when all of them are there, and as a whole.",
    ),
)
