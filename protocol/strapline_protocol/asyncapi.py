"""The MQTT side as an AsyncAPI 3 document: channels, and a JSON Schema (draft 7, as AsyncAPI wants) for each message.

The schemas are written here once; a test holds every message of a whole run to them, so that they say what is really sent.
"""

import json
from typing import Any, NamedTuple

from strapline_protocol.contract import ROOT
from strapline_protocol.notices import NoticeCode

_IDENT = {"type": "string", "pattern": "^[0-9a-f]{8}$"}
_UINT32 = {"type": "integer", "minimum": 0, "maximum": 0xFFFFFFFF}
_SEQUENCE = {**_UINT32, "minimum": 1}
_BASE64 = {"type": "string", "contentEncoding": "base64", "pattern": "^[A-Za-z0-9+/]*={0,2}$"}
_INSTANT = {"type": "string", "format": "date-time", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$"}

_IDENTITY = {
    "source": {**_IDENT, "description": "whose record it is: a tag, or the gateway itself"},
    "journal": {**_UINT32, "description": "id of the source's journal, random when that was made"},
    "sequence": {**_SEQUENCE, "description": "number in that journal"},
    "heard": {**_INSTANT, "description": "when the gateway first had it, on its clock"},
    "clock": {
        "enum": ["synchronised", "unsure", "set"],
        "description": "what that clock was worth: kept by a time service; nobody says so; or set to another time not long ago",
    },
}
_PASSAGE = {
    "historical": {"type": "boolean", "description": "waited for a connection, or for more than five minutes"},
    "start": {**_SEQUENCE, "description": "as in `state`"},
    "number": {
        **_SEQUENCE,
        "description": "rises by one within a start with each message about the same tag, repeated ones included: who misses one, or"
        " gets it late, knows what the way between has done",
    },
}
"""Extension attributes of the event: they differ each time that the same data is published."""

_SEALED_RECORD = {
    **_IDENTITY,
    "record": {**_BASE64, "description": "the record as the tag sealed it for the centre"},
    "alarm": {"type": "boolean", "description": "the record travels in the alarm lane"},
    "fields": {
        "type": "object",
        "description": "what the record says, where the gateway was given the tag's end-to-end key; by default it was not. A centre opens"
        " `record`, and believes nothing here",
        "properties": {"kind": {"enum": ["event", "fix", "tombstone"]}},
        "required": ["kind"],
        "additionalProperties": {"type": "integer"},
    },
}
_REFUSED = {
    "type": "object",
    "description": "the centre cannot open this record, which has not been received: the gateway lets go of just these bytes",
    "properties": {
        "sequence": {**_UINT32, "description": "as the record's envelope says it"},
        "digest": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "SHA-256 of the sealed record"},
    },
    "required": ["sequence", "digest"],
}


class Channel(NamedTuple):
    """One channel: who sends, what, and whether the broker keeps the last."""

    name: str
    has_tag: bool
    sender: str
    retained: bool
    summary: str
    properties: dict[str, Any]
    optional: tuple[str, ...] = ()


