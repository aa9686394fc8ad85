"""The whole chain of one home, assembled: tag, air, base station, cellular ingress, broker, centre. The parts are the real ones."""

import asyncio
import hashlib
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Self
from zoneinfo import ZoneInfo

from strapline_centre.centre import Centre, Person
from strapline_centre.centre import subscriptions as centre_subscriptions
from strapline_centre.database import LedgerDownError
from strapline_centre.ledger import Entry, Ledger
from strapline_centre.schedule import Schedule
from strapline_centre.sentry import Notification
from strapline_centre.service import CentreService
from strapline_gateway.gateway import Gateway
from strapline_gateway.outbox import Outbox
from strapline_gateway.relay import Relay, state_will
from strapline_gateway.relay import subscriptions as gateway_subscriptions
from strapline_gateway.station import PresenceLimits, Station
from strapline_gateway.stream import ByteStream
from strapline_protocol.errors import UserError
from strapline_protocol.keys import CentreKeys, centre_keys, gateway_keys
from strapline_protocol.mqtt import MqttClient, Will
from strapline_protocol.notices import Notice, NoticeCode
from strapline_simulator.airs import BLE as WHOLE_STACKS
from strapline_simulator.airs import open_ether
from strapline_simulator.bodies import Body
from strapline_simulator.broker_outage import BrokerOutage
from strapline_simulator.brokers import Broker, BrokerClient
from strapline_simulator.faults.adapter import AdapterFaults
from strapline_simulator.faults.sensors import Sensors
from strapline_simulator.faults.storage import FullDisk, LockedLedger
from strapline_simulator.faults.ways import Lines
from strapline_simulator.flight import FlightControl
from strapline_simulator.memory_broker import MemoryBroker, MemoryClient
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


