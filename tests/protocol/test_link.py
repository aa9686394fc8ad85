"""The byte link: COBS and CRC-16, held to a decoder of the tests' own; nothing that happens to bytes makes a frame up."""

import binascii
import random
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from strapline_wire import link
from strapline_wire.errors import LocalProtocolError

LIMIT = 547
ENCODED_LIMIT = 552
"""Of 547 bytes (a frame of 544 and a header) and their CRC without a zero among them: COBS adds one byte for each 254 begun."""

# Around the blocks of COBS (254 bytes without a zero), with and without the CRC's two bytes, and the link's limit.
EDGES = (0, 1, 2, 251, 252, 253, 254, 255, 256, 505, 506, 507, 508, 509, 510, LIMIT - 1, LIMIT)

some_bytes = st.binary(max_size=300)
zero_rich = st.lists(st.sampled_from([0, 0, 1, 2, 254, 255]), max_size=300).map(bytes)
filled = st.tuples(st.sampled_from(EDGES), st.integers(0, 255)).map(lambda pair: bytes([pair[1]]) * pair[0])
any_frame = st.one_of(some_bytes, zero_rich, filled)
log_text = st.text(st.sampled_from("abc XYZ 09 _-:;.\t\r\n"), min_size=1, max_size=80).map(str.encode)


def crc(data: bytes) -> int:
    """CRC-16/GENIBUS: that of `binascii`, inverted."""
    return binascii.crc_hqx(data, 0xFFFF) ^ 0xFFFF


def stuff(data: bytes) -> bytes:
    """COBS byte by byte, as Cheshire and Baker's paper has it; no zero at either end."""
    out, block = bytearray(), bytearray()
    for byte in data:
        if byte == 0:
            out += bytes([len(block) + 1]) + block
            block.clear()
            continue
        block.append(byte)
        if len(block) == 254:
            out += b"\xff" + block
            block.clear()
    return bytes(out + bytes([len(block) + 1]) + block)


def unstuff(line: bytes) -> bytes | None:
    """The inverse byte by byte; None for what is no COBS."""
    out = bytearray()
    left, owed = 0, False
    for byte in line:
        if left:
            out.append(byte)
            left -= 1
            continue
        if owed:
            out.append(0)
        left, owed = byte - 1, byte != 255
    return None if left else bytes(out)


class Sorted(NamedTuple):
    """What is on a line, told without the code under test."""

    frames: list[bytes]
    broken: int
    text: bytes


def sort_out(stream: bytes) -> Sorted:
    frames, broken, text = [], 0, b""
    for run in stream.split(b"\x00")[:-1]:
        content = unstuff(run) if 0 < len(run) <= ENCODED_LIMIT else None
        if (
            content is not None
            and 2 <= len(content) <= LIMIT + 2
            and crc(content[:-2]) == int.from_bytes(content[-2:], "big")
        ):
            frames.append(content[:-2])
        elif all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in run[-ENCODED_LIMIT:]):
            text = (text + run)[-ENCODED_LIMIT:]
        else:
            broken += 1
    return Sorted(frames, broken, text)


def fed(*portions: bytes) -> Sorted:
    deframer = link.Deframer()
    frames = [frame for portion in portions for frame in deframer.feed(portion)]
    return Sorted(frames, deframer.broken, bytes(deframer.text))


def one_by_one(stream: bytes) -> list[bytes]:
    return [stream[i : i + 1] for i in range(len(stream))]


# Checksum.


def test_the_crc_has_the_catalogues_check_value() -> None:
    # "123456789" in the catalogue of parametrised CRC algorithms: CRC-16/IBM-3740 (before inverting), CRC-16/GENIBUS.
    assert link.crc16_nibbles(b"123456789") == 0x29B1
    assert link.crc16(b"123456789") == 0xD64E


@given(st.binary(max_size=600))
def test_the_crc_by_nibbles_is_that_of_binascii(data: bytes) -> None:
    assert link.crc16_nibbles(data) == binascii.crc_hqx(data, 0xFFFF)


def test_without_binascii_a_board_makes_the_same_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [random.Random(size).randbytes(size) for size in EDGES]
    lines = [link.encode(frame) for frame in frames]
    monkeypatch.setattr(link, "crc_hqx", None)
    assert [link.encode(frame) for frame in frames] == lines
    assert fed(b"".join(lines)).frames == frames


# There and back.


