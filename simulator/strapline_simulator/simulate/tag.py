"""One simulated tag in real time: the firmware on a body, a receiver, and a modem with a way to a gateway."""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from random import Random
from typing import Any, Self

from strapline_simulator.bodies import Body
from strapline_simulator.real_time import WORN, LiveNode
from strapline_simulator.simulate.identities import Identity
from strapline_simulator.simulate.tally import TagTally
from strapline_simulator.simulate.ways import Ends, Way
from strapline_simulator.world.sky import Receiver
from strapline_simulator.world.wearer import Point
from strapline_tag.outputs import CELLULAR

_ALWAYS = {"mode": 2, "cellular_idle_ms": 600_000, "cellular_linger_ms": 600_000, "cellular_retry_ms": 2_000}
"""No base station to look for, and the line stays up: what is measured is the way, not the sparing of it."""

_HERE = Point(53.2487, 10.4078)


class _Receiver(Receiver):
    """A receiver under the open sky that knows where it is: a position each second while it has power."""

    def __init__(self, emit: Callable[[bytes], None], random: Random) -> None:
        super().__init__(lambda: datetime.now(UTC), lambda: _HERE, emit, random)
        self._next: asyncio.TimerHandle | None = None

    def power(self, on: bool) -> None:
        if self._next is not None:
            self._next.cancel()
        self._next = asyncio.get_running_loop().call_later(1.0, self._tell) if on else None

    def _tell(self) -> None:
        loop = asyncio.get_running_loop()
        self._next = loop.call_later(1.0, self._tell)
        self._emit(self._sentences(has_fix=True, now=loop.time()))


class SimulatedTag:
    """It tells that it is there every `period_s`, and where it is every few minutes; each becomes a record."""

    def __init__(self, identity: Identity, body: Body, tally: TagTally, period_s: int) -> None:
        self.identity = identity
        self._node = LiveNode(body)
        self._node.on_frame = tally.take
        self._tally = tally
        self._settings = {**_ALWAYS, "beacon_period_s": period_s}
        self._receiver = _Receiver(self._node.gnss, Random(identity.tag))
        self._final: int | None = None
        self._stack = AsyncExitStack()
        self._way: Way | None = None
        self.is_connected = False
        self.connections = 0

    async def start(self, make_way: Callable[[Ends], Way]) -> Self:
        """Boot it. `make_way(self)` gives its line; enter it before."""
        node = self._node
        async with AsyncExitStack() as stack:
            stack.callback(node.body.close)
            way = self._way = make_way(self)
            await stack.enter_async_context(way)
            stack.callback(self._power_off)
            node.on_dial = lambda _bearer: way.dial()
            node.on_send = lambda _bearer, data: way.send(data)
            node.on_hang_up = lambda _bearer: way.hang_up()
            node.on_gnss_power = self._receiver.power
            memory = {"armed_ohm": WORN["strap_ohm"], **self.identity.memory}
            now = asyncio.get_running_loop().time()
            node.boot(now, self.identity.secret, secrets.token_bytes(16), self._settings, memory)
            for sensor, value in WORN.items():
                node.sense(sensor, value)
            self._stack = stack.pop_all()
        return self

    async def close(self) -> None:
        await self._stack.aclose()

    def _power_off(self) -> None:
        self._node.lose_power()
        self._node.disarm()

    def rest(self) -> None:
        """What it makes from now on counts no more; what it has goes on its way."""
        self._final = self._measured("journal_newest")
        self._tally.close_at(self._final)

    def records(self) -> tuple[int, int]:
        """(all that it has made, those of them without a receipt), as it says itself."""
        if self._final is not None:
            return self._final, self._final - self._tally.acknowledged
        return self._measured("journal_newest"), self._measured("journal_waits")

    def _measured(self, name: str) -> int:
        told: dict[str, Any] = self._node.measure()
        return int(told[name])

    # What its way tells it.

    def up(self) -> None:
        if self._node.has_power:
            self.is_connected = True
            self.connections += 1
            self._node.link_up(CELLULAR)

    def data(self, data: bytes) -> None:
        if self._node.has_power:
            self._node.link_data(CELLULAR, data)

    def down(self) -> None:
        self.is_connected = False
        if self._node.has_power:
            self._node.link_down(CELLULAR)
