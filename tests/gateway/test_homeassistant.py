"""Home Assistant discovery: what it leaves on a broker, and that nothing of it stays."""

import asyncio
import json

from hand_made_tag import HandMadeTag
from strapline_gateway.homeassistant import Discovery
from strapline_gateway.station import Presence, Provisional, Record
from strapline_protocol.notices import Notice, NoticeCode
from strapline_simulator.brokers import MemoryBroker
from strapline_simulator.clock import run_virtual
from strapline_wire import frames, seal

GATEWAY, TAG, OTHER = "6a7e0001", "7a900001", "7a900002"
NOW = "2026-03-02T20:00:00.000Z"


class Nobody:
    def mqtt_connected(self):
        pass

    def mqtt_published(self, token):
        pass


def on_broker(story, *, enabled=True, times=1):
    """`story(discovery, kept)`, where `kept()` is what the broker would give to somebody who comes now; gives that at the end."""

    async def main():
        broker = MemoryBroker()

        def kept():
            return {topic: json.loads(message.payload) for topic, message in broker._retained.items()}

        for _ in range(times):
            client = broker.client("gateway", [])
            await client.connect(Nobody())
            discovery = Discovery(client, GATEWAY, [TAG, OTHER], enabled=enabled)
            discovery.start()
            await broker_settles()
            story(discovery, kept)
            await client.close()
        return kept()

    return run_virtual(main())


async def broker_settles():
    await asyncio.sleep(0.001)


def test_a_tag_is_one_retained_device_and_nothing_in_it_names_a_person():
    def story(_discovery, kept):
        configs = {topic: body for topic, body in kept().items() if topic.endswith("/config")}
        assert set(configs) == {f"homeassistant/device/strapline_{GATEWAY}_{tag}/config" for tag in (TAG, OTHER)}
        body = configs[f"homeassistant/device/strapline_{GATEWAY}_{TAG}/config"]
        assert body["device"]["identifiers"] == [f"strapline_{TAG}"]
        assert body["origin"]["name"]
        assert {part["platform"] for part in body["components"].values()} == {"binary_sensor", "sensor"}
        assert len({part["unique_id"] for part in body["components"].values()}) == 2
        assert kept()[body["state_topic"]] == {"home": "OFF", "last_alarm": None}
        assert TAG in json.dumps(body)

    on_broker(story)


def test_presence_and_the_last_alarm_follow():
    tag = HandMadeTag()
    alarm, beacon = tag.event(frames.EVENT_STRAP_OPEN), tag.event(frames.EVENT_BEACON)

    def story(discovery, _kept):
        discovery.heard(Presence(TAG, True, -60), NOW)
        discovery.heard(Provisional(OTHER, 3, 1), NOW)
        discovery.heard(Record(TAG, seal.peek_envelope(beacon), beacon), "2026-03-02T21:00:00.000Z")
        discovery.heard(Record(TAG, seal.peek_envelope(alarm), alarm), "2026-03-02T22:00:00.000Z")
        discovery.heard(Notice(NoticeCode.MOVED), NOW)
        discovery.heard(Presence("7a9000ff", True, -60), NOW)

    kept = on_broker(story)
    states = {topic[-8:]: body for topic, body in kept.items() if not topic.endswith("/config")}
    assert states == {
        TAG: {"home": "ON", "last_alarm": "2026-03-02T22:00:00.000Z"},
        OTHER: {"home": "OFF", "last_alarm": NOW},
    }


def test_a_tag_that_is_withdrawn_leaves_nothing_and_may_come_again():
    def story(discovery, _kept):
        discovery.withdraw(TAG)
        discovery.withdraw(TAG)
        discovery.heard(Presence(TAG, True, -60), NOW)
        discovery.enrol(OTHER)

    assert {topic.split("/")[-1] for topic in on_broker(story)} == {"config", OTHER}
    assert len(on_broker(story)) == 2

    def again(discovery, _kept):
        discovery.withdraw(TAG)
        discovery.enrol(TAG)

    assert len(on_broker(again)) == 4


def test_a_clean_end_leaves_nothing_on_the_broker():
    assert on_broker(lambda discovery, _kept: discovery.end()) == {}
    assert on_broker(lambda discovery, _kept: discovery.end(), times=3) == {}


def test_switched_off_it_publishes_nothing_and_takes_away_what_was_left():
    def off(discovery, kept):
        assert kept() == {}
        discovery.heard(Presence(TAG, True, -60), NOW)
        discovery.enrol("7a900003")
        discovery.end()

    assert on_broker(off, enabled=False) == {}

    async def main():
        broker = MemoryBroker()
        for enabled in (True, False):  # the first one was killed
            client = broker.client("gateway", [])
            await client.connect(Nobody())
            Discovery(client, GATEWAY, [TAG], enabled=enabled).start()
            await broker_settles()
            assert len(broker._retained) == (2 if enabled else 0)
            await client.close()

    run_virtual(main())
