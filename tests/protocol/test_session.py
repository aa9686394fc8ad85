"""A connection between a tag and a gateway: the handshake, what recordings and strangers can do to it, and a rough line."""

import hashlib
import hmac
import random
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from strapline_protocol.cipher import HostCipher
from strapline_wire import frames, seal
from strapline_wire.errors import LocalProtocolError, RemoteProtocolError
from strapline_wire.keys import derive, session_key
from strapline_wire.session import Session, TagHandshake, welcome

SECRET = bytes(range(16))
LINK_KEY = derive(SECRET, "link")
HEADER = HostCipher(derive(SECRET, "header"))
PSEUDONYM = 0xA1B2C3D4
GATEWAY = 0x0A0B0C0D
TAG_NONCE = b"tagnonce"
GATEWAY_NONCE = b"gw-nonce"


class Pair(NamedTuple):
    """Both ends of a connection that stands."""

    tag: Session
    gateway: Session


def handshake(nonce: bytes = TAG_NONCE, link_key: bytes = LINK_KEY) -> TagHandshake:
    return TagHandshake(link_key, HEADER, PSEUDONYM, nonce, HostCipher)


def answer(hello: bytes, nonce: bytes = GATEWAY_NONCE, link_key: bytes = LINK_KEY, flags: int = 1) -> Any:
    """(hello, WELCOME, session) of a gateway."""
    return welcome(hello, link_key, HEADER, GATEWAY, flags, nonce, HostCipher)


def connected() -> Pair:
    tag = handshake()
    _, reply, at_gateway = answer(tag.hello)
    _, at_tag = tag.receive(reply)
    return Pair(at_tag, at_gateway)


def refusal(attempt: Any, *arguments: Any) -> str:
    with pytest.raises(RemoteProtocolError) as refused:
        attempt(*arguments)
    return str(refused.value.reason)


def authenticated(kind: int, body: bytes, context: bytes = b"", key: bytes = LINK_KEY) -> bytes:
    """A frame in the clear with its HMAC, made with the standard library."""
    frame = bytes([0x40 | kind]) + PSEUDONYM.to_bytes(4, "big") + body
    return frame + hmac.new(key, context + frame, hashlib.sha256).digest()[:8]


# The handshake.


def test_hello_and_welcome_are_clear_frames_with_the_hmac_of_the_link_key() -> None:
    tag = handshake()
    assert tag.hello == authenticated(frames.HELLO, TAG_NONCE)
    _, reply, _ = answer(tag.hello)
    assert reply == authenticated(frames.WELCOME, bytes.fromhex("0a0b0c0d") + GATEWAY_NONCE + b"\x01", TAG_NONCE)


def test_after_the_handshake_each_end_knows_the_other_and_both_directions_work() -> None:
    tag = handshake()
    hello, reply, at_gateway = answer(tag.hello)
    told, at_tag = tag.receive(reply)
    assert hello == (TAG_NONCE,)
    assert told == (GATEWAY, GATEWAY_NONCE, 1)
    for body in (b"", b"first", b"second"):
        assert at_gateway.open(at_tag.seal(frames.RECORD, body)) == (frames.RECORD, body)
        assert at_tag.open(at_gateway.seal(frames.COMMAND, body)) == (frames.COMMAND, body)


def test_the_sealed_frames_use_the_session_key_counters_from_0_and_a_nonce_per_direction() -> None:
    pair = connected()
    cipher = AESCCM(session_key(LINK_KEY, GATEWAY, TAG_NONCE, GATEWAY_NONCE), tag_length=8)
    for counter in range(3):
        for direction, session, kind in ((0, pair.tag, frames.RECORD), (1, pair.gateway, frames.COMMAND)):
            frame = session.seal(kind, b"body")
            nonce = bytes([direction]) + bytes(8) + counter.to_bytes(4, "big")
            assert frame[9:] == cipher.encrypt(nonce, b"body", frame[:5])


@pytest.mark.parametrize("size", [0, 7, 9, 16])
def test_a_gateways_nonce_of_another_size_is_our_mistake(size: int) -> None:
    with pytest.raises(LocalProtocolError):
        answer(handshake().hello, nonce=bytes(size))


def test_a_replayed_hello_gets_no_session_that_the_recorder_could_use() -> None:
    tag = handshake()
    _, first_reply, first_session = answer(tag.hello)
    _, at_tag = tag.receive(first_reply)
    recorded = [at_tag.seal(frames.REPLY, frames.pack_reply((3, 100_000))), at_tag.seal(frames.RECORD, b"a record")]
    assert first_session.open(recorded[0])[0] == frames.REPLY
    _, second_reply, second_session = answer(tag.hello, nonce=b"gw-nonc2")
    assert second_reply != first_reply
    for frame in recorded:
        assert refusal(second_session.open, frame) == "forged"


