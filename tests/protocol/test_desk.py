"""A centre's desk: what it makes of each message, and what it answers once that is kept."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hand_made_tag import OTHER_TAG, SECRET, TAG, HandMadeTag
from strapline_protocol import contract
from strapline_protocol.codes import EventCode, Kind, Refusal
from strapline_protocol.contract import Message, Passage, Topic
from strapline_protocol.desk import Arrival, Desk, GatewayRecord, GatewayState, Refused, TimeAsked
from strapline_protocol.keys import CentreKeys, centre_keys
from strapline_protocol.received import Journals
from strapline_protocol.updates import Manifest
from strapline_wire import documents, frames
from strapline_wire.errors import LocalProtocolError

GATEWAY, KEY = "6a7e0001", bytes(range(32))
NOW = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())
NEW_SECRET = bytes(16)


class Bench:
    def __init__(self, *, keys=None, journals=None):
        self.tag = HandMadeTag()
        keys = [centre_keys(TAG, SECRET)] if keys is None else keys
        self.desk = Desk(keys, {GATEWAY: KEY}, utc=lambda: NOW, epoch=EPOCH, journals=journals)
        self._said = 0

    def say(self, channel, data, *, subject=TAG, key=KEY):
        self._said += 1
        topic = Topic(GATEWAY, channel, subject)
        return self.desk.receive(str(topic), contract.encode(Message(topic, str(self._said), NOW, data), key))

    def record(self, sealed, **more):
        return self.say("event", {"record": contract.text_of(sealed), "heard": contract.utc_text(NOW), **more})

    def out(self):
        said = []
        while (message := self.desk.next_message()) is not None:
            said.append(contract.decode(message.topic, message.payload, KEY))
        return said

    def accepted(self, heard, **options):
        self.desk.accept(heard, **options)
        return self.out()


@pytest.fixture
def bench():
    return Bench()


def test_nothing_is_answered_before_it_is_accepted(bench):
    heard = bench.record(bench.tag.event(detail=5))
    assert isinstance(heard, Arrival)
    assert (heard.gateway, heard.heard, heard.record.sequence, heard.record.body.detail) == (GATEWAY, NOW, 1, 5)
    assert bench.out() == []
    assert bench.desk.journals.of(TAG, bench.tag.journal).receipt() == (1, 0)
    (answer,) = bench.accepted(heard)
    assert answer.topic == Topic(GATEWAY, "receipt")
    assert (answer.data["source"], answer.data["base"]) == (TAG, 2)
    envelope, body = bench.tag.open_command(contract.octets(answer.data, "command"))
    assert (envelope.kind, frames.unpack_receipt(body)) == (frames.RECEIPT, (bench.tag.journal, 2, 0))


def test_journals_from_before_are_gone_on_with():
    journals = Journals()
    bench = Bench(journals=journals)
    for sequence in (1, 2, 3):
        journals.add(TAG, bench.tag.journal, sequence)
    (answer,) = bench.accepted(bench.record(bench.tag.event(sequence=4)))
    assert answer.data["base"] == 5


def test_a_desk_that_begins_anew_receipts_a_late_record_by_its_own_sequence(bench):
    (answer,) = bench.accepted(bench.record(bench.tag.event(sequence=500)))
    assert (answer.data["base"], answer.data["first"], answer.data["far_bitmap"]) == (1, 500, 0)
    envelope, body = bench.tag.open_command(contract.octets(answer.data, "command"))
    assert (envelope.kind, frames.unpack_receipt_far(body)) == (frames.RECEIPT_FAR, (bench.tag.journal, 500, 0))


def test_a_tombstone_moves_the_base_past_what_it_proves(bench):
    for sequence in (1, 5):
        bench.accepted(bench.record(bench.tag.event(sequence=sequence)))
    body = frames.pack_tombstone((1, 7, 2, 4, 3))
    (answer,) = bench.accepted(bench.record(bench.tag.record(frames.TOMBSTONE, body, sequence=6)))
    assert (answer.data["base"], answer.data["bitmap"]) == (7, 0)
    assert bench.desk.journals.tombstoned == 3


def test_a_tombstone_under_the_identity_of_another_record_explains_nothing(bench):
    for sequence in (1, 5):
        bench.accepted(bench.record(bench.tag.event(sequence=sequence)))
    body = frames.pack_tombstone((1, 7, 2, 4, 3))
    (answer,) = bench.accepted(bench.record(bench.tag.record(frames.TOMBSTONE, body, sequence=5)), new=False)
    assert answer.data["base"] == 2
    assert bench.desk.journals.tombstoned == 0


def test_what_a_gateway_says_in_clear_is_not_believed(bench):
    heard = bench.record(bench.tag.event(detail=5), fields={"kind": "event", "code": 16, "detail": 99}, sequence=77)
    assert (heard.record.sequence, heard.record.body.code, heard.record.body.detail) == (1, frames.EVENT_BEACON, 5)
    assert "code" not in heard._asdict()


# What cannot be opened.


def test_what_cannot_be_opened_is_refused_by_its_digest_and_never_counts_as_received(bench):
    genuine = bench.tag.event(sequence=1)
    forged = genuine[:-1] + bytes((genuine[-1] ^ 1,))
    heard = bench.record(forged)
    assert isinstance(heard, Refused)
    assert (heard.tag, heard.known, heard.sealed, heard.reason) == (TAG, True, forged, "forged")
    (answer,) = bench.accepted(heard)
    assert answer.topic == Topic(GATEWAY, "receipt")
    assert answer.data == {
        "source": TAG,
        "journal": bench.tag.journal,
        "base": 1,
        "bitmap": 0,
        "refused": {"sequence": 1, "digest": contract.digest(forged)},
    }
    (answer,) = bench.accepted(bench.record(genuine))
    assert answer.data["base"] == 2
    assert bench.desk.rejected == {"forged": 1}


def test_forged_journals_leave_nothing_behind(bench):
    for journal in range(50):
        forger = HandMadeTag(secret=NEW_SECRET, journal=journal)
        bench.accepted(bench.record(forger.event()))
    assert bench.desk.journals._received == {}


@pytest.mark.parametrize(
    ("sealed", "more", "wanted"),
    [
        (b"too short", {"journal": 5, "sequence": 7}, (5, 7)),
        (b"", {"journal": 5, "sequence": 0}, (5, 0)),
        (b"too short", {}, None),
    ],
)
def test_what_has_no_envelope_goes_by_the_identity_that_the_gateway_gives(bench, sealed, more, wanted):
    heard = bench.record(sealed, **more)
    if wanted is None:
        assert heard is None
        assert bench.desk.rejected == {"malformed": 1}
    else:
        assert (heard.journal, heard.sequence, heard.reason) == (*wanted, "truncated")


def test_a_tag_without_keys_here_is_refused_as_unknown(bench):
    heard = bench.say(
        "position",
        {"record": contract.text_of(bench.tag.fix()), "heard": contract.utc_text(NOW)},
        subject="7a9000ff",
    )
    assert (heard.tag, heard.known, heard.reason) == ("7a9000ff", False, "unknown_tag")


# What is genuine and cannot be read.


def test_an_unreadable_record_is_receipted_and_the_tag_is_told_once(bench):
    sealed = bench.tag.record(0x3E, b"of a newer firmware")
    receipt, told = bench.accepted(bench.record(sealed))
    assert receipt.data["base"] == 2
    assert told.topic == Topic(GATEWAY, "command", TAG)
    envelope, body = bench.tag.open_command(contract.octets(told.data, "command"))
    assert envelope.kind == frames.REFUSED
    assert frames.unpack_refused(body) == (bench.tag.journal, 1, Refusal.UNKNOWN_KIND)
    (again,) = bench.accepted(bench.record(sealed))
    assert again.topic == Topic(GATEWAY, "receipt")


@pytest.mark.parametrize("sequence", [0, 0xFFFFFFFF])
@pytest.mark.parametrize("kind", [0x3E, frames.EVENT, frames.TOMBSTONE])
def test_a_genuine_record_at_either_end_of_the_numbers_does_not_end_the_centre(bench, kind, sequence):
    body = {frames.TOMBSTONE: frames.pack_tombstone((1, 7, 1, 0xFFFFFFFF, 0xFFFFFFFF))}.get(kind, bytes(18))
    answers = bench.accepted(bench.record(bench.tag.record(kind, body, sequence=sequence)))
    assert answers[0].topic.channel == "receipt"


@pytest.mark.parametrize(("new", "count"), [(True, 2), (False, 1)])
def test_a_centre_with_a_store_of_its_own_says_itself_what_is_new(bench, new, count):
    assert len(bench.accepted(bench.record(bench.tag.record(0x3E, b"")), new=new)) == count


# The rest.


def test_presence_and_provisional_alarms_are_accepted_under_the_gateways_own_identity(bench):
    identity = {"tag": TAG, "journal": 9, "sequence": 1, "heard": contract.utc_text(NOW)}
    heard = bench.say("presence", {**identity, "present": True, "rssi_dbm": -60})
    assert isinstance(heard, GatewayRecord)
    assert (heard.tag, heard.channel, heard.data["rssi_dbm"]) == (TAG, "presence", -60)
    (answer,) = bench.accepted(heard)
    assert answer.data == {"source": GATEWAY, "journal": 9, "base": 2, "bitmap": 0}


def test_a_question_for_the_time_is_answered_at_once(bench):
    heard = bench.say("time", {"request": contract.text_of(bench.tag.time_request(b"12345678"))})
    assert isinstance(heard, TimeAsked)
    (answer,) = bench.out()
    envelope, body = bench.tag.open_command(contract.octets(answer.data, "command"))
    assert (envelope.kind, frames.unpack_time(body)) == (frames.TIME, (b"12345678", EPOCH, 0))
    assert bench.accepted(heard) == []


def test_a_retained_state_that_comes_again_is_passed_over_and_an_older_one_is_refused(bench):
    online = {"state": "online", "start": 2, "number": 5, "connection": 1}
    bench.desk.resume_state(GATEWAY, 2, 5)  # as after a restart
    assert [bench.say("state", online, subject=""), dict(bench.desk.rejected)] == [None, {}]
    assert bench.say("state", online | {"number": 4}, subject="") is None
    assert bench.desk.rejected == {"old_state": 1}
    assert bench.say("state", {"state": "lost", "start": 2}, subject="").state == "lost"
    assert bench.say("state", online, subject="") is None  # from before the loss, which it must not hide
    assert bench.desk.rejected == {"old_state": 2}
    assert bench.say("state", online | {"number": 6, "connection": 2}, subject="").state == "online"
    assert [bench.say("state", online | {"number": 6}, subject=""), bench.desk.rejected["old_state"]] == [None, 2]


def test_what_cannot_be_opened_has_come_all_the_same_and_was_not_dropped(bench):
    good = {"record": contract.text_of(bench.tag.event()), "heard": contract.utc_text(NOW)}
    bad = good | {"record": contract.text_of(bytes(40))}
    for number, data in enumerate((good, bad, {"no": "sense"}, good), 1):
        message = Message(Topic(GATEWAY, "event", TAG), str(number), NOW, data, Passage(False, 1, number))
        bench.desk.receive(str(message.topic), contract.encode(message, KEY))
    assert bench.desk.passages.overdue(2 * EPOCH, 0) == []
    assert sum(bench.desk.rejected.values()) == 2


def test_a_gateways_state_is_told(bench):
    heard = bench.say("state", {"state": "lost"}, subject="")
    assert heard == GatewayState(GATEWAY, "lost")
    assert bench.accepted(heard) == []


@pytest.mark.parametrize(("channel", "subject"), [("event", ""), ("presence", ""), ("state", TAG), ("receipt", "")])
def test_a_topic_of_another_shape_is_none_of_a_gateways(bench, channel, subject):
    assert bench.say(channel, {"state": "lost"}, subject=subject) is None
    assert bench.desk.rejected == {"topic": 1}


def test_a_document_in_parts_goes_out_in_order(bench):
    zones = [(n, 1, 0, 0, tuple((n, c) for c in range(60))) for n in range(3)]
    bench.desk.send(TAG, GATEWAY, *bench.desk.sealer(TAG).zones(1, zones))
    opened = [bench.tag.open_command(contract.octets(said.data, "command"))[0] for said in bench.out()]
    assert [envelope.kind for envelope in opened] == [frames.PART] * 4
    assert [envelope.number for envelope in opened] == [1, 2, 3, 4]


@pytest.mark.parametrize("call", [lambda desk: desk.sealer("7a9000ff"), lambda desk: desk.send(TAG, "6a7e00ff", b"x")])
def test_a_tag_or_a_gateway_that_is_not_ours_is_our_callers_mistake(bench, call):
    with pytest.raises(LocalProtocolError):
        call(bench.desk)


def test_commands_go_under_the_current_key_and_records_open_under_any():
    old, new = centre_keys(TAG, SECRET), centre_keys(TAG, NEW_SECRET)
    bench = Bench(keys=[old])
    bench.accepted(bench.record(bench.tag.event(sequence=1)))
    bench.desk.use_keys(TAG, [new, old])
    rekeyed = HandMadeTag(secret=NEW_SECRET)
    for number, sealed in ((2, bench.tag.event(sequence=2)), (3, rekeyed.event(sequence=3))):
        heard = bench.record(sealed)
        assert heard.record.key == (1 if number == 2 else 0)
        (answer,) = bench.accepted(heard)
        envelope, _ = rekeyed.open_command(contract.octets(answer.data, "command"))
        assert (envelope.origin, envelope.number) == (EPOCH, number)
    assert bench.desk.keys(TAG) == (new, old)


def test_a_tag_that_is_new_may_come_while_the_centre_runs(bench):
    bench.desk.use_keys(OTHER_TAG, [CentreKeys(OTHER_TAG, bytes(16))])
    assert bench.desk.sealer(OTHER_TAG).arm(1, NOW)


values = (
    st.none() | st.integers() | st.text(max_size=9) | st.sampled_from([TAG, "AAAA", "2026-03-02T20:00:00Z", {}, []])
)


@settings(max_examples=200)
@given(
    st.sampled_from(["event", "position", "presence", "alarm", "time", "state"]),
    st.dictionaries(
        st.sampled_from(["record", "heard", "tag", "journal", "sequence", "newest_alarm", "state", "request"]), values
    ),
)
def test_whatever_a_gateway_says_can_be_accepted_or_is_counted(channel, data):
    bench = Bench()
    heard = bench.say(channel, data, subject="" if channel == "state" else TAG)
    assert heard is not None or sum(bench.desk.rejected.values()) == 1
    if heard is not None:
        bench.accepted(heard)


def test_the_time_that_a_gateway_gives_is_taken_as_utc(bench):
    local = NOW.astimezone(tz=None) + timedelta(0)
    heard = bench.say("event", {"record": contract.text_of(bench.tag.event()), "heard": local.isoformat()})
    assert (heard.heard, heard.heard.tzinfo) == (NOW, UTC)


# New firmware.


IMAGE = bytes(range(256)) * 40
STREAM = Manifest.of(IMAGE, "esp32-c3", 6).pack() + bytes(2508) + IMAGE


def ordered(bench, said):
    """The commands in what the desk has said, opened."""
    commands = [message for message in said if message.topic.channel == "command"]
    return [bench.tag.open_command(contract.octets(message.data, "command")) for message in commands]


def test_an_update_goes_on_with_what_the_tags_events_call_for_and_each_of_them_once(bench):
    delivery = bench.desk.update(TAG, GATEWAY, STREAM, 3)
    ((begin, body),) = ordered(bench, bench.out())
    assert begin.kind == Kind.UPDATE_BEGIN
    assert frames.unpack_update_begin(body)[:3] == (3, len(STREAM), 2816)
    assert delivery.progress.state == "begun"
    told = bench.tag.event(code=EventCode.APPLIED, detail=Kind.UPDATE_CHUNK << 24 | 8192)
    commands = ordered(bench, bench.accepted(bench.record(told)))
    assert [envelope.kind for envelope, _ in commands[:-1]] == [Kind.UPDATE_CHUNK] * 19
    assert commands[-1][0].kind == Kind.UPDATE_COMMIT
    pieces = [documents.unpack_update_chunk(body) for _, body in commands[:-1]]
    assert [piece.offset for piece in pieces] == list(range(8192, len(STREAM), 256))
    assert b"".join(piece.data for piece in pieces) == STREAM[8192:]
    assert ordered(bench, bench.accepted(bench.record(told))) == []
    bench.accepted(bench.record(bench.tag.event(code=EventCode.APPLIED, detail=Kind.UPDATE_COMMIT << 24 | 6)))
    assert delivery.progress.state == "accepted"
    bench.accepted(bench.record(bench.tag.event(code=EventCode.UPDATE_TAKEN, detail=6)))
    assert delivery.progress == ("taken", len(STREAM), len(STREAM), None)


def test_what_is_no_signed_image_is_not_sent(bench):
    with pytest.raises(LocalProtocolError):
        bench.desk.update(TAG, GATEWAY, STREAM[:-1], 3)
    with pytest.raises(LocalProtocolError):
        bench.desk.update(OTHER_TAG, GATEWAY, STREAM, 3)
    with pytest.raises(LocalProtocolError):
        bench.desk.update(TAG, "6a7e0099", STREAM, 3)
    assert bench.out() == []