@settings(max_examples=150, deadline=None)
@given(any_frame)
@example(b"")
@example(b"\x00")
def test_a_frame_is_cobs_of_itself_and_its_crc_between_zeros(frame: bytes) -> None:
    line = link.encode(frame)
    assert line[0] == line[-1] == 0
    assert 0 not in line[1:-1]
    assert unstuff(line[1:-1]) == frame + crc(frame).to_bytes(2, "big")
    assert len(line) - 2 <= ENCODED_LIMIT


@settings(max_examples=100, deadline=None)
@given(st.lists(any_frame, max_size=6))
def test_frames_come_out_as_they_went_in_whole_and_byte_by_byte(frames: list[bytes]) -> None:
    stream = b"".join(link.encode(frame) for frame in frames)
    assert fed(stream) == fed(*one_by_one(stream)) == Sorted(frames, 0, b"")


@pytest.mark.parametrize("size", EDGES)
@pytest.mark.parametrize("fill", [b"\x00", b"\x01", b"\xff"])
def test_every_edge_length_of_cobs_survives(size: int, fill: bytes) -> None:
    for frame in (fill * size, (fill * size)[:-1] + b"\x00", b"\x00" + (fill * size)[1:]):
        assert fed(link.encode(frame[:LIMIT])).frames == [frame[:LIMIT]]


@pytest.mark.parametrize("size", EDGES)
def test_lines_of_another_cobs_encoder_are_read_too(size: int) -> None:
    # Ours ends a full last block with an empty one, others need not.
    frame = b"\x07" * size
    content = frame + crc(frame).to_bytes(2, "big")
    shortest = stuff(content).removesuffix(b"\x01") if len(content) % 254 == 0 and 0 not in content else stuff(content)
    assert fed(b"\x00" + shortest + b"\x00").frames == [frame]
    assert fed(b"\x00" + stuff(content) + b"\x00").frames == [frame]


def test_a_frame_over_the_limit_is_our_mistake() -> None:
    assert fed(link.encode(b"\x01" * LIMIT)).frames == [b"\x01" * LIMIT]
    with pytest.raises(LocalProtocolError):
        link.encode(b"\x01" * (LIMIT + 1))


@pytest.mark.parametrize("fill", [b"\x00", b"\x01"])
@pytest.mark.parametrize("size", [LIMIT + 1, LIMIT + 2, LIMIT + 3, 2000])
def test_a_peers_frame_over_the_limit_is_broken_and_the_next_one_is_read(fill: bytes, size: int) -> None:
    frame = fill * size
    stream = stuff(frame + crc(frame).to_bytes(2, "big")) + link.encode(b"next")
    assert fed(stream) == fed(*one_by_one(stream)) == Sorted([b"next"], 1, b"")


def test_the_end_of_a_longer_run_is_no_frame_though_it_would_decode() -> None:
    tail = link.encode(b"\x01" * LIMIT)[1:-1]
    for length in (1, ENCODED_LIMIT, ENCODED_LIMIT + 1, 2 * ENCODED_LIMIT):
        stream = b"\x05" * length + tail + link.encode(b"next")
        assert fed(stream) == fed(*one_by_one(stream)) == Sorted([b"next"], 1, b"")


@pytest.mark.parametrize("frame", [b"", b"\x01", b"\x00\x01\x02", b"\x07" * 300])
def test_a_last_block_that_promises_more_than_comes_is_broken(frame: bytes) -> None:
    content = frame + crc(frame).to_bytes(2, "big")
    line = stuff(content)
    last = len(line) - 1 - len(content.rsplit(b"\x00", 1)[-1]) % 254
    assert fed(line + b"\x00").frames == [frame]
    assert fed(line[:last] + bytes([line[last] + 1]) + line[last + 1 :] + b"\x00") == Sorted([], 1, b"")


# What else is on the line.


def test_text_is_printable_ascii_tabs_and_line_ends() -> None:
    taken = {byte for byte in range(1, 256) if fed(bytes([byte, byte, 0])).text}
    assert taken == set(range(32, 127)) | {9, 10, 13}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(log_text, any_frame), max_size=5), log_text)
def test_log_text_between_frames_is_passed_on_and_spoils_none(pairs: list[tuple[bytes, bytes]], last: bytes) -> None:
    stream = b"".join(text + link.encode(frame) for text, frame in pairs) + last + b"\x00"
    logged = b"".join([text for text, _ in pairs] + [last])
    assert fed(stream) == Sorted([frame for _, frame in pairs], 0, logged)