def test_a_recorded_welcome_does_not_answer_a_new_hello() -> None:
    _, recorded, _ = answer(handshake().hello)
    assert refusal(handshake(nonce=b"tagnonc2").receive, recorded) == "forged"


def test_a_welcome_gives_one_session_because_a_second_would_repeat_its_nonces() -> None:
    tag = handshake()
    _, reply, _ = answer(tag.hello)
    tag.receive(reply)
    assert refusal(tag.receive, reply) == "unexpected"


def test_a_refused_welcome_leaves_the_handshake_open_for_the_genuine_one() -> None:
    tag = handshake()
    _, reply, at_gateway = answer(tag.hello)
    assert refusal(tag.receive, reply[:-1] + bytes([reply[-1] ^ 1])) == "forged"
    _, at_tag = tag.receive(reply)
    assert at_gateway.open(at_tag.seal(frames.RECORD, b"still works")) == (frames.RECORD, b"still works")


def test_neither_end_takes_the_other_for_its_own_with_a_wrong_key() -> None:
    stranger = derive(bytes(16), "link")
    assert refusal(answer, handshake(link_key=stranger).hello) == "forged"
    tag = handshake()
    forged = authenticated(frames.WELCOME, bytes.fromhex("0a0b0c0d") + GATEWAY_NONCE + b"\x01", TAG_NONCE, stranger)
    assert refusal(tag.receive, forged) == "forged"


def test_another_gateway_with_the_same_nonces_has_another_session_key() -> None:
    tag = handshake()
    _, reply, _ = answer(tag.hello)
    _, at_tag = tag.receive(reply)
    _, _, elsewhere = welcome(tag.hello, LINK_KEY, HEADER, GATEWAY + 1, 1, GATEWAY_NONCE, HostCipher)
    assert refusal(elsewhere.open, at_tag.seal(frames.RECORD, b"a record")) == "forged"


