# Seals: the outer one of every frame between tag and gateway, and the inner one of every record and command end to end.
from strapline_wire import frames
from strapline_wire.compat import const
from strapline_wire.errors import LocalProtocolError, RemoteProtocolError

UP = const(0)
DOWN = const(1)
VERSION = const(1)
MIC_SIZE = const(8)
_KIND_LIMIT = const(0x3F)
_COUNTER_LIMIT = 0xFFFFFFFF
_OVERHEAD = frames.HEADER_SIZE + MIC_SIZE
ENVELOPE_OVERHEAD = frames.ENVELOPE_SIZE + MIC_SIZE


def seal_frame(kind: int, pseudonym: int, counter: int, body: bytes, cipher, header, direction: int) -> bytes:
    if not 0 <= kind <= _KIND_LIMIT:
        raise LocalProtocolError("a kind has six bits", kind)
    if not 0 <= counter <= _COUNTER_LIMIT:
        raise LocalProtocolError("counter used up: the key must change", counter)
    start = frames.pack_header(((VERSION << 6) | kind, pseudonym, 0))[:5]
    sealed = cipher.seal(_outer_nonce(direction, counter), body, start)
    return start + (counter ^ _mask(start, sealed[-MIC_SIZE:], header)).to_bytes(4, "big") + sealed


def peek(frame: bytes) -> "tuple[int, int]":
    # (kind, pseudonym) of a frame, before any key is known.
    if len(frame) < 5:
        raise RemoteProtocolError("truncated")
    if frame[0] >> 6 != VERSION:
        raise RemoteProtocolError("unknown_version")
    return frame[0] & 0x3F, int.from_bytes(frame[1:5], "big")


def open_frame(frame: bytes, cipher, header, direction: int, window) -> "tuple[int, bytes]":
    # (counter, body); a frame that is replayed, forged or cut short raises and changes nothing.
    if len(frame) < _OVERHEAD:
        raise RemoteProtocolError("truncated")
    start = frame[:5]
    counter = int.from_bytes(frame[5:9], "big") ^ _mask(start, frame[-MIC_SIZE:], header)
    window.check(counter)
    body = cipher.open(_outer_nonce(direction, counter), frame[9:], start)
    if body is None:
        raise RemoteProtocolError("forged")
    window.accept(counter)
    return counter, body


def _outer_nonce(direction: int, counter: int) -> bytes:
    return bytes((direction,)) + bytes(8) + counter.to_bytes(4, "big")


def _mask(start: bytes, mic: bytes, header) -> int:
    # The counter is masked with AES over what follows it, as QUIC masks packet numbers (RFC 9001 section 5.4).
    return int.from_bytes(header.block(mic + start + b"\x00\x00\x00")[:4], "big")


def seal_envelope(envelope, body: bytes, cipher, direction: int) -> bytes:
    # A record (UP: origin and number are journal and sequence) or a command (DOWN: the centre's epoch and number).
    start = frames.pack_envelope(envelope)
    return start + cipher.seal(_inner_nonce(direction, start), body, start)


def peek_envelope(sealed: bytes):
    # The part that a gateway may read: kind, flags, origin, number.
    if len(sealed) < ENVELOPE_OVERHEAD:
        raise RemoteProtocolError("truncated")
    return frames.unpack_envelope(sealed[: frames.ENVELOPE_SIZE])


def open_envelope(sealed: bytes, cipher, direction: int) -> tuple:
    # (envelope, body)
    envelope = peek_envelope(sealed)
    start = sealed[: frames.ENVELOPE_SIZE]
    body = cipher.open(_inner_nonce(direction, start), sealed[frames.ENVELOPE_SIZE :], start)
    if body is None:
        raise RemoteProtocolError("forged")
    return envelope, body


def _inner_nonce(direction: int, start: bytes) -> bytes:
    # (direction, kind class, origin, number) never repeats under an end-to-end key: a journal id is random at format and counts up,
    # a centre's epoch rises with each start, and a time request draws all eight bytes at random.
    return bytes((2 + direction, 1 if start[0] == frames.TIME_REQUEST else 0)) + start[2:10] + bytes(3)
