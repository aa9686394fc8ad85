"""The relay on a broker in memory: what makes a record leave, what is refused, and what a reconnection does."""

import asyncio
import itertools
import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import jsonschema
import pytest

from hand_made_tag import ALARM, HandMadeTag
from mqtt_recorder import Recorder
from strapline_centre.centre import subscriptions as centre_subscriptions
from strapline_gateway.gateway import Gateway
from strapline_gateway.outbox import Outbox
from strapline_gateway.relay import ALARM_RESERVE, PUBACK_LIMIT_S, WINDOW, Relay, state_will, subscriptions
from strapline_gateway.station import Presence, Provisional, Record, Station, TimeRequest
from strapline_protocol import contract
from strapline_protocol.asyncapi import CHANNELS, message_schema
from strapline_protocol.contract import Message, Topic
from strapline_simulator.brokers import MemoryBroker
from strapline_simulator.clock import run_virtual
from strapline_wire import frames, seal

GATEWAY, KEY = "6a7e0001", bytes(range(32))
OTHER_GATEWAY, OTHER_KEY = "6a7e0002", bytes(range(1, 33))
SCHEMAS = {channel.name: jsonschema.Draft7Validator(message_schema(channel)) for channel in CHANNELS}
START = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)


def utc():
    return START + timedelta(seconds=asyncio.get_running_loop().time())


def entropy(size):
    return bytes(range(size))


class Far:
    """Whoever is at the other end of the broker: hears all that a centre hears, and says what a test wants."""

    def __init__(self, broker):
        self.client = broker.client("far", centre_subscriptions())
        self.recorder = Recorder()

    @property
    def heard(self):
        return [contract.decode(topic, payload, KEY) for topic, payload in self.recorder.messages]

    def data(self, channel):
        return [message.data for message in self.heard if message.topic.channel == channel]

    def states(self):
        return [data["state"] for data in self.data("state")]

    def sequences(self, channel="event"):
        return [data["sequence"] for data in self.data(channel)]

    def say(self, data, *, topic=None, key=KEY):
        topic = topic or Topic(GATEWAY, "receipt")
        message = Message(topic, "x", START, data)
        self.client.publish(str(topic), contract.encode(message, key))

    def receipt(self, journal, base, bitmap=0, source="7a900001", **more):
        self.say({"source": source, "journal": journal, "base": base, "bitmap": bitmap, **more})


class Near:
    """A relay with its outbox and client; what it hands on as commands is kept."""

    def __init__(self, broker, path=":memory:", tags=()):
        self.outbox = Outbox(path)
        self.client = broker.client("near", subscriptions(GATEWAY), state_will(GATEWAY, KEY, utc(), 1))
        self.commands = []
        self.relay = Relay(
            GATEWAY,
            KEY,
            self.outbox,
            self.client,
            utc=utc,
            clock=asyncio.get_running_loop().time,
            on_command=lambda tag, sealed: self.commands.append((tag, sealed)),
            entropy=entropy,
            tags=tags,
        )


def on_broker(story, tags=()):
    """Run `story(near, far, tag, broker)` with both ends connected."""

    async def main():
        broker = MemoryBroker()
        near, far = Near(broker, tags=tags), Far(broker)
        await far.client.connect(far.recorder)
        await near.client.connect(near.relay)
        await settle()
        try:
            await story(near, far, HandMadeTag(), broker)
        finally:
            near.relay.say_goodbye()
            await near.client.close()
            await far.client.close()
            near.outbox.close()

    run_virtual(main())


async def settle():
    """Let all that is on its way arrive; time hardly moves."""
    await asyncio.sleep(0.001)


def record_of(tag, code=frames.EVENT_BEACON):
    sealed = tag.event(code)
    return Record(tag.ident, seal.peek_envelope(sealed), sealed)


def test_a_record_is_published_with_what_the_gateway_may_say_of_it():
    async def story(near, far, tag, _broker):
        record, now = record_of(tag, frames.EVENT_STRAP_OPEN), utc()
        near.relay.keep(record)
        await settle()
        (message,) = [m for m in far.heard if m.topic.channel == "event"]
        assert message.topic.subject == tag.ident
        assert contract.octets(message.data, "record") == record.sealed
        assert message.data["journal"] == tag.journal
        assert message.data["sequence"] == 1
        assert message.data["alarm"] is True
        assert message.data["heard"] == contract.utc_text(now)

    on_broker(story)


