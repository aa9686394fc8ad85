"""The centre's rules: what it believes, what it answers, and what it shows to a person."""

import asyncio
import hashlib
import hmac
import json
from datetime import UTC, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flash import Flash
from hand_made_tag import OTHER_SECRET, OTHER_TAG, SECRET, TAG, HandMadeTag
from mqtt_recorder import Recorder
from strapline_centre.centre import Centre, Person, subscriptions
from strapline_centre.ledger import Ledger
from strapline_centre.schedule import Schedule, Window
from strapline_centre.service import CentreService
from strapline_protocol import contract
from strapline_protocol.broker import topic_matches
from strapline_protocol.cipher import HostCipher
from strapline_protocol.contract import Message, Topic
from strapline_protocol.keys import centre_keys
from strapline_simulator.brokers import MemoryBroker
from strapline_simulator.clock import run_virtual
from strapline_tag.tag import Tag
from strapline_wire import frames

HOME, INGRESS = "6a7e0001", "6a7e00ce"
KEYS = {HOME: bytes(range(32)), INGRESS: bytes(range(100, 132))}
START = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)
EPOCH = int(START.timestamp())
WORK = Schedule(ZoneInfo("Europe/Berlin"), (Window(time(7, 30), time(18, 0)),))


class Bench:
    """A centre with two tags and two gateways, on a wall clock that a test sets."""

    def __init__(self, ledger=None, *, epoch=EPOCH, persons=None):
        self.now = START
        self.tag = HandMadeTag()
        self.ledger = ledger or Ledger()
        persons = persons or [Person(centre_keys(TAG, SECRET), WORK), Person(centre_keys(OTHER_TAG, OTHER_SECRET))]
        self.centre = Centre(persons, KEYS, self.ledger, utc=lambda: self.now, epoch=epoch)
        self._said = 0

    def close(self):
        self.ledger.close()

    def say(self, channel, data, *, subject=TAG, gateway=HOME, key=None, passage=None):
        """A message as this gateway sends it; gives the new ledger entry, and keeps the answers in `out`."""
        self._said += 1
        topic = Topic(gateway, channel, subject)
        message = Message(topic, str(self._said), self.now, data, passage)
        payload = contract.encode(message, key or KEYS[gateway])
        return self.receive(str(topic), payload)

    def receive(self, topic, payload):
        entry = self.centre.receive(topic, payload)
        self.out = self.answers()
        return entry

    def answers(self):
        """What the centre has to say, opened as its gateways open it."""
        out = []
        while (message := self.centre.next_message()) is not None:
            gateway = contract.parse_topic(message.topic).gateway
            out.append(contract.decode(message.topic, message.payload, KEYS[gateway]))
        return out

    def message(self, sealed, *, channel="event", gateway=HOME, subject=TAG):
        """A record as this gateway publishes it."""
        self._said += 1
        topic = Topic(gateway, channel, subject)
        data = {"record": contract.text_of(sealed), "heard": contract.utc_text(self.now)}
        return str(topic), contract.encode(Message(topic, str(self._said), self.now, data), KEYS[gateway])

    def record(self, sealed, *, channel="event", heard=None, **options):
        data = {"record": contract.text_of(sealed), "heard": contract.utc_text(heard or self.now)}
        return self.say(channel, data, **options)

    def own(self, channel, sequence, *, subject=TAG, **data):
        data = {
            "tag": subject,
            "journal": 0x06A7E001,
            "sequence": sequence,
            "heard": contract.utc_text(self.now),
            **data,
        }
        return self.say(channel, data, subject=subject)

    def alarm(self, sequence, newest_alarm):
        return self.own("alarm", sequence, newest_alarm=newest_alarm, state=0x61)

    @property
    def codes(self):
        return [alert.code for alert in self.centre.alerts.alerts]

    @property
    def rejected(self):
        return dict(self.centre.rejected)


@pytest.fixture
def bench():
    it = Bench()
    yield it
    it.close()


# Records.


def test_a_sealed_record_is_opened_and_kept_with_its_three_times(bench):
    heard = START - timedelta(hours=2)
    entry = bench.record(bench.tag.event(frames.EVENT_BEACON, 7.0, utc_s=EPOCH - 9000, detail=88), heard=heard)
    assert (entry.source, entry.journal, entry.sequence, entry.kind) == (TAG, bench.tag.journal, 1, "event")
    assert entry.fields == {
        "code": 4,
        "flags": 0,
        "boot": 1,
        "uptime_s": 7,
        "uptime_ms": 0,
        "utc_s": EPOCH - 9000,
        "detail": 88,
    }
    assert (entry.gateway, entry.gateway_utc, entry.centre_utc) == (HOME, heard, START)
    assert list(bench.ledger.entries()) == [entry]


