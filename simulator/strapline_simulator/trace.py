"""What crossed each link of a run, as one pcapng file that Wireshark opens; not what anyone made of it.

A trace has seven interfaces, and a packet of each holds:

==========  =============  ==============================================================================================
interface   link type      the packet's bytes
==========  =============  ==============================================================================================
`air`       147 (USER0)    one radio frame, raw, as between a tag and a gateway (advertisement, GATT or serial)
`cellular`  148 (USER1)    one frame, raw, of the same protocol over TCP between a tag and a relay
`mqtt`      151 (USER4)    one publication: topic in UTF-8, one NUL, payload
`opened`    152 (USER5)    one frame's body in clear, after one byte of kind: a simulation knows its own test keys, a gateway does not
`truth`     150 (USER3)    one JSON object: what the simulated world did, which no device is told
`serial`    153 (USER6)    one frame, raw, on a wire between a tag and a gateway
`hci`       201            one packet between a Bluetooth host and its controller, behind four bytes of direction
==========  =============  ==============================================================================================

The direction is not among the bytes: it is pcapng's own packet flag (inbound: towards the centre; outbound: towards the tag; of `hci`:
towards the host, towards the controller). A packet's comment holds what else the recorder knew, as `name=value` (`notes_text`).
Keys, where somebody has asked for them, are in a block of their own (`write_keys`), which any reader may skip.
Times are UTC in microseconds, which is as fine as a float of seconds since 1970 can say.
Format: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html
"""

import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

import pcapng
from pcapng.blocks import InterfaceDescription, SectionHeader

from strapline_simulator.pcapng_blocks import ENHANCED_PACKET, SECRETS, RawPacket, read_blocks

APPLICATION = "strapline"

# https://www.tcpdump.org/linktypes.html: LINKTYPE_USER0 to LINKTYPE_USER15 are 147 to 162, "reserved for private use".
# Not 149 (USER2): Wireshark takes it for Apple's PKTAP, which once used that number, and calls our packets malformed.
INTERFACES: dict[str, tuple[int, str]] = {
    "air": (147, "radio frames between tag and gateway"),
    "cellular": (148, "frames between tag and relay, over TCP"),
    "mqtt": (151, "publications between gateway and centre: topic, NUL, payload"),
    "opened": (152, "bodies in clear, after one byte of kind; only where the recorder held the keys"),
    "truth": (150, "what the simulated world did, in JSON"),
    "serial": (153, "frames between tag and gateway, on a wire"),
    # LINKTYPE_BLUETOOTH_HCI_H4_WITH_PHDR: four bytes of direction in network order (0 sent, 1 received), then the H4 packet.
    "hci": (201, "packets between a Bluetooth host and its controller"),
}

# epb_flags, bits 0-1 (draft-ietf-opsawg-pcapng, section 4.3.1): "00 = information not available, 01 = inbound, 10 = outbound".
_INBOUND, _OUTBOUND, _DIRECTION_MASK = 1, 2, 3
_DIRECTIONS = {_INBOUND: True, _OUTBOUND: False}

# Section 4.7, Decryption Secrets Block. The type of the secrets is ours and not registered: other readers skip what they do not know.
_OUR_SECRETS = int.from_bytes(b"STRP", "big")

_OPTION_END, _OPTION_COMMENT, _OPTION_FLAGS = 0, 1, 2
# block type, total length, interface, timestamp (high, low), captured length, original length
_PACKET_HEAD = struct.Struct("<IIIIIII")
_OPTION_HEAD = struct.Struct("<HH")
_FLAGS_OPTION = struct.Struct("<HHI")
_U32 = struct.Struct("<I")

# An option's length is a 16-bit field; a comment is cut well below it.
MAX_COMMENT_BYTES = 60_000

_TICKS_PER_S = 1_000_000


class Packet(NamedTuple):
    """One packet of a trace; `inbound` is towards the centre, None where the trace does not say."""

    interface: str
    utc_s: float
    data: bytes
    comment: str | None = None
    inbound: bool | None = None

    @property
    def notes(self) -> dict[str, str]:
        """What the comment says as `name=value`."""
        words = (word.partition("=") for word in (self.comment or "").split())
        return {name: value for name, equals, value in words if equals}


def notes_text(notes: Mapping[str, object]) -> str | None:
    """The comment that `Packet.notes` reads; names and values have no spaces."""
    return " ".join(f"{name}={value}" for name, value in notes.items()) or None


