"""After an outage: alarms first, then history that says so, in order; what the gateway tells of itself; schemas."""

import asyncio
import base64
import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import jsonschema
import pytest

from hand_made_tag import HandMadeTag
from mqtt_recorder import Recorder
from strapline_centre.centre import Centre, Person
from strapline_centre.centre import subscriptions as centre_subscriptions
from strapline_centre.ledger import Ledger
from strapline_centre.service import CentreService
from strapline_gateway.gateway import Gateway
from strapline_gateway.outbox import ALARM_LANE, HISTORY_LANE, Limits, Outbox
from strapline_gateway.relay import HISTORICAL_AFTER_S, Relay, state_will, subscriptions
from strapline_gateway.station import Presence, Provisional, Record, Station
from strapline_protocol import contract
from strapline_protocol.asyncapi import CHANNELS, message_schema
from strapline_protocol.contract import Message, Topic
from strapline_protocol.notices import Notice, NoticeCode
from strapline_simulator.brokers import MemoryBroker
from strapline_simulator.clock import run_virtual
from strapline_wire import frames, seal

GATEWAY, KEY = "6a7e0001", bytes(range(32))
START = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)
SCHEMAS = {
    channel.name: jsonschema.Draft7Validator(message_schema(channel), format_checker=jsonschema.FormatChecker())
    for channel in CHANNELS
}
DAY_S = 86_400


class World:
    """Gateway with its station, relay and outbox, the real centre, a broker in memory, and somebody who hears all of it.

    `set_clock` moves the gateway's wall clock alone.
    """

    def __init__(self, path=":memory:", limits=None):
        self.broker, self.tag, self.ahead_s = MemoryBroker(), HandMadeTag(), 0.0
        self.loop = asyncio.get_running_loop()
        self.outbox = Outbox(path, limits=limits, utc_s=lambda: self.gateway_utc().timestamp())
        will = state_will(GATEWAY, KEY, self.utc(), self.outbox.start)
        self.client = self.broker.client("near", subscriptions(GATEWAY), will)
        self.relay = Relay(
            GATEWAY, KEY, self.outbox, self.client, utc=self.gateway_utc, clock=self.loop.time,
            on_command=lambda _tag, _sealed: None, entropy=lambda size: bytes(range(size)),
        )  # fmt: skip
        station = Station(int(GATEWAY, 16), [self.tag.gateway_keys], bytes, home=True)
        self.gateway = Gateway(station, None)
        self.gateway.attach(self.relay)
        self.ledger = Ledger("sqlite://")
        persons = [Person(self.tag.centre_keys)]
        self.centre = Centre(persons, {GATEWAY: KEY}, self.ledger, utc=self.utc, epoch=1, entropy=bytes)
        self.centre_client = self.broker.client("centre", centre_subscriptions())
        self.entries = []
        self.service = CentreService(self.centre, self.centre_client, self.entries.append)
        self.spy = Recorder()
        self.spy_client = self.broker.client("spy", ["strapline/#"])

    def utc(self):
        return START + timedelta(seconds=self.loop.time())

    def gateway_utc(self):
        return self.utc() + timedelta(seconds=self.ahead_s)

    def keep(self, code=frames.EVENT_BEACON):
        sealed = self.tag.fix() if code is None else self.tag.event(code)
        self.gateway._heard.append(Record(self.tag.ident, seal.peek_envelope(sealed), sealed))

    async def until_empty(self):
        while len(self.outbox):  # noqa: ASYNC110 - on the virtual clock, and nobody tells of it
            await asyncio.sleep(1)

    def said(self, *channels):
        messages = [contract.decode(topic, payload, KEY) for topic, payload in self.spy.messages]
        return [message for message in messages if message.topic.channel in channels]

    def notices(self):
        return [(message.data["code"], message.data["detail"]) for message in self.said("notice")]

    def beat(self):
        self.centre.desk.beat(GATEWAY)
        self.service.publish()


def in_world(story, **options):
    async def main():
        world = World(**options)
        await world.spy_client.connect(world.spy)
        await world.centre_client.connect(world.service)
        await world.client.connect(world.relay)
        async with world.gateway:
            await story(world)
        world.relay.say_goodbye()
        for client in (world.client, world.centre_client, world.spy_client):
            await client.close()
        world.outbox.close()
        world.ledger.close()
        for topic, payload in world.spy.messages:
            SCHEMAS[contract.parse_topic(topic).channel].validate(json.loads(payload))
        return world

    return run_virtual(main())


async def hear(world, *codes):
    for code in codes:
        world.keep(code)
    world.gateway.drain()
    await asyncio.sleep(0.1)


