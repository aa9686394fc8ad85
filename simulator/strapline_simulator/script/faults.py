"""The steps that break a part of the chain, and mend it."""

import asyncio
from random import Random
from typing import Any

from strapline_simulator.chain import CENTRE, HOME, INGRESS, Chain
from strapline_simulator.faults.receiver import FaultyUart
from strapline_simulator.faults.sensors import SensorFault
from strapline_simulator.scenario import Scenario
from strapline_simulator.scenario.faults import (
    AdapterState,
    BlockOrder,
    Device,
    LineNoise,
    ModemState,
    ReceiverState,
    Reports,
    SensorOrder,
)
from strapline_simulator.world.attackers import FOREIGN, Clone
from strapline_tag.outputs import CELLULAR

_SENSOR_TICK_S = 5.0
_RESTART_S = 5.0
"""For a gateway's process to be started again."""

_REFUSED_S = 2.0
_SAG, _DEAD, _WORN, _WELL = 1, 2, 3, 0


class FaultSteps:
    """A part of `Script`, which has the attributes named here."""

    _chain: Chain
    _scenario: Scenario

    def _begin_faults(self, seed: int) -> None:
        chain = self._chain
        self._uart = FaultyUart(chain.tag.gnss, Random(f"{seed}/uart"))
        self._modem: ModemState = "well"
        self._foreign: Clone | None = None
        chain.on_close.append(self._end_faults)
        chain.radio_world.place(FOREIGN, self._home_point)

    def _darken(self, now: float, *, dark: bool) -> None:
        raise NotImplementedError

    def _home_point(self) -> Any:
        raise NotImplementedError

    async def _end_faults(self) -> None:
        if self._foreign is not None:
            await self._foreign.stop()

    # The radio at home.

    async def _do_adapter(self, state: AdapterState, _now: float) -> None:
        await self._chain.adapter.turn(state)

    async def _do_radio_reports(self, how: Reports | bool, _now: float) -> None:
        adapter, wanted = self._chain.adapter, how if isinstance(how, Reports) else Reports()
        adapter.double, adapter.late, adapter.late_s = wanted.double, wanted.late, wanted.by

    async def _do_line_noise(self, how: LineNoise | bool, _now: float) -> None:
        self._chain.tag_lines.ways.spoil(how.model_dump() if isinstance(how, LineNoise) else {})

    async def _do_foreign_tag(self, there: bool, _now: float) -> None:
        if self._foreign is not None:
            await self._foreign.stop()
            self._foreign = None
        if there:
            self._foreign = Clone(self._chain.ether, FOREIGN)
            secret = bytes(255 - byte for byte in self._chain.test_secret)
            await self._foreign.start(secret, b"foreign".ljust(16), self._scenario.settings, {})

    # The cellular line.

    async def _do_cell_delay(self, delay_s: float, _now: float) -> None:
        self._chain.tag_lines.ways.delay_cellular(delay_s)

    async def _do_modem(self, state: ModemState, _now: float) -> None:
        chain, self._modem = self._chain, state
        chain.tag_lines.ways.kill_cellular(dead=state == "silent")
        if state == "rejected":
            chain.tag_lines.cellular.hang_up()
        chain.tag.on_dial = self._dial

    def _dial(self, bearer: int) -> None:
        if self._modem == "well":
            self._chain.tag_lines.cellular.dial()
        elif self._modem == "rejected":
            asyncio.get_running_loop().call_later(_REFUSED_S, self._chain.tag.link_down, CELLULAR)

    # The tag.

    async def _do_receiver(self, state: ReceiverState, now: float) -> None:
        self._uart.state = state
        self._darken(now, dark=state != "well")

    async def _do_sensor(self, order: SensorOrder, now: float) -> None:
        sensors = self._chain.sensors
        if order.well:
            sensors.mend(order.of)
        elif order.fails:
            sensors.silence(order.of, silent=True)
        elif order.of == "motion":
            sensors.motion_stuck = True
        else:
            moving = sensors.moves
            fault = SensorFault(bool(order.stuck), order.reads, order.noise or 0.0, order.drift_per_h or 0.0)
            sensors.begin(order.of, fault, now)
            if sensors.moves and not moving:
                await self._wander()

    async def _wander(self) -> None:
        while self._chain.sensors.moves:
            self._chain.sensors.tick(self._chain.now_s())
            await asyncio.sleep(_SENSOR_TICK_S)

    async def _do_flash_block(self, order: BlockOrder, _now: float) -> None:
        what = {"dead": _DEAD, "worn": _WORN, "well": _WELL}[order.state]
        self._chain.tag.fail_flash(what, order.block)

    async def _do_brown_out(self, after_bytes: int, _now: float) -> None:
        self._chain.tag.fail_flash(_SAG, after_bytes)

    # The gateway.

    async def _do_gateway_clock(self, off_s: float, _now: float) -> None:
        self._chain.clocks.off_s[HOME] = off_s

    async def _do_gateway_disk(self, state: str, _now: float) -> None:
        disk = self._chain.gateways.disks[HOME]
        if state == "full":
            disk.fill()
        else:
            disk.make_room()

    async def _do_gateway_device(self, what: Device, _now: float) -> None:
        gateways = self._chain.gateways
        if what == "back_up":
            gateways.back_up(HOME)
        elif what == "restart":
            await self._restart_gateway(HOME)
        else:
            await {"restore": gateways.restore, "swap": gateways.swap, "damage": gateways.damage}[what](HOME)

    async def _do_ingress_restart(self, _yes: bool, _now: float) -> None:
        await self._restart_gateway(INGRESS)

    async def _restart_gateway(self, ident: str) -> None:
        await self._chain.gateways.kill(ident)
        await asyncio.sleep(_RESTART_S)
        await self._chain.gateways.start(ident)

    # Broker and centre.

    async def _do_broker_queue(self, limit: int | bool, _now: float) -> None:
        self._chain.broker.limit_queue(None if isinstance(limit, bool) else limit)

    async def _do_broker_forgets(self, away_s: float, _now: float) -> None:
        self._chain.broker.outage.stop()
        self._chain.broker.forget()
        await asyncio.sleep(away_s)
        self._chain.broker.outage.start()

    async def _do_centre_clock(self, off_s: float, _now: float) -> None:
        self._chain.clocks.off_s[CENTRE] = off_s

    async def _do_ledger_locked(self, share: float, _now: float) -> None:
        self._chain.centre_process.locked_ledger.share = share