def test_the_kind_of_a_record_chooses_its_channel():
    async def story(near, far, tag, _broker):
        sealed = tag.fix()
        near.relay.keep(Record(tag.ident, seal.peek_envelope(sealed), sealed))
        near.relay.keep(Presence(tag.ident, True, -60))
        near.relay.keep(Provisional(tag.ident, 3, ALARM))
        await settle()
        assert len(far.data("position")) == 1
        ((presence,), (alarm,)) = far.data("presence"), far.data("alarm")
        assert (presence["tag"], presence["present"], presence["rssi_dbm"]) == (tag.ident, True, -60)
        assert (alarm["tag"], alarm["newest_alarm"], alarm["state"]) == (tag.ident, 3, int(ALARM))
        assert (presence["source"], presence["sequence"]) == (GATEWAY, 1)
        assert (alarm["source"], alarm["sequence"]) == (GATEWAY, 2)
        assert presence["journal"] == alarm["journal"] == int.from_bytes(entropy(4), "big")

    on_broker(story)


def test_a_puback_lets_nothing_go_and_a_receipt_does():
    async def story(near, far, tag, _broker):
        near.relay.keep(record_of(tag))
        await settle()
        assert len(far.data("event")) == 1
        assert near.relay._unacknowledged == {}  # the PUBACK is here
        assert len(near.outbox) == 1
        far.receipt(tag.journal, 2)
        await settle()
        assert len(near.outbox) == 0

    on_broker(story)


def test_a_far_receipt_lets_go_what_lies_behind_a_gap():
    async def story(near, far, tag, _broker):
        for _ in range(3):
            near.relay.keep(record_of(tag))
        far.receipt(tag.journal, 1, first=2, far_bitmap=1)
        await settle()
        assert near.relay.rejected == {}
        near.outbox.due_again()
        assert [item.sequence for item in near.outbox.take_due(1e9, 10)] == [1]

    on_broker(story)


def test_what_the_centre_cannot_open_leaves_by_its_digest_and_the_genuine_one_beside_it_stays():
    async def story(near, far, tag, _broker):
        genuine = record_of(tag)
        forged = genuine._replace(sealed=genuine.sealed[:-1] + bytes((genuine.sealed[-1] ^ 1,)))
        for record in (forged, genuine):
            near.relay.keep(record)
        refused = {"sequence": 1, "digest": contract.digest(forged.sealed)}
        for _ in range(2):
            far.receipt(tag.journal, 1, refused=refused)
            await settle()
        assert near.relay.refused == 1
        near.outbox.due_again()
        (left,) = near.outbox.take_due(1e9, 10)
        assert contract.octets(left.data, "record") == genuine.sealed
        assert near.relay.rejected == {}

    on_broker(story)


def test_by_default_a_gateway_publishes_nothing_that_it_could_read():
    async def story(near, far, tag, _broker):
        near.relay.keep(record_of(tag))
        near.relay.keep(Record(tag.ident, seal.peek_envelope(sealed := tag.fix()), sealed))
        await settle()
        told = far.data("event") + far.data("position")
        assert [set(data) for data in told] == [
            {"record", "heard", "clock", "alarm", "source", "journal", "sequence"}
        ] * 2

    on_broker(story)
    on_broker(story, [HandMadeTag().gateway_keys])  # without the end-to-end key in them


