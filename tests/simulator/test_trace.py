"""Traces: what is written comes back, from a file cut off anywhere, and Wireshark's own reader agrees."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strapline_simulator.trace import (
    INTERFACES,
    MAX_COMMENT_BYTES,
    Packet,
    TraceWriter,
    notes_text,
    read_keys,
    read_trace,
)

T0 = 1_768_201_200.0  # 2026-01-12 07:00 UTC

SAMPLE = [
    Packet("air", T0, bytes(range(24)), None, True),
    Packet("air", T0 + 0.000001, b"\x01", None, False),
    Packet("cellular", T0 + 1.25, bytes(61), "a comment, with a ° in it", None),
    Packet("mqtt", T0 + 2.5, b"strapline/v1/gw1/event/t1\x00" + json.dumps({"id": 7}).encode(), None, True),
    Packet("truth", T0 + 3.999999, b'{"what":"strap cut"}', "", None),
    Packet("opened", T0 + 4.25, b"\x01" + bytes(7), None, True),
    Packet("serial", T0 + 4.5, bytes(range(40)), "line=3 tag=7a900001", True),
    # HCI_Reset, and its HCI_Command_Complete
    Packet("hci", T0 + 4.75, bytes.fromhex("0000000001030c00"), "node=home", False),
    Packet("hci", T0 + 4.75, bytes.fromhex("00000001040e0401030c00"), "node=home", True),
]


def length(packet: Packet) -> int:
    """As Wireshark counts: HCI's pseudo-header is none of the packet's."""
    return len(packet.data) - (4 if packet.interface == "hci" else 0)


def write(path: Path, packets: list[Packet]) -> None:
    with TraceWriter(path) as trace:
        for packet in packets:
            trace.write(packet.interface, packet.utc_s, packet.data, packet.inbound, packet.comment)


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "sample.pcapng"
    write(path, SAMPLE)
    return path


@pytest.fixture
def tshark() -> str:
    """Wireshark's command line; a skip without it, a failure where STRAPLINE_REQUIRE_TSHARK=1."""
    found = shutil.which("tshark")
    if found is None:
        message = "tshark is not installed"
        if os.environ.get("STRAPLINE_REQUIRE_TSHARK") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return found


def test_what_is_written_is_read_back(sample: Path) -> None:
    assert list(read_trace(sample)) == SAMPLE


def test_a_trace_cut_at_any_byte_yields_every_whole_packet(sample: Path, tmp_path: Path) -> None:
    whole = sample.read_bytes()
    empty = tmp_path / "empty.pcapng"
    write(empty, [])
    ends = [empty.stat().st_size]
    for count in range(1, len(SAMPLE) + 1):
        write(empty, SAMPLE[:count])
        ends.append(empty.stat().st_size)
    assert ends[-1] == len(whole)
    cut = tmp_path / "cut.pcapng"
    for length in range(len(whole) + 1):
        cut.write_bytes(whole[:length])
        complete = sum(length >= end for end in ends[1:])
        assert list(read_trace(cut)) == SAMPLE[:complete], length


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.999])
def test_wireshark_reads_every_whole_packet_of_a_trace_that_is_cut(
    sample: Path, tmp_path: Path, tshark: str, share: float
) -> None:
    empty, cut = tmp_path / "empty.pcapng", tmp_path / "cut.pcapng"
    write(empty, [])
    whole, head = sample.read_bytes(), empty.stat().st_size
    cut.write_bytes(whole[: head + round(share * (len(whole) - head))])
    command = [tshark, "-r", str(cut), "-T", "fields", "-e", "frame.len"]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    ours = list(read_trace(cut))
    assert 0 < len(ours) < len(SAMPLE)
    assert [int(line) for line in said.stdout.splitlines()] == [length(packet) for packet in ours]