def test_a_position_is_opened(bench):
    entry = bench.record(bench.tag.fix(12.0), channel="position")
    assert entry.kind == "fix"
    assert (entry.fields["lat_e7"], entry.fields["lon_e7"]) == (532487000, 104078000)


@pytest.mark.parametrize("gateway", [HOME, INGRESS])
def test_the_receipt_goes_to_the_gateway_that_asked_and_to_the_tag(bench, gateway):
    bench.record(bench.tag.event(sequence=1), gateway=gateway)
    bench.record(bench.tag.event(sequence=3), gateway=gateway)
    (answer,) = bench.out
    assert answer.topic == Topic(gateway, "receipt")
    command = contract.octets(answer.data, "command")
    assert {k: answer.data[k] for k in ("source", "journal", "base", "bitmap")} == {
        "source": TAG,
        "journal": bench.tag.journal,
        "base": 2,
        "bitmap": 1,
    }
    envelope, body = bench.tag.open_command(command)
    assert (envelope.kind, envelope.origin) == (frames.RECEIPT, EPOCH)
    assert frames.unpack_receipt(body) == (bench.tag.journal, 2, 1)


def test_a_record_far_behind_a_gap_is_receipted_by_its_own_sequence(bench):
    """A tag that was full has dropped positions for good: what comes after them must leave it all the same."""
    for sequence in (1, 41, 42):
        bench.record(bench.tag.event(sequence=sequence))
    bench.record(bench.tag.event(sequence=40))
    (answer,) = bench.out
    assert (answer.data["base"], answer.data["first"], answer.data["far_bitmap"]) == (2, 40, 0b11)
    envelope, body = bench.tag.open_command(contract.octets(answer.data, "command"))
    assert envelope.kind == frames.RECEIPT_FAR
    assert frames.unpack_receipt_far(body) == (bench.tag.journal, 40, 0b11)
    bench.record(bench.tag.event(sequence=34))
    assert "first" not in bench.out[0].data


def test_a_duplicate_is_no_new_entry_and_is_receipted_again_wherever_it_comes_from(bench):
    sealed = bench.tag.event()
    assert bench.record(sealed) is not None
    for gateway in (HOME, INGRESS):
        assert bench.record(sealed, gateway=gateway) is None
        assert [answer.topic for answer in bench.out] == [Topic(gateway, "receipt")]
        assert bench.out[0].data["base"] == 2
    assert bench.ledger.duplicates == 2
    assert len(list(bench.ledger.entries())) == 1


def test_the_same_identity_with_other_content_is_an_alert_once_and_the_first_stays(bench):
    first, second = bench.tag.event(detail=1, sequence=1), bench.tag.event(detail=2, sequence=1)
    bench.record(first)
    for _ in range(5):
        assert bench.record(second) is None
    assert bench.codes == ["conflict"]
    assert [entry.sealed for entry in bench.ledger.entries()] == [first]
    assert bench.out[0].data["base"] == 2  # it leaves the journal: nothing would ever change


def broken_seal(sealed):
    return sealed[:-1] + bytes((sealed[-1] ^ 1,))


@pytest.mark.parametrize(
    ("change", "subject", "reason"),
    [
        (broken_seal, TAG, "forged"),
        (lambda sealed: sealed[:1] + bytes((sealed[1] ^ 1,)) + sealed[2:], TAG, "forged"),  # the lane
        (lambda sealed: sealed[:9] + bytes((sealed[9] ^ 1,)) + sealed[10:], TAG, "forged"),  # the sequence
        (lambda sealed: sealed, OTHER_TAG, "forged"),
        (lambda sealed: sealed, "7a9000ff", "unknown_tag"),
        (lambda sealed: sealed[:12], TAG, "truncated"),
        (lambda _sealed: b"", TAG, "truncated"),
    ],
)
def test_a_record_that_is_not_the_tags_gets_no_entry_and_is_refused(bench, change, subject, reason):
    """It is kept raw, a person is told, and the gateway may let go of it; the tag's own record is still to come."""
    sealed = change(bench.tag.event(frames.EVENT_STRAP_OPEN))
    data = {"record": contract.text_of(sealed), "heard": contract.utc_text(START), "journal": 5, "sequence": 7}
    assert bench.say("event", data, subject=subject) is None
    assert list(bench.ledger.entries()) == []
    (kept,) = bench.ledger.refused()
    assert (kept.gateway, kept.tag, kept.sealed, kept.reason, kept.gateway_utc) == (
        HOME,
        subject,
        sealed,
        reason,
        START,
    )
    (answer,) = bench.out
    assert answer.topic == Topic(HOME, "receipt")
    assert answer.data == {
        "source": subject,
        "journal": kept.journal,
        "base": 1,
        "bitmap": 0,
        "refused": {"sequence": kept.sequence, "digest": contract.digest(sealed)},
    }
    assert bench.codes == ["refused"]
    assert bench.rejected == {reason: 1}


