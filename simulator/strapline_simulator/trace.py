"""What crossed each link of a run, as one pcapng file that Wireshark opens; not what anyone made of it.

A trace has five interfaces, and a packet of each holds:

==========  =============  ==============================================================================================
interface   link type      the packet's bytes
==========  =============  ==============================================================================================
`air`       147 (USER0)    one radio frame, raw, as between a tag and a gateway (advertisement, GATT or serial)
`cellular`  148 (USER1)    one frame, raw, of the same protocol over TCP between a tag and a relay
`mqtt`      151 (USER4)    one publication: topic in UTF-8, one NUL, payload
`opened`    152 (USER5)    one frame's body in clear, after one byte of kind: a simulation knows its own test keys, a gateway does not
`truth`     150 (USER3)    one JSON object: what the simulated world did, which no device is told
==========  =============  ==============================================================================================

The direction is not among the bytes: it is pcapng's own packet flag (inbound: towards the centre; outbound: towards the tag).
Times are UTC in microseconds, which is as fine as a float of seconds since 1970 can say.
Format: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html
"""

import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import pcapng
from pcapng.blocks import EnhancedPacket, InterfaceDescription, SectionHeader
from pcapng.exceptions import PcapngLoadError, TruncatedFile

APPLICATION = "strapline"

# https://www.tcpdump.org/linktypes.html: LINKTYPE_USER0 to LINKTYPE_USER15 are 147 to 162, "reserved for private use".
# Not 149 (USER2): Wireshark takes it for Apple's PKTAP, which once used that number, and calls our packets malformed.
INTERFACES: dict[str, tuple[int, str]] = {
    "air": (147, "radio frames between tag and gateway"),
    "cellular": (148, "frames between tag and relay, over TCP"),
    "mqtt": (151, "publications between gateway and centre: topic, NUL, payload"),
    "opened": (152, "bodies in clear, after one byte of kind; only where the recorder held the keys"),
    "truth": (150, "what the simulated world did, in JSON"),
}

# epb_flags, bits 0-1 (draft-ietf-opsawg-pcapng, section 4.3.1): "00 = information not available, 01 = inbound, 10 = outbound".
_INBOUND, _OUTBOUND, _DIRECTION_MASK = 1, 2, 3

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


class TraceWriter:
    """Writes one trace; every packet is in the file when `write` returns, so that a run that dies leaves a readable one."""

    def __init__(self, path: str | Path) -> None:
        """Create the file with its headers, replacing one of that name; raises OSError."""
        section = SectionHeader(options={"shb_userappl": APPLICATION})
        self._interface_ids: dict[str, int] = {}
        for name, (link_type, description) in INTERFACES.items():
            block = section.new_member(
                InterfaceDescription, link_type=link_type, options={"if_name": name, "if_description": description}
            )
            self._interface_ids[name] = block.interface_id
        self._section = section
        self._file = Path(path).open("wb")  # noqa: SIM115 - closed by `close`
        self._blocks = pcapng.FileWriter(self._file, section)
        self._file.flush()

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
        options: dict[str, object] = {}
        if comment is not None:
            options["opt_comment"] = comment.encode()[:MAX_COMMENT_BYTES].decode(errors="ignore")
        if inbound is not None:
            options["epb_flags"] = _INBOUND if inbound else _OUTBOUND
        packet = self._section.new_member(
            EnhancedPacket,
            interface_id=self._interface_ids[interface],
            timestamp_high=ticks >> 32,
            timestamp_low=ticks & 0xFFFF_FFFF,
            packet_data=bytes(data),
            options=options,
        )
        self._blocks.write_block(packet)
        self._file.flush()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def read_trace(path: str | Path) -> Iterator[Packet]:
    """Every whole packet of a trace, in file order; a file cut off anywhere ends after its last whole packet.

    Raises OSError, and ValueError for a file that is not pcapng or is damaged other than by being cut off.
    """
    with Path(path).open("rb") as file:
        try:
            blocks = iter(pcapng.FileScanner(file))
            while (read := _next(blocks)) is not None:
                if isinstance(read, Packet):
                    yield read
        except TruncatedFile:
            return
        except (PcapngLoadError, ValueError, LookupError, RuntimeError, AssertionError, struct.error) as error:
            # The library checks a block's content by whatever fails first.
            raise ValueError(f"{path} is not a readable trace: {error}") from error


def _next(blocks: Iterator[object]) -> object:
    """The next block, a packet where it is one; None at the end. The library warns of option types that it does not know."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        block = next(blocks, None)
        return _packet(block) if isinstance(block, EnhancedPacket) else block


def _packet(block: EnhancedPacket) -> Packet:
    options = block.options
    ticks = (block.timestamp_high << 32) | block.timestamp_low
    flags = int(options["epb_flags"]) & _DIRECTION_MASK if "epb_flags" in options else 0
    return Packet(
        interface=block.interface.options.get("if_name", str(block.interface_id)),
        utc_s=ticks / _TICKS_PER_S,
        data=bytes(block.packet_data),
        comment=options.get("opt_comment"),
        inbound={_INBOUND: True, _OUTBOUND: False}.get(flags),
    )
