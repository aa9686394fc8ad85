"""The gateway's process: the real gateway, station, outbox and relay, driven in lock step over a socket. It has no clock of its own."""

import asyncio
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, Self

from strapline_gateway.gateway import Gateway
from strapline_gateway.health import Health, LinkState
from strapline_gateway.outbox import Outbox
from strapline_gateway.relay import Relay, state_will, subscriptions
from strapline_gateway.station import Abandon, Connect, HangUp, Station, Transmit
from strapline_protocol.keys import GatewayKeys
from strapline_protocol.mqtt import MqttClient
from strapline_simulator.chaos.trap import Trap
from strapline_simulator.draw import Draw

_TURNS = 6
"""Of the loop, until all that one thing brings about has been done: a drain, the commit after it, what is published then."""


class Birth(NamedTuple):
    """What a gateway's process is started with."""

    ident: str
    home: bool
    key: bytes
    tags: tuple[GatewayKeys, ...]
    path: str
    seed: str
    now: float
    utc_s: float


class Order(NamedTuple):
    """One step: it is `now`, the wall clock says `utc_s`, and these things have happened since: (name, ...)."""

    now: float
    utc_s: float
    happened: tuple[tuple[Any, ...], ...]


class Reply(NamedTuple):
    """What the gateway says to the outside, in order, and when it wants to run next."""

    said: tuple[tuple[Any, ...], ...]
    deadline: float | None


def live(connection: Connection) -> None:
    """Be a gateway until the other end is gone or `end` is ordered."""
    trap = Trap()
    sqlite3.connect = trap.connect  # type: ignore[assignment] # the outbox's own way to its file, with a fuse in it
    birth: Birth = connection.recv()
    with asyncio.Runner(loop_factory=lambda: LockStepLoop(birth.now)) as runner:
        runner.run(_Process(connection, birth, trap).run())


