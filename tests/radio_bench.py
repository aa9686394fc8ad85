"""A gateway's BLE link on simulated air, the tags played by the test, and backends that a test has spoilt."""

import asyncio
import itertools
from contextlib import asynccontextmanager
from random import Random

from hand_made_tag import HandMadeTag
from strapline_gateway.gateway import Gateway
from strapline_gateway.station import Presence, Record, Station
from strapline_protocol.notices import Notice
from strapline_simulator.ble import Air, GatewayRadio, TagRadio
from strapline_simulator.clock import run_virtual

BARE_SIZE = 8
"""Of a line that only acknowledges: two zeros, COBS, header and CRC."""

_STORY_LIMIT_S = 7200.0
"""Of virtual time: what hangs shall fail."""


def now():
    return asyncio.get_running_loop().time()


class OnAir:
    """A hand-made tag with a radio. While `script` says nothing else, it behaves: HELLO, REPLY, then its `records`."""

    def __init__(self, air, name="tag", *identity):
        self.tag = HandMadeTag(*identity, booted_at=now())
        self.flags = 0
        self.records = []
        self.events = []
        self.silent = False
        self.portions = []
        self.radio = TagRadio(name, air, on_link_up=self._up, on_data=self._data, on_link_down=self._down)

    def advertise(self):
        self.radio.advertise(self.tag.address, self.tag.heartbeat(now(), self.flags))

    async def beacon(self, seconds, interval_s=1.0):
        end = now() + seconds
        while now() < end:
            self.advertise()
            await asyncio.sleep(interval_s)

    def _up(self):
        self.events.append("up")
        if not self.silent:
            self.radio.send(self.tag.hello(now()))

    def _data(self, data):
        if len(data) > BARE_SIZE:
            self.portions.append(len(data))
        had_session = self.tag.session is not None
        self.tag.receive(data)
        if self.tag.session is not None and not had_session:
            self.radio.send(self.tag.reply(now()))
            for sealed in self.records:
                self.radio.send(self.tag.send(sealed))
        self.radio.send(self.tag.acknowledgement())

    def _down(self):
        self.events.append("down")
        self.tag.session = None


class StubRelay:
    """Keeps what the gateway hears, and nothing else."""

    def __init__(self):
        self.kept = []

    def keep_all(self, events, slots):
        self.kept += events

    def ask_time(self, request):
        self.kept.append(request)

    def slots(self):
        return {}

    def keep_slots(self, slots):
        pass

    def publish_due(self):
        pass

    def next_deadline(self):
        return None


class Bench:
    def __init__(self):
        self.dbm = {}
        self.air = Air(lambda sender, receiver: self.dbm.get((sender, receiver), -60), Random(7))
        self.radio = GatewayRadio("gateway", self.air)
        self.tags = []
        self.gateway = None
        self.relay = StubRelay()

    async def tag(self, name="tag", *identity):
        tag = OnAir(self.air, name, *identity)
        await tag.radio.start()
        self.tags.append(tag)
        return tag

    @asynccontextmanager
    async def running(self, *, client_backend=None, scanner_backend=None, **options):
        """The gateway of all tags that there are, on the radio or on backends that a test has spoilt."""
        station = Station(0x6A7E0001, [t.tag.gateway_keys for t in self.tags], Random(1).randbytes, home=True)
        backends = {
            "scanner_backend": scanner_backend or self.radio.scanner_backend,
            "client_backend": client_backend or self.radio.client_backend,
            **options,
        }
        self.gateway = Gateway(station, backends)
        self.gateway.attach(self.relay)
        async with self.gateway:
            yield self.gateway

    @property
    def failures(self):
        return self.gateway._ble.failures

    def records(self):
        return [event for event in self.relay.kept if isinstance(event, Record)]

    def presences(self):
        """Each coming and going once: what follows on it, that the tag has proved itself, or came nearer, is left out."""
        told = [event.present for event in self.relay.kept if isinstance(event, Presence)]
        return [present for present, _ in itertools.groupby(told)]


def on_air(story):
    """Run `story(bench)`; afterwards no task but the main one may be alive."""

    async def main():
        bench = Bench()
        await bench.radio.start()
        try:
            async with asyncio.timeout(_STORY_LIMIT_S):
                await story(bench)
        finally:
            for tag in bench.tags:
                await tag.radio.stop()
            await bench.radio.stop()
        await asyncio.sleep(60)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert [task for task in others if task.get_coro().__name__ != "watched"] == []

    run_virtual(main())


def spoilt(backend, **methods):
    """A client backend in which these methods are replaced."""
    return type("Spoilt", (backend,), methods)


async def for_ever(*_arguments, **_options):
    await asyncio.get_running_loop().create_future()


def raising(error):
    async def fail(*_arguments, **_options):
        raise error

    return fail


def notices(bench):
    return [event for event in bench.relay.kept if isinstance(event, Notice)]


def codes(bench):
    return [notice.code for notice in notices(bench)]


def link_state(bench):
    (health,) = bench.gateway.health()
    return health.state
