"""Seals: what opens is what was sealed, whoever alters it is refused, and no nonce is ever used twice under a key."""

import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from hypothesis import given, settings
from hypothesis import strategies as st

from strapline_protocol.cipher import HostCipher
from strapline_wire import frames, seal
from strapline_wire.errors import LocalProtocolError, RemoteProtocolError
from strapline_wire.keys import derive
from strapline_wire.replay import ReplayWindow
from strapline_wire.session import TagHandshake, welcome

SECRET = bytes(range(16))
KEY = derive(SECRET, "broadcast")
HEADER_KEY = derive(SECRET, "header")
INNER_KEY = derive(SECRET, "end-to-end")
BODY = bytes.fromhex("01430257123409")
PSEUDONYM = 0xA1B2C3D4
ENVELOPE = frames.Envelope((frames.EVENT, 1, 0xDEADBEEF, 7))

kinds = st.one_of(st.integers(0, 63), st.sampled_from([0, 63]))
counters = st.one_of(st.integers(0, 0xFFFFFFFF), st.sampled_from([0, 1, 0xFFFFFFFF]))
bodies = st.binary(max_size=520)


def sealed_frame(
    body: bytes = BODY, counter: int = 1000, direction: int = seal.UP, kind: int = frames.HEARTBEAT
) -> bytes:
    return seal.seal_frame(kind, PSEUDONYM, counter, body, HostCipher(KEY), HostCipher(HEADER_KEY), direction)


def opened_frame(
    frame: bytes,
    window: ReplayWindow | None = None,
    *,
    key: bytes = KEY,
    header: bytes = HEADER_KEY,
    direction: int = seal.UP,
) -> tuple[int, bytes]:
    return seal.open_frame(frame, HostCipher(key), HostCipher(header), direction, window or ReplayWindow())


def by_the_design(kind: int, pseudonym: int, counter: int, body: bytes, direction: int) -> bytes:
    """A frame composed from the design's words and `cryptography` alone."""
    start = bytes([0b01_000000 | kind]) + pseudonym.to_bytes(4, "big")
    nonce = bytes([direction]) + bytes(8) + counter.to_bytes(4, "big")
    sealed = AESCCM(KEY, tag_length=8).encrypt(nonce, body, start)
    encryptor = Cipher(algorithms.AES(HEADER_KEY), modes.ECB()).encryptor()
    mask = encryptor.update(sealed[-8:] + start + bytes(3))[:4]
    return start + bytes(a ^ b for a, b in zip(counter.to_bytes(4, "big"), mask, strict=True)) + sealed


def state(window: ReplayWindow) -> dict[str, int]:
    return dict(vars(window))


# The outer seal.


@settings(max_examples=100, deadline=None)
@given(kinds, st.integers(0, 0xFFFFFFFF), counters, bodies, st.sampled_from([seal.UP, seal.DOWN]))
def test_a_frame_opens_to_what_was_sealed_and_is_composed_as_the_design_says(
    kind: int, pseudonym: int, counter: int, body: bytes, direction: int
) -> None:
    frame = seal.seal_frame(kind, pseudonym, counter, body, HostCipher(KEY), HostCipher(HEADER_KEY), direction)
    assert frame == by_the_design(kind, pseudonym, counter, body, direction)
    assert len(frame) == 1 + 4 + 4 + len(body) + 8
    assert seal.peek(frame) == (kind, pseudonym)
    assert opened_frame(frame, direction=direction) == (counter, body)


def test_a_heartbeat_is_24_bytes() -> None:
    assert len(sealed_frame()) == 24