def test_what_is_refused_is_one_alert_for_each_gateway_and_tag_until_a_person_has_looked(bench):
    forger = HandMadeTag(secret=OTHER_SECRET)
    stranger = HandMadeTag("7a9000ff", OTHER_SECRET)
    for _ in range(3):
        for gateway in (HOME, INGRESS):
            bench.record(forger.event(), gateway=gateway)
        for subject in ("7a9000ff", "7a9000fe"):
            bench.record(stranger.event(), subject=subject)
    alerts = [(alert.subject, alert.code) for alert in bench.centre.alerts.alerts]
    assert alerts == [(TAG, "refused"), (TAG, "refused"), (HOME, "refused")]
    assert [alert.times for alert in bench.centre.alerts.alerts] == [3, 3, 6]
    first = bench.centre.alerts.alerts[0]
    bench.centre.alerts.acknowledge(first.id, "the tag was provisioned anew", "primary", bench.now)
    for gateway in (HOME, INGRESS):
        bench.record(forger.event(), gateway=gateway)
    assert bench.codes == ["refused"] * 4


def test_what_was_refused_is_shown_again_after_a_restart_among_the_rest(tmp_path):
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    bench = Bench(Ledger(url))
    bench.record(bench.tag.event(frames.EVENT_STRAP_OPEN))
    bench.now += timedelta(minutes=1)
    bench.record(HandMadeTag(secret=OTHER_SECRET).event())
    bench.now += timedelta(minutes=1)
    bench.record(bench.tag.event(frames.EVENT_REMOVED))
    before = bench.centre.alerts.alerts
    assert bench.codes == ["strap_open", "refused", "removed"]
    bench.close()
    again = Bench(Ledger(url), epoch=EPOCH + 60)
    assert again.centre.alerts.alerts == before
    again.close()


def test_a_centre_that_starts_again_on_the_same_ledger_in_memory_shows_the_same(bench):
    for number in range(1, 4):
        bench.record(bench.tag.event(frames.EVENT_STRAP_OPEN))
        bench.record(HandMadeTag(secret=OTHER_SECRET, journal=number).event(), gateway=(HOME, INGRESS)[number % 2])
    again = Bench(bench.ledger, epoch=EPOCH + 60)
    assert again.centre.alerts.alerts == bench.centre.alerts.alerts
    told = [(alert.code, alert.times) for alert in again.centre.alerts.alerts]
    assert sorted(told) == [("refused", 1), ("refused", 2), ("strap_open", 3)]


def test_a_forgery_does_not_keep_the_genuine_record_out(bench):
    genuine = bench.tag.event()
    bench.record(broken_seal(genuine))
    assert bench.record(genuine) is not None
    assert bench.out[0].data["base"] == 2
    assert "refused" not in bench.out[0].data


def test_the_same_record_sealed_again_under_another_key_is_no_conflict(tmp_path):
    """As after a re-keying, or before one, in a record that waited in an outbox meanwhile."""
    old, new = HandMadeTag(), HandMadeTag(secret=OTHER_SECRET)
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
    bench = Bench(ledger)
    bench.centre = Centre(
        [Person(new.centre_keys, other_keys=(old.centre_keys,))], KEYS, ledger, utc=lambda: START, epoch=EPOCH + 60
    )
    assert bench.record(old.event(detail=5)) is not None
    assert bench.record(new.event(detail=5)) is None
    assert (ledger.duplicates, ledger.conflicts, bench.codes) == (1, 0, [])
    new.open_command(contract.octets(bench.out[0].data, "command"))  # under the current key
    assert bench.record(new.event(detail=6, sequence=1)) is None
    assert (ledger.conflicts, bench.codes) == (1, ["conflict"])
    ledger.close()


