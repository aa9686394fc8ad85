"""Packets made readable: kind, tag and fields of each, as far as the keys at hand open it. It guesses nothing."""

import json
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from functools import partial
from typing import Any, NamedTuple

from strapline_protocol import contract, decode
from strapline_protocol.cipher import HostCipher
from strapline_protocol.codes import Kind, State
from strapline_protocol.definitions import FRAMES
from strapline_protocol.layout import leaves
from strapline_simulator.trace import Packet
from strapline_simulator.traces.keybox import KeyBox, Share
from strapline_wire import frames, seal
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.hkdf import hmac_sha256, same
from strapline_wire.keys import session_key
from strapline_wire.replay import ReplayWindow

LINKS = ("air", "cellular", "serial")
"""Interfaces whose packets are frames."""

_CODES: dict[tuple[int, str], type[IntEnum]] = {
    (frame.kind, leaf.name): leaf.names for frame in FRAMES for leaf in leaves(frame.layout) if leaf.names is not None
}
_LINES = 4096
"""Conversations that are followed at a time."""


class Reading(NamedTuple):
    """One packet, read."""

    number: int
    """From 1, in the order of the trace, counting every packet."""
    packet: Packet
    kind: str
    """Of a frame its kind, of a publication its channel, in lower case."""
    tag: str
    """Empty where nobody can tell."""
    fields: dict[str, Any]
    body: bytes = b""
    """Of a frame that was opened, what it carries."""
    gateway: str = ""
    """Of a publication."""


Make = Callable[..., Reading]


class _Talk:
    """One connection, as far as it can be followed."""

    def __init__(self) -> None:
        self.share: Share | None = None
        self.tag_nonce = b""
        self.cipher: HostCipher | None = None


class Reader:
    """Feed it the packets of one trace in order."""

    def __init__(self, keys: KeyBox) -> None:
        self._keys = keys
        self._talks: dict[tuple[str, str], _Talk] = {}
        self._number = 0
        self._readers = {"opened": self._opened, "mqtt": self._mqtt, "truth": self._truth, "hci": self._hci}

    def read_all(self, packets: Iterable[Packet]) -> Iterator[Reading]:
        """Each of them."""
        return map(self.read, packets)

    def read(self, packet: Packet) -> Reading:
        """What this one is; whatever it is, it is something."""
        self._number += 1
        make = partial(Reading, self._number, packet)
        try:
            if not packet.data:
                raise RemoteProtocolError("truncated")
            if packet.interface in LINKS:
                return self._frame(packet, make)
            read = self._readers.get(packet.interface)
            return make("unknown", "", {"bytes": packet.data.hex()}) if read is None else read(packet, make)
        except RemoteProtocolError as error:
            return make("broken", packet.notes.get("tag", ""), {"reason": error.reason, "bytes": packet.data.hex()})

    # Frames.

    def _frame(self, packet: Packet, make: Make) -> Reading:
        kind, pseudonym = seal.peek(packet.data)
        noted = packet.notes.get("tag", "")
        if kind == Kind.HEARTBEAT:
            return self._heartbeat(packet, pseudonym, make, noted)
        talk = self._talk_of(packet)
        if kind in (Kind.HELLO, Kind.WELCOME):
            return _greeting(talk, self._keys, packet, kind, pseudonym, make, noted)
        fields: dict[str, Any] = {"pseudonym": f"{pseudonym:08x}"}
        body = _opened(talk, packet, kind)
        if body is None:
            return make(_name(kind), noted, {**fields, "sealed": len(packet.data) - frames.HEADER_SIZE - seal.MIC_SIZE})
        assert talk.share is not None
        if kind in (Kind.RECORD, Kind.COMMAND):
            direction = seal.UP if kind == Kind.RECORD else seal.DOWN
            return make(_name(kind), talk.share.tag, self.envelope(body, direction), body)
        return make(_name(kind), talk.share.tag, _fields(kind, body), body)

    def _heartbeat(self, packet: Packet, pseudonym: int, make: Make, noted: str) -> Reading:
        for share in self._keys.shares:
            try:
                counter, body = seal.open_frame(packet.data, share.broadcast, share.header, seal.UP, ReplayWindow())
            except RemoteProtocolError:
                continue
            return make("heartbeat", share.tag, {"counter": counter, **_fields(Kind.HEARTBEAT, body)}, body)
        return make("heartbeat", noted, {"pseudonym": f"{pseudonym:08x}"})

    def _talk_of(self, packet: Packet) -> _Talk:
        key = packet.interface, packet.notes.get("line", "")
        if key not in self._talks and len(self._talks) >= _LINES:
            del self._talks[next(iter(self._talks))]
        return self._talks.setdefault(key, _Talk())

    def envelope(self, sealed: bytes, direction: int) -> dict[str, Any]:
        """What anybody can see of a record or a command, and what is in it where a key opens it."""
        envelope = seal.peek_envelope(sealed)
        names = ("journal", "sequence") if direction == seal.UP else ("epoch", "number")
        number = dict(zip(names, (envelope.origin, envelope.number), strict=True))
        told: dict[str, Any] = {"is": _name(envelope.kind), **number}
        if envelope.flags & 1:
            told["lane"] = "alarm"
        for _tag, cipher in self._keys.seals:
            try:
                _, body = seal.open_envelope(sealed, cipher, direction)
            except RemoteProtocolError:
                continue
            return told | _fields(envelope.kind, bytes(body))
        return told | {"sealed": len(sealed) - seal.ENVELOPE_OVERHEAD}

    # What is no frame.

    def _opened(self, packet: Packet, make: Make) -> Reading:
        kind, body = packet.data[0], packet.data[1:]
        return make(_name(kind), packet.notes.get("tag", ""), _fields(kind, body), body)

    def _mqtt(self, packet: Packet, make: Make) -> Reading:
        topic, _, payload = packet.data.partition(b"\0")
        text = topic.decode(errors="replace")
        try:
            parsed, *_, data, _ = contract.read_unchecked(text, payload)
        except RemoteProtocolError:
            return make("message", "", {"topic": text, "bytes": len(payload)})
        fields = {**data, **self._sealed_in(parsed.channel, data)}
        fields.pop("tag", None)
        source = data.get("source")
        is_tag = isinstance(source, str) and contract.is_ident(source) and source != parsed.gateway
        return make(parsed.channel, parsed.subject or (source if is_tag else ""), fields, payload, parsed.gateway)

    def _sealed_in(self, channel: str, data: dict[str, Any]) -> dict[str, Any]:
        name, direction = ("command", seal.DOWN) if channel in ("receipt", "command") else ("record", seal.UP)
        if not isinstance(data.get(name), str):
            return {}
        try:
            told = self.envelope(contract.octets(data, name), direction)
        except RemoteProtocolError as error:
            return {name: f"broken: {error.reason}"}
        return {name: told.pop("is")} | {key: value for key, value in told.items() if key not in data}

    def _truth(self, packet: Packet, make: Make) -> Reading:
        try:
            told = json.loads(packet.data)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            return make("broken", "", {"bytes": packet.data.hex()})
        return make("truth", packet.notes.get("tag", ""), told)

    def _hci(self, packet: Packet, make: Make) -> Reading:
        from bumble import hci  # slow to import, and most traces have none

        try:
            read = hci.HCI_Packet.from_bytes(packet.data[4:])
            name = getattr(read, "name", None) or type(read).__name__
        except Exception as error:  # noqa: BLE001 - a packet from anywhere, in a library that checks by failing
            return make("broken", "", {"reason": type(error).__name__, "bytes": packet.data.hex()})
        return make("hci", "", {"what": name, "bytes": len(packet.data) - 4})


