"""The whole chain of one home, assembled: tag, air, base station, cellular ingress, broker, centre. The parts are the real ones."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Self
from zoneinfo import ZoneInfo

from strapline_centre.centre import Centre, Person
from strapline_centre.centre import subscriptions as centre_subscriptions
from strapline_centre.ledger import Entry, Ledger
from strapline_centre.schedule import Schedule
from strapline_centre.sentry import Notification
from strapline_centre.service import CentreService
from strapline_gateway.gateway import Gateway
from strapline_gateway.outbox import Outbox
from strapline_gateway.relay import Relay, state_will
from strapline_gateway.relay import subscriptions as gateway_subscriptions
from strapline_gateway.station import PresenceLimits, Station
from strapline_protocol.keys import CentreKeys, centre_keys, gateway_keys
from strapline_protocol.mqtt import MqttClient, Will
from strapline_simulator.airs import BLE as WHOLE_STACKS
from strapline_simulator.airs import open_ether
from strapline_simulator.bodies import Body
from strapline_simulator.broker_outage import BrokerOutage
from strapline_simulator.brokers import Broker, BrokerClient
from strapline_simulator.flight import FlightControl
from strapline_simulator.scenario import Scenario
from strapline_simulator.scenario.model import UpdateKind
from strapline_simulator.tag_node import TagNode, virtual_loop
from strapline_simulator.tampering import TamperedClient, Tampering
from strapline_simulator.taps import MqttTap, TappedClient
from strapline_simulator.updates import AnyDelivery, Images
from strapline_simulator.world.cellular import Cellular
from strapline_simulator.world.collisions import Collisions
from strapline_simulator.world.neighbours import move_in
from strapline_simulator.world.radio import RadioWorld
from strapline_tag import bench
from strapline_tag.outputs import BLE, CELLULAR
from strapline_wire import manifest

TAG = "7a900001"
HOME = "6a7e0001"
INGRESS = "6a7e00ce"

_ADVERTISEMENT_LOSS = 0.05
"""Share of advertisements that a scanning adapter misses in a quiet home."""


class Draw:
    """Repeatable random bytes for one purpose in one run."""

    def __init__(self, seed: int, purpose: str) -> None:
        self._start = f"strapline/{seed}/{purpose}/".encode()
        self._count = 0

    def __call__(self, size: int) -> bytes:
        self._count += 1
        return hashlib.sha256(self._start + str(self._count).encode()).digest()[:size]


class Chain:
    """Use as an asynchronous context manager; on entering everything is connected, and the tag is not yet started."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        body: Body,
        broker: Broker,
        folder: Path | None = None,
        air: str = WHOLE_STACKS,
    ) -> None:
        self._scenario = scenario
        self._seed = seed
        self._broker = broker
        self._folder = folder
        self._stack = AsyncExitStack()
        self._secret = Draw(seed, "secret")(16)
        self.origin_s = 0.0
        self.radio_world = RadioWorld(Random(f"{seed}/radio"))
        self.ether = open_ether(
            air, self.radio_world.rssi_dbm, self.radio_world.reaches, Random(f"{seed}/air"), _ADVERTISEMENT_LOSS
        )
        self.air = self.ether.air
        self.tag = TagNode(body)
        self.ledger = Ledger()
        self.on_entry: Callable[[Entry], None] | None = None
        self.on_mqtt: MqttTap | None = None
        self.on_gatt: Callable[[bool, bytes], None] | None = None
        """Told of all bytes on the BLE connection: (towards the gateway?, data)."""
        self.on_truth: Callable[[float, str], None] | None = None
        self._made: Images | None = None
        self._updates = 0
        self.tampering = Tampering(Random(f"{seed}/broker"))
        self._relays: list[Relay] = []
        self.gateways: dict[str, Gateway] = {}
        self.clients: dict[str, BrokerClient] = {}
        """Everybody's line to the broker, which a scenario may cut."""
        self.outage = BrokerOutage(broker, self.clients, seed)
        self.on_close: list[Callable[[], Awaitable[None]]] = []
        """What a scenario has begun around the chain, and must end before it."""
        self.on_notification: Callable[[Notification], None] | None = None
        """Told whom an alert is told to."""
        self._centre_work: asyncio.Task[None] | None = None
        self._flights: FlightControl
        self._keys = {gateway: Draw(seed, f"gateway-{gateway}")(32) for gateway in (HOME, INGRESS)}
        self.schedule = Schedule(ZoneInfo(scenario.zone), scenario.wearer.windows)
        self._person = Person(centre_keys(TAG, self._secret), self.schedule)
        self._centre_entropy = Draw(seed, "centre")

    @property
    def test_secret(self) -> bytes:
        """The tag's secret, derived from the seed: a test key, for this run alone."""
        return self._secret

    @property
    def test_gateway_keys(self) -> dict[str, bytes]:
        """Under what each gateway and the centre seal: test keys too."""
        return dict(self._keys)

    @property
    def centre_keys(self) -> CentreKeys:
        """What the centre was given of the tag's keys at the start."""
        return self._person.keys

    def utc(self) -> datetime:
        """The world's wall clock."""
        return self._scenario.start + timedelta(seconds=asyncio.get_running_loop().time() - self.origin_s)

    @property
    def refused(self) -> int:
        """Messages between gateways and centre that either end refused as not genuine."""
        counts = [self.centre.rejected, *(relay.rejected for relay in self._relays)]
        return sum(told.get(reason, 0) for told in counts for reason in ("forged", "malformed", "old_state"))

    def now_s(self) -> float:
        """Seconds since the scenario's start."""
        return asyncio.get_running_loop().time() - self.origin_s

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._flights = stack.enter_context(FlightControl(virtual_loop()))
            stack.callback(self.ledger.close)
            await self._start_centre(stack)
            home_radio = self.ether.gateway_radio("home")
            await home_radio.start()
            stack.push_async_callback(home_radio.stop)
            ble = {"scanner_backend": home_radio.scanner_backend, "client_backend": home_radio.client_backend}
            await self._start_gateway(stack, HOME, ble)
            await self._start_gateway(stack, INGRESS, None)
            await self._connect_tag(stack)
            await self._move_neighbours_in(stack)
            self._stack = stack.pop_all()
        self.origin_s = asyncio.get_running_loop().time()
        return self

    async def __aexit__(self, *error: object) -> None:
        for end in [*self.on_close, self.outage.end]:
            await end()
        await self._stack.__aexit__(None, None, None)

    def rekey_tag(self) -> None:
        """The centre begins to give the tag new keys."""
        self.centre.rekey(TAG)
        self._publish_centre()

    def locate_tag(self, within_s: int) -> None:
        """The centre asks for a position."""
        self.centre.locate(TAG, within_s)
        self._publish_centre()

    def set_zones(self, zones: Sequence[Sequence[Any]]) -> None:
        """The centre gives the tag its zones."""
        self.centre.set_zones(TAG, zones)
        self._publish_centre()

    def update_tag(self, kind: UpdateKind) -> None:
        """The centre sends an image: good, or as its kind says."""
        self._updates += 1
        desk = self.centre.desk
        desk.deliver(TAG, HOME, AnyDelivery(desk.sealer(TAG), self._images().make(kind, self.utc()), self._updates))
        self._publish_centre()

    def _images(self) -> Images:
        if self._made is None:
            self._made = Images(self._seed)
        return self._made

    def spoil_image(self) -> None:
        """The first byte of the image that runs loses its bits."""
        self.tag.write_store(bench.RUNNING, b"\0", manifest.HEAD)

    def publish_centre(self) -> None:
        """The centre has something to say."""
        self._publish_centre()

    def start_tag(self) -> None:
        """Power for the tag: this moment is the scenario's start."""
        loop, scenario = virtual_loop(), self._scenario
        self.origin_s = loop.time()
        loop.add_actor(self.tag)
        self._stack.callback(loop.remove_actor, self.tag)
        if any(step.update or step.spoil_image for step in scenario.steps):
            self.tag.write_store(bench.KEYS, self._images().public_key)
            self.tag.write_store(0, self._images().first())
        self.tag.boot(
            self.origin_s, self._secret, Draw(self._seed, "tag")(16), scenario.settings, scenario.tag_memory.held
        )

    def cut_tag_power(self) -> None:
        """The tag goes dark, and its connections with it."""
        self.tag.lose_power()
        self._drop_lines()

    def restore_tag_power(self) -> None:
        """The tag starts again, and knows what it kept, and no time."""
        loop = virtual_loop()
        seed = Draw(self._seed, f"tag-{len(self.tag.boots)}")(16)
        self.tag.boot(loop.time(), self._secret, seed, self._scenario.settings)

    async def _start_centre(self, stack: AsyncExitStack) -> None:
        client = self._client("centre", centre_subscriptions())
        self.centre = self._make_centre()
        self._service = CentreService(self.centre, client, self._entered, on_notification=self._notify)
        self._publish_centre = self._service.publish
        await client.connect(self._service)
        stack.push_async_callback(client.close)
        self._centre_work = asyncio.create_task(self._service.run())
        stack.callback(self._end_centre_work)

    def _make_centre(self) -> Centre:
        epoch = int(self._scenario.start.timestamp() + max(0.0, self.now_s()))
        return Centre(
            [self._person], self._keys, self.ledger, utc=self.utc, epoch=epoch, entropy=self._centre_entropy,
            clock=asyncio.get_running_loop().time,
        )  # fmt: skip

    def _end_centre_work(self) -> None:
        if self._centre_work is not None:
            self._centre_work.cancel()
            self._centre_work = None

    def kill_centre(self) -> None:
        """The centre ends without a word; its ledger stays."""
        self._end_centre_work()
        self.clients["centre"].drop()

    async def start_centre(self) -> None:
        """It starts again, on its ledger."""
        self.centre = self._make_centre()
        self._service.use(self.centre)
        await self.clients["centre"].restore()
        self._centre_work = asyncio.create_task(self._service.run())

    def _notify(self, notification: Notification) -> None:
        self._service.told(notification, "shown")
        if self.on_notification is not None:
            self.on_notification(notification)

    def _entered(self, entry: Entry) -> None:
        if self.on_entry is not None:
            self.on_entry(entry)

    async def _start_gateway(self, stack: AsyncExitStack, ident: str, ble: dict[str, type] | None) -> None:
        draw = Draw(self._seed, f"entropy-{ident}")
        station = Station(int(ident, 16), [gateway_keys(TAG, self._secret)], draw, **self._role(ble is not None))
        gateway = Gateway(station, ble)
        outbox = Outbox(self._fresh_file(f"outbox-{ident}.sqlite"))
        stack.callback(outbox.close)
        will = state_will(ident, self._keys[ident], self.utc(), outbox.start)
        client = self._client(ident, gateway_subscriptions(ident), will)
        relay = Relay(
            ident,
            self._keys[ident],
            outbox,
            client,
            utc=self.utc,
            clock=asyncio.get_running_loop().time,
            on_command=gateway.command,
            on_keys=gateway.expect_keys,
            on_schedule=gateway.set_schedule,
            entropy=draw,
        )
        self._relays.append(relay)
        gateway.attach(relay)
        await client.connect(relay)
        stack.push_async_callback(client.close)
        stack.callback(relay.say_goodbye)
        self.gateways[ident] = await stack.enter_async_context(gateway)

    def _role(self, home: bool) -> dict[str, Any]:
        """What a station is told of its place."""
        reach = self._scenario.gateway.reach
        limits = PresenceLimits() if reach is None or not home else PresenceLimits.of_class(reach)
        return {"home": home, "limits": limits, "utc_s": lambda: self.utc().timestamp()}

    def _fresh_file(self, name: str) -> Path | str:
        """A database of this run alone: what an earlier run left in the folder goes."""
        if self._folder is None:
            return ":memory:"
        for leftover in self._folder.glob(f"{name}*"):
            leftover.unlink()
        return self._folder / name

    def _client(self, client_id: str, subscriptions: Sequence[str], will: Will | None = None) -> MqttClient:
        client = self.clients[client_id] = self._broker.client(f"strapline-{client_id}", subscriptions, will)
        tampered = TamperedClient(self._flights.client(client, subscriptions, will), self.tampering)
        return TappedClient(tampered, self._published)

    def _published(self, topic: str, payload: bytes) -> None:
        if self.on_mqtt is not None:
            self.on_mqtt(topic, payload)

    async def _move_neighbours_in(self, stack: AsyncExitStack) -> None:
        count = self._scenario.neighbours
        if count:
            self.air.medium = Collisions(Random(f"{self._seed}/crowd"), self.radio_world.level_dbm)
            await move_in(stack, count, self.ether, self.radio_world, self._scenario.places.get("home"), self._seed)

    async def _connect_tag(self, stack: AsyncExitStack) -> None:
        tag = self.tag

        def to_tag(data: bytes) -> None:
            if self.on_gatt is not None:
                self.on_gatt(False, data)
            tag.link_data(BLE, data)

        def from_tag(bearer: int, data: bytes) -> None:
            if bearer == CELLULAR:
                self.cellular.send(data)
                return
            if self.on_gatt is not None:
                self.on_gatt(True, data)
            radio.send(data)

        radio = self.ether.tag_radio(
            "tag",
            on_link_up=lambda: tag.link_up(BLE),
            on_data=to_tag,
            on_link_down=lambda: tag.link_down(BLE),
        )
        await radio.start()
        stack.push_async_callback(radio.stop)
        self.cellular = await stack.enter_async_context(
            Cellular(
                self.gateways[INGRESS].streams,
                on_up=lambda: tag.link_up(CELLULAR),
                on_data=lambda data: tag.link_data(CELLULAR, data),
                on_down=lambda: tag.link_down(CELLULAR),
                on_ring=tag.ring,
            )
        )

        def drop_lines() -> None:
            radio.disconnect()
            self.cellular.hang_up()

        self._drop_lines = drop_lines
        self.gateways[INGRESS].on_ring = lambda _tag: self.cellular.ring()
        tag.on_advertise = radio.advertise
        tag.on_send = from_tag
        tag.on_dial = lambda _bearer: self.cellular.dial()
        tag.on_hang_up = lambda bearer: radio.disconnect() if bearer == BLE else self.cellular.hang_up()