def test_a_gateway_that_was_given_the_end_to_end_key_publishes_what_records_say_beside_them():
    keys = HandMadeTag().gateway_keys._replace(end_to_end=HandMadeTag().centre_keys.end_to_end)

    async def story(near, far, tag, _broker):
        near.relay.keep(record := record_of(tag, frames.EVENT_STRAP_OPEN))
        near.relay.keep(Record(tag.ident, seal.peek_envelope(sealed := tag.fix()), sealed))
        unreadable = tag.record(0x3E, b"of a newer firmware")
        near.relay.keep(Record(tag.ident, seal.peek_envelope(unreadable), unreadable))
        forged = record.sealed[:-1] + bytes((record.sealed[-1] ^ 1,))
        near.relay.keep(Record(tag.ident, record.envelope, forged))
        await settle()
        event, raw, nothing = far.data("event")
        (position,) = far.data("position")
        assert (event["fields"]["kind"], event["fields"]["code"]) == ("event", frames.EVENT_STRAP_OPEN)
        assert (position["fields"]["kind"], position["fields"]["lat_e7"]) == ("fix", 532487000)
        assert contract.octets(event, "record") == record.sealed
        assert "fields" not in raw
        assert "fields" not in nothing
        for channel, payload in [
            (m.topic.channel, p) for m, (_, p) in zip(far.heard, far.recorder.messages, strict=True)
        ]:
            SCHEMAS[channel].validate(json.loads(payload))
        # What it can read is not on its disk.
        near.outbox.due_again()
        assert all("fields" not in item.data for item in near.outbox.take_due(1e9, 10))

    on_broker(story, [keys])


def test_a_record_without_a_receipt_is_published_again_after_its_pause():
    async def story(near, far, tag, _broker):
        due = asyncio.get_running_loop().time() + 30.0
        near.relay.keep(record_of(tag))
        await settle()
        assert near.relay.next_deadline() == due
        await asyncio.sleep(30)
        near.relay.publish_due()
        await settle()
        assert far.sequences() == [1, 1]
        first, second = (m for m in far.heard if m.topic.channel == "event")
        assert first.ident == second.ident
        assert first.data == second.data

    on_broker(story)


def test_the_sealed_command_of_a_receipt_goes_to_the_tag():
    async def story(near, far, tag, _broker):
        far.receipt(tag.journal, 1, command=contract.text_of(b"sealed receipt"))
        far.say({"command": contract.text_of(b"sealed time")}, topic=Topic(GATEWAY, "command", tag.ident))
        await settle()
        assert near.commands == [(tag.ident, b"sealed receipt"), (tag.ident, b"sealed time")]
        assert near.relay.rejected == {}

    on_broker(story)


GOOD = {"source": "7a900001", "journal": 0x4A0B0001, "base": 9, "bitmap": 0}


