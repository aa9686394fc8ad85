# Seals: the outer one of every frame between tag and gateway, and the inner one of every record and command end to end.
from strapline_wire import frames
from strapline_wire.compat import CUTS, FORGED, SHORT, const, reader, writer
from strapline_wire.errors import LocalProtocolError, RemoteProtocolError

UP = const(0)
DOWN = const(1)
VERSION = const(1)
MIC_SIZE = const(8)
_KIND_LIMIT = const(0x3F)
_LIMIT = 0xFFFFFFFF
_HEADER_SIZE = frames.HEADER_SIZE
_OVERHEAD = _HEADER_SIZE + MIC_SIZE
_ENVELOPE_SIZE = frames.ENVELOPE_SIZE
ENVELOPE_OVERHEAD = _ENVELOPE_SIZE + MIC_SIZE

_start = writer(">BL")  # version and kind, pseudonym
_start_of = reader(">BL")
_outer_nonce = writer(">B8xL")  # direction, counter
_mask_block = writer(">8s5s3x")  # MIC, start
_number = writer(">L")
_first = reader(">L")


def seal_frame(kind: int, pseudonym: int, counter: int, body: bytes, cipher, header, direction: int) -> bytes:
    if not (0 <= kind <= _KIND_LIMIT and 0 <= pseudonym <= _LIMIT):
        raise LocalProtocolError("a kind has six bits, a pseudonym 32", (kind, pseudonym))
    if not 0 <= counter <= _LIMIT:
        raise LocalProtocolError("counter used up: the key must change", counter)
    start = _start(VERSION << 6 | kind, pseudonym)
    sealed = cipher.seal(_outer_nonce(direction, counter), body, start)
    # The counter is masked with AES over what follows it, as QUIC masks packet numbers (RFC 9001 section 5.4).
    mask = _first(header.block(_mask_block(sealed[-MIC_SIZE:], start)))[0]
    return start + _number(counter ^ mask) + sealed


def peek(frame: bytes) -> "tuple[int, int]":
    # (kind, pseudonym) of a frame, before any key is known.
    try:
        first, pseudonym = _start_of(frame)
    except SHORT:
        raise RemoteProtocolError("truncated") from None
    if first >> 6 != VERSION:
        raise RemoteProtocolError("unknown_version")
    return first & 0x3F, pseudonym


def open_frame(frame: bytes, cipher, header, direction: int, window) -> "tuple[int, bytes]":
    # (counter, body); a frame that is replayed, forged or cut short raises and changes nothing.
    if len(frame) < _OVERHEAD:
        raise RemoteProtocolError("truncated")
    start = frame[:5]
    counter = _first(frame, 5)[0] ^ _first(header.block(_mask_block(frame[-MIC_SIZE:], start)))[0]
    if counter <= window.newest:
        window.check(counter)
    try:
        body = cipher.open(_outer_nonce(direction, counter), frame[_HEADER_SIZE:], start)
    except FORGED:
        raise RemoteProtocolError("forged") from None
    window.accept(counter)
    return counter, body


_Envelope = frames.Envelope
_envelope = writer(">BBLL")
_envelope_of = reader(">BBLL")
# Direction and the whole envelope: origin and number alone never repeat in one direction under an end-to-end key. A journal id is random
# at format and counts up with each boot, a time request has that id and a count of its own, and a centre's epoch rises with each start.
_inner_nonce = writer(">B10s2x")


def seal_envelope(envelope, body: bytes, cipher, direction: int) -> bytes:
    # A record (UP: origin and number are journal and sequence) or a command (DOWN: the centre's epoch and number).
    kind, flags, origin, number = envelope
    if CUTS and not (0 <= kind <= 255 and 0 <= flags <= 255 and 0 <= origin <= _LIMIT and 0 <= number <= _LIMIT):
        raise LocalProtocolError("ENVELOPE out of range", envelope)
    try:
        start = _envelope(kind, flags, origin, number)
    except SHORT:
        raise LocalProtocolError("ENVELOPE out of range", envelope) from None
    return start + cipher.seal(_inner_nonce(2 + direction, start), body, start)


def peek_envelope(sealed: bytes):
    # The part that a gateway may read: kind, flags, origin, number.
    if len(sealed) < ENVELOPE_OVERHEAD:
        raise RemoteProtocolError("truncated")
    return frames.unpack_envelope(sealed)


def open_envelope(sealed: bytes, cipher, direction: int) -> tuple:
    # (envelope, body)
    try:
        start = sealed[:_ENVELOPE_SIZE]
        envelope = _Envelope(_envelope_of(start))
        return envelope, cipher.open(_inner_nonce(2 + direction, start), sealed[_ENVELOPE_SIZE:], start)
    except FORGED:
        raise RemoteProtocolError("truncated" if len(sealed) < ENVELOPE_OVERHEAD else "forged") from None
    except SHORT:
        raise RemoteProtocolError("truncated") from None
