"""Bytes from a trace or a log made readable, with a tag's secret or without. It opens what that secret opens and guesses nothing."""

from typing import Any, NamedTuple

from strapline_protocol.cipher import HostCipher
from strapline_protocol.definitions import FRAMES, EventCode, Kind, State, leaves
from strapline_wire import frames, seal
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.hkdf import hmac_sha256, same
from strapline_wire.keys import derive
from strapline_wire.replay import ReplayWindow

_LAYOUTS = {frame.kind: frame.layout for frame in FRAMES}
_UP = frozenset({Kind.EVENT, Kind.FIX, Kind.TIME_REQUEST})
_CLEAR = frozenset({Kind.HELLO, Kind.WELCOME})


class Row(NamedTuple):
    """One line of an explanation."""

    name: str
    value: str
    meaning: str = ""


def decode(data: bytes, secret: bytes | None = None) -> list[Row]:
    """Explain a frame (as on the air) or a sealed envelope (as in MQTT). Raises `RemoteProtocolError` for what is neither."""
    if not data:
        raise RemoteProtocolError("truncated")
    return _frame(data, secret) if data[0] >> 6 == seal.VERSION else _envelope(data, secret)


def _frame(data: bytes, secret: bytes | None) -> list[Row]:
    kind, pseudonym = seal.peek(data)
    rows = [
        Row("frame", _name(kind), f"version {data[0] >> 6}, kind 0x{kind:02x}"),
        Row("pseudonym", f"{pseudonym:08x}"),
    ]
    if kind in _CLEAR:
        return rows + _clear(kind, data, secret)
    if len(data) < frames.HEADER_SIZE + seal.MIC_SIZE:
        raise RemoteProtocolError("truncated", f"{len(data)} bytes")
    rows.append(Row("masked_counter", data[5:9].hex()))
    rows.append(Row("sealed", data[9 : -seal.MIC_SIZE].hex(), f"{len(data) - 17} bytes"))
    rows.append(Row("mic", data[-seal.MIC_SIZE :].hex()))
    if kind != Kind.HEARTBEAT:
        return [*rows, Row("opened", "no", "under a session key, which needs both nonces of its connection")]
    if secret is None:
        return [*rows, Row("opened", "no", "give the tag's secret to open it")]
    broadcast, header = HostCipher(derive(secret, "broadcast")), HostCipher(derive(secret, "header"))
    counter, body = seal.open_frame(data, broadcast, header, seal.UP, ReplayWindow())
    return [*rows, Row("counter", str(counter)), *_body(kind, body)]


def _clear(kind: int, data: bytes, secret: bytes | None) -> list[Row]:
    if len(data) < 5 + seal.MIC_SIZE:
        raise RemoteProtocolError("truncated", f"{len(data)} bytes")
    body, mac = data[5 : -seal.MIC_SIZE], data[-seal.MIC_SIZE :]
    verdict = "not checked"
    if secret is not None and kind == Kind.HELLO:
        right = hmac_sha256(derive(secret, "link"), data[: -seal.MIC_SIZE])[: seal.MIC_SIZE]
        verdict = "right" if same(mac, right) else "wrong: not this tag's, or altered"
    return [*_body(kind, body), Row("hmac", mac.hex(), verdict)]


def _envelope(data: bytes, secret: bytes | None) -> list[Row]:
    envelope = seal.peek_envelope(data)
    rows = [
        Row("envelope", _name(envelope.kind), "alarm lane" if envelope.flags & 1 else ""),
        Row("origin", f"{envelope.origin:08x}", "journal" if envelope.kind in _UP else "epoch"),
        Row("number", str(envelope.number)),
    ]
    if envelope.kind not in _LAYOUTS:
        raise RemoteProtocolError("unknown_kind", f"0x{envelope.kind:02x}")
    if secret is None:
        return [*rows, Row("opened", "no", "give the tag's secret to open it")]
    direction = seal.UP if envelope.kind in _UP else seal.DOWN
    _, body = seal.open_envelope(data, HostCipher(derive(secret, "end-to-end")), direction)
    return rows + _body(envelope.kind, body)


def _body(kind: int, body: bytes) -> list[Row]:
    record = getattr(frames, f"unpack_{_name(kind)}")(body)
    rows = []
    for leaf in leaves(_LAYOUTS[Kind(kind)]):
        value: Any = getattr(record, leaf.name)
        shown = value.hex() if isinstance(value, bytes) else str(value)
        rows.append(Row(leaf.name, f"{shown} {leaf.unit}".strip(), _meaning(kind, leaf.name, value) or leaf.doc))
    size = sum(leaf.size for leaf in leaves(_LAYOUTS[Kind(kind)]))
    return rows if len(body) == size else [*rows, Row("trailing", body[size:].hex(), "of a later version")]


def _meaning(kind: int, field: str, value: Any) -> str:
    if (kind, field) == (Kind.HEARTBEAT, "flags"):
        return ", ".join((state.name or "").lower() for state in State if value & state) or "none"
    if (kind, field) == (Kind.EVENT, "code"):
        return next((code.name.lower() for code in EventCode if code == value), "unknown to this version")
    return ""


def _name(kind: int) -> str:
    return next((known.name.lower() for known in Kind if known == kind), f"unknown kind 0x{kind:02x}")