def test_ten_days_without_a_line_come_alarms_first_then_history_in_order_and_marked_as_such():
    """R25, R07: 1,600 positions, the beacons and some alarms; all of it at the centre, none of it twice, within 15 min."""

    async def story(world):
        await hear(world, frames.EVENT_BEACON)
        world.client.drop()
        for day in range(10):
            for hour in range(24):
                codes = [None] * 20 if hour < 8 else [frames.EVENT_BEACON] if hour % 4 == 0 else []
                if (day, hour) in ((3, 5), (7, 20)):
                    codes.append(frames.EVENT_STRAP_OPEN)
                await hear(world, *codes)
                await asyncio.sleep(3600)
        assert world.outbox.held(HISTORY_LANE) == 1600 + 40
        assert world.outbox.held(ALARM_LANE) == 2
        before, back_at = len(world.entries), world.loop.time()
        await world.client.restore()
        await world.until_empty()
        assert world.loop.time() - back_at < 15 * 60
        await hear(world, frames.EVENT_BEACON)
        arrived = [(entry.sequence, entry.fields.get("code")) for entry in world.entries[before:]]
        alarms, history = arrived[:2], arrived[2:]
        assert [code for _, code in alarms] == [frames.EVENT_STRAP_OPEN] * 2
        assert history == sorted(history)
        assert len({sequence for sequence, _ in arrived}) == 1643
        told = world.said("event", "position")
        assert [m.passage.historical for m in (told[0], told[-1])] == [False, False]
        assert all(m.passage.historical for m in told[1:-1])
        assert len(told) == 1644  # none of it went out twice
        assert not world.centre.rejected

    world = in_world(story)
    assert world.centre.alerts is not None


def test_messages_about_a_tag_are_numbered_without_a_gap_repeated_ones_too():
    async def story(world):
        await hear(world, frames.EVENT_BEACON, None)
        await world.centre_client.close()
        await hear(world, frames.EVENT_BEACON)
        world.gateway.tell(Notice(NoticeCode.MOVED))
        world.gateway.tell(Notice(NoticeCode.CLONE_HEARD, world.tag.ident))
        world.gateway.tell(Notice(NoticeCode.RADIO_DEAF))
        await asyncio.sleep(1000)
        told = world.said("event", "position", "notice")
        about_tag = [m.passage.number for m in told if m.topic.subject or m.data.get("tag")]
        about_none = [m.passage.number for m in told if not m.topic.subject and not m.data.get("tag")]
        assert about_tag == list(range(1, len(about_tag) + 1))
        assert about_none == list(range(1, len(about_none) + 1))
        assert len(about_tag) > 8
        assert len({m.passage.start for m in told}) == 1
        # The data itself stays the same, however often it is said.
        by_ident = {}
        for message in told:
            assert by_ident.setdefault(message.ident, message.data) == message.data
        assert max(Counter(m.ident for m in told).values()) > 3
        world.centre_client = world.broker.client("centre", centre_subscriptions())

    in_world(story)


def test_what_waits_for_longer_than_five_minutes_is_history_too():
    async def story(world):
        world.centre_client.drop()
        await hear(world, frames.EVENT_BEACON)
        await asyncio.sleep(HISTORICAL_AFTER_S + 200)
        marks = [(m.time - datetime.fromisoformat(m.data["heard"]), m.passage.historical) for m in world.said("event")]
        assert [mark for _, mark in marks[:1]] == [False]
        assert all(mark == (waited > timedelta(seconds=HISTORICAL_AFTER_S)) for waited, mark in marks)
        assert marks[-1][1]
        await world.centre_client.restore()

    in_world(story)


def test_three_times_and_what_the_clock_is_worth_are_on_each_record():
    async def story(world):
        await hear(world, frames.EVENT_BEACON)
        world.ahead_s = 7200.0
        await hear(world, frames.EVENT_BEACON)
        (first, second), (jump,) = world.said("event"), world.notices()
        assert (first.data["clock"], second.data["clock"]) == ("unsure", "set")
        assert jump == ("clock_jumped", {"jump_s": 7200})
        assert datetime.fromisoformat(second.data["heard"]) - datetime.fromisoformat(first.data["heard"]) > timedelta(
            hours=2
        )
        assert second.time >= datetime.fromisoformat(second.data["heard"])
        assert [alert.text for alert in world.centre.alerts.alerts if "clock was set" in alert.text]

    in_world(story)


def test_a_position_expires_at_the_broker_once_it_goes_out_again_and_an_event_never():
    asked = []

    async def story(world):
        publish = world.client.publish
        world.client.publish = lambda topic, payload, **how: (
            asked.append((topic, how)),
            publish(topic, payload, **how),
        )[1]
        world.centre_client.drop()
        await hear(world, frames.EVENT_BEACON, None, frames.EVENT_STRAP_OPEN)
        await asyncio.sleep(3 * 3600)
        waiting = Counter(
            topic.split("/")[3] for topic in (m.topic for m in world.broker._sessions["centre"].queue if m.is_fresh())
        )
        assert waiting["position"] <= 2 < waiting["event"]
        await world.centre_client.restore()
        await asyncio.sleep(60)
        assert len(world.outbox) == 0

    in_world(story)
    expiries = {
        channel: [how["expiry_s"] for topic, how in asked if topic.split("/")[3] == channel]
        for channel in ("event", "position")
    }
    assert set(expiries["event"]) == {None}
    assert expiries["position"][:3] == [60, 90, 150]


