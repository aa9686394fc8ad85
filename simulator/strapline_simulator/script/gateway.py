"""The steps that happen to the base station and to the air around it: mains, line, lifting it; noise, recordings, a second device."""

import asyncio
from collections.abc import Callable

from strapline_protocol.codes import Kind
from strapline_protocol.document_rules import checked
from strapline_simulator.chain import HOME, Chain
from strapline_simulator.scenario import Scenario
from strapline_simulator.scenario.gateway import Handling
from strapline_simulator.world.attackers import CLONE, RECORDER, Clone, Recorder
from strapline_simulator.world.house import READ_EVERY_S, House, handling_mg
from strapline_simulator.world.wearer import Itinerary, Point
from strapline_wire import documents

_QUIET_DBM = -100.0
_NOISE_EVERY_S = 10.0
_COPIED_SLOT = 64
_COPIED_COUNTER = 8192
"""Where the copied device goes on: behind the slots and counters that the tag had reserved when it was copied."""


class GatewaySteps:
    """A part of `Script`, which has the attributes named here."""

    _chain: Chain
    _scenario: Scenario
    _home: Point
    path: Itinerary
    gateway_at: Callable[[float], Point]

    def _begin_gateway(self) -> None:
        chain = self._chain
        self._house = House(self._scenario.gateway.battery_h)
        self._house_reads: asyncio.Task[None] | None = None
        self._noise: asyncio.Task[None] | None = None
        self._recorder: Recorder | None = None
        self._clone: Clone | None = None
        chain.on_close.append(self._end_gateway)
        for attacker in (RECORDER, CLONE):
            chain.radio_world.place(attacker, lambda: self.gateway_at(chain.now_s()))

    async def _end_gateway(self) -> None:
        for task in (self._house_reads, self._noise):
            if task is not None:
                task.cancel()
        if self._recorder is not None:
            await self._recorder.stop()
        if self._clone is not None:
            await self._clone.stop()

    # The house.

    def _drain_house(self) -> None:
        while (notice := self._house.watch.next_event()) is not None:
            self._chain.gateways[HOME].tell(notice)

    async def _live_in_house(self) -> None:
        """From the first thing that happens to the base station: its gauge each minute, and what its judge waits for."""
        loop = asyncio.get_running_loop()
        while True:
            due = self._house.watch.next_deadline()
            wait_s = READ_EVERY_S if due is None else min(READ_EVERY_S, max(0.0, due - loop.time()))
            await asyncio.sleep(wait_s)
            self._house.watch.handle_timer(loop.time())
            self._house.read(loop.time())
            self._drain_house()

    def _changed(self) -> None:
        self._drain_house()
        if self._house_reads is not None:
            self._house_reads.cancel()
        self._house_reads = asyncio.create_task(self._live_in_house())

    async def _do_gateway_mains(self, there: bool, _now: float) -> None:
        self._house.set_mains(asyncio.get_running_loop().time(), there)
        self._changed()

    async def _do_gateway_battery(self, percent: float, _now: float) -> None:
        self._house.set_percent(asyncio.get_running_loop().time(), percent)
        self._changed()

    async def _do_gateway_line(self, up: bool, _now: float) -> None:
        self._house.watch.feed_line(asyncio.get_running_loop().time(), up)
        if up:
            await self._chain.broker.restore(HOME)
        else:
            self._chain.broker.cut(HOME)
        self._changed()

    async def _do_gateway_case(self, which: str, _now: float) -> None:
        self._house.watch.feed_case(asyncio.get_running_loop().time(), which == "open")
        self._changed()

    async def _do_gateway_moved(self, what: Handling, _now: float) -> None:
        for deviation_mg in handling_mg(what):
            self._house.watch.feed_motion(asyncio.get_running_loop().time(), deviation_mg)
            self._drain_house()
            await asyncio.sleep(1.0)

    async def _do_gateway_schedule(self, _yes: bool, _now: float) -> None:
        chain = self._chain
        values = chain.centre_process.schedule.curfew(chain.utc())
        revision = int(chain.utc().timestamp()) & 0x7FFFFFFF
        document = documents.pack_curfew(checked(Kind.CURFEW, (revision, *values)))
        chain.centre.desk.send_schedule(chain.tag_id, HOME, revision, document)
        chain.centre_process.publish()

    # The air.

    async def _do_noise(self, noise_dbm: float | bool, _now: float) -> None:
        self._chain.radio_world.noise_dbm = None if isinstance(noise_dbm, bool) else noise_dbm
        if self._noise is None:
            self._noise = asyncio.create_task(self._measure_noise())

    async def _measure_noise(self) -> None:
        station = self._chain.gateways[HOME].station
        while True:
            noise_dbm = self._chain.radio_world.noise_dbm
            station.receive_noise(_QUIET_DBM if noise_dbm is None else noise_dbm, asyncio.get_running_loop().time())
            self._chain.gateways[HOME].drain()
            await asyncio.sleep(_NOISE_EVERY_S)

    async def _do_record_radio(self, on: bool, _now: float) -> None:
        if self._recorder is None:
            self._recorder = recorder = Recorder(self._chain.ether)
            genuine = self._chain.tag.on_advertise

            def heard(address: bytes, data: bytes) -> None:
                recorder.hear(asyncio.get_running_loop().time(), address, data)
                genuine(address, data)

            self._chain.tag.on_advertise = heard
        self._recorder.records = on

    async def _do_replay_radio(self, for_s: float, _now: float) -> None:
        if self._recorder is not None:
            await self._recorder.replay(for_s)

    async def _do_clone_tag(self, on: bool, _now: float) -> None:
        if self._clone is not None:
            await self._clone.stop()
            self._clone = None
        if on:
            self._clone = Clone(self._chain.ether)
            held = {"counter": _COPIED_COUNTER, "slot": _COPIED_SLOT}
            await self._clone.start(self._chain.test_secret, b"clone".ljust(16), self._scenario.settings, held)
