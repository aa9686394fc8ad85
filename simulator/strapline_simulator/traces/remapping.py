"""Publications under other names: gateways and tags renamed in topic and content, and sealed anew where the key is there."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from strapline_protocol import contract
from strapline_protocol.errors import UserError
from strapline_protocol.link_key import read_link_keys
from strapline_wire.errors import RemoteProtocolError


class Publication(NamedTuple):
    """One message of a trace, as it is published."""

    utc_s: float
    topic: str
    payload: bytes
    retain: bool

    @property
    def data(self) -> dict[str, Any]:
        """What it says; empty where it is none of the contract."""
        try:
            return contract.read_unchecked(self.topic, self.payload).data
        except RemoteProtocolError:
            return {}

    @property
    def channel(self) -> str:
        """Empty where it is none of the contract."""
        try:
            return contract.parse_topic(self.topic).channel
        except RemoteProtocolError:
            return ""


def read_map(texts: Iterable[str]) -> dict[str, str]:
    """`OLD=NEW` each; UserError."""
    names: dict[str, str] = {}
    for text in texts:
        old, equals, new = text.partition("=")
        if not equals or not contract.is_ident(old) or not contract.is_ident(new):
            raise UserError(f"--map {text}: write OLD=NEW, each eight lower-case hexadecimal digits")
        names[old] = new
    return names


def read_seals(texts: Iterable[str]) -> dict[str, bytes]:
    """`GATEWAY=FILE` each, by gateway; UserError."""
    keys: dict[str, bytes] = {}
    for text in texts:
        gateway, equals, file = text.partition("=")
        if not equals or not contract.is_ident(gateway):
            raise UserError(f"--seal {text[:8]}: write GATEWAY=FILE, the gateway's new id and the file with its key")
        keys[gateway] = read_link_keys(Path(file))[0]
    return keys


class Remapper:
    """Renames, and counts those whose seal it had to leave as it was."""

    def __init__(self, names: Mapping[str, str], keys: Mapping[str, bytes]) -> None:
        self._names = names
        self._keys = keys
        self.unsealed = 0

    def map(self, publication: Publication) -> Publication:
        """Under its new names; as it is where none of them is in it."""
        if not self._names and not self._keys:
            return publication
        try:
            message = contract.read_unchecked(publication.topic, publication.payload)
        except RemoteProtocolError:
            return publication
        topic = contract.Topic(
            self._name(message.topic.gateway), message.topic.channel, self._name(message.topic.subject)
        )
        data = self._renamed(message.data)
        key = self._keys.get(topic.gateway)
        if key is None and topic == message.topic and data == message.data:
            return publication
        ident = "-".join(self._name(part) for part in message.ident.split("-"))
        renamed = message._replace(topic=topic, data=data, ident=ident)
        payload = contract.encode(renamed, key or b"")
        if key is None:
            self.unsealed += 1
            payload = _with_old_seal(payload, publication.payload)
        return publication._replace(topic=str(topic), payload=payload)

    def _name(self, text: str) -> str:
        return self._names.get(text, text)

    def _renamed(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._renamed(part) for name, part in value.items()}
        if isinstance(value, list):
            return [self._renamed(part) for part in value]
        return self._name(value) if isinstance(value, str) else value


def _with_old_seal(payload: bytes, old: bytes) -> bytes:
    body = json.loads(payload)
    body["seal"] = json.loads(old).get("seal", "")
    return json.dumps(body, separators=(",", ":")).encode()