def test_what_a_gateway_says_in_clear_of_a_record_is_not_believed(bench):
    data = {"record": contract.text_of(bench.tag.event(detail=5)), "heard": contract.utc_text(START)}
    entry = bench.say("event", data | {"fields": {"kind": "event", "code": 16, "detail": 99}})
    assert (entry.fields["code"], entry.fields["detail"]) == (frames.EVENT_BEACON, 5)
    assert bench.codes == []


def test_a_tombstone_accounts_for_what_a_full_journal_has_dropped(bench):
    for sequence in (1, 5):
        bench.record(bench.tag.event(sequence=sequence))
    assert bench.ledger.gaps(TAG, bench.tag.journal) == [2, 3, 4]
    body = frames.pack_tombstone((1, 7, 2, 4, 3))
    entry = bench.record(bench.tag.record(frames.TOMBSTONE, body, sequence=6))
    assert (entry.kind, entry.fields["dropped"]) == ("tombstone", 3)
    assert bench.out[0].data["base"] == 7
    assert (bench.ledger.tombstoned, bench.ledger.gaps(TAG, bench.tag.journal)) == (3, [])


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        (0x3E, b"of a newer firmware", "unknown_kind"),
        (frames.EVENT, bytes(17), "truncated"),
        (frames.EVENT, bytes((4, 0, 0, 0, 0, 0, 0, 0, 3, 0xE8)) + bytes(8), "out_of_range"),
        (frames.FIX, b"", "truncated"),
    ],
)
def test_a_genuine_record_that_cannot_be_read_is_kept_raw_shown_and_receipted(bench, kind, body, reason):
    """Without a receipt it would stay the lowest that is missing, and nothing 33 further on could ever leave the tag."""
    entry = bench.record(bench.tag.record(kind, body))
    assert entry.kind == "raw"
    assert entry.fields == {"kind": kind, "body": contract.text_of(body), "reason": reason}
    receipt, told = bench.out
    assert receipt.data["base"] == 2
    assert told.topic == Topic(HOME, "command", TAG)
    envelope, answer = bench.tag.open_command(contract.octets(told.data, "command"))
    assert envelope.kind == frames.REFUSED
    assert frames.unpack_refused(answer)[:2] == (bench.tag.journal, 1)
    assert bench.codes == ["unreadable"]
    bench.record(bench.tag.record(kind, body, sequence=1))
    assert [answer.topic.channel for answer in bench.out] == ["receipt"]  # once
    assert bench.codes == ["unreadable"]


def test_a_request_for_the_time_is_no_record(bench):
    assert bench.record(bench.tag.time_request(b"12345678")) is None
    assert bench.rejected == {"unexpected": 1}


def test_a_command_that_comes_back_as_a_record_is_refused(bench):
    assert bench.record(bench.centre.issue_arm(TAG, 1)) is None
    assert bench.rejected == {"forged": 1}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"key": KEYS[INGRESS]}, "forged"),
        ({"gateway": "6a7e0099", "key": bytes(32)}, "unknown_gateway"),
    ],
)
def test_a_message_under_another_gateways_key_is_refused(bench, options, reason):
    assert bench.record(bench.tag.event(), **options) is None
    assert bench.rejected == {reason: 1}
    assert list(bench.ledger.entries()) == []


@pytest.mark.parametrize(
    "heard",
    [
        None,
        5,
        "yesterday",
        "2026-03-02T20:00:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "",
    ],
)
def test_a_record_without_a_time_that_is_one_is_refused(bench, heard):
    assert bench.say("event", {"record": contract.text_of(bench.tag.event()), "heard": heard}) is None
    assert bench.rejected == {"malformed": 1}
    assert list(bench.ledger.entries()) == []


@pytest.mark.parametrize("channel", ["receipt", "command"])
def test_what_only_a_centre_says_is_refused(bench, channel):
    assert bench.say(channel, {}) is None
    assert bench.rejected == {"topic": 1}


json_values = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20), st.lists)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["event", "position", "presence", "alarm", "time", "state"]),
    st.dictionaries(
        st.sampled_from(
            ["record", "heard", "tag", "journal", "sequence", "newest_alarm", "state", "request", "rssi_dbm", "present"]
        ),
        json_values | st.sampled_from([TAG, "2026-03-02T20:00:00Z", "AAAA", 1]),
    ),
)
def test_whatever_a_gateway_says_gives_an_entry_or_a_count(channel, data):
    bench = Bench()
    entry = bench.say(channel, data, subject="" if channel == "state" else TAG)
    assert entry is not None or channel == "state" or sum(bench.rejected.values()) == 1
    bench.close()


