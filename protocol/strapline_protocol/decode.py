"""Bytes from a trace or a log made readable, with a tag's secret or without. It opens what that secret opens and guesses nothing."""

from typing import Any, NamedTuple

from strapline_protocol.cipher import HostCipher
from strapline_protocol.codes import MEANINGS, EventCode, Kind, State
from strapline_protocol.definitions import FRAMES
from strapline_protocol.layout import Leaf, is_fixed, leaves
from strapline_wire import documents, frames, seal
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.hkdf import hmac_sha256, same
from strapline_wire.keys import derive
from strapline_wire.replay import ReplayWindow

_LAYOUTS = {frame.kind: frame.layout for frame in FRAMES}
_UP = frozenset({frame.kind for frame in FRAMES if frame.sender == "tag"})
_CLEAR = frozenset({Kind.HELLO, Kind.WELCOME})
_KINDS = frozenset(Kind)


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
    return [*rows, Row("counter", str(counter)), *body_rows(kind, body)]


def _clear(kind: int, data: bytes, secret: bytes | None) -> list[Row]:
    if len(data) < 5 + seal.MIC_SIZE:
        raise RemoteProtocolError("truncated", f"{len(data)} bytes")
    body, mac = data[5 : -seal.MIC_SIZE], data[-seal.MIC_SIZE :]
    verdict = "not checked"
    if secret is not None and kind == Kind.HELLO:
        right = hmac_sha256(derive(secret, "link"), data[: -seal.MIC_SIZE])[: seal.MIC_SIZE]
        verdict = "right" if same(mac, right) else "wrong: not this tag's, or altered"
    return [*body_rows(kind, body), Row("hmac", mac.hex(), verdict)]


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
    return rows + body_rows(envelope.kind, body)


def unpack(kind: int, body: bytes) -> Any:
    """The typed record of a body. Raises `RemoteProtocolError`: "unknown_kind", or what is wrong with it."""
    layout = _LAYOUTS.get(Kind(kind)) if kind in _KINDS else None
    if layout is None:
        raise RemoteProtocolError("unknown_kind", f"0x{kind:02x}")
    return getattr(frames if is_fixed(layout) else documents, f"unpack_{_name(kind)}")(body)


def body_rows(kind: int, body: bytes) -> list[Row]:
    """Explain what a frame or an envelope sealed, once it is open."""
    record = unpack(kind, body)
    rows = _fields("", kind, list(leaves(_LAYOUTS[Kind(kind)])), record)
    size = len(_pack(kind, record))
    return rows if len(body) == size else [*rows, Row("trailing", body[size:].hex(), "of a later version")]


def _pack(kind: int, record: Any) -> bytes:
    module = frames if is_fixed(_LAYOUTS[Kind(kind)]) else documents
    return bytes(getattr(module, f"pack_{_name(kind)}")(record))


def _fields(prefix: str, kind: int, fields: list[Leaf], record: Any) -> list[Row]:
    rows = []
    for leaf in fields:
        value: Any = getattr(record, leaf.name)
        if leaf.record is not None:
            rows.append(Row(prefix + leaf.name, str(len(value)), leaf.doc))
            inner = list(leaves(leaf.record.layout))
            for at, entry in enumerate(value):
                rows += _fields(f"{prefix}{leaf.name}[{at}].", kind, inner, entry)
            continue
        text = value.hex() if isinstance(value, bytes) else str(value)
        told = text if leaf.shape != "int" else f"{text} {leaf.unit}".strip()
        rows.append(Row(prefix + leaf.name, told, _meaning(kind, leaf, value) or leaf.doc))
    return rows


def _meaning(kind: int, leaf: Leaf, value: Any) -> str:
    if (kind, leaf.name) == (Kind.HEARTBEAT, "flags"):
        return ", ".join((state.name or "").lower() for state in State if value & state) or "none"
    if leaf.names is None:
        return ""
    named = next((code for code in leaf.names if code == value), None)
    if named is None:
        return "unknown to this version"
    return f"{named.name.lower()}: {MEANINGS[named].text}" if isinstance(named, EventCode) else named.name.lower()


def _name(kind: int) -> str:
    return next((known.name.lower() for known in Kind if known == kind), f"unknown kind 0x{kind:02x}")
