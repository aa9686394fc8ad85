import asyncio
import time
from random import Random

import pytest

from mqtt_recorder import Recorder
from strapline_protocol.mqtt import Will
from strapline_protocol.paho_link import PahoLink
from strapline_simulator.brokers import open_broker
from strapline_simulator.clock import run_virtual
from strapline_simulator.flight import FlightControl

pytestmark = pytest.mark.usefixtures("no_leaked_threads")


@pytest.fixture(params=["memory", "amqtt", "mosquitto", "mosquitto 3.1.1"])
def spec(request):
    if not request.param.startswith("mosquitto"):
        return request.param
    url = request.getfixturevalue("mosquitto").url
    return f"{url}?version=3.1.1" if request.param.endswith("3.1.1") else url


class Tower:
    """Wrapped clients of one broker under one FlightControl."""

    def __init__(self, broker, control):
        self.broker, self.control, self.inner, self.clients = broker, control, {}, []

    async def join(self, client_id, *subscriptions, will=None):
        self.inner[client_id] = inner = self.broker.client(client_id, subscriptions, will)
        client = self.control.client(inner, subscriptions, will)
        await client.connect(recorder := Recorder())
        self.clients.append(client)
        return client, recorder


def fly(spec, story, **options):
    """Run `story(tower)` in virtual time; what it gives, the time at its end, and what was lost."""

    async def main():
        loop = asyncio.get_running_loop()
        async with open_broker(spec) as broker:
            with FlightControl(loop, **options) as control:
                tower = Tower(broker, control)
                result = await story(tower)
                ended = loop.time()
                for client in tower.clients:
                    await client.close()
                assert loop.time() == ended
            assert loop.holds == 0
            return result, ended, control.lost

    return run_virtual(main())


def test_200_round_trips_take_exactly_the_sleeps_between_them(spec):
    async def story(tower):
        asker, answers = await tower.join("asker", "answer/+")
        server, questions = await tower.join("server", "question/+")
        questions.mqtt_message = lambda topic, payload: server.publish(f"answer/{topic[-1]}", payload * 2)
        for n in range(200):
            asker.publish(f"question/{n % 10}", b"%d" % n)
            await asyncio.sleep(0.25 * (n % 8))
            assert len(answers.messages) == n + 1 or n % 8 == 0
        await asyncio.sleep(1.0)
        return answers.messages

    answers, ended, lost = fly(spec, story)
    assert answers == [(f"answer/{n % 10}", b"%d" % n * 2) for n in range(200)]
    assert ended == sum(0.25 * (n % 8) for n in range(200)) + 1.0
    assert lost == 0


def test_what_the_threads_mix_up_is_told_in_the_order_of_sending(spec, monkeypatch):
    luck = Random(3)
    for name in ("_on_message", "_on_publish"):
        monkeypatch.setattr(PahoLink, name, _dawdling(getattr(PahoLink, name), luck))

    async def story(tower):
        told = []
        for name in "abc":
            _, recorder = await tower.join(name, "x")
            recorder.mqtt_message = lambda _topic, payload, name=name: told.append((name, payload))
            recorder.mqtt_published = lambda token, name=name: told.append((name, token))
        for _ in range(20):
            for client in tower.clients:
                client.publish("x", b"%d" % len(told))
            await asyncio.sleep(1.0)
        return told

    told, _, lost = fly(spec, story)
    assert len(told) == 20 * 3 * (3 + 1)
    rounds = [[name for name, _ in told[start : start + 12]] for start in range(0, len(told), 12)]
    assert rounds == [list("abcaabcbabcc")] * 20
    assert lost == 0


def _dawdling(method, luck):
    def call(*args):
        time.sleep(luck.random() * 0.005)
        return method(*args)

    return call


def test_messages_and_pubacks_come_at_the_time_they_were_sent(spec):
    async def story(tower):
        loop = asyncio.get_running_loop()
        times = []
        receivers = [await tower.join(f"r{n}", "x/#") for n in range(3)]
        sender, acknowledged = await tower.join("s")
        for _, recorder in receivers:
            recorder.mqtt_message = lambda topic, payload: times.append((float(payload), loop.time()))
        acknowledged.mqtt_published = lambda token: times.append((float(token), loop.time()))
        for n in range(1, 20):
            await asyncio.sleep(1.0)
            sender.publish(f"x/{n}", b"%d" % n, retain=n % 2 == 0)
        await asyncio.sleep(1.0)
        return times

    times, _, lost = fly(spec, story)
    assert len(times) == 19 * 4
    assert all(sent == came for sent, came in times)
    assert lost == 0