def test_whatever_a_broker_says_gives_a_count(bench):
    @settings(max_examples=100, deadline=None)
    @given(st.one_of(st.text(max_size=60), st.just(f"strapline/v1/{HOME}/event/{TAG}")), st.binary(max_size=300))
    def says(topic, payload):
        before = sum(bench.rejected.values())
        assert bench.receive(topic, payload) is None
        assert sum(bench.rejected.values()) == before + 1
        assert bench.out == []

    says()
    assert list(bench.ledger.entries()) == []


@pytest.mark.parametrize(
    "heard", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00", "1969-12-31T23:59:59+00:00"]
)
@pytest.mark.parametrize("detail", [300, -300, 2**31 - 1, -(2**31)])
def test_a_record_from_beyond_the_calendar_is_refused_before_anyone_reckons_with_it(bench, heard, detail):
    left = bench.tag.event(frames.EVENT_LEFT_HOME, detail=detail)
    assert bench.record(left, heard=datetime.fromisoformat(heard)) is None
    assert bench.rejected == {"malformed": 1}
    bench.centre = Bench(bench.ledger).centre  # nothing is in the ledger that a new start would fall over
    assert bench.record(left) is not None


@pytest.mark.parametrize("heard", ["1970-01-01T00:00:00+00:00", "2199-12-31T23:59:59+00:00"])
@pytest.mark.parametrize("detail", [2**31 - 1, -(2**31)])
def test_a_gateway_whose_clock_is_unset_or_far_ahead_loses_no_record(bench, heard, detail):
    left = bench.tag.event(frames.EVENT_LEFT_HOME, detail=detail)
    assert bench.record(left, heard=datetime.fromisoformat(heard)) is not None
    Bench(bench.ledger)


@pytest.mark.parametrize(("channel", "field"), [("presence", "present"), ("alarm", "state"), ("presence", "more")])
def test_what_is_nested_nearly_too_deep_to_be_parsed_is_refused_before_it_is_kept(bench, channel, field):
    body = {"id": "x", "time": contract.utc_text(START)}
    own = {"tag": TAG, "journal": 1, "sequence": 1, "newest_alarm": 5, "heard": contract.utc_text(START)}
    topic = str(Topic(HOME, channel, TAG))
    # Sealed by hand: the nesting is text, which no JSON writer has to climb down.
    shallow = json.dumps(body | {"data": own | {field: "deep"}}, sort_keys=True, separators=(",", ":"))
    for number, depth in enumerate((20, *range(940, 1000)), 1):
        content = shallow.replace('"deep"', "[" * depth + "]" * depth)
        mac = hmac.new(KEYS[HOME], f"{topic}\n{content}".encode(), hashlib.sha256).hexdigest()[:32]
        assert bench.receive(topic, (content[:-1] + f',"seal":"{mac}"}}').encode()) is None
        assert bench.rejected == {"malformed": number}


# What a gateway says itself.


def test_presence_is_kept_under_the_gateways_own_identity_and_receipted(bench):
    entry = bench.own("presence", 1, present=True, rssi_dbm=-60)
    assert (entry.source, entry.sequence, entry.kind) == (HOME, 1, "presence")
    assert (entry.fields["tag"], entry.fields["present"], entry.fields["rssi_dbm"]) == (TAG, True, -60)
    (answer,) = bench.out
    assert answer.data == {"source": HOME, "journal": 0x06A7E001, "base": 2, "bitmap": 0}


def test_a_gateways_record_that_comes_twice_is_kept_once_and_receipted_twice(bench):
    assert bench.alarm(1, 5) is not None
    assert bench.alarm(1, 5) is None
    assert len(bench.out) == 1
    assert bench.codes == ["alarm"]


@pytest.mark.parametrize(
    ("channel", "data", "subject", "reason"),
    [
        ("presence", {"tag": OTHER_TAG}, TAG, "malformed"),
        ("alarm", {"newest_alarm": 256}, TAG, "malformed"),
        ("alarm", {}, TAG, "malformed"),
        ("presence", {"sequence": 0}, TAG, "malformed"),
        ("presence", {"journal": -1}, TAG, "malformed"),
        ("presence", {}, "7a9000ff", "unknown_tag"),
        ("alarm", {"newest_alarm": 5}, "7a9000ff", "unknown_tag"),
    ],
)
def test_a_gateways_own_record_must_make_sense(bench, channel, data, subject, reason):
    assert bench.own(channel, **{"sequence": 1, "subject": subject} | data) is None
    assert bench.rejected == {reason: 1}
    assert bench.codes == []
    assert list(bench.ledger.entries()) == []


