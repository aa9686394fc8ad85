import asyncio
import itertools
import socket
import threading

import pytest

from mqtt_recorder import Recorder
from strapline_protocol.mqtt import BrokerError, Will
from strapline_simulator.brokers import AmqttBroker, MemoryBroker, open_broker
from strapline_simulator.clock import run_virtual

pytestmark = pytest.mark.usefixtures("no_leaked_threads")


@pytest.fixture(params=["memory", "amqtt", "mosquitto", "mosquitto 3.1.1"])
def spec(request):
    if not request.param.startswith("mosquitto"):
        return request.param
    url = request.getfixturevalue("mosquitto").url
    return f"{url}?version=3.1.1" if request.param.endswith("3.1.1") else url


def on_broker(spec, story):
    """Run `story(join)`; `join(client_id, *subscriptions, will=None)` connects a client with a Recorder."""

    async def main():
        async with open_broker(spec) as broker:
            clients = []

            async def join(client_id, *subscriptions, will=None):
                client = broker.client(client_id, subscriptions, will)
                await client.connect(recorder := Recorder())
                clients.append(client)
                return client, recorder

            try:
                return await story(join)
            finally:
                for client in clients:
                    await client.close()

    return asyncio.run(main())


def test_the_first_thing_heard_is_the_connection(spec):
    async def story(join):
        _, recorder = await join("a", "x")
        assert recorder.heard == [("up",)]

    on_broker(spec, story)


def test_filters_choose_what_arrives(spec):
    async def story(join):
        _, one = await join("one", "home/+/state")
        _, tree = await join("tree", "home/#")
        _, exact = await join("exact", "home/1/state", "away")
        sender, _ = await join("sender")
        for topic in ("home", "home/1/state", "home/2/state", "home/1/state/old", "away", "other"):
            sender.publish(topic, topic.encode())
        sender.publish("home/9/state", b"last")
        sender.publish("away", b"last")
        await one.until(lambda me: ("home/9/state", b"last") in me.heard)
        await tree.until(lambda me: ("home/9/state", b"last") in me.heard)
        await exact.until(lambda me: ("away", b"last") in me.heard)
        assert [topic for topic, _ in one.messages] == ["home/1/state", "home/2/state", "home/9/state"]
        assert [topic for topic, _ in exact.messages] == ["home/1/state", "away", "away"]
        assert [topic for topic, _ in tree.messages] == [
            "home",
            "home/1/state",
            "home/2/state",
            "home/1/state/old",
            "home/9/state",
        ]

    on_broker(spec, story)


def test_a_retained_birth_reaches_who_comes_later_until_it_is_cleared(spec):
    async def story(join):
        sender, acknowledged = await join("sender")
        sender.publish("g1/state", b"online", retain=True)
        await acknowledged.pubacks_heard(1)
        _, late = await join("late", "+/state")
        assert await late.messages_heard(1) == [("g1/state", b"online")]
        sender.publish("g1/state", b"", retain=True)
        assert await late.messages_heard(2) == [("g1/state", b"online"), ("g1/state", b"")]
        _, later = await join("later", "+/state")
        sender.publish("g2/state", b"fence")
        assert await later.messages_heard(1) == [("g2/state", b"fence")]

    on_broker(spec, story)


def test_a_cut_line_publishes_the_will_and_keeps_it(spec):
    async def story(join):
        _, watcher = await join("watcher", "+/state")
        gateway, heard = await join("gateway", "down", will=Will("g/state", b"lost"))
        gateway.drop()
        assert await watcher.messages_heard(1) == [("g/state", b"lost")]
        assert heard.heard == [("up",), ("down", "the line is cut")]
        _, later = await join("later", "+/state")
        assert await later.messages_heard(1) == [("g/state", b"lost")]

    on_broker(spec, story)


def test_a_clean_close_publishes_no_will(spec):
    async def story(join):
        _, watcher = await join("watcher", "+/state", "fence")
        gateway, heard = await join("gateway", will=Will("g/state", b"lost"))
        gateway.publish("g/state", b"offline", retain=True)
        await gateway.close()
        assert heard.heard == [("up",), ("puback", 1)]
        other, _ = await join("other")
        other.publish("fence", b"")
        assert await watcher.messages_heard(2) == [("g/state", b"offline"), ("fence", b"")]

    on_broker(spec, story)


def test_each_token_is_acknowledged_once_in_order(spec):
    async def story(join):
        sender, recorder = await join("sender")
        tokens = [sender.publish("x", b"%d" % n) for n in range(300)]
        assert len(set(tokens)) == 300
        assert await recorder.pubacks_heard(300) == tokens

    on_broker(spec, story)


def test_500_messages_arrive_in_order_and_none_is_lost(spec):
    async def story(join):
        _, receiver = await join("receiver", "x/#")
        sender, acknowledged = await join("sender")
        sent = [("x/1", b"%d" % n) for n in range(500)]
        for topic, payload in sent:
            sender.publish(topic, payload)
        assert await receiver.messages_heard(500) == sent
        await acknowledged.pubacks_heard(500)

    on_broker(spec, story)