def test_equal_messages_are_counted_apart(spec):
    async def story(tower):
        _, heard = await tower.join("r", "x")
        sender, _ = await tower.join("s")
        for _ in range(50):
            sender.publish("x", b"same")
        await asyncio.sleep(1.0)
        return len(heard.messages)

    assert fly(spec, story) == (50, 1.0, 0)


def test_retained_messages_come_at_the_time_of_connecting(spec):
    async def story(tower):
        sender, _ = await tower.join("s")
        sender.publish("g/state", b"online", retain=True)
        sender.publish("h/state", b"online", retain=True)
        sender.publish("h/state", b"", retain=True)
        await asyncio.sleep(5.0)
        _, late = await tower.join("late", "+/state")
        await asyncio.sleep(0.001)
        return late.messages

    messages, _, lost = fly(spec, story)
    assert messages == [("g/state", b"online")]
    assert lost == 0


def test_a_cut_line_stops_no_clock_and_loses_nothing(spec):
    async def story(tower):
        _, heard = await tower.join("r", "x")
        sender, _ = await tower.join("s", will=Will("will", b"lost"))
        _, watched = await tower.join("w", "will", "x")
        tower.inner["r"].drop()
        sender.publish("x", b"1")
        await asyncio.sleep(60.0)
        assert heard.messages == []
        assert watched.messages == [("x", b"1")]
        tower.inner["s"].drop()
        sender.publish("x", b"2")
        await asyncio.sleep(60.0)
        assert watched.messages[1:] == [("will", b"lost")]
        await tower.inner["r"].restore()
        await asyncio.sleep(0.001)
        assert heard.messages == [("x", b"1")]
        await tower.inner["s"].restore()
        await asyncio.sleep(0.001)
        assert watched.messages[2:] == [("x", b"2")]
        return heard.messages

    messages, ended, lost = fly(spec, story)
    assert messages == [("x", b"1"), ("x", b"2")]
    assert ended == pytest.approx(120.002)
    assert lost == 0


class Swallower:
    """A client whose broker loses every other message."""

    def __init__(self):
        self.listener, self.count = None, 0

    async def connect(self, listener):
        self.listener = listener
        listener.mqtt_connected()

    def publish(self, topic, payload, *, retain=False, expiry_s=None):
        self.count += 1
        loop = asyncio.get_running_loop()
        loop.call_soon(self.listener.mqtt_published, self.count)
        if self.count % 2:
            loop.call_soon(self.listener.mqtt_message, topic, payload)
        return self.count

    async def close(self):
        pass


def test_a_lost_message_is_counted_and_time_goes_on():
    async def main():
        loop = asyncio.get_running_loop()
        with FlightControl(loop, limit_s=0.05) as control:
            client = control.client(Swallower(), ["x"])
            await client.connect(recorder := Recorder())
            for _ in range(6):
                client.publish("x", b"")
                await asyncio.sleep(1.0)
            await client.close()
            return loop.time(), len(recorder.messages), len(recorder.pubacks), control.lost, loop.holds

    assert run_virtual(main()) == (6.0, 3, 6, 3, 0)


def test_an_unwrapped_listener_error_does_not_stop_the_clock():
    async def main():
        loop = asyncio.get_running_loop()
        errors = []
        loop.set_exception_handler(lambda _, context: errors.append(context["exception"]))

        class Broken(Recorder):
            def mqtt_message(self, topic, payload):
                raise LookupError(topic)

        with FlightControl(loop) as control:
            client = control.client(Swallower(), ["x"])
            await client.connect(Broken())
            client.publish("x", b"")
            await asyncio.sleep(1.0)
            await client.close()
        return loop.time(), [type(error) for error in errors], control.lost

    assert run_virtual(main()) == (1.0, [LookupError], 0)


def test_leaving_control_releases_what_is_under_way():
    async def main():
        loop = asyncio.get_running_loop()
        with FlightControl(loop) as control:
            client = control.client(Swallower(), ["x"])
            await client.connect(Recorder())
            client.publish("x", b"")
            client.publish("x", b"")
            assert loop.holds == 4
        assert loop.holds == 0

    run_virtual(main())
