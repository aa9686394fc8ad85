"""Frames, envelopes and handshakes: raw, and with a genuine seal round anything, at the ends that open them."""

from collections.abc import Callable

from firmware.tag_pair import HEADER, LINK_KEY, SECRET
from fuzz.target import Reader, Target
from strapline_protocol.cipher import HostCipher
from strapline_wire import documents, frames, seal
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.keys import derive
from strapline_wire.replay import ReplayWindow
from strapline_wire.session import TagHandshake, _clear, welcome

GATEWAY = 0x6A7E0001
PSEUDONYM = 0x12345678
END_TO_END = HostCipher(derive(SECRET, "end-to-end"))
BROADCAST = HostCipher(derive(SECRET, "broadcast"))
PACKED = {**vars(documents), **vars(frames)}
KINDS = [value for name, value in vars(frames).items() if name.isupper() and f"pack_{name.lower()}" in PACKED]


def refused(attempt: Callable[..., object], *arguments: object) -> bool:
    """Whether it was turned down as the peer's mistake."""
    try:
        attempt(*arguments)
    except RemoteProtocolError:
        return True
    return False


# Frames and envelopes.


def take_seal(data: bytes) -> None:
    """Without the key nothing opens; with it everything that was sealed does, and not with a bit turned round."""
    reader = Reader(data)
    kind, counter, direction = reader.number() & 0x3F, reader.number(4), reader.number() & 1
    flip, flags = reader.number(2), reader.number()
    body = reader.rest()
    assert refused(seal.open_frame, body, BROADCAST, HEADER, direction, ReplayWindow())
    assert refused(seal.open_envelope, body, END_TO_END, direction)
    frame = seal.seal_frame(kind, PSEUDONYM, counter, body, BROADCAST, HEADER, direction)
    window = ReplayWindow()
    assert seal.open_frame(frame, BROADCAST, HEADER, direction, window) == (counter, body)
    assert refused(seal.open_frame, frame, BROADCAST, HEADER, direction, window)
    assert refused(seal.open_frame, flipped(frame, flip), BROADCAST, HEADER, direction, ReplayWindow())
    assert refused(seal.open_frame, frame, BROADCAST, HEADER, 1 - direction, ReplayWindow())
    envelope = (kind, flags, counter, flip)
    sealed = seal.seal_envelope(envelope, body, END_TO_END, direction)
    assert seal.open_envelope(sealed, END_TO_END, direction) == (envelope, body)
    assert refused(seal.open_envelope, flipped(sealed, flip), END_TO_END, direction)
    assert refused(seal.open_envelope, sealed, END_TO_END, 1 - direction)


def flipped(data: bytes, bit: int) -> bytes:
    at = bit % (len(data) * 8)
    return data[: at // 8] + bytes([data[at // 8] ^ 1 << at % 8]) + data[at // 8 + 1 :]


def seal_seeds() -> list[bytes]:
    return [bytes([kind, 0, 0, 0, at, at & 1, 0, at, 1]) + bytes(at) for at, kind in enumerate(KINDS)]


# The handshake.


def take_handshake(data: bytes) -> None:
    """HELLO at the gateway and WELCOME at the tag: raw, and authenticated round anything."""
    reader = Reader(data)
    authentic, kind = reader.number() & 1, reader.number()
    body = reader.rest()
    tag = TagHandshake(LINK_KEY, HEADER, PSEUDONYM, b"tagnonce", HostCipher)
    if not authentic:
        assert refused(tag.receive, body)
        assert refused(welcome, body, LINK_KEY, HEADER, GATEWAY, 1, b"gw-nonce", HostCipher)
        return
    greeted = refused(tag.receive, _clear(kind & 0x3F, PSEUDONYM, body, LINK_KEY, b"tagnonce"))
    assert greeted == (kind & 0x3F != frames.WELCOME or len(body) < frames.WELCOME_SIZE)
    hello = _clear(kind & 0x3F, PSEUDONYM, body, LINK_KEY)
    answered = refused(welcome, hello, LINK_KEY, HEADER, GATEWAY, 1, b"gw-nonce", HostCipher)
    assert answered == (kind & 0x3F != frames.HELLO or len(body) < frames.HELLO_SIZE)


def handshake_seeds() -> list[bytes]:
    bodies = [bytes([1, kind]) + bytes(size) for kind in (frames.HELLO, frames.WELCOME) for size in (0, 7, 8, 13, 20)]
    stranger = TagHandshake(bytes(16), HEADER, PSEUDONYM, b"tagnonce", HostCipher)
    return [*bodies, b"\x00\x00" + stranger.hello]


TARGETS = [
    Target("seal", lambda: take_seal, seal_seeds, share=60, max_len=600),
    Target("handshake", lambda: take_handshake, handshake_seeds, share=80, max_len=128),
]
