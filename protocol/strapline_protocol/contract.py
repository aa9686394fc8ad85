"""Gateway ↔ centre over MQTT: topics and CloudEvents messages, and nothing about how they travel.

Topics are `strapline/v1/<gateway>/<channel>[/<tag>]`; gateways and tags go by eight hexadecimal digits, so no topic names a person.
Every message carries a seal (HMAC-SHA256 under the gateway–centre key) over its topic and content. A broker can drop a message, but not
alter one, nor move it to another gateway's topics.
"""

import base64
import binascii
import hashlib
import hmac
import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from strapline_protocol.link_key import note_other, others_of
from strapline_wire.errors import RemoteProtocolError

ROOT = "strapline/v1"
FROM_GATEWAYS = ("state", "event", "position", "presence", "alarm", "notice", "time", "keyed")
FROM_THE_CENTRE = ("receipt", "command", "keys", "schedule", "beat")
CHANNELS = FROM_GATEWAYS + FROM_THE_CENTRE
ABOUT_A_TAG = frozenset(CHANNELS) - {"state", "notice", "receipt", "beat"}
"""Channels whose topics end with a tag."""

BEAT_S = 120.0
"""So often each end says that it is there."""

SILENT_AFTER_S = 300.0
"""R55: an end that has said nothing for so long is silent."""
PAYLOAD_LIMIT = 16384
"""Bytes; the largest message is a few hundred, and nobody may make us parse more than this."""

_SEAL_SIZE = 16
_YEARS = range(1970, 2200)
"""In which a gateway can have heard something, its clock unset included. With a time at the calendar's end nobody could reckon."""

_DEPTH = 8
"""Levels of nesting in a message; ours have two. What is nearly too deep to be parsed is too deep for those who keep it."""


class Topic(NamedTuple):
    """A parsed topic."""

    gateway: str
    channel: str
    subject: str = ""
    """The tag, where the channel has one."""

    def __str__(self) -> str:
        return "/".join([ROOT, self.gateway, self.channel, *([self.subject] if self.subject else [])])


@lru_cache(4096)
def parse_topic(text: str) -> Topic:
    """Raises `RemoteProtocolError("topic")` for a topic that is not of this contract."""
    parts = text.split("/")
    if len(parts) not in (4, 5) or "/".join(parts[:2]) != ROOT or parts[3] not in CHANNELS:
        raise RemoteProtocolError("topic", text)
    if not all(is_ident(part) for part in [parts[2], *parts[4:]]):
        raise RemoteProtocolError("topic", text)
    return Topic(parts[2], parts[3], parts[4] if len(parts) == 5 else "")


def is_ident(text: str) -> bool:
    """Whether this is the id of a gateway or a tag: eight lower-case hexadecimal digits."""
    return len(text) == 8 and all(letter in "0123456789abcdef" for letter in text)


class Passage(NamedTuple):
    """How a message went on its way, which is another each time that it is published: beside its data, not in it."""

    historical: bool
    """It waited for a connection, or for more than five minutes: no news of this moment."""
    start: int
    """As in the gateway's state."""
    number: int
    """Rising by one, within a start, with each message about the same tag; of those about none, likewise."""


class Message(NamedTuple):
    """One CloudEvent of the contract."""

    topic: Topic
    ident: str
    """Unique within the source: a repeated delivery has the same."""
    time: datetime
    """When the sender made it (UTC)."""
    data: dict[str, Any]
    passage: Passage | None = None
    """None where the sender does not say it: a centre, or a gateway of before there was one."""


def encode(message: Message, key: bytes) -> bytes:
    """The CloudEvents 1.0 JSON of a message, sealed with the 32-byte gateway–centre key."""
    return encode_text(message, canonical(message.data), key)


def encode_text(message: Message, data: str, key: bytes) -> bytes:
    """The same with `data` as `canonical` has given it before; the message's own is not looked at."""
    topic, channel = str(message.topic), message.topic.channel
    # By name in order, so that these are the very bytes that are sealed; `seal` comes behind them.
    parts = ['{"data":', data, ',"datacontenttype":"application/json"']
    if message.passage is not None:
        parts.append(f',"historical":{"true" if message.passage.historical else "false"}')
    parts.append(f',"id":{_canonical(message.ident)}')
    if message.passage is not None:
        parts.append(f',"number":{message.passage.number}')
    parts.append(f',"source":"/{ROOT}/{message.topic.gateway}","specversion":"1.0"')
    if message.passage is not None:
        parts.append(f',"start":{message.passage.start}')
    if message.topic.subject:
        parts.append(f',"subject":"{message.topic.subject}"')
    parts.append(f',"time":"{utc_text(message.time)}","type":"strapline.{channel}.v1"')
    text = "".join(parts)
    return f'{text},"seal":"{_seal_of(topic, text + "}", key)}"}}'.encode()