def test_what_was_sent_to_a_cut_client_waits_for_it(spec):
    async def story(join):
        receiver, heard = await join("receiver", "x")
        sender, acknowledged = await join("sender")
        receiver.drop()
        for n in range(20):
            sender.publish("x", b"%d" % n)
        await acknowledged.pubacks_heard(20)
        assert heard.messages == []
        await receiver.restore()
        assert await heard.messages_heard(20) == [("x", b"%d" % n) for n in range(20)]
        assert heard.heard.index(("x", b"0")) > heard.heard.index(("down", "the line is cut")) + 1
        receiver.drop()
        await receiver.restore()
        assert heard.ups == 3
        sender.publish("x", b"once")
        assert (await heard.messages_heard(21))[20:] == [("x", b"once")]

    on_broker(spec, story)


def test_what_a_cut_client_sends_waits_for_its_line(spec):
    async def story(join):
        _, heard = await join("receiver", "x", "fence")
        sender, acknowledged = await join("sender")
        other, _ = await join("other")
        sender.drop()
        tokens = [sender.publish("x", b"%d" % n) for n in range(20)]
        other.publish("fence", b"")
        assert await heard.messages_heard(1) == [("fence", b"")]
        await sender.restore()
        assert (await heard.messages_heard(21))[1:] == [("x", b"%d" % n) for n in range(20)]
        assert await acknowledged.pubacks_heard(20) == tokens

    on_broker(spec, story)


def test_close_waits_for_what_is_in_flight(spec):
    async def story(join):
        _, heard = await join("receiver", "x")
        sender, acknowledged = await join("sender")
        for n in range(300):
            sender.publish("x", b"%d" % n)
        await sender.close()
        assert len(acknowledged.pubacks) == 300
        assert len(await heard.messages_heard(300)) == 300

    on_broker(spec, story)


def test_a_closed_client_hears_nothing_more(spec):
    async def story(join):
        receiver, heard = await join("receiver", "x")
        sender, acknowledged = await join("sender", "x")
        await receiver.close()
        before = list(heard.heard)
        sender.publish("x", b"too late")
        await acknowledged.until(lambda me: me.pubacks and me.messages)
        assert heard.heard == before == [("up",)]

    on_broker(spec, story)


def test_clients_that_connect_at_once_get_their_own_retained_messages(spec):
    async def story(join):
        sender, acknowledged = await join("sender")
        for n in range(20):
            sender.publish(f"birth/{n}", b"%d" % n, retain=True)
        await acknowledged.pubacks_heard(20)
        await join("early", "birth/#")
        joined = await asyncio.gather(*(join(f"c{n}", f"birth/{n}", f"own/{n}/#") for n in range(20)))
        for n, (client, recorder) in enumerate(joined):
            assert await recorder.messages_heard(1) == [(f"birth/{n}", b"%d" % n)]
            client.publish(f"own/{n}/x", b"echo")
            assert (await recorder.messages_heard(2))[1] == (f"own/{n}/x", b"echo")

    on_broker(spec, story)


def test_connecting_cutting_and_closing_take_no_virtual_time(spec):
    async def main():
        loop = asyncio.get_running_loop()
        async with open_broker(spec) as broker:
            client = broker.client("a", ["x"])
            await client.connect(recorder := Recorder())
            client.drop()
            await asyncio.sleep(3600.0)
            await client.restore()
            await client.close()
        return loop.time(), recorder.heard

    assert run_virtual(main()) == (3600.0, [("up",), ("down", "the line is cut"), ("up",)])


def test_a_refused_port_is_an_error_in_virtual_time_too():
    async def main(port):
        async with open_broker(f"mqtt://127.0.0.1:{port}") as broker:
            await broker.client("a", []).connect(Recorder())

    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        with pytest.raises(BrokerError, match=rf"^127\.0\.0\.1:{port}: "):
            run_virtual(main(port))


def test_a_broker_is_named_without_its_password():
    async def names():
        for spec in ("memory", "amqtt", "mqtt://u:geheim@h:1?version=5", "mqtts://u:geheim@h"):
            async with open_broker(spec) as broker:
                yield broker.name

    async def main():
        return [name async for name in names()]

    assert asyncio.run(main()) == ["memory", "amqtt", "mqtt://h:1", "mqtts://h:8883"]


@pytest.mark.parametrize("spec", ["", "mosquitto", "http://u:geheim@h", "mqtt://u:geheim@h:x"])
def test_an_unknown_broker_is_one_line(spec):
    async def main():
        async with open_broker(spec):
            pass

    with pytest.raises(BrokerError) as caught:
        asyncio.run(main())
    assert "\n" not in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_amqtt_starts_and_stops_quietly_on_ports_of_its_own(capfd):
    async def main():
        async with AmqttBroker() as one, AmqttBroker() as two:
            assert one.url != two.url
            cut = one.client("a", ["x"], Will("w", b""))
            await cut.connect(Recorder())
            cut.drop()
            left_open = two.client("b", ["x"])
            await left_open.connect(Recorder())
            names = [thread.name for thread in threading.enumerate()]
            assert names.count("strapline-amqtt") == 2
        await left_open.close()
        await cut.close()

    asyncio.run(main())
    assert capfd.readouterr() == ("", "")