def test_a_replayed_old_alarm_message_raises_nothing_new(bench):
    topic = Topic(HOME, "alarm", TAG)
    data = {
        "tag": TAG,
        "journal": 1,
        "sequence": 1,
        "newest_alarm": 3,
        "state": 0,
        "heard": contract.utc_text(START),
    }
    recorded = contract.encode(Message(topic, "x", START, data), KEYS[HOME])
    bench.receive(str(topic), recorded)
    bench.record(bench.tag.event(frames.EVENT_STRAP_OPEN, sequence=3))
    bench.now += timedelta(days=30)
    for _ in range(10):
        bench.receive(str(topic), recorded)
    assert bench.codes == ["strap_open"]


# Alerts.


def test_an_alarm_and_its_provisional_word_are_one_alert_in_either_order(bench):
    bench.alarm(1, 3)
    assert bench.codes == ["alarm"]
    bench.now += timedelta(seconds=2)
    bench.record(bench.tag.event(frames.EVENT_STRAP_OPEN, sequence=3))
    assert [(alert.code, alert.raised_utc) for alert in bench.centre.alerts.alerts] == [("strap_open", START)]
    bench.record(bench.tag.event(frames.EVENT_REMOVED, sequence=259))
    bench.alarm(2, 259 & 0xFF)
    assert bench.codes == ["strap_open", "removed"]


def test_an_alarm_of_a_new_journal_is_shown_though_it_has_the_number_of_an_old_one(bench):
    bench.record(bench.tag.event(frames.EVENT_STRAP_OPEN, sequence=3))
    bench.now += timedelta(hours=3)
    bench.alarm(1, 3)
    assert bench.codes == ["strap_open", "alarm"]


def test_alerts_stay_whatever_comes_after_them(bench):
    for code in (frames.EVENT_STRAP_OPEN, frames.EVENT_STRAP_CLOSED, frames.EVENT_ARMED, frames.EVENT_CAME_HOME):
        bench.record(bench.tag.event(code))
    assert bench.codes == ["strap_open"]


def test_alerts_outlive_a_restart_of_the_centre(tmp_path):
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    bench = Bench(Ledger(url))
    bench.alarm(1, 1)
    bench.record(bench.tag.event(frames.EVENT_STRAP_OPEN, sequence=1))
    bench.record(bench.tag.event(frames.EVENT_LEFT_HOME, sequence=2))
    bench.now += timedelta(hours=1)
    bench.alarm(2, 9)
    before = bench.centre.alerts.alerts
    assert bench.codes == ["strap_open", "left_home", "alarm"]
    bench.close()
    again = Bench(Ledger(url), epoch=EPOCH + 60)
    assert again.centre.alerts.alerts == before
    assert again.record(bench.tag.event(frames.EVENT_STRAP_OPEN, sequence=9)) is not None
    assert [(a.code, a.times) for a in again.centre.alerts.alerts] == [("strap_open", 2), ("left_home", 1)]
    again.close()


def berlin(text):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("left", "is_alert"),
    [
        ("2026-03-02T07:29", True),
        ("2026-03-02T07:31", False),
        ("2026-03-28T07:31", False),  # the day before summer time
        ("2026-03-29T07:29", True),  # the first day of summer time
        ("2026-03-29T07:31", False),
        ("2026-03-29T17:59", False),
        ("2026-03-29T18:01", True),
        ("2026-10-25T07:29", True),  # the first day of winter time
        ("2026-10-25T07:31", False),
        ("2026-10-25T18:01", True),
    ],
)
@pytest.mark.parametrize("told_by", ["tag", "gateway"])
def test_leaving_is_judged_by_the_wearers_local_time_of_the_moment_of_leaving(bench, left, is_alert, told_by):
    silence = timedelta(minutes=5)  # the tag is sure of it only then
    sure = berlin(left).astimezone(UTC) + silence
    utc_s = int(sure.timestamp()) if told_by == "tag" else 0
    # A tag that knows the time may deliver hours later.
    heard = sure if told_by == "gateway" else sure + timedelta(hours=11)
    bench.now = heard + timedelta(days=1)
    bench.record(bench.tag.event(frames.EVENT_LEFT_HOME, utc_s=utc_s, detail=300), heard=heard)
    assert bench.codes == (["left_home"] if is_alert else [])


def test_a_person_without_a_schedule_may_go(bench):
    other = HandMadeTag(OTHER_TAG, OTHER_SECRET)
    bench.record(other.event(frames.EVENT_LEFT_HOME), subject=OTHER_TAG)
    assert bench.codes == []
    assert not bench.centre.leaving.anybody_out


