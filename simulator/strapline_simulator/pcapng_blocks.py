"""The blocks of a pcapng file, read one after the other, and nothing about what is in the packets.

Ours rather than a library's, because a trace is read whole each time that it is shown, and python-pcapng takes ten times as long.
Format: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html, whose sections the comments name.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

SECTION, INTERFACE, ENHANCED_PACKET, SECRETS = 0x0A0D0D0A, 0x00000001, 0x00000006, 0x0000000A

_BYTE_ORDER_MAGIC = b"\x1a\x2b\x3c\x4d"
_SMALLEST = 12
_LARGEST = 64 << 20
"""Bytes of a block; a length beyond that is damage."""

_OPTION_END, _OPTION_COMMENT, _IF_NAME, _EPB_FLAGS, _IF_TSRESOL, _IF_TSOFFSET = 0, 1, 2, 2, 9, 14
_TICKS_PER_S = 1_000_000


class RawPacket(NamedTuple):
    """An Enhanced Packet Block (section 4.3)."""

    interface: str
    utc_s: float
    data: bytes
    comment: str | None
    flags: int


class Secrets(NamedTuple):
    """A Decryption Secrets Block (section 4.7)."""

    kind: int
    data: bytes


class _Interface(NamedTuple):
    name: str
    ticks_per_s: int
    offset_s: int


def read_blocks(file: BinaryIO) -> Iterator[RawPacket | Secrets]:
    """Packets and secrets, as far as the file is whole; ValueError where it is no pcapng file, or damaged other than by being cut off."""
    order, interfaces = "", list[_Interface]()
    while head := _whole(file, 8):
        if head[:4] == SECTION.to_bytes(4, "big"):  # the same either way round
            magic = _whole(file, 4)
            if not magic:
                return
            order, interfaces = _order_of(magic), []
            body = _rest(file, head, order, 4)
        elif not order:
            raise ValueError("it does not begin as a pcapng file does")
        else:
            body = _rest(file, head, order, 0)
        if body is None:
            return
        (kind,) = struct.unpack_from(f"{order}I", head)
        if kind == INTERFACE:
            interfaces.append(_interface(body, order, len(interfaces)))
        elif kind == ENHANCED_PACKET:
            yield _packet(body, order, interfaces)
        elif kind == SECRETS:
            yield _secrets(body, order)


def _whole(file: BinaryIO, size: int) -> bytes:
    """So many bytes, or none: fewer are those of a file that was cut off."""
    data = file.read(size)
    return data if len(data) == size else b""


def _order_of(magic: bytes) -> str:
    if magic == _BYTE_ORDER_MAGIC:
        return ">"
    if magic == _BYTE_ORDER_MAGIC[::-1]:
        return "<"
    raise ValueError("it does not begin as a pcapng file does")


def _rest(file: BinaryIO, head: bytes, order: str, read: int) -> bytes | None:
    """What is between a block's two lengths, of which so many bytes are read already; None where the file ends before."""
    (total,) = struct.unpack_from(f"{order}I", head, 4)
    if total < _SMALLEST + read or total % 4 or total > _LARGEST:
        raise ValueError(f"a block of {total} bytes")
    rest = _whole(file, total - 8 - read)
    if not rest:
        return None
    if rest[-4:] != struct.pack(f"{order}I", total):
        raise ValueError("a block's two lengths differ")
    return rest[:-4]


def _options(body: bytes, start: int, order: str) -> dict[int, bytes]:
    """Section 3.5: code, length, value padded to four bytes; of several of one code the first counts."""
    found: dict[int, bytes] = {}
    while start + 4 <= len(body):
        code, size = struct.unpack_from(f"{order}HH", body, start)
        if code == _OPTION_END:
            break
        if start + 4 + size > len(body):
            raise ValueError("an option is longer than its block")
        found.setdefault(code, body[start + 4 : start + 4 + size])
        start += 4 + size + -size % 4
    return found


def _interface(body: bytes, order: str, number: int) -> _Interface:
    if len(body) < 8:
        raise ValueError("an interface without a link type")
    options = _options(body, 8, order)
    name = options[_IF_NAME].decode(errors="replace") if _IF_NAME in options else str(number)
    ticks = _TICKS_PER_S
    if resolution := options.get(_IF_TSRESOL):
        # Section 4.2: the top bit says whether the rest is a power of 2 or of 10.
        ticks = int((2 if resolution[0] & 0x80 else 10) ** (resolution[0] & 0x7F))
    offset = options.get(_IF_TSOFFSET, bytes(8))
    if len(offset) != 8:
        raise ValueError("an interface's offset of time is not eight bytes")
    return _Interface(name, ticks, struct.unpack(f"{order}q", offset)[0])


def _packet(body: bytes, order: str, interfaces: list[_Interface]) -> RawPacket:
    if len(body) < 20:
        raise ValueError("a packet without a head")
    number, high, low, size, _original = struct.unpack_from(f"{order}IIIII", body)
    if number >= len(interfaces) or 20 + size > len(body):
        raise ValueError("a packet of an unknown interface, or longer than its block")
    interface = interfaces[number]
    options = _options(body, 20 + size + -size % 4, order)
    comment = options[_OPTION_COMMENT].decode(errors="replace") if _OPTION_COMMENT in options else None
    flags = options.get(_EPB_FLAGS, bytes(4))
    if len(flags) != 4:
        raise ValueError("a packet's flags are not four bytes")
    utc_s = (high << 32 | low) / interface.ticks_per_s + interface.offset_s
    return RawPacket(interface.name, utc_s, body[20 : 20 + size], comment, struct.unpack(f"{order}I", flags)[0])


def _secrets(body: bytes, order: str) -> Secrets:
    if len(body) < 8:
        raise ValueError("secrets without a head")
    kind, size = struct.unpack_from(f"{order}II", body)
    return Secrets(kind, body[8 : 8 + size])
