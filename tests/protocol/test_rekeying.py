"""New keys: what follows from what, how a share travels, and in which order a centre lets a change happen."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hand_made_tag import SECRET, TAG, HandMadeTag
from strapline_protocol import contract, rekeying
from strapline_protocol.contract import Message, Topic
from strapline_protocol.desk import Arrival, Desk, GatewayState, Keyed
from strapline_protocol.keys import CentreKeys, centre_keys, gateway_keys
from strapline_protocol.rekeying import next_generation, unwrap, wrap
from strapline_wire import frames, seal
from strapline_wire.errors import LocalProtocolError, RemoteProtocolError
from strapline_wire.keys import derive

HOME, INGRESS = "6a7e0001", "6a7e00ce"
KEYS = {HOME: b"h" * 32, INGRESS: b"i" * 32}
SALT, NONCE = bytes(range(16)), bytes(13)
TOPIC = f"strapline/v1/{HOME}/keys/{TAG}"
FIRST = next_generation(centre_keys(TAG, SECRET), 1, SALT)


def test_every_key_changes_with_the_salt_the_number_and_the_key_before():
    before = centre_keys(TAG, SECRET)
    others = [
        next_generation(before, 2, SALT),
        next_generation(before, 1, bytes(16)),
        next_generation(CentreKeys(TAG, bytes(16)), 1, SALT),
    ]
    old = gateway_keys(TAG, SECRET)
    all_keys = [key for one in [FIRST, *others] for key in (*one.gateways[1:4], one.centre.end_to_end)]
    all_keys += [*old[1:4], before.end_to_end]
    assert len(set(all_keys)) == len(all_keys) == 20


@pytest.mark.parametrize("with_end_to_end", [False, True])
def test_a_share_arrives_as_it_was_sent(with_end_to_end):
    share = FIRST.gateways._replace(end_to_end=b"e" * 16 if with_end_to_end else None)
    assert unwrap(TAG, wrap(share, 1, TOPIC, KEYS[HOME], NONCE), TOPIC, KEYS[HOME]) == (share, 1)


def test_no_key_stands_in_what_travels():
    told = str(wrap(FIRST.gateways, 1, TOPIC, KEYS[HOME], NONCE))
    whole = contract.octets(wrap(FIRST.gateways, 1, TOPIC, KEYS[HOME], NONCE), "keys")
    for key in FIRST.gateways[1:4]:
        assert key not in whole
        assert contract.text_of(key)[:20] not in told


@given(st.integers(0, 8 * (13 + 48 + 8) - 1))
def test_a_share_with_any_flipped_bit_is_refused(bit):
    data = wrap(FIRST.gateways, 1, TOPIC, KEYS[HOME], NONCE)
    whole = bytearray(contract.octets(data, "keys"))
    whole[bit // 8] ^= 1 << bit % 8
    with pytest.raises(RemoteProtocolError):
        unwrap(TAG, data | {"keys": contract.text_of(bytes(whole))}, TOPIC, KEYS[HOME])


def test_a_share_counts_for_its_gateway_its_tag_and_its_generation_alone():
    data = wrap(FIRST.gateways, 1, TOPIC, KEYS[HOME], NONCE)
    for topic, key, change in (
        (TOPIC, KEYS[INGRESS], {}),
        (TOPIC.replace(TAG, "7a900002"), KEYS[HOME], {}),
        (TOPIC.replace(HOME, INGRESS), KEYS[HOME], {}),
        (TOPIC, KEYS[HOME], {"generation": 2}),
    ):
        with pytest.raises(RemoteProtocolError):
            unwrap(TAG, data | change, topic, key)


@pytest.mark.parametrize(
    "change",
    [
        {"generation": 0},
        {"generation": "1"},
        {"generation": True},
        {"keys": ""},
        {"keys": "AAAA"},
        {"keys": 5},
        {"keys": None},
    ],
)
def test_a_share_that_makes_no_sense_is_refused(change):
    with pytest.raises(RemoteProtocolError):
        unwrap(TAG, wrap(FIRST.gateways, 1, TOPIC, KEYS[HOME], NONCE) | change, TOPIC, KEYS[HOME])


def test_a_salt_and_a_nonce_of_another_size_are_the_callers_mistake():
    with pytest.raises(LocalProtocolError):
        next_generation(centre_keys(TAG, SECRET), 1, bytes(15))
    with pytest.raises(LocalProtocolError):
        wrap(FIRST.gateways, 1, TOPIC, KEYS[HOME], bytes(12))


# The desk.


class Bench:
    def __init__(self):
        self.now = datetime(2026, 3, 2, tzinfo=UTC)
        self.tag = HandMadeTag()
        self.desk = Desk([self.tag.centre_keys], KEYS, utc=lambda: self.now, epoch=7, entropy=bytes)
        self._said = 0

    def out(self):
        """(gateway, channel, data) of what the desk has to say."""
        said = []
        while (message := self.desk.next_message()) is not None:
            topic = contract.parse_topic(message.topic)
            said.append(
                (
                    topic.gateway,
                    topic.channel,
                    contract.decode(message.topic, message.payload, KEYS[topic.gateway]).data,
                )
            )
        return said

    def channels(self):
        return [(gateway, channel) for gateway, channel, _ in self.out()]

    def say(self, gateway, channel, data, subject=TAG):
        self._said += 1
        message = Message(Topic(gateway, channel, subject), str(self._said), self.now, data)
        heard = self.desk.receive(str(message.topic), contract.encode(message, KEYS[gateway]))
        self.desk.accept(heard)
        return heard

    def record(self, gateway=HOME, cipher_of=None):
        """A record of the tag, under its old end-to-end key or another."""
        sealed = self.tag.event() if cipher_of is None else HandMadeTagUnder(self.tag, cipher_of).event()
        data = {"record": contract.text_of(sealed), "heard": contract.utc_text(self.now), "alarm": False}
        data |= {"source": TAG, "journal": self.tag.journal, "sequence": self.tag.sequence}
        return self.say(gateway, "event", data)

    def orders(self):
        return [
            (gateway, seal.peek_envelope(contract.octets(data, "command")).kind)
            for gateway, channel, data in self.out()
            if channel == "command"
        ]


class HandMadeTagUnder(HandMadeTag):
    """The same tag, journal and sequence, under a later end-to-end key."""

    def __init__(self, tag, end_to_end):
        super().__init__()
        self._other = tag
        self._end_to_end = type(self._end_to_end)(end_to_end)

    def record(self, kind, body, *, sequence=None, flags=0):
        self._other.sequence += 1
        return super().record(kind, body, sequence=self._other.sequence, flags=flags)


@pytest.fixture
def bench():
    return Bench()


def test_the_tag_is_told_only_when_every_gateway_would_know_it_again(bench):
    bench.desk.rekey(FIRST, KEYS)
    assert bench.channels() == [(HOME, "keys"), (INGRESS, "keys")]
    assert bench.say(HOME, "keyed", {"generation": 1}) == Keyed(HOME, TAG, 1)
    assert bench.orders() == []
    bench.say(INGRESS, "keyed", {"generation": 1})
    assert bench.orders() == [(HOME, frames.REKEY), (INGRESS, frames.REKEY)]
    bench.say(INGRESS, "keyed", {"generation": 1})
    assert bench.orders() == []


def test_the_shares_that_go_out_are_the_gateways_own(bench):
    bench.desk.rekey(FIRST, KEYS)
    for gateway, _, data in bench.out():
        assert unwrap(TAG, data, f"strapline/v1/{gateway}/keys/{TAG}", KEYS[gateway]) == (FIRST.gateways, 1)


@pytest.mark.parametrize("generation", [0, 2, 7])
def test_another_generations_word_confirms_nothing(bench, generation):
    bench.desk.rekey(FIRST, [HOME])
    bench.out()
    bench.say(HOME, "keyed", {"generation": generation})
    assert bench.orders() == []


def test_what_the_tag_is_told_opens_with_its_old_key_and_carries_the_salt(bench):
    bench.desk.rekey(FIRST, [HOME])
    bench.out()
    bench.say(HOME, "keyed", {"generation": 1})
    [(_, _, data)] = bench.out()
    _, body = bench.tag.open_command(contract.octets(data, "command"))
    assert tuple(frames.unpack_rekey(body)) == (1, SALT)


def test_the_first_record_under_the_new_key_makes_it_the_one_that_commands_are_sealed_with(bench):
    bench.desk.rekey(FIRST, [HOME])
    bench.say(HOME, "keyed", {"generation": 1})
    bench.out()
    arrival = bench.record(cipher_of=FIRST.centre.end_to_end)
    assert isinstance(arrival, Arrival)
    assert bench.desk.generation(TAG) == 1
    assert bench.desk.keys(TAG) == (FIRST.centre, bench.tag.centre_keys)
    bench.out()
    late = bench.record()
    assert isinstance(late, Arrival)
    [(_, _, data)] = bench.out()
    envelope, _ = seal.open_envelope(contract.octets(data, "command"), bench.desk._sealers[TAG]._cipher, seal.DOWN)
    assert envelope.kind == frames.RECEIPT
    with pytest.raises(RemoteProtocolError):
        bench.tag.open_command(contract.octets(data, "command"))


def test_a_tag_that_has_not_obeyed_is_told_again_when_it_is_heard_but_at_most_once_a_minute(bench):
    bench.desk.rekey(FIRST, [HOME])
    bench.say(HOME, "keyed", {"generation": 1})
    bench.out()
    told = []
    for _ in range(4):
        bench.record()
        told.append(
            (HOME, frames.REKEY)
            in [(g, seal.peek_envelope(contract.octets(d, "command")).kind) for g, _, d in bench.out()]
        )
        bench.now += timedelta(seconds=31)
    assert told == [True, False, True, False]


def test_a_gateway_that_starts_anew_is_given_the_keys_again_before_and_after(bench):
    bench.desk.rekey(FIRST, [HOME])
    bench.out()
    assert bench.say(HOME, "state", {"state": "online"}, subject="") == GatewayState(HOME, "online")
    assert bench.channels() == [(HOME, "keys")]
    bench.say(HOME, "keyed", {"generation": 1})
    bench.record(cipher_of=FIRST.centre.end_to_end)
    bench.out()
    bench.say(HOME, "state", {"state": "online"}, subject="")
    bench.say(INGRESS, "state", {"state": "online"}, subject="")
    assert bench.channels() == [(HOME, "keys")]


def test_a_gateway_that_has_not_answered_is_asked_again_when_the_tag_is_heard(bench):
    bench.desk.rekey(FIRST, KEYS)
    bench.out()
    bench.say(HOME, "keyed", {"generation": 1})
    bench.record()
    assert (INGRESS, "keys") in bench.channels()


def test_a_change_for_a_tag_or_a_gateway_that_is_not_ours_is_the_callers_mistake(bench):
    with pytest.raises(LocalProtocolError):
        bench.desk.rekey(FIRST, ["6a7e9999"])
    with pytest.raises(LocalProtocolError):
        bench.desk.rekey(next_generation(CentreKeys("7a999999", bytes(16)), 1, SALT), [HOME])
    assert bench.out() == []


def test_the_salt_is_drawn_at_the_size_that_the_wire_carries():
    assert frames.REKEY_SIZE == 4 + rekeying.SALT_SIZE
    assert derive(SECRET, "link") != FIRST.gateways.link


# Several changes.

SECOND = next_generation(FIRST.centre, 2, bytes(16))


def rekeyed(bench):
    """The tag has come under the first new keys."""
    bench.desk.rekey(FIRST, KEYS)
    for gateway in KEYS:
        bench.say(gateway, "keyed", {"generation": 1})
    bench.record(cipher_of=FIRST.centre.end_to_end)
    bench.out()


def handed_out(bench):
    return [(gateway, data["generation"]) for gateway, channel, data in bench.out() if channel == "keys"]


def test_a_gateway_that_starts_anew_during_a_further_change_is_given_both(bench):
    rekeyed(bench)
    bench.desk.rekey(SECOND, KEYS)
    bench.out()
    bench.say(INGRESS, "state", {"state": "online"}, subject="")
    assert handed_out(bench) == [(INGRESS, 1), (INGRESS, 2)]
    for gateway in KEYS:
        bench.say(gateway, "keyed", {"generation": 2})
    bench.record(cipher_of=SECOND.centre.end_to_end)
    bench.out()
    bench.say(INGRESS, "state", {"state": "online"}, subject="")
    assert handed_out(bench) == [(INGRESS, 2)]


def test_after_a_restart_both_are_said_again_and_given_out_again(bench):
    bench.desk.rekey(FIRST, KEYS, proved=True)
    for _ in range(2):
        bench.desk.rekey(SECOND, KEYS)
        bench.out()
        bench.say(HOME, "state", {"state": "online"}, subject="")
        assert handed_out(bench) == [(HOME, 1), (HOME, 2)]


def test_a_further_change_before_the_tag_has_come_under_the_last_is_the_callers_mistake(bench):
    bench.desk.rekey(FIRST, KEYS)
    with pytest.raises(LocalProtocolError):
        bench.desk.rekey(SECOND, KEYS)
    assert bench.desk.keys(TAG) == (bench.tag.centre_keys, FIRST.centre)


def test_a_record_that_is_accepted_after_a_change_has_begun_proves_the_keys_it_was_opened_with(bench):
    rekeyed(bench)
    sealed = bench.tag.event()
    data = {"record": contract.text_of(sealed), "heard": contract.utc_text(bench.now), "alarm": False}
    message = Message(Topic(HOME, "event", TAG), "late", bench.now, data | {"source": TAG})
    heard = bench.desk.receive(str(message.topic), contract.encode(message, KEYS[HOME]))
    bench.desk.rekey(SECOND, KEYS)
    bench.desk.accept(heard)
    assert bench.desk.generation(TAG) == 1
    assert bench.desk.keys(TAG)[0] == FIRST.centre


def test_a_gateway_that_is_down_for_long_is_not_asked_with_every_record(bench):
    bench.desk.rekey(FIRST, KEYS)
    bench.say(HOME, "keyed", {"generation": 1})
    bench.out()
    for _ in range(50):
        bench.record()
    assert handed_out(bench) == [(INGRESS, 1)]


def test_a_question_for_the_time_under_the_new_keys_proves_them_and_is_answered_under_them(bench):
    bench.desk.rekey(FIRST, [HOME])
    bench.say(HOME, "keyed", {"generation": 1})
    bench.out()
    tag = HandMadeTagUnder(bench.tag, FIRST.centre.end_to_end)
    bench.say(HOME, "time", {"request": contract.text_of(tag.time_request(b"8 bytes!"))})
    [(_, _, data)] = bench.out()
    assert tag.open_command(contract.octets(data, "command"))[0].kind == frames.TIME
    assert bench.desk.generation(TAG) == 1
