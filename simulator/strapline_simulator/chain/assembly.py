"""The assembly: every part of the chain is made, connected, and ended in order."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any, Self

from strapline_centre.centre import Centre
from strapline_centre.ledger import Ledger
from strapline_gateway.stream import ByteStream
from strapline_protocol.keys import centre_keys, gateway_keys
from strapline_simulator.airs import BLE as WHOLE_STACKS
from strapline_simulator.airs import Ether, GatewayRadio, open_ether
from strapline_simulator.bodies import Body
from strapline_simulator.brokers import Broker
from strapline_simulator.chain.broker_lines import BrokerLines
from strapline_simulator.chain.centre_process import CentreProcess
from strapline_simulator.chain.clocks import Clocks
from strapline_simulator.chain.desk import Desk
from strapline_simulator.chain.gateway_processes import GatewayProcesses
from strapline_simulator.chain.pace import Pace, VirtualPace, WallPace
from strapline_simulator.chain.parts import HOME, INGRESS, TAG
from strapline_simulator.chain.tag_life import TagLife
from strapline_simulator.chain.tag_lines import TagLines
from strapline_simulator.draw import run_draw, tag_secret
from strapline_simulator.faults.adapter import AdapterFaults
from strapline_simulator.faults.sensors import Sensors
from strapline_simulator.real_adapter import adapter_ether
from strapline_simulator.scenario import Scenario
from strapline_simulator.scenario.updates import UpdateKind
from strapline_simulator.tag_node import TagNode
from strapline_simulator.updates import AnyDelivery
from strapline_simulator.world.collisions import Collisions
from strapline_simulator.world.neighbours import move_in
from strapline_simulator.world.radio import RadioWorld

_ADVERTISEMENT_LOSS = 0.05
"""Share of advertisements that a scanning adapter misses in a quiet home."""


class Chain:
    """Use as an asynchronous context manager; on entering everything is connected, and the tag is not yet started."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        body: Body,
        broker: Broker,
        air: str = WHOLE_STACKS,
        *,
        desk: Desk | None = None,
    ) -> None:
        """With a `desk` the tag is a board on it, time is the wall's, and `air` is the room's own."""
        self._scenario = scenario
        self.seed = seed
        self._stack = AsyncExitStack()
        self.test_secret = tag_secret(seed)
        """The tag's secret, derived from the seed: a test key, for this run alone."""
        self.test_gateway_keys = {gateway: run_draw(seed, f"gateway-{gateway}")(32) for gateway in (HOME, INGRESS)}
        """Under what each gateway and the centre seal: test keys too."""
        self.clocks = Clocks(scenario.start, on_the_wall=desk is not None)
        self.radio_world = RadioWorld(Random(f"{seed}/radio"))
        self.pace: Pace = VirtualPace() if desk is None else WallPace()
        self.tag_keys = gateway_keys(TAG, self.test_secret) if desk is None else desk.gateway_keys
        self.seals = centre_keys(TAG, self.test_secret) if desk is None else desk.centre_keys
        """The gateways' and the centre's keys of the tag."""
        self.ether = self._open_ether(air) if desk is None else adapter_ether(desk.adapter)
        self.air = self.ether.air
        self.tag = TagNode(body)
        self.tag_life = TagLife(self.tag, scenario, seed, self.test_secret)
        self.tag_lines = TagLines(self.tag, seed)
        self.sensors = Sensors(self.tag.sense, Random(f"{seed}/sensors"))
        """Between the world and the tag; what the script senses goes through it."""
        self.broker = BrokerLines(broker, seed, self.pace)
        self.centre_process = CentreProcess(
            scenario, seed, self.seals, self.test_gateway_keys, self.broker, self.clocks
        )
        self.gateways = GatewayProcesses(
            scenario.gateway, seed, self.tag_keys, self.test_gateway_keys, self.broker, self.clocks
        )
        self.adapter: AdapterFaults
        self.on_truth: Callable[[float, str], None] | None = None
        self.on_close: list[Callable[[], Awaitable[None]]] = []
        """What a scenario has begun around the chain, and must end before it."""
        self._updates = 0

    def _open_ether(self, air: str) -> Ether:
        world = self.radio_world
        return open_ether(air, world.rssi_dbm, world.reaches, Random(f"{self.seed}/air"), _ADVERTISEMENT_LOSS)

    @property
    def tag_id(self) -> str:
        """Of the tag that this chain is about."""
        return self.tag_keys.tag

    @property
    def centre(self) -> Centre:
        """Whichever process it is by now."""
        return self.centre_process.centre

    @property
    def ledger(self) -> Ledger:
        return self.centre_process.ledger

    @property
    def refused(self) -> int:
        """Messages between gateways and centre that either end refused as not genuine."""
        counts = [self.centre.rejected, *self.gateways.rejected]
        return sum(told.get(reason, 0) for told in counts for reason in ("forged", "malformed", "old_state"))

    def utc(self) -> datetime:
        """The world's wall clock."""
        return self.clocks.utc()

    def now_s(self) -> float:
        """Seconds since the scenario's start."""
        return self.clocks.now_s()

    async def __aenter__(self) -> Self:
        self.clocks.open()
        async with AsyncExitStack() as stack:
            stack.enter_context(self.broker)
            folder = self._disks(stack)
            await self.centre_process.open(stack)
            home_radio = self.ether.gateway_radio("home")
            await home_radio.start()
            stack.push_async_callback(home_radio.stop)
            self.adapter = AdapterFaults(home_radio.stop, home_radio.start, Random(f"{self.seed}/adapter"))
            await self.gateways.open(stack, folder, self._link_options(home_radio))
            await self.tag_lines.open(stack, self.ether, self._answer)
            self.gateways.on_ring = self.tag_lines.cellular.ring
            self.gateways.on_ingress_death = self.tag_lines.cellular.hang_up
            await self._move_neighbours_in(stack)
            self._stack = stack.pop_all()
        self.clocks.begin()
        return self

    async def __aexit__(self, *error: object) -> None:
        for end in [*self.on_close, self.broker.outage.end, self.adapter.let_go]:
            await end()
        await self._stack.__aexit__(None, None, None)

    def _link_options(self, radio: GatewayRadio) -> dict[str, Any]:
        if self.ether.options is not None:
            return dict(self.ether.options)
        return self.adapter.backends(radio.scanner_backend, radio.client_backend)

    async def _answer(self, stream: ByteStream) -> None:
        """The network's end is at whichever process the ingress is by now."""
        await self.gateways[INGRESS].streams.serve(stream)

    def _disks(self, stack: AsyncExitStack) -> Path | None:
        """The gateways' outboxes are in memory unless one of them is killed."""
        if not any(step.outlives_gateway for step in self._scenario.steps):
            return None
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="strapline-outbox-")))

    async def _move_neighbours_in(self, stack: AsyncExitStack) -> None:
        count = self._scenario.neighbours
        if count:
            self.air.medium = Collisions(Random(f"{self.seed}/crowd"), self.radio_world.level_dbm)
            await move_in(stack, count, self.ether, self.radio_world, self._scenario.places.get("home"), self.seed)

    def start_tag(self) -> None:
        """Power for the tag: this moment is the scenario's start."""
        self.clocks.begin()
        self._stack.callback(self.pace.carry(self.tag))
        self.tag_life.begin(_loop_s())

    def cut_tag_power(self) -> None:
        """The tag goes dark, and its connections with it."""
        self.tag_life.end()
        self.tag_lines.drop()

    def restore_tag_power(self) -> None:
        self.tag_life.begin_again(_loop_s())

    def update_tag(self, kind: UpdateKind) -> None:
        """The centre sends an image: good, or as its kind says."""
        self._updates += 1
        desk = self.centre.desk
        desk.deliver(
            self.tag_id,
            HOME,
            AnyDelivery(desk.sealer(self.tag_id), self.tag_life.image(kind, self.utc()), self._updates),
        )
        self.centre_process.publish()


def _loop_s() -> float:
    return asyncio.get_running_loop().time()