def test_who_may_be_out_by_a_schedule_is_looked_after(bench):
    left = berlin("2026-03-30T12:00").astimezone(UTC)
    bench.now = left
    bench.record(bench.tag.event(frames.EVENT_LEFT_HOME), heard=left)
    assert (bench.codes, bench.centre.leaving.anybody_out) == ([], True)
    bench.record(bench.tag.event(frames.EVENT_CAME_HOME), heard=left)
    assert not bench.centre.leaving.anybody_out


def test_the_will_of_a_gateway_is_an_alert_each_time_that_it_is_lost(bench):
    for state in ("online", "lost", "lost", "online", "offline", "online", "lost"):
        assert bench.say("state", {"state": state}, subject="") is None
    assert [(alert.code, alert.times) for alert in bench.centre.alerts.alerts] == [("gateway_lost", 2)]
    assert bench.centre.alerts.alerts[0].subject == HOME
    assert bench.centre.gateway_states == {HOME: "lost"}


@pytest.mark.parametrize("state", [None, "", "LOST", 5, ["lost"], {"lost": 1}])
def test_a_state_that_is_none_is_refused(bench, state):
    bench.say("state", {"state": state}, subject="")
    assert bench.rejected == {"malformed": 1}
    assert bench.centre.gateway_states == {}


# What goes to the tag.


def test_the_time_answers_the_tags_own_nonce_and_is_todays(bench):
    bench.now = START + timedelta(milliseconds=250)
    data = {"request": contract.text_of(bench.tag.time_request(b"\x00nonce!\xff"))}
    assert bench.say("time", data, gateway=INGRESS) is None
    (answer,) = bench.out
    assert answer.topic == Topic(INGRESS, "command", TAG)
    envelope, body = bench.tag.open_command(contract.octets(answer.data, "command"))
    assert envelope.kind == frames.TIME
    assert frames.unpack_time(body) == (b"\x00nonce!\xff", EPOCH, 250)
    assert list(bench.ledger.entries()) == []


def test_a_record_is_no_request_for_the_time(bench):
    bench.say("time", {"request": contract.text_of(bench.tag.event())})
    assert bench.out == []
    assert bench.rejected == {"unexpected": 1}


def real_tag():
    class Memory(dict):
        put = write = dict.__setitem__

        def read(self, name):
            return self.get(name, b"")

    tag = Tag(SECRET, Memory(), Random(1).randbytes, HostCipher, Flash())
    tag.feed_strap(0, 1000)
    return tag


def test_a_real_tag_is_armed_once_by_what_the_centre_issued(bench):
    tag, sealed = real_tag(), bench.centre.issue_arm(TAG, 7)
    tag.feed_key(1000, sealed)
    assert tag.armed
    recorded = tag.journal.newest
    tag.feed_key(2000, sealed)
    tag.feed_key(3000, broken_seal(bench.centre.issue_arm(TAG, 7)))
    other = Bench(epoch=EPOCH - 60)  # a centre restored from a backup, whose clock stood still
    tag.feed_key(4000, other.centre.issue_arm(TAG, 7))
    other.close()
    assert tag.journal.newest == recorded
    tag.feed_key(5000, bench.centre.issue_arm(TAG, 7))
    assert tag.journal.newest == recorded + 2  # the check, and that it is armed


def test_an_arm_for_another_tag_does_nothing(bench):
    tag = real_tag()
    tag.feed_key(1000, bench.centre.issue_arm(OTHER_TAG, 7))
    assert not tag.armed


def test_no_command_number_is_used_twice(bench):
    sealed = [bench.centre.issue_arm(TAG, 1)]
    for sequence in (1, 2, 3):
        bench.record(bench.tag.event(sequence=sequence))
        sealed += [contract.octets(answer.data, "command") for answer in bench.out]
    numbers = [(e.origin, e.number) for e, _ in map(bench.tag.open_command, sealed)]
    first = numbers[0][1]
    assert numbers == [(EPOCH, first + count) for count in range(4)]


def test_a_centre_that_starts_twice_in_a_second_or_with_its_clock_set_back_is_still_obeyed(tmp_path):
    """Its commands would else be sealed under nonces that are used up, and the tag would refuse even the receipts."""
    tag, url = real_tag(), f"sqlite:///{tmp_path}/ledger.sqlite"
    for start, epoch in enumerate((EPOCH, EPOCH, EPOCH - 86400)):
        bench = Bench(Ledger(url), epoch=epoch)
        before = tag.journal.newest
        tag.feed_key(1000 * start, bench.centre.issue_arm(TAG, 7))
        assert tag.journal.newest == before + 2  # the check, and that it is armed
        bench.close()