def test_every_flipped_bit_and_truncation_of_hello_and_welcome_is_refused() -> None:
    tag = handshake()
    _, reply, _ = answer(tag.hello)
    for frame, attempt in ((tag.hello, answer), (reply, tag.receive)):
        for at in range(len(frame) * 8):
            altered = bytearray(frame)
            altered[at // 8] ^= 1 << (at % 8)
            refusal(attempt, bytes(altered))
        for size in range(len(frame)):
            refusal(attempt, frame[:size])
    assert tag.receive(reply)[0].gateway == GATEWAY


def test_hello_is_no_welcome_and_welcome_no_hello() -> None:
    tag = handshake()
    _, reply, _ = answer(tag.hello)
    assert refusal(tag.receive, tag.hello) == "unexpected"
    assert refusal(answer, reply) == "unexpected"


def test_a_newer_ends_longer_hello_and_welcome_are_understood() -> None:
    longer = authenticated(frames.HELLO, TAG_NONCE + b"more")
    assert answer(longer)[0] == (TAG_NONCE,)
    longer = authenticated(frames.WELCOME, bytes.fromhex("0a0b0c0d") + GATEWAY_NONCE + b"\x01more", TAG_NONCE)
    assert handshake().receive(longer)[0] == (GATEWAY, GATEWAY_NONCE, 1)


@pytest.mark.parametrize("body", [b"", b"short", TAG_NONCE[:7]])
def test_a_genuine_hello_that_is_too_short_is_refused_as_truncated(body: bytes) -> None:
    assert refusal(answer, authenticated(frames.HELLO, body)) == "truncated"


@pytest.mark.parametrize("size", range(1, 13))
def test_what_has_no_room_for_a_mic_is_truncated(size: int) -> None:
    assert refusal(answer, (b"\x42" + bytes(12))[:size]) == "truncated"
    assert refusal(handshake().receive, (b"\x43" + bytes(12))[:size]) == "truncated"


anything = st.one_of(
    st.binary(max_size=60),
    st.tuples(st.sampled_from([0x42, 0x43, 0x44, 0x45]), st.binary(max_size=40)).map(
        lambda pair: bytes([pair[0]]) + pair[1]
    ),
)


@settings(max_examples=150, deadline=None)
@given(anything)
def test_garbage_at_any_step_is_refused_with_a_remote_error_and_spoils_nothing(data: bytes) -> None:
    tag = handshake()
    refusal(answer, data)
    refusal(tag.receive, data)
    _, reply, at_gateway = answer(tag.hello)
    refusal(at_gateway.open, data)
    _, at_tag = tag.receive(reply)
    refusal(at_tag.open, data)
    assert at_gateway.open(at_tag.seal(frames.RECORD, b"up")) == (frames.RECORD, b"up")
    assert at_tag.open(at_gateway.seal(frames.COMMAND, b"down")) == (frames.COMMAND, b"down")


# The sealed part.


def test_a_frame_sent_back_to_its_sender_is_refused() -> None:
    pair = connected()
    assert refusal(pair.tag.open, pair.tag.seal(frames.RECORD, b"up")) == "forged"
    assert refusal(pair.gateway.open, pair.gateway.seal(frames.COMMAND, b"down")) == "forged"


def test_a_frame_of_an_earlier_session_is_refused_in_the_next() -> None:
    recorded = connected().tag.seal(frames.RECORD, b"a record")
    tag = handshake(nonce=b"tagnonc2")
    _, _, at_gateway = answer(tag.hello)
    assert refusal(at_gateway.open, recorded) == "forged"


def test_a_heartbeat_is_no_frame_of_a_session() -> None:
    broadcast = HostCipher(derive(SECRET, "broadcast"))
    heartbeat = seal.seal_frame(frames.HEARTBEAT, PSEUDONYM, 0, bytes(7), broadcast, HEADER, seal.UP)
    assert refusal(connected().gateway.open, heartbeat) == "forged"


class RoughLine(RuleBasedStateMachine):
    """A pair whose line loses, repeats, reorders and damages. The model: each frame arrives once, as sent, unless it is 64 late."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = connected()
        self.draw = random.Random("bodies")
        self.sent: dict[bool, list[tuple[bytes, int, bytes]]] = {True: [], False: []}
        self.taken: dict[bool, set[int]] = {True: set(), False: set()}
        self.in_flight: list[tuple[bool, int]] = []

    def _receiver(self, upward: bool) -> Session:
        return self.pair.gateway if upward else self.pair.tag

    def _deliver(self, upward: bool, number: int) -> None:
        frame, kind, body = self.sent[upward][number]
        taken, receiver = self.taken[upward], self._receiver(upward)
        if taken and number <= max(taken) - 64:
            assert refusal(receiver.open, frame) == "too_old"
        elif number in taken:
            assert refusal(receiver.open, frame) == "replayed"
        else:
            assert receiver.open(frame) == (kind, body)
            taken.add(number)

    @rule(upward=st.booleans(), count=st.sampled_from([1, 1, 1, 3, 70]))
    def send(self, upward: bool, count: int) -> None:
        for _ in range(count):
            kind = frames.RECORD if upward else frames.COMMAND
            body = self.draw.randbytes(self.draw.randrange(30))
            session = self.pair.tag if upward else self.pair.gateway
            self.in_flight.append((upward, len(self.sent[upward])))
            self.sent[upward].append((session.seal(kind, body), kind, body))

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data())
    def deliver_in_any_order(self, data: st.DataObject) -> None:
        self._deliver(*self.in_flight.pop(data.draw(st.integers(0, len(self.in_flight) - 1))))

    @precondition(lambda self: self.in_flight)
    @rule()
    def deliver_everything_in_order(self) -> None:
        for upward, number in self.in_flight:
            self._deliver(upward, number)
        self.in_flight.clear()

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        self.in_flight.pop(data.draw(st.integers(0, len(self.in_flight) - 1)))

    @precondition(lambda self: any(self.sent.values()))
    @rule(data=st.data())
    def replay_something_old(self, data: st.DataObject) -> None:
        upward = data.draw(st.sampled_from([way for way in (True, False) if self.sent[way]]))
        self._deliver(upward, data.draw(st.integers(0, len(self.sent[upward]) - 1)))

    @precondition(lambda self: any(self.sent.values()))
    @rule(data=st.data())
    def damage(self, data: st.DataObject) -> None:
        upward = data.draw(st.sampled_from([way for way in (True, False) if self.sent[way]]))
        frame = bytearray(data.draw(st.sampled_from(self.sent[upward]))[0])
        frame[data.draw(st.integers(0, len(frame) - 1))] ^= data.draw(st.integers(1, 255))
        refusal(self._receiver(upward).open, bytes(frame))

    @precondition(lambda self: any(self.sent.values()))
    @rule(data=st.data())
    def reflect(self, data: st.DataObject) -> None:
        upward = data.draw(st.sampled_from([way for way in (True, False) if self.sent[way]]))
        refusal(self._receiver(not upward).open, data.draw(st.sampled_from(self.sent[upward]))[0])


RoughLine.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
test_over_a_rough_line_each_frame_is_taken_once_and_as_it_was_sent = RoughLine.TestCase