def _greeting(talk: _Talk, keys: KeyBox, packet: Packet, kind: int, pseudonym: int, make: Make, noted: str) -> Reading:
    data = packet.data
    if len(data) < 5 + seal.MIC_SIZE:
        raise RemoteProtocolError("truncated")
    fields = {"pseudonym": f"{pseudonym:08x}", **_fields(kind, data[5 : -seal.MIC_SIZE])}
    if kind == Kind.HELLO:
        talk.cipher = None
        talk.share = next((share for share in keys.shares if _is_of(share, data, b"")), None)
        talk.tag_nonce = frames.unpack_hello(data[5 : -seal.MIC_SIZE]).nonce
    elif talk.share is not None and _is_of(talk.share, data, talk.tag_nonce):
        welcome = frames.unpack_welcome(data[5 : -seal.MIC_SIZE])
        talk.cipher = HostCipher(session_key(talk.share.link, welcome.gateway, talk.tag_nonce, welcome.nonce))
    if kind == Kind.WELCOME:
        fields["gateway"] = f"{fields['gateway']:08x}"
    return make(_name(kind), talk.share.tag if talk.share else noted, fields, data[5 : -seal.MIC_SIZE])


def _is_of(share: Share, frame: bytes, context: bytes) -> bool:
    mac = hmac_sha256(share.link, context + frame[: -seal.MIC_SIZE])[: seal.MIC_SIZE]
    return bool(same(mac, frame[-seal.MIC_SIZE :]))


def _opened(talk: _Talk, packet: Packet, kind: int) -> bytes | None:
    if talk.share is None or talk.cipher is None:
        return None
    direction = seal.DOWN if kind == Kind.COMMAND else seal.UP
    try:
        _, body = seal.open_frame(packet.data, talk.cipher, talk.share.header, direction, ReplayWindow())
    except RemoteProtocolError:
        return None
    return bytes(body)


def _fields(kind: int, body: bytes) -> dict[str, Any]:
    told = _plain(decode.unpack(kind, body))
    assert isinstance(told, dict)
    for name in told:
        codes = _CODES.get((kind, name))
        if codes is not None:
            told[name] = _code_name(codes, told[name])
    if kind == Kind.HEARTBEAT:
        told["flags"] = ",".join((state.name or "").lower() for state in State if told["flags"] & state)
    return told


def _code_name(codes: type[IntEnum], value: int) -> str | int:
    return next((code.name.lower() for code in codes if code == value), value)


def _plain(value: Any) -> Any:
    """For JSON."""
    if hasattr(value, "_asdict"):
        return {name: _plain(part) for name, part in value._asdict().items()}
    if isinstance(value, bytes):
        return value.hex()
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def _name(kind: int) -> str:
    return next((known.name.lower() for known in Kind if known == kind), f"kind_0x{kind:02x}")