CHANNELS = (
    Channel(
        "state", False, "gateway", True, "Birth (online, and again every 120 s), clean end (offline), or the last will (lost).",
        {
            "state": {"enum": ["online", "offline", "lost"]},
            "start": {**_SEQUENCE, "description": "rises with every start of the gateway: one that was sent before is an old one"},
            "number": {**_UINT32, "description": "rising within a start; absent in a last will"},
            "connection": {**_SEQUENCE, "description": "which connection to the broker within this start; absent in a last will"},
        },
        ("start", "number", "connection"),
    ),
    Channel("event", True, "gateway", False, "An EVENT record, sealed end to end. Never expires.", _SEALED_RECORD, ("fields", "clock")),
    Channel(
        "position", True, "gateway", False, "A FIX record, sealed end to end. Expires at the broker when the gateway sends it again.",
        _SEALED_RECORD,
        ("fields", "clock"),
    ),
    Channel(
        "presence", True, "gateway", False, "A tag has come into reach, or has not been heard for the debounce time.",
        {
            **_IDENTITY,
            "tag": _IDENT,
            "present": {"type": "boolean"},
            "rssi_dbm": {"type": ["integer", "null"], "minimum": -128, "maximum": 20},
            "verified": {"type": "boolean", "description": "a session has proved the tag's uptime; before that it may be a recording"},
            "range_class": {"type": "string", "enum": ["11m", "23m", "46m", "80m", "facility", "beyond"]},
        },
        ("clock", "verified", "range_class"),
    ),
    Channel(
        "alarm", True, "gateway", False, "Provisional: a heartbeat tells of an alarm whose record is still to come.",
        {
            **_IDENTITY,
            "tag": _IDENT,
            "newest_alarm": {"type": "integer", "minimum": 0, "maximum": 255},
            "state": {"type": "integer", "minimum": 0, "maximum": 0xFFFF},
        },
        ("clock",),
    ),
    Channel(
        "notice", False, "gateway", False, "What the gateway tells of itself and of the air around it: mains, moved, jammed, disk full.",
        {
            **_IDENTITY,
            "code": {"type": "string", "pattern": "^[a-z_]{1,32}$", "examples": [code.value for code in NoticeCode]},
            "tag": {**_IDENT, "description": "which tag it is about; absent where it is about none"},
            "detail": {"type": "object", "additionalProperties": {"type": "integer"}},
        },
        ("tag", "detail", "clock"),
    ),
    Channel(
        "time", True, "gateway", False, "A tag's sealed request for the time; worth nothing after 10 s.",
        {"request": _BASE64},
    ),
    Channel(
        "receipt", False, "centre", False, "What the centre has; lets records leave the outbox and, inside, the tag's journal.",
        {
            "source": _IDENT,
            "journal": _UINT32,
            "base": {**_UINT32, "description": "every sequence below it is at the centre, or dropped by the tag as its tombstones prove"},
            "bitmap": {**_UINT32, "description": "bit i: sequence base + 1 + i is there too"},
            "first": {**_SEQUENCE, "description": "behind a gap: this sequence is at the centre"},
            "far_bitmap": {**_UINT32, "description": "bit i: sequence first + 1 + i is there too"},
            "command": {**_BASE64, "description": "the RECEIPT sealed for the tag; absent where the source is a gateway"},
            "refused": _REFUSED,
        },
        ("first", "far_bitmap", "command", "refused"),
    ),
    Channel("command", True, "centre", False, "A command sealed end to end for the tag.", {"command": _BASE64}),
    Channel(
        "keys", True, "centre", False, "A gateway's share of a tag's next keys, sealed for this gateway. Sent again until it is confirmed.",
        {
            "generation": {**_SEQUENCE, "description": "of the keys; the provisioned ones are 0"},
            "keys": {**_BASE64, "description": "nonce (13 bytes), then AES-CCM under a key that follows from the gateway–centre key"},
        },
    ),
    Channel(
        "schedule", True, "centre", False, "A tag's schedule for a gateway that may judge leaving itself; most deployments send none.",
        {"revision": _UINT32, "curfew": {**_BASE64, "description": "as in CURFEW; empty: judge no longer"}},
    ),
    Channel(
        "beat", False, "centre", False, "The centre is there: every 120 s to each gateway.",
        {"number": {**_UINT32, "description": "rising within a start of the centre"}, "epoch": _UINT32},
    ),
    Channel(
        "keyed", True, "gateway", False, "The gateway takes the tag under the keys of this generation as well.",
        {"generation": {**_SEQUENCE, "description": "of the keys"}},
    ),
)  # fmt: skip


def message_schema(channel: Channel) -> dict[str, Any]:
    """The JSON Schema of one channel's payload: a CloudEvents 1.0 event in JSON with our `seal`."""
    data = {
        "type": "object",
        "properties": channel.properties,
        "required": [name for name in channel.properties if name not in channel.optional],
    }
    properties: dict[str, Any] = {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "pattern": f"^/{ROOT}/[0-9a-f]{{8}}$"},
        "type": {"const": f"strapline.{channel.name}.v1"},
        "time": {**_INSTANT, "description": "when it was published"},
        "datacontenttype": {"const": "application/json"},
        "seal": {
            "type": "string",
            "pattern": "^[0-9a-f]{32}$",
            "description": "HMAC-SHA256, 16 bytes, over topic and content under the gateway–centre key",
        },
        "data": data,
    }
    required = list(properties)
    if channel.has_tag:
        properties["subject"] = {**_IDENT, "description": "the tag"}
        required.append("subject")
    if "heard" in channel.properties:  # what waits in the outbox
        properties |= _PASSAGE
    return {"type": "object", "properties": properties, "required": required}


def document(version: str) -> dict[str, Any]:
    """The AsyncAPI 3.0 document as plain data."""
    channels, operations, messages = {}, {}, {}
    for channel in CHANNELS:
        parameters = {"gateway": {"description": "the gateway's id, eight hexadecimal digits"}}
        if channel.has_tag:
            parameters["tag"] = {"description": "the tag's id, eight hexadecimal digits"}
        channels[channel.name] = {
            "address": f"{ROOT}/{{gateway}}/{channel.name}" + ("/{tag}" if channel.has_tag else ""),
            "description": channel.summary,
            "messages": {channel.name: {"$ref": f"#/components/messages/{channel.name}"}},
            "parameters": parameters,
        }
        action = "send" if channel.sender == "gateway" else "receive"
        operations[f"{action}_{channel.name}"] = {
            "action": action,
            "channel": {"$ref": f"#/channels/{channel.name}"},
            "summary": channel.summary,
            "bindings": {"mqtt": {"qos": 1, "retain": channel.retained, "bindingVersion": "0.2.0"}},
        }
        messages[channel.name] = {
            "name": channel.name,
            "contentType": "application/cloudevents+json",
            "payload": message_schema(channel),
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Strapline gateway",
            "version": version,
            "description": "What a gateway sends to a monitoring centre, and what it takes from one.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def asyncapi_source(version: str) -> str:
    """The document as JSON (which is YAML too)."""
    return json.dumps(document(version), indent=2, ensure_ascii=False) + "\n"
