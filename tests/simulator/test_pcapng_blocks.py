"""Our reading of pcapng against another library's, and of files that are not ours."""

import io
import struct

import pcapng
import pytest
from pcapng.blocks import EnhancedPacket, InterfaceDescription, InterfaceStatistics, SectionHeader

from strapline_simulator.pcapng_blocks import RawPacket, Secrets, read_blocks
from strapline_simulator.trace import TraceWriter


def foreign(order, options):
    """A file of python-pcapng's, with a block in it that we do not read."""
    section = SectionHeader(endianness=order)
    interface = section.new_member(InterfaceDescription, link_type=147, options=options)
    file = io.BytesIO()
    writer = pcapng.FileWriter(file, section)
    numbers = {"interface_id": interface.interface_id, "timestamp_high": 0x5AA, "timestamp_low": 0x12345678}
    for data in (b"first", b"second!!"):
        writer.write_block(section.new_member(EnhancedPacket, packet_data=data, **numbers))
    writer.write_block(section.new_member(InterfaceStatistics, **numbers))
    writer.write_block(
        section.new_member(EnhancedPacket, packet_data=b"third", options={"opt_comment": "said"}, **numbers)
    )
    file.seek(0)
    return file


@pytest.mark.filterwarnings("ignore:Field type:DeprecationWarning")  # the other library does not know the option's type
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("options", "ticks_per_s"),
    [({}, 10**6), ({"if_tsresol": bytes([9])}, 10**9), ({"if_tsresol": bytes([0x8A])}, 2**10)],
    ids=["micro", "nano", "binary"],
)
def test_files_of_either_byte_order_and_any_resolution_of_time(order, options, ticks_per_s):
    packets = list(read_blocks(foreign(order, options)))
    assert [packet.data for packet in packets] == [b"first", b"second!!", b"third"]
    assert [packet.comment for packet in packets] == [None, None, "said"]
    assert {packet.utc_s for packet in packets} == {(0x5AA << 32 | 0x12345678) / ticks_per_s}


def test_another_library_reads_what_we_write(tmp_path):
    path = tmp_path / "trace.pcapng"
    with TraceWriter(path) as trace:
        trace.write_keys("keys")
        trace.write("air", 1_768_201_200.25, b"12345", inbound=True, comment="°")
        trace.write("hci", 1_768_201_200.5, bytes(8))
    with path.open("rb") as file:
        theirs = [block for block in pcapng.FileScanner(file) if isinstance(block, EnhancedPacket)]
    with path.open("rb") as file:
        secrets, *ours = read_blocks(file)
    assert secrets == Secrets(int.from_bytes(b"STRP", "big"), b"keys")
    assert ours == [
        RawPacket(
            block.interface.options["if_name"],
            ((block.timestamp_high << 32) + block.timestamp_low) / 1e6,
            block.packet_data,
            block.options.get("opt_comment"),
            int(block.options.get("epb_flags", 0)),
        )
        for block in theirs
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"not a trace at all",
        b"\x0a\x0d\x0d\x0a" + struct.pack("<I", 28) + b"what",
        b"\x0a\x0d\x0d\x0a" + struct.pack("<I", 28) + b"\x4d\x3c\x2b\x1a" + bytes(12) + struct.pack("<I", 32),
        foreign("<", {}).getvalue()[:-100] + struct.pack("<II", 6, 13) + bytes(20),
    ],
    ids=["text", "magic", "lengths", "odd"],
)
def test_what_is_no_trace_is_a_value_error(content):
    with pytest.raises(ValueError, match=r"block|begin"):
        list(read_blocks(io.BytesIO(content)))