def test_keys_are_a_block_that_wireshark_passes_over(tmp_path: Path, tshark: str) -> None:
    path = tmp_path / "keys.pcapng"
    with TraceWriter(path) as trace:
        trace.write("air", T0, b"before")
        trace.write_keys('{"a key": "ä"}')
        trace.write("air", T0, b"behind")
    assert read_keys(path) == ['{"a key": "ä"}']
    assert [packet.data for packet in read_trace(path)] == [b"before", b"behind"]
    said = subprocess.run([tshark, "-r", str(path)], capture_output=True, text=True, check=True, timeout=60)
    assert len(said.stdout.splitlines()) == 2


def test_a_trace_is_for_its_owners_eyes_also_where_a_file_was_there(tmp_path: Path) -> None:
    path = tmp_path / "trace.pcapng"
    path.touch(0o644)
    write(path, SAMPLE)
    assert path.stat().st_mode & 0o777 == 0o600


def test_notes_are_read_from_a_comment() -> None:
    packet = Packet("air", T0, b"x", notes_text({"line": 3, "tag": "7a900001"}))
    assert packet.notes == {"line": "3", "tag": "7a900001"}
    assert Packet("air", T0, b"x", "a comment without any").notes == {}
    assert notes_text({}) is None


def test_a_packet_is_in_the_file_before_the_writer_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "open.pcapng"
    with TraceWriter(path) as trace:
        trace.write("air", T0, b"frame")
        assert [packet.data for packet in read_trace(path)] == [b"frame"]


@pytest.mark.parametrize(
    ("interface", "utc_s", "data", "said"),
    [("ether", T0, b"x", "ether"), ("air", T0, b"", "empty"), ("air", -1.0, b"x", "1970")],
)
def test_what_cannot_be_traced_is_refused_and_leaves_the_trace_whole(
    tmp_path: Path, interface: str, utc_s: float, data: bytes, said: str
) -> None:
    path = tmp_path / "refused.pcapng"
    with TraceWriter(path) as trace:
        with pytest.raises(ValueError, match=said):
            trace.write(interface, utc_s, data)
        trace.write("air", T0, b"next")
    assert [packet.data for packet in read_trace(path)] == [b"next"]


def test_a_comment_too_long_for_the_format_is_cut_between_characters(tmp_path: Path) -> None:
    path = tmp_path / "long.pcapng"
    write(path, [Packet("air", T0, b"x", "€" * 30_000)])
    (packet,) = read_trace(path)
    assert packet.comment == "€" * (MAX_COMMENT_BYTES // 3)


@given(data=st.binary(max_size=200), at=st.integers(0, 10_000))
@settings(max_examples=200)
def test_garbage_gives_packets_or_a_value_error(tmp_path_factory: pytest.TempPathFactory, data: bytes, at: int) -> None:
    path = tmp_path_factory.getbasetemp() / "garbage.pcapng"
    write(path, SAMPLE)
    good = path.read_bytes()
    start = at % len(good)
    path.write_bytes(good[:start] + data + good[start + len(data) :])
    try:
        packets = list(read_trace(path))
    except ValueError:
        return
    assert all(isinstance(packet.data, bytes) for packet in packets)


def test_wireshark_opens_it_without_a_malformed_packet(sample: Path, tshark: str) -> None:
    fields = [
        "frame.interface_name",
        "frame.time_epoch",
        "frame.encap_type",
        "frame.len",
        "frame.packet_flags_direction",
    ]
    command = [tshark, "-r", str(sample), "-T", "fields", *(part for field in fields for part in ("-e", field))]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    rows = [line.split("\t") for line in said.stdout.splitlines()]
    assert [row[0] for row in rows] == [packet.interface for packet in SAMPLE]
    assert [float(row[1]) for row in rows] == pytest.approx([packet.utc_s for packet in SAMPLE], abs=1e-6)
    assert [int(row[3]) for row in rows] == [length(packet) for packet in SAMPLE]
    assert len({row[2] for row in rows}) == len(INTERFACES)
    malformed = subprocess.run(
        [tshark, "-r", str(sample), "-Y", "_ws.malformed"], capture_output=True, text=True, check=True, timeout=60
    )
    assert malformed.stdout == ""