# On MQTT.


def test_the_centre_listens_to_everything_that_gateways_say_and_to_nothing_that_it_says_itself():
    said = {
        channel: str(Topic(HOME, channel, TAG if channel in contract.ABOUT_A_TAG else ""))
        for channel in contract.CHANNELS
    }
    heard = {c for c, topic in said.items() if any(topic_matches(f, topic) for f in subscriptions())}
    assert heard == {"state", "event", "position", "presence", "alarm", "notice", "time", "keyed"}


def test_the_service_publishes_the_answers_and_tells_of_new_entries_only():
    async def main():
        bench, broker, entries = Bench(), MemoryBroker(), []
        client = broker.client("centre", subscriptions())
        await client.connect(CentreService(bench.centre, client, entries.append))
        gateway, recorder = broker.client("gateway", [f"strapline/v1/{HOME}/receipt"]), Recorder()
        await gateway.connect(recorder)
        topic = Topic(HOME, "event", TAG)
        data = {"record": contract.text_of(bench.tag.event()), "heard": contract.utc_text(START)}
        for _ in range(2):
            gateway.publish(str(topic), contract.encode(Message(topic, "1", START, data), KEYS[HOME]))
        await asyncio.sleep(1)
        await gateway.close()
        await client.close()
        bench.close()
        return [entry.sequence for entry in entries], [json.loads(p)["data"]["base"] for _, p in recorder.messages]

    assert run_virtual(main()) == ([1], [2, 2])


# New keys.


def out(bench):
    """What the centre has to say now: (gateway, channel, data)."""
    said = []
    while (message := bench.centre.next_message()) is not None:
        topic = contract.parse_topic(message.topic)
        said.append(
            (topic.gateway, topic.channel, contract.decode(message.topic, message.payload, KEYS[topic.gateway]).data)
        )
    return said


def shares(bench):
    return [(gateway, data["generation"]) for gateway, channel, data in out(bench) if channel == "keys"]


def under(tag, generation):
    """The same tag with its journal, under later keys."""
    later = HandMadeTag()
    later._end_to_end, later.journal, later.sequence = HostCipher(generation.centre.end_to_end), tag.journal, 100
    return later


def rekey(bench, number):
    bench.centre.rekey(TAG)
    generation = bench.centre.desk._changes[TAG].generation
    for gateway in KEYS:
        bench.say("keyed", {"generation": number}, gateway=gateway)
    tag = under(bench.tag, generation)
    tag.sequence += number
    bench.record(tag.event())
    return tag


def test_a_restarted_centre_hands_out_the_keys_that_the_tag_has_and_those_under_way_and_none_before(bench):
    rekey(bench, 1)
    tag = rekey(bench, 2)
    again = Bench(bench.ledger, epoch=EPOCH + 1)
    assert set(shares(again)) == {(HOME, 2), (INGRESS, 2)}
    assert again.record(tag.event())
    again.centre.rekey(TAG)
    third = Bench(bench.ledger, epoch=EPOCH + 2)
    assert set(shares(third)) == {(HOME, 2), (HOME, 3), (INGRESS, 2), (INGRESS, 3)}


def test_a_tag_that_is_provisioned_anew_is_spoken_to_under_its_new_keys(bench):
    rekey(bench, 1)
    fresh = HandMadeTag(secret=OTHER_SECRET)
    again = Bench(bench.ledger, epoch=EPOCH + 1, persons=[Person(fresh.centre_keys)])
    assert shares(again) == []
    fresh.open_command(again.centre.issue_arm(TAG, 1))
    assert again.centre.rekey(TAG) == 1
    back = Bench(bench.ledger, epoch=EPOCH + 2)
    assert back.centre.rekey(TAG) == 2


def test_new_keys_go_to_the_gateways_that_hold_the_tags_keys_and_to_no_other():
    bench = Bench(persons=[Person(centre_keys(TAG, SECRET), gateways=(INGRESS,))])
    bench.centre.rekey(TAG)
    assert shares(bench) == [(INGRESS, 1)]
    bench.say("state", {"state": "online"}, subject="")
    assert [told.topic.channel for told in bench.out] == []
    bench.say("keyed", {"generation": 1}, gateway=INGRESS)
    assert [(told.topic.gateway, told.topic.channel) for told in bench.out] == [(INGRESS, "command")]
    bench.close()
