"""The byte link: however the bytes come in portions, the same frames come out, and what was encoded comes back."""

from collections.abc import Callable

from fuzz.target import Reader, Target, one_in
from strapline_wire import link

LONGEST = 96
"""Bytes of an input; libFuzzer makes most of them that long, and each byte costs."""

REPEATED = 8
REPEATED_ONE_IN = 16
"""A sample of the inputs is repeated: that makes lines longer than any frame."""

HELD_LIMIT = 8 * link.FRAME_LIMIT
"""Bytes that a deframer may hold, whatever comes."""


def build() -> Callable[[bytes], None]:
    return take


def take(data: bytes) -> None:
    reader = Reader(data)
    cuts = sorted(reader.number() * 3 for _ in range(reader.number() % 8))
    stream = reader.rest()
    if one_in(REPEATED_ONE_IN, data):
        stream *= REPEATED
        endless(stream)
    frames = whole_and_in_portions(stream, cuts)
    assert all(len(frame) <= link.FRAME_LIMIT for frame in frames)
    encoded_comes_back(stream, frames)


def whole_and_in_portions(stream: bytes, cuts: list[int]) -> list[bytes]:
    """The frames in a stream, which are the same wherever it is cut."""
    whole, portions = link.Deframer(), link.Deframer()
    frames = whole.feed(stream)
    again = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        again += portions.feed(stream[start:end])
    assert again == frames
    assert (portions.text, portions.broken) == (whole.text, whole.broken)
    # What is still held must be the same too: the next frame decides.
    assert portions.feed(b"\x00") == whole.feed(b"\x00")
    assert (portions.text, portions.broken) == (whole.text, whole.broken)
    return frames


def encoded_comes_back(stream: bytes, frames: list[bytes]) -> None:
    """Any bytes as a frame, behind any bytes as noise."""
    frame = stream[: link.FRAME_LIMIT]
    line = link.encode(frame)
    assert line[0] == line[-1] == 0
    assert 0 not in line[1:-1]
    assert link.decode(line[1:-1]) == frame
    heard = link.Deframer().feed(stream + line)
    assert heard[: len(frames)] == frames
    assert heard[-1] == frame
    assert len(heard) - len(frames) in (1, 2)  # the end of the noise may have been a frame that lacked its delimiter


def endless(stream: bytes) -> None:
    """A line without an end must not fill the memory."""
    deframer = link.Deframer()
    for _ in range(4):
        deframer.feed(stream.replace(b"\x00", b"\x01"))
        assert held(deframer) <= HELD_LIMIT


def held(deframer: link.Deframer) -> int:
    return sum(len(value) for value in vars(deframer).values() if isinstance(value, bytes | bytearray))


def seeds() -> list[bytes]:
    frames = [b"", b"\x00", b"frame", bytes(range(256)) * 2, bytes(link.FRAME_LIMIT), b"\xff" * 254]
    lines = [link.encode(frame) for frame in frames]
    streams = [*lines, b"".join(lines), b"log text\r\n" + lines[2] + b"more\n", b"x" * 600, b"x" * 560 + lines[2]]
    return [head + stream[:80] for stream in streams for head in (b"\x00", b"\x03\x01\x02\x40")]


TARGETS = [Target("link", build, seeds, share=30, max_len=LONGEST)]