class LockStepLoop(asyncio.SelectorEventLoop):
    """A loop whose time is what it was told last."""

    def __init__(self, now: float) -> None:
        self.now = now
        self._timers: list[asyncio.TimerHandle] = []
        super().__init__()

    def time(self) -> float:
        return self.now

    def call_at(  # type: ignore[override] # typed with a TypeVarTuple there
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        handle = super().call_at(when, callback, *args, context=context)
        self._timers = [timer for timer in self._timers if not timer.cancelled() and timer.when() > self.now]
        self._timers.append(handle)
        return handle

    def next_deadline(self) -> float | None:
        """When its first timer is due."""
        return min((timer.when() for timer in self._timers if not timer.cancelled()), default=None)

    async def settle(self) -> None:
        """Let everything run that is due now."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        self._timers = [timer for timer in self._timers if not timer.cancelled() and timer.when() > self.now]


class _Process:
    def __init__(self, connection: Connection, birth: Birth, trap: Trap) -> None:
        self._connection = connection
        self._birth = birth
        self._trap = trap
        self._utc_s = birth.utc_s
        self._said: list[tuple[Any, ...]] = []
        self._links: dict[int, int] = {}
        """The number of each link, by the handle that the world gave it."""
        self._handles: dict[int, int] = {}
        self._tokens = 0

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, LockStepLoop)
        self._gateway, self._outbox, self._relay = self._assemble(loop)
        will = state_will(self._birth.ident, self._birth.key, self._utc(), self._outbox.start)
        self._say("born", tuple(subscriptions(self._birth.ident)), tuple(will))
        async with self._gateway as gateway:
            self._reply(loop)
            while (order := self._receive()) is not None:
                loop.now, self._utc_s = order.now, order.utc_s
                self._trap.operation()
                for name, *fields in order.happened:
                    getattr(self, f"_on_{name}")(*fields)
                    gateway.drain()
                await loop.settle()
                self._reply(loop)
        self._outbox.close()

    def _assemble(self, loop: LockStepLoop) -> tuple[Gateway, Outbox, Relay]:
        birth = self._birth
        entropy = Draw(birth.seed)
        station = Station(int(birth.ident, 16), birth.tags, entropy, home=birth.home, now=birth.now)
        gateway = Gateway(station)
        gateway.add_links([_Link(self._perform)])
        outbox = Outbox(birth.path, utc_s=lambda: self._utc_s)
        client: MqttClient = self  # type: ignore[assignment] # the relay only publishes
        relay = Relay(
            birth.ident,
            birth.key,
            outbox,
            client,
            utc=self._utc,
            clock=loop.time,
            on_command=gateway.command,
            on_keys=gateway.expect_keys,
            on_schedule=gateway.set_schedule,
            entropy=entropy,
        )
        gateway.attach(relay)
        return gateway, outbox, relay

    def _utc(self) -> datetime:
        return datetime.fromtimestamp(0, UTC) + timedelta(seconds=self._utc_s)

    def _receive(self) -> Order | None:
        try:
            order: Order | None = self._connection.recv()
        except EOFError:
            return None
        return order

    def _reply(self, loop: LockStepLoop) -> None:
        self._trap.operation()
        self._connection.send(Reply(tuple(self._said), loop.next_deadline()))
        self._said.clear()

    def _say(self, *said: Any) -> None:
        self._trap.operation()
        self._said.append(said)

    # What the gateway asks of its radio and its broker.

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> int:
        """As `MqttClient.publish`."""
        self._tokens += 1
        self._say("publish", self._tokens, topic, payload, retain, expiry_s)
        return self._tokens

    def _perform(self, event: Connect | Abandon | Transmit | HangUp) -> None:
        if isinstance(event, Connect):
            self._say("connect", event.tag, event.address)
        elif isinstance(event, Abandon):
            self._say("abandon", event.tag)
        elif event.link in self._handles:
            data = (event.data,) if isinstance(event, Transmit) else ()
            self._say("transmit" if data else "hang_up", self._handles[event.link], *data)

    # What happens to it.

    def _on_advertisement(self, address: str, rssi_dbm: int, data: bytes) -> None:
        self._gateway.station.receive_advertisement(address, rssi_dbm, data, self._now)

    def _on_call_failed(self, tag: str) -> None:
        self._gateway.station.call_failed(tag, self._now)

    def _on_call_abandoned(self, tag: str) -> None:
        self._gateway.station.call_abandoned(tag)

    def _on_link_up(self, handle: int, tag: str | None) -> None:
        number = self._gateway.station.open_link(self._now, tag)
        self._links[handle] = number
        self._handles[number] = handle

    def _on_link_data(self, handle: int, data: bytes) -> None:
        self._gateway.station.receive_data(self._links[handle], data, self._now)

    def _on_link_down(self, handle: int) -> None:
        number = self._links.pop(handle)
        del self._handles[number]
        self._gateway.station.close_link(number, self._now)

    def _on_mqtt_up(self) -> None:
        with self._disk():
            self._relay.mqtt_connected()

    def _on_mqtt_down(self, reason: str) -> None:
        self._relay.mqtt_disconnected(reason)

    def _on_mqtt_message(self, topic: str, payload: bytes) -> None:
        with self._disk():
            self._relay.mqtt_message(topic, payload)

    def _on_puback(self, token: int) -> None:
        with self._disk():
            self._relay.mqtt_published(token)

    # What the world does to it, and asks.

    def _on_die_at(self, operations: int) -> None:
        self._trap.set(operations)

    def _on_disk(self, full: bool) -> None:
        self._trap.fill_disk(full=full)

    def _on_status(self) -> None:
        self._say("status", len(self._outbox), self._gateway.disk_faults)

    def _disk(self) -> "_Shrug":
        return _Shrug(self)

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()


class _Shrug:
    """What asyncio does with an exception in a callback of the MQTT client: it is told, and the gateway lives on."""

    def __init__(self, process: _Process) -> None:
        self._process = process

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _traceback: object) -> bool:
        if isinstance(error, sqlite3.Error):
            self._process._say("complaint", str(error))  # noqa: SLF001 - of the same file
            return True
        return False


class _Link:
    """A `Link` whose radio is at the other end of a socket."""

    name = "chaos:"
    health = Health("chaos:", LinkState.UP, 0, None, 0, {})

    def __init__(self, perform: Callable[[Connect | Abandon | Transmit | HangUp], None]) -> None:
        self._perform = perform

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        """There is nothing to close."""

    def perform(self, event: Connect | Abandon | Transmit | HangUp) -> bool:
        """All links are this one's."""
        self._perform(event)
        return True