# What is told of the outbox.


def test_positions_that_were_dropped_are_told_and_what_is_there_and_what_is_told_make_the_whole():
    async def story(world):
        world.client.drop()
        for _ in range(30):
            await hear(world, *[None] * 100)
        assert world.outbox.dropped_positions > 0
        await world.client.restore()
        await world.until_empty()
        ((code, told),) = world.notices()
        arrived = {entry.sequence for entry in world.entries if entry.source == world.tag.ident}
        gone = set(range(1, 3001)) - arrived
        assert code == "positions_dropped"
        assert told["count"] == len(gone)
        assert (told["first_sequence"], told["last_sequence"]) == (min(gone), max(gone))
        assert told["journal"] == world.tag.journal
        assert told["first_utc_s"] == int(START.timestamp())
        assert world.said("notice")[0].data["tag"] == world.tag.ident
        assert world.outbox.dropped() == []

    in_world(story, limits=Limits(600_000, 100_000))


def test_a_damaged_outbox_is_told_and_what_was_rescued_goes_on_its_way(tmp_path):
    path = tmp_path / "outbox.sqlite"
    box = Outbox(path)
    journal = box.own_journal(0x0B0C0D0E)
    tag = HandMadeTag()
    for _ in range(40):
        sealed = tag.event()
        envelope = seal.peek_envelope(sealed)
        data = {"record": base64.b64encode(sealed).decode(), "heard": contract.utc_text(START), "alarm": False}
        box.put(HISTORY_LANE, "event", tag.ident, envelope.origin, envelope.number, data, START.timestamp())
    box.put_own(
        HISTORY_LANE,
        "presence",
        GATEWAY,
        journal,
        {"tag": tag.ident, "present": True, "rssi_dbm": -60, "heard": contract.utc_text(START)},
        START.timestamp(),
    )
    box.close()
    data = bytearray(path.read_bytes())
    data[-2 * 4096 :] = bytes(2 * 4096)
    path.write_bytes(data)

    async def story(world):
        await asyncio.sleep(100)
        ((code, told),) = world.notices()
        assert code == "store_set_aside"
        assert told["rows_rescued"] > 0
        assert len(world.entries) == told["rows_rescued"] + 1
        assert len(world.outbox) == 0
        # The gateway's own numbers begin anew, under another id: no identity comes again.
        assert [m.data["journal"] for m in world.said("notice")] == [0x00010203]
        assert not [alert for alert in world.centre.alerts.alerts if "other content" in alert.text]

    in_world(story, path=path)


def test_a_damage_in_use_is_mended_by_the_gateway_itself(tmp_path):
    async def story(world):
        world.client.drop()
        await hear(world, *[frames.EVENT_BEACON] * 30)
        world.outbox._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = world.outbox._path.stat().st_size
        with world.outbox._path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (size - 2 * 4096))
        world.outbox._db.execute("PRAGMA cache_size = 0")
        world.outbox._db.execute("PRAGMA shrink_memory")
        await hear(world, frames.EVENT_STRAP_OPEN)
        for _ in range(4):
            await asyncio.sleep(10)
            await hear(world, frames.EVENT_BEACON)
        await world.client.restore()
        await asyncio.sleep(300)
        assert [code for code, _ in world.notices()] == ["store_set_aside"]
        assert len(world.outbox) == 0
        assert [entry.sequence for entry in world.entries if entry.source == world.tag.ident][-3:] == [33, 34, 35]
        assert len(list(tmp_path.glob("*.damaged-*"))) >= 1

    in_world(story, path=tmp_path / "outbox.sqlite")


def test_a_full_disk_is_told_once_when_it_takes_something_again():
    async def story(world):
        pages = world.outbox._db.execute("PRAGMA page_count").fetchone()[0]
        world.outbox._db.execute(f"PRAGMA max_page_count = {pages}")
        world.client.drop()
        for _ in range(40):
            await hear(world, *[frames.EVENT_BEACON] * 20)
        assert world.gateway.disk_faults > 1
        world.outbox._db.execute("PRAGMA max_page_count = 100000")
        await world.client.restore()
        await hear(world, frames.EVENT_BEACON)
        await asyncio.sleep(100)
        assert [code for code, _ in world.notices()] == ["disk_full"]

    in_world(story)