@pytest.mark.parametrize(
    ("data", "options", "reason"),
    [
        (GOOD, {"key": OTHER_KEY}, "forged"),
        ({**GOOD, "journal": "1"}, {}, "malformed"),
        ({**GOOD, "base": -1}, {}, "malformed"),
        ({**GOOD, "base": True}, {}, "malformed"),
        ({**GOOD, "bitmap": 1 << 32}, {}, "malformed"),
        ({**GOOD, "bitmap": 1.0}, {}, "malformed"),
        ({**GOOD, "source": None}, {}, "malformed"),
        ({**GOOD, "source": ["7a900001"]}, {}, "malformed"),
        ({**GOOD, "source": "7A900001"}, {}, "malformed"),
        ({key: GOOD[key] for key in ("journal", "base", "bitmap")} | {"command": "AAAA"}, {}, "malformed"),
        ({**GOOD, "command": "no base64!"}, {}, "malformed"),
        ({**GOOD, "first": 1}, {}, "malformed"),
        ({**GOOD, "first": 1, "far_bitmap": 1 << 32}, {}, "malformed"),
        ({**GOOD, "first": "1", "far_bitmap": 0}, {}, "malformed"),
        ({**GOOD, "command": 5}, {}, "malformed"),
        ({**GOOD, "refused": 5}, {}, "malformed"),
        ({**GOOD, "refused": {"sequence": 1}}, {}, "malformed"),
        ({**GOOD, "refused": {"sequence": 1, "digest": "A" * 64}}, {}, "malformed"),
        ({**GOOD, "refused": {"sequence": 1, "digest": ["0"] * 64}}, {}, "malformed"),
        ({**GOOD, "refused": {"sequence": -1, "digest": "0" * 64}}, {}, "malformed"),
        ({}, {}, "malformed"),
        ({}, {"topic": Topic(GATEWAY, "command", "7a900001")}, "malformed"),
        ({"command": "AAAA"}, {"topic": Topic(GATEWAY, "command")}, "topic"),
        (GOOD, {"topic": Topic(OTHER_GATEWAY, "receipt")}, "topic"),
        (GOOD, {"topic": Topic(GATEWAY, "state")}, "topic"),
        (GOOD, {"topic": Topic(GATEWAY, "event", "7a900001")}, "topic"),
    ],
)
def test_what_is_no_receipt_for_us_is_counted_and_lets_nothing_go(data, options, reason):
    async def story(near, far, tag, _broker):
        near.relay.keep(record_of(tag))
        topic, key = options.get("topic", Topic(GATEWAY, "receipt")), options.get("key", KEY)
        payload = contract.encode(Message(topic, "x", START, data), key)
        near.relay.mqtt_message(str(topic), payload)
        assert near.relay.rejected == {reason: 1}
        assert len(near.outbox) == 1
        assert near.commands == []

    on_broker(story)


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[]", b"{}", b"null", b'{"seal": 5}', b"[" * 5000, b"x" * 20_000])
def test_a_hostile_broker_gets_counts_and_nothing_else(payload):
    async def story(near, far, tag, _broker):
        near.relay.keep(record_of(tag))
        for topic in (f"strapline/v1/{GATEWAY}/receipt", f"strapline/v1/{GATEWAY}/command/x", "", "a/b/c/d/e/f"):
            near.relay.mqtt_message(topic, payload)
        assert sum(near.relay.rejected.values()) == 4
        assert len(near.outbox) == 1

    on_broker(story)


def test_a_receipt_for_another_source_lets_nothing_of_ours_go():
    async def story(near, far, tag, _broker):
        near.relay.keep(record_of(tag))
        far.receipt(tag.journal, 9, source="7a9000ff")
        far.receipt(tag.journal + 1, 9)
        await settle()
        assert len(near.outbox) == 1
        assert near.relay.rejected == {}

    on_broker(story)


def test_after_a_reconnection_all_that_has_no_receipt_is_published_again():
    async def story(near, far, tag, _broker):
        for _ in range(5):
            near.relay.keep(record_of(tag))
        await settle()
        far.receipt(tag.journal, 3)
        await settle()
        near.client.drop()
        near.relay.keep(record_of(tag))
        await asyncio.sleep(5)
        assert far.sequences() == [1, 2, 3, 4, 5]
        await near.client.restore()
        await settle()
        assert far.sequences()[5:] == [3, 4, 5, 6]

    on_broker(story)


def test_what_was_kept_while_the_broker_was_away_goes_out_alarms_first():
    async def story(near, far, tag, _broker):
        near.client.drop()
        for code in (frames.EVENT_BEACON, frames.EVENT_BEACON, frames.EVENT_STRAP_OPEN):
            near.relay.keep(record_of(tag, code))
        assert near.relay.next_deadline() is None
        await near.client.restore()
        await settle()
        assert far.sequences() == [3, 1, 2]

    on_broker(story)


async def answer(near, far, tag):
    """The centre takes what comes, and gives a receipt for it each second, until nothing waits."""
    while len(near.outbox):
        await asyncio.sleep(1)
        has = set(far.sequences())
        far.receipt(tag.journal, next(n for n in itertools.count(1) if n not in has))
        await settle()


def test_no_more_than_a_window_is_on_its_way_and_a_flapping_line_does_not_pile_up_copies():
    async def story(near, far, tag, broker):
        for _ in range(WINDOW):
            near.relay.keep(record_of(tag))
        for _ in range(10):  # the broker goes and comes back before it has taken anything
            broker.stop()
            for _ in range(20):
                near.relay.keep(record_of(tag))
            broker.start()
        assert len(near.client._unacknowledged) == WINDOW + 10  # and ten births
        await answer(near, far, tag)
        assert set(far.sequences()) == set(range(1, WINDOW + 201))
        assert max(Counter(far.sequences()).values()) <= 3

    on_broker(story)


def test_an_alarm_does_not_queue_behind_the_history_that_a_slow_broker_has_not_taken():
    async def story(near, far, tag, _broker):
        for _ in range(1000):
            near.relay.keep(record_of(tag))
        # The first window is handed to the client; nothing has been acknowledged.
        assert len(near.client._unacknowledged) == WINDOW
        near.relay.keep(record_of(tag, frames.EVENT_STRAP_OPEN))
        assert len(near.client._unacknowledged) == WINDOW + 1
        await settle()
        assert far.sequences().index(1001) == WINDOW
        await answer(near, far, tag)
        assert set(far.sequences()) == set(range(1, 1002))

    on_broker(story)


class MuteClient:
    """Takes everything and acknowledges nothing, as for messages that a broker refuses."""

    def __init__(self):
        self.published = []

    def publish(self, topic, payload, *, retain=False, expiry_s=None):
        self.published.append(json.loads(payload)["data"])
        return len(self.published)


def test_messages_that_the_broker_refuses_do_not_stop_the_rest_for_ever():
    client, now, tag = MuteClient(), [0.0], HandMadeTag()
    outbox = Outbox(":memory:")
    relay = Relay(
        GATEWAY,
        KEY,
        outbox,
        client,
        utc=lambda: START + timedelta(seconds=now[0]),
        clock=lambda: now[0],
        on_command=lambda _tag, _sealed: None,
        entropy=entropy,
    )
    relay.mqtt_connected()
    for _ in range(3 * WINDOW):
        relay.keep(record_of(tag))
    for _ in range(100):
        relay.keep(record_of(tag, frames.EVENT_STRAP_OPEN))
    assert len(client.published) == 1 + WINDOW + ALARM_RESERVE
    deadline = relay.next_deadline()
    assert deadline == PUBACK_LIMIT_S
    seen = set()
    for _ in range(200):
        now[0] = relay.next_deadline()
        relay.publish_due()
        assert relay.next_deadline() > now[0]
        seen |= {data["sequence"] for data in client.published if "sequence" in data}
    assert len(seen) == 3 * WINDOW + 100
    outbox.close()


def test_birth_and_clean_end_are_retained_and_the_will_is_not_sent():
    async def main():
        broker = MemoryBroker()
        near, early = Near(broker), Far(broker)
        await early.client.connect(early.recorder)
        await near.client.connect(near.relay)
        await settle()
        near.relay.say_goodbye()
        await near.client.close()
        await asyncio.sleep(300)
        late = Recorder()
        await broker.client("late", centre_subscriptions()).connect(late)
        await settle()
        near.outbox.close()
        return early.states(), [json.loads(payload)["data"] for _, payload in late.messages]

    states, [goodbye] = run_virtual(main())
    assert states == ["online", "offline"]
    assert goodbye.pop("start") > 1
    assert goodbye == {"state": "offline", "number": 2, "connection": 1}


def test_a_gateway_that_goes_without_a_word_is_lost_after_the_wills_delay_and_found_again():
    async def story(near, far, _tag, _broker):
        near.client.drop()
        await asyncio.sleep(29)
        assert far.states() == ["online"]
        await asyncio.sleep(2)
        assert far.states() == ["online", "lost"]
        await near.client.restore()
        await settle()
        assert far.states() == ["online", "lost", "online"]
        idents = [message.ident for message in far.heard]
        assert len(set(idents)) == 3

    on_broker(story)


def test_a_request_for_the_time_is_passed_on_and_not_stored():
    async def story(near, far, tag, _broker):
        sealed = tag.time_request(b"12345678")
        near.relay.ask_time(TimeRequest(tag.ident, sealed))
        await settle()
        assert [contract.octets(data, "request") for data in far.data("time")] == [sealed]
        assert len(near.outbox) == 0
        near.client.drop()
        near.relay.ask_time(TimeRequest(tag.ident, sealed))
        await near.client.restore()
        await asyncio.sleep(100)
        assert len(far.data("time")) == 1

    on_broker(story)


def test_idents_are_not_used_again_after_a_restart(tmp_path):
    async def main():
        broker, path = MemoryBroker(), tmp_path / "outbox.sqlite"
        far = Far(broker)
        await far.client.connect(far.recorder)
        for _ in range(3):
            near = Near(broker, path)
            await near.client.connect(near.relay)
            near.relay.keep(Presence("7a900001", True, -60))
            near.relay.say_goodbye()
            await near.client.close()
            near.outbox.close()
            await asyncio.sleep(1)
        await settle()
        idents = {(m.topic.channel, m.ident) for m in far.heard}
        states = [ident for channel, ident in idents if channel == "state"]
        presences = sorted(ident for channel, ident in idents if channel == "presence")
        return len(states), presences

    states, presences = run_virtual(main())
    assert states == 6
    assert presences == [f"{GATEWAY}-00010203-{sequence}" for sequence in (1, 2, 3)]


def test_slots_are_kept_over_a_restart(tmp_path):
    async def main():
        for expected in ({}, {"7a900001": 5}, {"7a900001": 6, "7a900002": 1}):
            near = Near(MemoryBroker(), tmp_path / "outbox.sqlite")
            assert near.relay.slots() == expected
            near.relay.keep_slots({"7a900001": 5} if not expected else {"7a900001": 6, "7a900002": 1})
            near.outbox.close()

    run_virtual(main())


# With the gateway around it.


def with_gateway(story):
    async def main():
        broker = MemoryBroker()
        far = Far(broker)
        await far.client.connect(far.recorder)
        near, tag = Near(broker), HandMadeTag()
        station = Station(int(GATEWAY, 16), [tag.gateway_keys], entropy, home=True)
        gateway = Gateway(station, None)
        gateway.attach(near.relay)
        await near.client.connect(near.relay)
        async with gateway:
            await story(gateway, near, far, tag)
        near.relay.say_goodbye()
        await near.client.close()
        await far.client.close()
        near.outbox.close()

    run_virtual(main())


def hear(gateway, tag, *arguments):
    now = asyncio.get_running_loop().time()
    gateway.station.receive_advertisement("C0:00", -60, tag.heartbeat(now, *arguments), now)
    gateway.drain()


def test_a_gateway_that_hears_nothing_more_still_repeats_what_has_no_receipt():
    """The timer is armed by the broker's side alone: nothing on the radio would wake this gateway."""

    async def story(gateway, near, far, tag):
        near.client.drop()
        hear(gateway, tag)
        await asyncio.sleep(1000)  # the presence has gone again; no deadline is left
        assert gateway._timer is None
        await near.client.restore()
        assert gateway._timer is not None  # before any PUBACK
        await asyncio.sleep(100)
        assert far.sequences("presence") == [1, 2, 1, 2, 1, 2]  # at once, after 30 s, and after 60 s more

    with_gateway(story)


def test_a_full_disk_neither_ends_the_gateway_nor_loses_the_alarm_that_it_heard():
    async def story(gateway, near, far, tag):
        hear(gateway, tag)
        await settle()
        near.outbox._db.execute("PRAGMA query_only = 1")  # every write fails
        hear(gateway, tag, ALARM, 3)
        await asyncio.sleep(60)
        assert far.data("alarm") == []
        assert 0 < gateway.disk_faults < 50
        near.outbox._db.execute("PRAGMA query_only = 0")
        await asyncio.sleep(15)
        assert [data["newest_alarm"] for data in far.data("alarm")] == [3]

    with_gateway(story)


def test_a_gateway_remembers_where_its_tags_were():
    async def story(gateway, near, _far, tag):
        tag.slot = 5000
        hear(gateway, tag)
        assert gateway.station.rejected == {"unknown_tag": 1}
        near.outbox.note(f"slot/{tag.ident}", 4999)
        gateway.attach(near.relay)
        hear(gateway, tag)
        assert gateway.station.accepted == 1
        await settle()
        assert near.relay.slots() == {tag.ident: 5000}

    with_gateway(story)


def test_nothing_of_a_gateway_runs_after_its_end():
    async def main():
        broker = MemoryBroker()
        near, tag = Near(broker), HandMadeTag()
        station = Station(int(GATEWAY, 16), [tag.gateway_keys], entropy, home=True)
        gateway = Gateway(station, None)
        gateway.attach(near.relay)
        await near.client.connect(near.relay)
        async with gateway:
            hear(gateway, tag)
        gateway.drain()  # a link that closes last
        assert gateway._timer is None
        near.relay.say_goodbye()
        await near.client.close()
        near.outbox.close()
        await asyncio.sleep(2000)
        assert gateway.disk_faults == 0  # a timer that was still armed would ask the closed outbox

    run_virtual(main())