def test_every_flipped_bit_of_a_frame_is_refused_and_leaves_the_window_as_it_was() -> None:
    frame, window = sealed_frame(), ReplayWindow()
    opened_frame(sealed_frame(counter=999), window)
    before = state(window)
    for at in range(len(frame) * 8):
        altered = bytearray(frame)
        altered[at // 8] ^= 1 << (at % 8)
        with pytest.raises(RemoteProtocolError):
            opened_frame(bytes(altered), window)
        assert state(window) == before
    assert opened_frame(frame, window) == (1000, BODY)


def test_every_truncation_and_extension_of_a_frame_is_refused_and_leaves_the_window_as_it_was() -> None:
    frame, window = sealed_frame(), ReplayWindow()
    before = state(window)
    for other in [frame[:size] for size in range(len(frame))] + [
        frame[1:],
        frame + b"\x00",
        b"\x00" + frame,
        frame * 2,
    ]:
        with pytest.raises(RemoteProtocolError):
            opened_frame(other, window)
        assert state(window) == before


@pytest.mark.parametrize(
    "attempt",
    [
        pytest.param(lambda frame, window: opened_frame(frame, window, key=derive(SECRET, "link")), id="other key"),
        pytest.param(lambda frame, window: opened_frame(frame, window, header=bytes(16)), id="other header key"),
        pytest.param(lambda frame, window: opened_frame(frame, window, direction=seal.DOWN), id="other direction"),
        pytest.param(
            lambda frame, window: opened_frame(frame[:1] + bytes.fromhex("a1b2c3d5") + frame[5:], window),
            id="other pseudonym",
        ),
        pytest.param(lambda frame, window: opened_frame(bytes([frame[0] ^ 0x03]) + frame[1:], window), id="other kind"),
    ],
)
def test_a_frame_under_another_key_direction_pseudonym_or_kind_is_refused_and_leaves_the_window_as_it_was(
    attempt: Callable[[bytes, ReplayWindow], object],
) -> None:
    window = ReplayWindow()
    before = state(window)
    with pytest.raises(RemoteProtocolError):
        attempt(sealed_frame(), window)
    assert state(window) == before


def test_a_forged_counter_cannot_push_genuine_frames_out_of_the_window() -> None:
    window = ReplayWindow()
    opened_frame(sealed_frame(counter=10), window)
    draw = random.Random("forged counters")
    for _ in range(200):
        with pytest.raises(RemoteProtocolError):
            opened_frame(sealed_frame()[:5] + draw.randbytes(4) + sealed_frame()[9:], window)
    assert opened_frame(sealed_frame(counter=11), window) == (11, BODY)


def test_a_frame_opens_once_and_an_older_one_within_64_still_does() -> None:
    window = ReplayWindow()
    assert opened_frame(sealed_frame(counter=100), window)[0] == 100
    for counter, reason in [(100, "replayed"), (36, "too_old")]:
        with pytest.raises(RemoteProtocolError) as refused:
            opened_frame(sealed_frame(counter=counter), window)
        assert refused.value.reason == reason
    assert opened_frame(sealed_frame(counter=37), window)[0] == 37


@pytest.mark.parametrize("counter", [-1, 1 << 32])
def test_a_counter_beyond_32_bits_is_our_mistake_so_that_none_is_used_twice(counter: int) -> None:
    with pytest.raises(LocalProtocolError):
        sealed_frame(counter=counter)


@pytest.mark.parametrize("kind", [-1, 64, 0x50, 255])
def test_a_kind_beyond_six_bits_is_our_mistake_and_never_another_kind(kind: int) -> None:
    with pytest.raises(LocalProtocolError):
        sealed_frame(kind=kind)


@pytest.mark.parametrize("version", [0, 2, 3])
def test_another_version_is_told_before_any_key_is_tried(version: int) -> None:
    frame = sealed_frame()
    with pytest.raises(RemoteProtocolError) as refused:
        seal.peek(bytes([version << 6 | frame[0] & 0x3F]) + frame[1:])
    assert refused.value.reason == "unknown_version"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_garbage_is_refused_with_a_remote_error_and_nothing_else(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        opened_frame(data)
    with pytest.raises(RemoteProtocolError):
        seal.open_envelope(data, HostCipher(INNER_KEY), seal.UP)
    with suppress(RemoteProtocolError):
        seal.peek(data)


@pytest.mark.parametrize("size", range(18))
def test_what_is_shorter_than_its_overhead_is_truncated_and_no_key_is_tried(size: int) -> None:
    for read in (seal.peek_envelope, lambda data: seal.open_envelope(data, HostCipher(INNER_KEY), seal.UP)):
        with pytest.raises(RemoteProtocolError) as refused:
            read(bytes(size))
        assert refused.value.reason == "truncated"
    assert seal.peek_envelope(bytes(18)) == (0, 0, 0, 0)
    if size < 17:
        with pytest.raises(RemoteProtocolError) as refused:
            opened_frame(bytes(size))
        assert refused.value.reason == "truncated"


# The counter's mask.


def masked(frame: bytes) -> int:
    return int.from_bytes(frame[5:9], "big")


def test_neighbouring_counters_do_not_show_for_every_frame_has_a_mask_of_its_own() -> None:
    masks = [masked(sealed_frame(counter=counter)) ^ counter for counter in range(500)]
    assert len(set(masks)) == 500
    differences = [masked(sealed_frame(counter=c)) ^ masked(sealed_frame(counter=c + 1)) for c in range(500)]
    assert len(set(differences)) == 500
    # Each bit is set about half of the time: eight standard deviations are 89.
    for bit in range(32):
        assert abs(sum(value >> bit & 1 for value in differences) - 250) < 90


def test_the_mask_hides_a_counter_that_repeats_under_another_pseudonym() -> None:
    ciphers = HostCipher(KEY), HostCipher(HEADER_KEY)
    shown = {masked(seal.seal_frame(frames.HEARTBEAT, who, 7, BODY, *ciphers, seal.UP)) for who in range(300)}
    assert len(shown) == 300


# The inner seal.


def inner_by_the_design(envelope: tuple[int, int, int, int], body: bytes, direction: int) -> bytes:
    """A record or command composed by hand: its nonce is the direction and the whole envelope."""
    kind, flags, origin, number = envelope
    identity = origin.to_bytes(4, "big") + number.to_bytes(4, "big")
    start = bytes([kind, flags]) + identity
    nonce = bytes([2 + direction]) + start + bytes(2)
    return start + AESCCM(INNER_KEY, tag_length=8).encrypt(nonce, body, start)


@settings(max_examples=100, deadline=None)
@given(
    st.tuples(
        st.one_of(st.integers(0, 255), st.just(frames.TIME_REQUEST)),
        st.integers(0, 255),
        st.integers(0, 0xFFFFFFFF),
        st.integers(0, 0xFFFFFFFF),
    ),
    bodies,
    st.sampled_from([seal.UP, seal.DOWN]),
)
def test_an_envelope_opens_to_what_was_sealed_and_shows_itself_before(
    envelope: tuple[int, int, int, int], body: bytes, direction: int
) -> None:
    cipher = HostCipher(INNER_KEY)
    sealed = seal.seal_envelope(envelope, body, cipher, direction)
    assert sealed == inner_by_the_design(envelope, body, direction)
    assert len(sealed) == 10 + len(body) + 8
    assert tuple(seal.peek_envelope(sealed)) == envelope
    assert seal.open_envelope(sealed, cipher, direction) == (envelope, body)


def test_every_flipped_bit_of_an_envelope_is_refused() -> None:
    cipher = HostCipher(INNER_KEY)
    sealed = seal.seal_envelope(ENVELOPE, b"a record", cipher, seal.UP)
    for at in range(len(sealed) * 8):
        altered = bytearray(sealed)
        altered[at // 8] ^= 1 << (at % 8)
        with pytest.raises(RemoteProtocolError):
            seal.open_envelope(bytes(altered), cipher, seal.UP)
    assert seal.open_envelope(sealed, cipher, seal.UP) == (ENVELOPE, b"a record")


def test_every_truncation_and_extension_of_an_envelope_is_refused() -> None:
    cipher = HostCipher(INNER_KEY)
    sealed = seal.seal_envelope(ENVELOPE, b"a record", cipher, seal.UP)
    for other in [sealed[:size] for size in range(len(sealed))] + [sealed[1:], sealed + b"\x00", sealed * 2]:
        with pytest.raises(RemoteProtocolError):
            seal.open_envelope(other, cipher, seal.UP)


def test_a_record_is_no_command_and_opens_under_no_other_key() -> None:
    sealed = seal.seal_envelope(ENVELOPE, b"a record", HostCipher(INNER_KEY), seal.UP)
    with pytest.raises(RemoteProtocolError):
        seal.open_envelope(sealed, HostCipher(INNER_KEY), seal.DOWN)
    for purpose in ("broadcast", "link", "header"):
        with pytest.raises(RemoteProtocolError):
            seal.open_envelope(sealed, HostCipher(derive(SECRET, purpose)), seal.UP)


def test_a_record_is_sealed_to_the_same_bytes_each_time() -> None:
    # A retransmission is the same record; only then may its nonce come back.
    first, again = (seal.seal_envelope(ENVELOPE, b"a record", HostCipher(INNER_KEY), seal.UP) for _ in range(2))
    assert first == again


@pytest.mark.parametrize(
    "envelope", [(256, 0, 0, 0), (0, 256, 0, 0), (0, 0, 1 << 32, 0), (0, 0, 0, 1 << 32), (0, 0, 0, -1)]
)
def test_an_envelope_out_of_range_is_our_mistake_so_that_no_nonce_wraps(envelope: tuple[int, int, int, int]) -> None:
    with pytest.raises(LocalProtocolError):
        seal.seal_envelope(envelope, b"", HostCipher(INNER_KEY), seal.UP)


# Nonces.


class Spy:
    """A cipher that notes the nonce of everything it seals."""

    def __init__(self, key: bytes, notes: Counter[tuple[bytes, bytes]]) -> None:
        self._cipher = HostCipher(key)
        self._key = key
        self._notes = notes
        self.block = self._cipher.block
        self.open = self._cipher.open

    def seal(self, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        assert len(nonce) == 13
        self._notes[self._key, nonce] += 1
        return self._cipher.seal(nonce, plaintext, associated)


NUMBERS = range(1, 200)
ORIGINS = (0x65000000, 0x65000001)
"""The same values as journal ids, as the centre's epochs and as halves of time nonces: the worst that chance can do."""


def test_no_nonce_repeats_under_a_key_whatever_a_tag_and_its_gateways_and_centre_send() -> None:
    notes: Counter[tuple[bytes, bytes]] = Counter()
    inner, header = Spy(INNER_KEY, notes), HostCipher(HEADER_KEY)
    for origin in ORIGINS:
        for number in NUMBERS:
            kind = frames.FIX if number % 2 else frames.EVENT
            seal.seal_envelope((kind, number & 1, origin, number), b"record", inner, seal.UP)
            command = frames.TIME if number % 2 else frames.RECEIPT
            seal.seal_envelope((command, 0, origin, number), b"command", inner, seal.DOWN)
            seal.seal_envelope((frames.TIME_REQUEST, 0, origin, number), b"request", inner, seal.UP)
    broadcast = Spy(KEY, notes)
    for counter in range(200):
        seal.seal_frame(frames.HEARTBEAT, PSEUDONYM + counter // 50, counter, BODY, broadcast, header, seal.UP)
    link_key, draw = derive(SECRET, "link"), random.Random("nonces of sessions")
    sessions = 0
    for gateway in (1, 2):
        for _ in range(10):
            sessions += 1
            handshake = TagHandshake(link_key, header, PSEUDONYM, draw.randbytes(8), lambda key: Spy(key, notes))
            _, answer, at_gateway = welcome(
                handshake.hello, link_key, header, gateway, 1, draw.randbytes(8), lambda key: Spy(key, notes)
            )
            _, at_tag = handshake.receive(answer)
            for _ in range(20):
                at_gateway.open(at_tag.seal(frames.RECORD, b"up"))
                at_tag.open(at_gateway.seal(frames.COMMAND, b"down"))
    assert set(notes.values()) == {1}
    assert len(notes) == len(ORIGINS) * len(NUMBERS) * 3 + 200 + sessions * 40
    assert len({key for key, _ in notes}) == 2 + sessions


@given(
    st.integers(0, 63),
    st.tuples(st.integers(0, 255), st.integers(0, 255), st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF)),
)
def test_what_a_seal_writes_by_itself_is_what_the_definitions_give(
    kind: int, envelope: tuple[int, int, int, int]
) -> None:
    """For speed it packs header and envelope itself: they may not part company with the codec."""
    cipher = HostCipher(INNER_KEY)
    assert seal.seal_envelope(envelope, b"", cipher, seal.UP)[: frames.ENVELOPE_SIZE] == frames.pack_envelope(envelope)
    frame = seal.seal_frame(kind, envelope[2], 0, b"", cipher, cipher, seal.UP)
    header = frames.unpack_header(frame)
    assert frame[: frames.HEADER_SIZE] == frames.pack_header(
        (seal.VERSION << 6 | kind, envelope[2], header.masked_counter)
    )
