"""The gateways' processes and disks: they start, die without a word, and start again on what their disk has, whatever that is."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from strapline_gateway.gateway import Gateway
from strapline_gateway.outbox import Outbox
from strapline_gateway.relay import Relay, state_will, subscriptions
from strapline_gateway.station import PresenceLimits, Station
from strapline_protocol.keys import GatewayKeys
from strapline_protocol.mqtt import MqttClient
from strapline_protocol.notices import Notice, NoticeCode
from strapline_simulator.chain.broker_lines import BrokerLines
from strapline_simulator.chain.clocks import Clocks
from strapline_simulator.chain.parts import HOME, INGRESS
from strapline_simulator.draw import Draw, run_draw
from strapline_simulator.faults.storage import FullDisk
from strapline_simulator.scenario.gateway import BaseStation

_PAGE = 4096


class GatewayProcesses:
    """Of one run. `folder` holds their disks; in memory without one, and then none can be killed."""

    def __init__(
        self,
        station: BaseStation,
        seed: int,
        tag: GatewayKeys,
        keys: Mapping[str, bytes],
        lines: BrokerLines,
        clocks: Clocks,
    ) -> None:
        self._station = station
        self._seed = seed
        self._tag = tag
        self._keys = keys
        self._lines = lines
        self._clocks = clocks
        self._folder: Path | None = None
        self._ble: dict[str, Any] | None = None
        self._relays: list[Relay] = []
        self._lives: dict[str, AsyncExitStack] = {}
        """What the process of each holds."""
        self._births: dict[str, int] = {}
        self._killed: dict[str, bool] = {}
        """Those that are dead, and whether their line was cut before."""
        self._running: dict[str, Gateway] = {}
        self.outboxes: dict[str, Outbox] = {}
        self.disks: dict[str, FullDisk] = {}
        self.on_ring: Callable[[], None] = _nobody
        """The ingress wants the tag on the telephone."""
        self.on_ingress_death: Callable[[], None] = _nobody

    def __getitem__(self, ident: str) -> Gateway:
        """Whichever process it is by now."""
        return self._running[ident]

    def all(self) -> list[Gateway]:
        """Those that run, or ran last."""
        return list(self._running.values())

    @property
    def rejected(self) -> list[Mapping[str, int]]:
        """What each relay that ever lived refused of the centre, by reason."""
        return [relay.rejected for relay in self._relays]

    async def open(self, stack: AsyncExitStack, folder: Path | None, ble: dict[str, Any]) -> None:
        """They run until the stack is closed; the home's with these backends."""
        self._folder, self._ble = folder, ble
        stack.push_async_callback(self._end)
        for ident in (HOME, INGRESS):
            self._empty_disk(ident)
            await self.start(ident)

    async def start(self, ident: str) -> None:
        """Its process begins, on what is on its disk."""
        life = self._births[ident] = self._births.get(ident, 0) + 1
        draw = run_draw(self._seed, f"entropy-{ident}" if life == 1 else f"entropy-{ident}-{life}")
        async with AsyncExitStack() as stack:
            gateway = await self._assemble(ident, draw, stack)
            self._lives[ident] = stack.pop_all()
        if ident == INGRESS:
            gateway.on_ring = lambda _tag: self.on_ring()
        if self._killed.pop(ident, False):
            self._lines.cut(ident)
        if life > 1:
            gateway.tell(Notice(NoticeCode.STARTED))

    async def _assemble(self, ident: str, draw: Draw, stack: AsyncExitStack) -> Gateway:
        station = Station(int(ident, 16), [self._tag], draw, **self._role(ident))
        gateway = Gateway(station, self._ble if ident == HOME else None)
        outbox = self._open_outbox(ident, stack)
        will = state_will(ident, self._keys[ident], self._clocks.of(ident)(), outbox.start)
        client = self._lines.client(ident, subscriptions(ident), will)
        relay = self._relay(ident, outbox, client, gateway, draw)
        self._relays.append(relay)
        gateway.attach(relay)
        await client.connect(relay)
        self._lines.outage.seek(ident)
        stack.push_async_callback(client.close)
        stack.callback(lambda: None if ident in self._killed else relay.say_goodbye())
        self._running[ident] = await stack.enter_async_context(gateway)
        return gateway

    def _open_outbox(self, ident: str, stack: AsyncExitStack) -> Outbox:
        utc = self._clocks.of(ident)
        path = ":memory:" if self._folder is None else self._disk(ident)
        outbox = self.outboxes[ident] = Outbox(path, utc_s=lambda: utc().timestamp())
        stack.callback(outbox.close)
        self.disks[ident] = FullDisk(outbox)
        return outbox

    def _relay(
        self, ident: str, outbox: Outbox, client: MqttClient, gateway: Gateway, draw: Callable[[int], bytes]
    ) -> Relay:
        return Relay(
            ident,
            self._keys[ident],
            outbox,
            client,
            utc=self._clocks.of(ident),
            clock=asyncio.get_running_loop().time,
            on_command=gateway.command,
            on_keys=gateway.expect_keys,
            on_schedule=gateway.set_schedule,
            entropy=draw,
        )

    def _role(self, ident: str) -> dict[str, Any]:
        """What a station is told of its place."""
        home, utc, reach = ident == HOME, self._clocks.of(ident), self._station.reach
        limits = PresenceLimits() if reach is None or not home else PresenceLimits.of_class(reach)
        return {"home": home, "limits": limits, "utc_s": lambda: utc().timestamp()}

    async def kill(self, ident: str) -> None:
        """Its process ends without a word to anybody; its disk stays."""
        self._killed[ident] = self._lines.is_cut(ident)
        self._lines.cut(ident)
        if ident == INGRESS:
            self.on_ingress_death()
        await self._lives.pop(ident).aclose()

    async def _end(self) -> None:
        for ident in reversed([*self._lives]):
            await self._lives.pop(ident).aclose()

    # Their disks.

    def back_up(self, ident: str) -> None:
        """A copy of its disk as it is now."""
        with sqlite3.connect(self._backup(ident)) as copy:
            self.outboxes[ident]._db.backup(copy)  # noqa: SLF001 - as an administrator copies the file, with the gateway none the wiser
        copy.close()

    async def restore(self, ident: str) -> None:
        """Its disk is put back to what the copy has, and it starts."""
        await self.kill(ident)
        self._empty_disk(ident)
        self._disk(ident).write_bytes(self._backup(ident).read_bytes())
        await self.start(ident)

    async def swap(self, ident: str) -> None:
        """Another device with the same identity and keys, and an empty disk, takes its place."""
        await self.kill(ident)
        self._empty_disk(ident)
        await self.start(ident)

    async def damage(self, ident: str) -> None:
        """It dies, its disk loses a page, and it starts again."""
        await self.kill(ident)
        with self._disk(ident).open("r+b") as file:
            file.seek(_PAGE)
            file.write(bytes(_PAGE))
        await self.start(ident)

    def _disk(self, ident: str) -> Path:
        assert self._folder is not None
        return self._folder / f"outbox-{ident}.sqlite"

    def _backup(self, ident: str) -> Path:
        assert self._folder is not None
        return self._folder / f"backup-{ident}.sqlite"

    def _empty_disk(self, ident: str) -> None:
        """What an earlier life or run left there goes."""
        if self._folder is not None:
            for leftover in self._folder.glob(f"{self._disk(ident).name}*"):
                leftover.unlink()


def _nobody() -> None:
    """Nobody is told."""