class TraceWriter:
    """Writes one trace; every packet is in the file when `write` returns, so that a run that dies leaves a readable one."""

    def __init__(self, path: str | Path) -> None:
        """Create the file with its headers, for its owner's eyes, replacing one of that name; raises OSError."""
        section = SectionHeader(endianness="<", options={"shb_userappl": APPLICATION})
        self._interface_ids: dict[str, int] = {}
        for name, (link_type, description) in INTERFACES.items():
            block = section.new_member(
                InterfaceDescription, link_type=link_type, options={"if_name": name, "if_description": description}
            )
            self._interface_ids[name] = block.interface_id
        self._file = _private_file(Path(path))
        self.size = 0
        """Bytes written so far."""
        pcapng.FileWriter(self._file, section)
        self._file.flush()
        self.size = self._file.tell()

    def write(
        self, interface: str, utc_s: float, data: bytes, inbound: bool | None = None, comment: str | None = None
    ) -> None:
        """Append one packet; ValueError for an unknown interface, an empty packet or a time before 1970."""
        if interface not in self._interface_ids:
            raise ValueError(f"no interface {interface!r} in a trace: one of {', '.join(INTERFACES)}")
        if not data:
            raise ValueError(f"an empty packet on {interface!r} cannot be traced")
        ticks = round(utc_s * _TICKS_PER_S)
        if ticks < 0:
            raise ValueError(f"a trace cannot hold a time before 1970: {utc_s}")
        options = _options(inbound, comment)
        total = _PACKET_HEAD.size + len(data) + -len(data) % 4 + len(options) + _U32.size
        head = _PACKET_HEAD.pack(
            ENHANCED_PACKET,
            total,
            self._interface_ids[interface],
            ticks >> 32,
            ticks & 0xFFFF_FFFF,
            len(data),
            len(data),
        )
        self._append(head + _padded(data) + options + _U32.pack(total))

    def write_keys(self, text: str) -> None:
        """Put keys into the trace, for whoever reads it: only where somebody has asked for just that."""
        secrets = text.encode()
        body = struct.pack("<II", _OUR_SECRETS, len(secrets)) + _padded(secrets)
        total = 8 + len(body) + _U32.size
        self._append(struct.pack("<II", SECRETS, total) + body + _U32.pack(total))

    def _append(self, block: bytes) -> None:
        self._file.write(block)
        self._file.flush()
        self.size += len(block)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _private_file(path: Path) -> BinaryIO:
    """Who wore a tag, and when they were at home, is nobody else's business."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    file = os.fdopen(descriptor, "wb")
    if path.is_file():
        os.fchmod(descriptor, 0o600)
    return file


def _padded(data: bytes) -> bytes:
    return bytes(data) + bytes(-len(data) % 4)


def _options(inbound: bool | None, comment: str | None) -> bytes:
    options = b""
    if comment is not None:
        text = comment.encode()[:MAX_COMMENT_BYTES].decode(errors="ignore").encode()
        options = _OPTION_HEAD.pack(_OPTION_COMMENT, len(text)) + _padded(text)
    if inbound is not None:
        options += _FLAGS_OPTION.pack(_OPTION_FLAGS, 4, _INBOUND if inbound else _OUTBOUND)
    return options + _OPTION_HEAD.pack(_OPTION_END, 0) if options else b""


def read_trace(path: str | Path) -> Iterator[Packet]:
    """Every whole packet of a trace, in file order; a file cut off anywhere ends after its last whole packet.

    Raises OSError, and ValueError for a file that is not pcapng or is damaged other than by being cut off.
    """
    for block in _blocks(Path(path)):
        if isinstance(block, Packet):
            yield block


def read_keys(path: str | Path) -> list[str]:
    """What `write_keys` has put into a trace. Raises as `read_trace`."""
    return [block for block in _blocks(Path(path)) if isinstance(block, str)]


def _blocks(path: Path) -> Iterator[Packet | str]:
    with path.open("rb") as file:
        try:
            for block in read_blocks(file):
                if isinstance(block, RawPacket):
                    inbound = _DIRECTIONS.get(block.flags & _DIRECTION_MASK)
                    yield Packet(block.interface, block.utc_s, block.data, block.comment, inbound)
                elif block.kind == _OUR_SECRETS:
                    yield block.data.decode(errors="replace")
        except ValueError as error:
            raise ValueError(f"{path} is not a readable trace: {error}") from error