_PAGE = 4096
_STARTED_AGAIN_S = 5.0


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
        self.seed = self._seed = seed
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
        self.sensors = Sensors(self.tag.sense, Random(f"{seed}/sensors"))
        """Between the world and the tag; what the script senses goes through it."""
        self.ledger = Ledger()
        self.locked_ledger = LockedLedger(self.ledger.database.engine, Random(f"{seed}/ledger"))
        self.on_entry: Callable[[Entry], None] | None = None
        self.on_mqtt: MqttTap | None = None
        self.on_gatt: Callable[[bool, bytes], None] | None = None
        """Told of all bytes on the BLE connection: (towards the gateway?, data)."""
        self.on_truth: Callable[[float, str], None] | None = None
        self._made: Images | None = None
        self._updates = 0
        self.tampering = Tampering(Random(f"{seed}/broker"))
        self._relays: list[Relay] = []
        self._lives: dict[str, AsyncExitStack] = {}
        """What the process of each gateway holds."""
        self._births: dict[str, int] = {}
        self._killed: dict[str, bool] = {}
        """Those that are dead, and whether their line was cut before."""
        self.gateways: dict[str, Gateway] = {}
        self.outboxes: dict[str, Outbox] = {}
        self.disks: dict[str, FullDisk] = {}
        self.clock_off_s = {HOME: 0.0, INGRESS: 0.0, "centre": 0.0}
        """How far the wall clock of each is off."""
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

    def clock_of(self, part: str) -> Callable[[], datetime]:
        """The wall clock of one machine, right or wrong."""
        return lambda: self.utc() + timedelta(seconds=self.clock_off_s[part])

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
            if isinstance(self._broker, MemoryBroker):
                self._broker.on_drop = self._flights.lose
            if self._folder is None and any(step.outlives_gateway for step in self._scenario.steps):
                self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="strapline-outbox-")))
            stack.callback(self.ledger.close)
            stack.callback(self.locked_ledger.close)
            await self._start_centre(stack)
            home_radio = self.ether.gateway_radio("home")
            await home_radio.start()
            stack.push_async_callback(home_radio.stop)
            self.adapter = AdapterFaults(home_radio.stop, home_radio.start, Random(f"{self._seed}/adapter"))
            self._ble = self.adapter.backends(home_radio.scanner_backend, home_radio.client_backend)
            stack.push_async_callback(self._end_gateways)
            for ident in (HOME, INGRESS):
                self._fresh_file(self._outbox_name(ident))
                await self.start_gateway(ident)
            await self._connect_tag(stack)
            await self._move_neighbours_in(stack)
            self._stack = stack.pop_all()
        self.origin_s = asyncio.get_running_loop().time()
        return self

    async def __aexit__(self, *error: object) -> None:
        for end in [*self.on_close, self.outage.end, self.adapter.let_go]:
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

    def limit_broker_queue(self, limit: int | None) -> None:
        """How much the broker keeps for who is away; None: all. Mosquitto's own is 1,000."""
        if not isinstance(self._broker, MemoryBroker):
            raise UserError("broker_queue needs the broker in memory: run it without --broker")
        self._broker.queue_limit = limit

    def forget_broker(self) -> None:
        """The broker, which is stopped, has lost all that it kept."""
        self.outage.forget()
        self._flights.forget()

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
            [self._person], self._keys, self.ledger, utc=self.clock_of("centre"), epoch=epoch, entropy=self._centre_entropy,
            clock=asyncio.get_running_loop().time,
        )  # fmt: skip

    async def _begin_centre(self) -> Centre:
        """A centre whose ledger is locked ends at once, and is started again as a service is."""
        while True:
            try:
                return self._make_centre()
            except LedgerDownError:
                await asyncio.sleep(_STARTED_AGAIN_S)

    async def restore_line(self, client: str) -> None:
        """Its line to the broker is there again; where the broker is not, it looks for it."""
        await self.clients[client].restore()
        self.outage.seek(client)

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
        self.centre = await self._begin_centre()
        self._service.use(self.centre)
        await self.restore_line("centre")
        self._centre_work = asyncio.create_task(self._service.run())

    def _notify(self, notification: Notification) -> None:
        self._service.told(notification, "shown")
        if self.on_notification is not None:
            self.on_notification(notification)

    def _entered(self, entry: Entry) -> None:
        if self.on_entry is not None:
            self.on_entry(entry)

    async def start_gateway(self, ident: str) -> None:
        """Its process begins, on what is on its disk."""
        life = self._births[ident] = self._births.get(ident, 0) + 1
        draw = Draw(self._seed, f"entropy-{ident}" if life == 1 else f"entropy-{ident}-{life}")
        ble, utc = self._ble if ident == HOME else None, self.clock_of(ident)
        async with AsyncExitStack() as stack:
            tags = [gateway_keys(TAG, self._secret)]
            gateway = Gateway(Station(int(ident, 16), tags, draw, **self._role(ident)), ble)
            path = ":memory:" if self._folder is None else self._folder / self._outbox_name(ident)
            outbox = self.outboxes[ident] = Outbox(path, utc_s=lambda: utc().timestamp())
            stack.callback(outbox.close)
            self.disks[ident] = FullDisk(outbox)
            client = self._client(
                ident, gateway_subscriptions(ident), state_will(ident, self._keys[ident], utc(), outbox.start)
            )
            relay = self._relay(ident, outbox, client, gateway, draw)
            self._relays.append(relay)
            gateway.attach(relay)
            await client.connect(relay)
            self.outage.seek(ident)
            stack.push_async_callback(client.close)
            stack.callback(lambda: None if ident in self._killed else relay.say_goodbye())
            self.gateways[ident] = await stack.enter_async_context(gateway)
            self._lives[ident] = stack.pop_all()
        if ident == INGRESS:
            gateway.on_ring = lambda _tag: self.cellular.ring()
        if self._killed.pop(ident, False):
            self.clients[ident].drop()
        if life > 1:
            gateway.tell(Notice(NoticeCode.STARTED))

    def _relay(
        self, ident: str, outbox: Outbox, client: MqttClient, gateway: Gateway, draw: Callable[[int], bytes]
    ) -> Relay:
        return Relay(
            ident,
            self._keys[ident],
            outbox,
            client,
            utc=self.clock_of(ident),
            clock=asyncio.get_running_loop().time,
            on_command=gateway.command,
            on_keys=gateway.expect_keys,
            on_schedule=gateway.set_schedule,
            entropy=draw,
        )

    async def kill_gateway(self, ident: str) -> None:
        """Its process ends without a word to anybody; its disk stays."""
        client = self.clients[ident]
        self._killed[ident] = isinstance(client, MemoryClient) and client.line_cut
        client.drop()
        if ident == INGRESS:
            self.cellular.hang_up()
        await self._lives.pop(ident).aclose()

    async def _end_gateways(self) -> None:
        for ident in reversed([*self._lives]):
            await self._lives.pop(ident).aclose()

    def back_up_gateway(self, ident: str) -> None:
        """A copy of its disk as it is now."""
        assert self._folder is not None
        with sqlite3.connect(self._backup_of(ident)) as copy:
            self.outboxes[ident]._db.backup(copy)  # noqa: SLF001 - as an administrator copies the file, with the gateway none the wiser
        copy.close()

    async def restore_gateway(self, ident: str) -> None:
        """Its disk is put back to what the copy has, and it starts."""
        await self.kill_gateway(ident)
        self._fresh_file(self._outbox_name(ident))
        assert self._folder is not None
        (self._folder / self._outbox_name(ident)).write_bytes(self._backup_of(ident).read_bytes())
        await self.start_gateway(ident)

    async def swap_gateway(self, ident: str) -> None:
        """Another device with the same identity and keys, and an empty disk, takes its place."""
        await self.kill_gateway(ident)
        self._fresh_file(self._outbox_name(ident))
        await self.start_gateway(ident)

    async def damage_gateway(self, ident: str) -> None:
        """It dies, its disk loses a page, and it starts again."""
        await self.kill_gateway(ident)
        assert self._folder is not None
        with (self._folder / self._outbox_name(ident)).open("r+b") as file:
            file.seek(_PAGE)
            file.write(bytes(_PAGE))
        await self.start_gateway(ident)

    def _backup_of(self, ident: str) -> Path:
        assert self._folder is not None
        return self._folder / f"backup-{ident}.sqlite"

    @staticmethod
    def _outbox_name(ident: str) -> str:
        return f"outbox-{ident}.sqlite"

    def _role(self, ident: str) -> dict[str, Any]:
        """What a station is told of its place."""
        home, utc = ident == HOME, self.clock_of(ident)
        reach = self._scenario.gateway.reach
        limits = PresenceLimits() if reach is None or not home else PresenceLimits.of_class(reach)
        return {"home": home, "limits": limits, "utc_s": lambda: utc().timestamp()}

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
            self.lines.ble[False].send(data)

        def from_tag(bearer: int, data: bytes) -> None:
            if bearer == CELLULAR:
                self.lines.cell[True].send(data)
                return
            if self.on_gatt is not None:
                self.on_gatt(True, data)
            self.lines.ble[True].send(data)

        def turned(bearer: int, *, up: bool) -> None:
            for way in (self.lines.ble if bearer == BLE else self.lines.cell).values():
                way.connection()
            (tag.link_up if up else tag.link_down)(bearer)

        def to_network(data: bytes) -> None:
            self.cellular.send(data)

        def to_ingress(stream: ByteStream) -> Coroutine[Any, Any, None]:
            return self.gateways[INGRESS].streams.serve(stream)  # whichever process it is by now

        radio = self.ether.tag_radio(
            "tag",
            on_link_up=lambda: turned(BLE, up=True),
            on_data=to_tag,
            on_link_down=lambda: turned(BLE, up=False),
        )
        self.lines = Lines(
            Random(f"{self._seed}/lines"),
            ble={True: radio.send, False: lambda data: tag.link_data(BLE, data)},
            cell={True: to_network, False: lambda data: tag.link_data(CELLULAR, data)},
        )
        await radio.start()
        stack.push_async_callback(radio.stop)
        self.cellular = await stack.enter_async_context(
            Cellular(
                to_ingress,
                on_up=lambda: turned(CELLULAR, up=True),
                on_data=self.lines.cell[False].send,
                on_down=lambda: turned(CELLULAR, up=False),
                on_ring=tag.ring,
            )
        )

        def drop_lines() -> None:
            radio.disconnect()
            self.cellular.hang_up()

        self._drop_lines = drop_lines
        tag.on_advertise = radio.advertise
        tag.on_send = from_tag
        tag.on_dial = lambda _bearer: self.cellular.dial()
        tag.on_hang_up = lambda bearer: radio.disconnect() if bearer == BLE else self.cellular.hang_up()