_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def canonical(data: dict[str, Any]) -> str:
    """JSON as it is sealed: names in order, no spaces."""
    return _canonical(data)


def decode(topic: str, payload: bytes, key: bytes) -> Message:
    """The message, once its seal holds; `key` may be a `LinkKey` with others.

    Raises `RemoteProtocolError`: "topic", "oversized", "malformed" or "forged".
    """
    body = _body_of(topic, payload)
    try:
        good = _is_sealed(body.pop("seal"), topic, _canonical(body), key)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise RemoteProtocolError("malformed", topic) from None
    message = _message(topic, body)
    if not good:
        raise RemoteProtocolError("forged", topic)
    return message


def read_unchecked(topic: str, payload: bytes) -> Message:
    """The same for whoever has no key and trusts nothing that it says: a trace's reader. Raises all but "forged"."""
    return _message(topic, _body_of(topic, payload))


def _body_of(topic: str, payload: bytes) -> dict[str, Any]:
    parse_topic(topic)
    if len(payload) > PAYLOAD_LIMIT:
        raise RemoteProtocolError("oversized", topic)
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError):
        raise RemoteProtocolError("malformed", topic) from None
    if not isinstance(body, dict) or not _is_shallow(body, _DEPTH):
        raise RemoteProtocolError("malformed", topic)
    return body


def _message(topic: str, body: dict[str, Any]) -> Message:
    try:
        sent = datetime.fromisoformat(body["time"])
        message = Message(parse_topic(topic), str(body["id"]), sent, body["data"], _passage(body))
    except (ValueError, KeyError, TypeError):
        raise RemoteProtocolError("malformed", topic) from None
    if not isinstance(message.data, dict) or message.time.tzinfo is None:
        raise RemoteProtocolError("malformed", topic)
    return message


def _is_sealed(seal: str, topic: str, content: str, key: bytes) -> bool:
    if hmac.compare_digest(seal, _seal_of(topic, content, key)):
        return True
    for other in others_of(key):
        if hmac.compare_digest(seal, _seal_of(topic, content, other)):
            note_other(key, other)
            return True
    return False


def _is_shallow(value: Any, levels: int) -> bool:
    if levels <= 0:
        return False
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if levels == 1 or (isinstance(part, dict | list) and not _is_shallow(part, levels - 1)):
            return False
    return True


def _seal_of(topic: str, text: str, key: bytes) -> str:
    return hmac.digest(key, f"{topic}\n{text}".encode(), "sha256")[:_SEAL_SIZE].hex()


def _passage(body: dict[str, Any]) -> Passage | None:
    """None where it is not told, or not in a way that we know: what it is about counts all the same."""
    historical, start, number = (body.get(name) for name in Passage._fields)
    if type(historical) is not bool or type(start) is not int or type(number) is not int:
        return None
    return Passage(historical, start, number) if min(start, number) > 0 else None


def number(data: dict[str, Any], name: str, low: int = 0, high: int = 0xFFFFFFFF) -> int:
    """An integer field of a message's data; raises `RemoteProtocolError("malformed")`."""
    value = data.get(name)
    if type(value) is not int or not low <= value <= high:
        raise RemoteProtocolError("malformed", name)
    return value


def octets(data: dict[str, Any], name: str) -> bytes:
    """A base64 field of a message's data; raises `RemoteProtocolError("malformed")`."""
    try:
        return base64.b64decode(data[name], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise RemoteProtocolError("malformed", name) from None


def text_of(data: bytes) -> str:
    """Bytes as a message's data carries them (base64)."""
    return base64.b64encode(data).decode("ascii")


def digest(sealed: bytes) -> str:
    """By what a sealed record is named where its identity may be forged: SHA-256 in hexadecimal digits."""
    return hashlib.sha256(sealed).hexdigest()


def is_digest(text: object) -> bool:
    """Whether this is one of `digest`."""
    return isinstance(text, str) and len(text) == 64 and all(letter in "0123456789abcdef" for letter in text)


def moment(data: dict[str, Any], name: str) -> datetime:
    """An instant of a message's data, in UTC; raises `RemoteProtocolError("malformed")`."""
    try:
        told = datetime.fromisoformat(str(data[name]))
        inside = told.astimezone(UTC)
    except (KeyError, ValueError, OverflowError):
        raise RemoteProtocolError("malformed", name) from None
    if told.tzinfo is None or inside.year not in _YEARS:
        raise RemoteProtocolError("malformed", name)
    return inside


def utc_text(moment: datetime) -> str:
    """RFC 3339 with milliseconds and Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