def test_a_stopped_memory_broker_refuses_and_brings_its_clients_back():
    async def main():
        broker = MemoryBroker()
        client, watcher = broker.client("a", ["x"], Will("w", b"lost")), broker.client("b", ["w"])
        await client.connect(heard := Recorder())
        await watcher.connect(watched := Recorder())
        client.publish("x", b"kept", retain=True)
        await heard.messages_heard(1)
        broker.stop()
        with pytest.raises(BrokerError, match=r"^memory: "):
            await broker.client("c", []).connect(Recorder())
        client.publish("x", b"queued")
        await asyncio.sleep(60.0)
        broker.start()
        await heard.messages_heard(3)
        broker.stop(forget=True)
        broker.start()
        await asyncio.sleep(1.0)
        assert watched.messages == []
        return heard.heard

    assert run_virtual(main()) == [
        ("up",),
        ("x", b"kept"),
        ("puback", 1),
        ("down", "the broker stopped"),
        ("up",),
        ("x", b"kept"),
        ("x", b"queued"),
        ("puback", 2),
        ("down", "the broker stopped"),
        ("up",),
    ]


@pytest.mark.parametrize(("away_s", "wills"), [(29.0, []), (31.0, [("w", b"lost")])])
def test_a_wills_delay_is_virtual_and_coming_back_cancels_it(away_s, wills):
    async def main():
        broker = MemoryBroker()
        client, watcher = broker.client("a", [], Will("w", b"lost", delay_s=30)), broker.client("b", ["w"])
        await client.connect(Recorder())
        await watcher.connect(watched := Recorder())
        client.drop()
        await asyncio.sleep(away_s)
        await client.restore()
        await asyncio.sleep(60.0)
        return watched.messages

    assert run_virtual(main()) == wills


def test_what_expires_is_not_delivered_late():
    async def main():
        broker = MemoryBroker()
        receiver, sender = broker.client("a", ["x"]), broker.client("b", [])
        await receiver.connect(heard := Recorder())
        await sender.connect(Recorder())
        receiver.drop()
        sender.publish("x", b"short", expiry_s=60)
        sender.publish("x", b"long", expiry_s=3600)
        sender.publish("x", b"ever")
        await asyncio.sleep(600.0)
        await receiver.restore()
        await asyncio.sleep(0.1)
        return heard.messages

    assert run_virtual(main()) == [("x", b"long"), ("x", b"ever")]


def test_a_second_client_with_the_same_id_takes_over():
    async def main():
        broker = MemoryBroker()
        old, new = broker.client("same", ["x"]), broker.client("same", ["x"])
        await old.connect(old_heard := Recorder())
        await new.connect(new_heard := Recorder())
        new.publish("x", b"")
        await new_heard.messages_heard(1)
        return [event[0] for event in old_heard.heard], [event[0] for event in new_heard.heard[:2]]

    assert run_virtual(main()) == (["up", "down"], ["up", "x"])


def test_a_publish_that_the_cut_overtakes_arrives_later():
    async def main():
        broker = MemoryBroker()
        client = broker.client("a", ["x"])
        await client.connect(heard := Recorder())
        client.publish("x", b"1")
        client.drop()
        await asyncio.sleep(1.0)
        assert heard.messages == []
        await client.restore()
        await heard.pubacks_heard(1)
        return heard.messages

    assert run_virtual(main()) == [("x", b"1")]


def test_memory_has_no_shared_subscriptions():
    with pytest.raises(BrokerError, match="shared"):
        MemoryBroker().client("a", ["$share/g/x"])


def test_a_memory_run_repeats_to_the_letter():
    async def main():
        broker, log = MemoryBroker(), []
        loop = asyncio.get_running_loop()

        class Echo(Recorder):
            def __init__(self, name, client):
                super().__init__()
                self.name, self.client = name, client

            def mqtt_message(self, topic, payload):
                log.append((loop.time(), self.name, topic, payload))
                if len(payload) < 3:
                    self.client.publish(f"{self.name}/x", payload + b".")

        clients = [broker.client(name, ["+/x"]) for name in "abc"]
        for name, client in zip("abc", clients, strict=True):
            await client.connect(Echo(name, client))
        for client, pause in itertools.product(clients, (0.0, 1.5)):
            client.publish("start/x", b"")
            await asyncio.sleep(pause)
        await asyncio.sleep(1.0)
        return log

    first = run_virtual(main())
    assert len(first) > 100
    assert run_virtual(main()) == first