def test_log_text_longer_than_a_frame_is_still_text_and_its_newest_part_is_kept() -> None:
    log = b"".join(b"boot line %04d\r\n" % number for number in range(200))
    assert fed(log + link.encode(b"frame")) == Sorted([b"frame"], 0, log[-ENCODED_LIMIT:])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.one_of(st.binary(max_size=30), zero_rich, log_text, any_frame.map(link.encode)), max_size=8), st.data()
)
def test_garbage_gives_frames_text_or_counts_and_nothing_else_however_it_is_cut(
    pieces: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(pieces) + b"\x00"
    cut = data.draw(st.integers(0, len(stream)))
    expected = sort_out(stream)
    assert fed(stream) == fed(stream[:cut], stream[cut:]) == fed(*one_by_one(stream)) == expected


@settings(max_examples=300)
@given(st.one_of(st.binary(max_size=60), zero_rich, any_frame.map(lambda frame: link.encode(frame)[1:-1])))
def test_decoding_garbage_gives_none_or_a_frame_that_encodes(line: bytes) -> None:
    frame = link.decode(line)
    if frame is not None:
        assert link.decode(link.encode(frame)[1:-1]) == frame


def test_random_lines_pass_the_crc_about_once_in_65536() -> None:
    draw = random.Random("crc strength")
    passed = sum(link.decode(b"\x0b" + bytes(draw.choices(range(1, 256), k=10))) is not None for _ in range(20_000))
    assert passed <= 3


@pytest.mark.parametrize("portion", [1, 7, 4096])
def test_an_endless_line_takes_no_more_memory_than_two_frames(portion: int) -> None:
    deframer = link.Deframer()
    for _ in range(200_000 // portion):
        assert deframer.feed(b"\xa5" * portion) == []
        assert len(deframer._line) <= 2 * ENCODED_LIMIT
    assert deframer.feed(link.encode(b"after it")) == [b"after it"]
    assert deframer.broken == 1


def test_endless_log_text_takes_no_more_memory_than_a_frame() -> None:
    deframer = link.Deframer()
    for number in range(2000):
        deframer.feed(b"log line %d\n\x00" % number)
        assert len(deframer.text) <= ENCODED_LIMIT
    assert deframer.text.endswith(b"log line 1998\nlog line 1999\n")
    assert deframer.broken == 0


# Damage.


def damaged(draw: random.Random, stream: bytes) -> bytes:
    """One flipped bit or one dropped byte, anywhere."""
    at = draw.randrange(len(stream))
    if draw.random() < 0.5:
        return stream[:at] + stream[at + 1 :]
    return stream[:at] + bytes([stream[at] ^ (1 << draw.randrange(8))]) + stream[at + 1 :]


def random_frame(draw: random.Random) -> bytes:
    # Every frame begins with version 1 and a kind. (After FF FF the CRC stands at 0, and there it cannot count zeros.)
    size = draw.choice([1, 7, 24, 24, 40, 60, 260])
    start = bytes([0x40 | draw.randrange(1, 7)])
    return start + (draw.randbytes(size) if draw.random() < 0.7 else bytes(draw.choices([0, 0, 1, 255], k=size)))


def test_one_flipped_bit_or_dropped_byte_never_makes_a_wrong_frame_and_costs_at_most_two() -> None:
    # Two: a damaged zero between frames may join what it kept apart, though every frame has one on both sides.
    draw = random.Random("link damage")
    whole = 0
    for _ in range(10_000):
        sent = [random_frame(draw) for _ in range(3)]
        got = fed(damaged(draw, b"".join(map(link.encode, sent)))).frames
        remaining = iter(sent)
        assert all(frame in remaining for frame in got), "a frame that was not sent, or out of order"
        assert len(got) >= 2
        whole += len(got) == 3
    assert 0 < whole < 2000  # most damage hits a frame; a lost or damaged zero may cost none


@pytest.mark.parametrize("bit", range(8))
def test_no_flipped_bit_of_a_zero_between_frames_makes_a_wrong_one(bit: int) -> None:
    # A closing zero that became 0x01 reads as one more zero byte of content: only an inverted CRC tells.
    sent = [b"first frame", b"\x00", b"", b"last"]
    stream = b"".join(map(link.encode, sent))
    for at in [i for i, byte in enumerate(stream) if byte == 0]:
        got = fed(stream[:at] + bytes([1 << bit]) + stream[at + 1 :]).frames
        assert len(got) >= 3
        remaining = iter(sent)
        assert all(frame in remaining for frame in got)