def test_what_the_relay_notices_while_the_disk_fails_is_told_afterwards():
    async def story(world):
        world.outbox._db.execute("PRAGMA query_only = 1")
        world.ahead_s = -3600.0
        await hear(world, frames.EVENT_BEACON)
        await asyncio.sleep(30)
        assert world.gateway.disk_faults > 0
        world.outbox._db.execute("PRAGMA query_only = 0")
        await hear(world, frames.EVENT_STRAP_OPEN)
        await asyncio.sleep(30)
        assert world.notices() == [("clock_jumped", {"jump_s": -3600})]

    in_world(story)


# The centre's silence.


def test_a_centre_that_falls_silent_and_comes_back_is_told_of():
    async def story(world):
        world.beat()
        await asyncio.sleep(100)
        world.beat()
        await asyncio.sleep(contract.SILENT_AFTER_S - 1)
        assert not world.relay.status().centre_silent
        await asyncio.sleep(2)
        assert world.relay.status().centre_silent
        await asyncio.sleep(100)
        world.beat()
        await asyncio.sleep(1)
        assert world.notices() == [("centre_silent", {"silent_s": 300}), ("centre_back", {"silent_s": 401})]
        assert not world.relay.status().centre_silent

    in_world(story)


def test_that_the_centre_beats_is_known_after_a_restart(tmp_path):
    async def beats(world):
        world.beat()
        await asyncio.sleep(1)

    async def does_not(world):
        world.centre_client.drop()
        await asyncio.sleep(contract.SILENT_AFTER_S + 1)
        assert world.relay.status().centre_silent
        await world.centre_client.restore()

    in_world(beats, path=tmp_path / "outbox.sqlite")
    in_world(does_not, path=tmp_path / "outbox.sqlite")


def test_an_old_beat_that_a_broker_repeats_is_counted_and_hides_nothing():
    async def story(world):
        world.beat()
        await asyncio.sleep(1)
        (beat,) = world.said("beat")
        for _ in range(4):
            await asyncio.sleep(100)
            world.relay.mqtt_message(str(beat.topic), contract.encode(beat, KEY))
        assert world.relay.rejected == {"old_beat": 4}
        assert world.notices()[0][0] == "centre_silent"

    in_world(story)


def test_every_channel_keeps_its_schema():
    """Those of a run are held to it elsewhere (`test_asyncapi.py`); here are the ones that need an occasion."""

    async def story(world):
        world.beat()
        world.centre.desk.send_schedule(world.tag.ident, GATEWAY, 3, b"\x01\x02")
        world.service.publish()
        for code in NoticeCode:
            world.gateway.tell(Notice(code, world.tag.ident if code is NoticeCode.CLONE_HEARD else "", {"n_s": 1}))
        world.gateway._heard += [Presence(world.tag.ident, True, -60), Provisional(world.tag.ident, 3, 1)]
        await hear(world, frames.EVENT_BEACON, None)
        await asyncio.sleep(200)
        assert len(world.outbox) == 0

    world = in_world(story)
    told = {contract.parse_topic(topic).channel for topic, _ in world.spy.messages}
    assert told == set(contract.CHANNELS) - {"time", "command", "keys", "keyed"}


def test_the_status_says_what_waits():
    async def story(world):
        world.client.drop()
        await hear(world, frames.EVENT_STRAP_OPEN, frames.EVENT_BEACON, None)
        await asyncio.sleep(100)
        status = world.relay.status()
        assert (status.connected, status.alarms_waiting, status.history_waiting) == (False, 1, 2)
        assert status.oldest_alarm_age_s == pytest.approx(100.1, abs=0.2)
        assert 0 < status.outbox_bytes < status.outbox_limit_bytes
        await world.client.restore()
        await asyncio.sleep(5)
        status = world.relay.status()
        assert (status.connected, status.alarms_waiting, status.oldest_alarm_age_s) == (True, 0, None)
        assert (status.published, status.receipted) == (3, 3)

    in_world(story)


def test_a_gateway_of_before_there_were_passages_is_understood():
    async def story(world):
        sealed = world.tag.event()
        data = {"record": contract.text_of(sealed), "heard": contract.utc_text(world.utc()), "alarm": False}
        envelope = seal.peek_envelope(sealed)
        data |= {"source": world.tag.ident, "journal": envelope.origin, "sequence": envelope.number}
        topic = Topic(GATEWAY, "event", world.tag.ident)
        heard = world.centre.desk.receive(str(topic), contract.encode(Message(topic, "x", world.utc(), data), KEY))
        assert (heard.passage, heard.clock) == (None, "")
        for clock in ("synchronised", "of another kind", 5, ["set"]):
            payload = contract.encode(Message(topic, "x", world.utc(), data | {"clock": clock}), KEY)
            assert world.centre.desk.receive(str(topic), payload).clock == (clock if clock == "synchronised" else "")

    in_world(story)
