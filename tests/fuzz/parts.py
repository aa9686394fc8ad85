"""A document in parts: whatever comes between them it is whole or not there, and what waits for the rest stays bounded."""

from collections.abc import Callable
from random import Random

from fuzz.target import Reader, Target
from strapline_wire import documents, frames
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.parts import PART_LIMIT, Assembly

LIMIT = 3000
"""Bytes of a document here: seven parts, so that few steps fill it."""

LONGEST = 96
FULL = bytes(range(256)) * 2


def build() -> Callable[[bytes], None]:
    assembly = Assembly(LIMIT)

    def take(data: bytes) -> None:
        reader = Reader(data)
        seed, size = reader.number(), reader.number(2) % (LIMIT + PART_LIMIT)
        for _ in range(8):
            if not reader:
                break
            anything(assembly, reader)
        whole_again(assembly, seed, size)

    return take


def anything(assembly: Assembly, reader: Reader) -> None:
    """One hostile part: as it would come on the wire, or with fields of its own choice and a content of the right length."""
    if reader.number() % 2:
        give(assembly, reader.take(reader.number()))
        return
    document, transfer, part, parts = (reader.number() for _ in range(4))
    fields = (document, transfer % 3, part % 10, max(parts % 10, 1), FULL[: PART_LIMIT - reader.number() % 2])
    give(assembly, documents.pack_part(fields))


def give(assembly: Assembly, body: bytes) -> tuple[int, bytes] | None:
    held = dict(assembly._parts)
    try:
        whole = assembly.add(documents.unpack_part(body))
        refusal = ""
    except RemoteProtocolError as error:
        whole, refusal = None, error.reason
    # Only that the last missing part makes it too long may cost the others.
    assert refusal in ("", "too_long") or assembly._parts == held, (held, body.hex())
    assert sum(len(part) for part in assembly._parts.values()) < LIMIT + PART_LIMIT
    assert whole is None or (len(whole[1]) <= LIMIT and not assembly._parts)
    return whole


def parts_of(document: int, transfer: int, content: bytes) -> list[bytes]:
    pieces = [content[at : at + PART_LIMIT] for at in range(0, len(content), PART_LIMIT)] or [b""]
    return [documents.pack_part((document, transfer, at, len(pieces), piece)) for at, piece in enumerate(pieces)]


def whole_again(assembly: Assembly, seed: int, size: int) -> None:
    """After whatever was there before: a document is its parts in any order, some twice, and one that is too long is not there."""
    draw = Random(seed)
    content = draw.randbytes(size)
    sent = parts_of(frames.TIME, 1 << 16 | seed, content)
    draw.shuffle(sent)
    last = sent.pop()
    for part in [*sent, *sent[:2]]:
        assert give(assembly, part) is None
    assert give(assembly, last) == ((frames.TIME, content) if size <= LIMIT else None)


def seeds() -> list[bytes]:
    made = b"".join(bytes([0, frames.TIME, 1, at, 4, 0]) for at in range(4))
    raw = documents.pack_part((frames.TIME, 2, 1, 2, b"end"))
    sizes = [0, 1, PART_LIMIT, PART_LIMIT + 1, LIMIT, LIMIT + 1]
    return [
        bytes([at]) + size.to_bytes(2, "big") + story
        for at, size in enumerate(sizes)
        for story in (made, bytes([1, len(raw)]) + raw, made[:18] + bytes([1, len(raw)]) + raw)
    ]


TARGETS = [Target("parts", build, seeds, share=60, max_len=LONGEST, lives=5000)]
