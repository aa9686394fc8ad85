"""Ends of different versions: each side plays the older and the newer one. The rules are in docs/protocol.md, "Old meets new"."""

from datetime import UTC, datetime

import pytest

from firmware.tag_pair import TagPair, records_of
from hand_made_tag import TAG, HandMadeTag
from station_home import Home
from strapline_gateway.station import Presence, Record
from strapline_protocol import contract
from strapline_protocol.cipher import HostCipher
from strapline_protocol.contract import Message, Topic
from strapline_protocol.desk import Arrival, Desk, GatewayRecord
from strapline_protocol.keys import gateway_keys
from strapline_tag import outputs
from strapline_wire import frames, link, seal
from strapline_wire.keys import derive

LATER = b"\x01\x02later"
HOME, KEY = "6a7e0001", b"k" * 32
NOW = datetime(2026, 3, 2, tzinfo=UTC)
UNKNOWN_KINDS = (0x07, 0x1F, 0x3F)


# A newer tag meets an older gateway.


class NewerTag(HandMadeTag):
    """Every body has fields at its end that nobody here knows."""

    def heartbeat(self, now, flags=0, newest_alarm=0, battery_percent=90):
        body = frames.pack_heartbeat((flags, 0, battery_percent, int(now) // 4 & 0xFFFF, newest_alarm)) + LATER
        self.counter += 1
        return seal.seal_frame(
            frames.HEARTBEAT, self.pseudonym, self.counter, body, self._broadcast, self._header, seal.UP
        )

    def reply(self, now):
        return self._line(frames.REPLY, frames.pack_reply((self.boot, self._uptime(now))) + LATER)

    def frame(self, kind, body):
        """Any frame under the session key."""
        return self._line(kind, body)

    def _line(self, kind, body):
        self.link.send(self.session.seal(kind, body))
        return b"".join(self.link.data_to_send(0))


def test_longer_heartbeats_and_replies_say_what_they_always_said():
    tag = NewerTag()
    home = Home(tag)
    assert isinstance(home.hear(tag.heartbeat(0))[0], Presence)
    home.open(tag)
    assert home.station._tags[TAG].boot == tag.boot
    assert home.rejected == {}


@pytest.mark.parametrize("kind", UNKNOWN_KINDS)
def test_a_frame_of_an_unknown_kind_is_counted_and_the_connection_goes_on(kind):
    tag = NewerTag()
    home = Home(tag)
    number = home.open(tag)
    home.say(number, tag.frame(kind, b"of a later version"))
    assert home.rejected == {"unexpected": 1}
    sealed = tag.event()
    assert [event.sealed for event in home.say(number, tag.send(sealed)) if isinstance(event, Record)] == [sealed]


@pytest.mark.parametrize("version", [0, 2, 3])
def test_a_frame_of_another_version_is_counted(version):
    tag = HandMadeTag()
    home = Home(tag)
    frame = tag.heartbeat(0)
    assert home.hear(bytes([version << 6 | frame[0] & 0x3F]) + frame[1:]) == []
    assert home.rejected == {"unknown_version": 1}


def test_a_record_of_an_unknown_kind_travels_like_any_other():
    tag = HandMadeTag()
    home = Home(tag)
    sealed = tag.record(0x1E, b"of a later version")
    [record] = [e for e in home.say(home.open(tag), tag.send(sealed)) if isinstance(e, Record)]
    assert (record.envelope.kind, record.sealed) == (0x1E, sealed)


# A newer tag, or a newer gateway, meets an older centre.


@pytest.fixture
def desk():
    return Desk([HandMadeTag().centre_keys], {HOME: KEY}, utc=lambda: NOW, epoch=1)


def publish(desk, channel, data, **more):
    message = Message(Topic(HOME, channel, TAG), "1", NOW, data)
    payload = contract.encode(message, KEY)
    assert not more
    heard = desk.receive(str(message.topic), payload)
    desk.accept(heard)
    return heard


def record_data(tag, sealed, **more):
    said = {"record": contract.text_of(sealed), "heard": contract.utc_text(NOW), "alarm": False}
    return said | {"source": TAG, "journal": tag.journal, "sequence": tag.sequence} | more


def answers(desk):
    """What the desk says: the kinds of the commands in it, and its receipts."""
    kinds, receipts = [], []
    while (out := desk.next_message()) is not None:
        data = contract.decode(out.topic, out.payload, KEY).data
        if "command" in data:
            kinds.append(seal.peek_envelope(contract.octets(data, "command")).kind)
        if "base" in data:
            receipts.append(data["base"])
    return kinds, receipts


def test_a_record_of_an_unknown_kind_is_kept_receipted_and_said_to_be_unread(desk):
    tag = HandMadeTag()
    arrival = publish(desk, "event", record_data(tag, tag.record(0x1E, b"of a later version")))
    assert isinstance(arrival, Arrival)
    assert (arrival.record.body, arrival.record.raw) == (None, b"of a later version")
    assert answers(desk) == ([frames.RECEIPT, frames.REFUSED], [2])


def test_a_longer_record_and_an_unknown_event_code_are_read(desk):
    tag = HandMadeTag()
    body = frames.pack_event((251, 0xF8, 1, 60, 0, 0, -7)) + LATER
    arrival = publish(desk, "event", record_data(tag, tag.record(frames.EVENT, body)))
    assert (arrival.record.body.code, arrival.record.body.detail) == (251, -7)
    assert answers(desk) == ([frames.RECEIPT], [2])


def test_fields_that_a_message_did_not_have_before_are_passed_over(desk):
    tag = HandMadeTag()
    arrival = publish(desk, "event", record_data(tag, tag.event(), later={"nested": [1]}))
    assert isinstance(arrival, Arrival)
    presence = {"tag": TAG, "present": True, "rssi_dbm": -60, "heard": contract.utc_text(NOW)}
    presence |= {"source": HOME, "journal": 1, "sequence": 1, "later": 5}
    assert isinstance(publish(desk, "presence", presence), GatewayRecord)


def test_a_channel_that_nobody_knows_is_counted(desk):
    assert desk.receive(f"strapline/v1/{HOME}/later/{TAG}", b"{}") is None
    assert desk.rejected == {"topic": 1}


# A newer gateway, or a newer centre, meets an older tag.


def test_a_longer_welcome_opens_the_session():
    pair = TagPair()
    pack, frames.pack_welcome = frames.pack_welcome, lambda value: pack(value) + LATER
    try:
        pair.connect()
    finally:
        frames.pack_welcome = pack
    assert pair.lines[outputs.BLE].session is not None
    assert pair.arrived
    assert pair.tag.rejected == 0


@pytest.mark.parametrize("kind", UNKNOWN_KINDS)
def test_a_frame_that_the_tag_does_not_know_is_counted_and_the_line_stays(kind):
    pair = TagPair()
    pair.connect()
    session = pair.lines[outputs.BLE].session
    pair.line_data(pair.line(session.seal(kind, b"of a later version")))
    assert pair.tag.rejected == 1
    pair.command(pair.centre.receipt(1))
    assert pair.tag.rejected == 1


@pytest.mark.parametrize("kind", [0x30, 0x3F, 0xFE])
def test_a_command_that_the_tag_does_not_know_is_answered_by_name(kind):
    pair = TagPair()
    pair.key(pair.centre.seal(kind, b"of a later version"))
    pair.visit()
    assert [r.body.detail for r in pair.unique() if r.name == "command_refused"] == [
        kind << 8 | frames.REFUSAL_UNKNOWN_KIND
    ]


def test_every_command_may_be_longer():
    pair = TagPair()
    pair.arm()
    pair.visit()
    asked = pair.asked[-1][1]
    pair.receipting = False
    pair.edge(True)
    held = pair.held()
    longer = [
        (frames.RECEIPT, frames.pack_receipt((pair.tag.journal.ident, max(held) + 1, 0))),
        (frames.TIME, frames.pack_time((asked, 0, 0))),
        (frames.REFUSED, frames.pack_refused((1, 1, 1))),
        (frames.REKEY, frames.pack_rekey((1, bytes(16)))),
    ]
    for kind, body in longer:
        pair.key(pair.centre.seal(kind, body + LATER))
    assert pair.tag.rejected == 0
    assert pair.tag.unread == 1
    assert [kind for (kind, *_), _ in records_of(pair.tag.journal)] == [frames.EVENT]  # REKEYED
    share = gateway_keys(TAG, bytes(range(16)))
    assert pair.tag._keys.link_key != share.link


# Constants that no version may change.


def test_a_version_is_two_bits_and_the_first_is_one():
    frame = seal.seal_frame(frames.REPLY, 1, 0, b"", HostCipher(bytes(16)), HostCipher(bytes(16)), seal.UP)
    assert frame[0] >> 6 == seal.VERSION == 1
    assert link.HEADER_SIZE == 3
    assert derive(bytes(16), "link") != derive(bytes(16), "header")
