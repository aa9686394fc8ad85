"""A run of simulated tags: everything is started, told of once a second, and ended with a verdict."""

import asyncio
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from strapline_gateway.transports import BAUD
from strapline_protocol.errors import UserError
from strapline_simulator.bodies import make_body
from strapline_simulator.simulate.house import House
from strapline_simulator.simulate.identities import Identity, gateways_in, tags_in
from strapline_simulator.simulate.tag import SimulatedTag
from strapline_simulator.simulate.tally import Counts, Tally
from strapline_simulator.simulate.ways import Ends, HouseWay, SerialWay, Target, TcpWay, Way

_EACH_S = 1.0
_LOOK_S = 0.1
_ENOUGH = 20
"""Kinds of failures that are told apart; what comes after is counted together."""


class Request(NamedTuple):
    """What to run. `rate`: records a second from each tag."""

    tags: int
    rate: float
    target: Target
    folder: Path
    body: str = "model"
    for_s: float | None = None
    grace_s: float = 30.0
    """At the end, for what is still under way."""
    gateways: int = 1
    """Of its own, on a broker."""


class Status(NamedTuple):
    """How it stands."""

    t_s: float
    connected: int
    waiting: int
    """Records that the tags hold without a receipt, sent or not."""
    counts: Counts

    @property
    def line(self) -> str:
        """For a person, once a second."""
        c = self.counts
        latency = "" if c.p50_s is None else f", p50 {c.p50_s:.2f} s, p99 {c.p99_s:.2f} s"
        return (
            f"{self.t_s:6.0f} s  {self.connected} connected, {c.made} made, {c.sent} sent, {c.acknowledged} acknowledged, "
            f"{c.missing} under way, {c.sent_again} sent again{latency}"
        )


class Simulation:
    """One run. `say` hears of its status once a second."""

    def __init__(self, request: Request, say: Callable[[Status], None]) -> None:
        self._request = request
        self._say = say
        self._tags: list[SimulatedTag] = []
        self._houses: list[House] = []
        self._failures: Counter[str] = Counter()
        self._end = asyncio.Event()
        self._hurry = asyncio.Event()

    async def run(self) -> dict[str, Any]:
        """Until its time is over or SIGINT comes; a second SIGINT ends the wait for what is under way. Gives the summary."""
        loop = asyncio.get_running_loop()
        self._began_s = loop.time()
        self._tally = Tally(loop.time)
        with _interrupts(self.end):
            async with AsyncExitStack() as stack:
                await self._start(stack)
                await self._go_on(self._end, self._request.for_s)
                for tag in self._tags:
                    tag.rest()
                await self._go_on(self._hurry, self._request.grace_s, until_empty=True)
                return self._summary()

    def end(self) -> None:
        """End it in good order; said twice, without waiting."""
        if self._end.is_set():
            self._hurry.set()
        self._end.set()

    async def _start(self, stack: AsyncExitStack) -> None:
        request = self._request
        identities = tags_in(request.folder, request.tags)
        if request.target.is_broker:
            for ident, key in gateways_in(request.folder, request.gateways).items():
                house = House(ident, key, request.target.text, identities)
                self._houses.append(await stack.enter_async_context(house))
        for number, identity in enumerate(identities):
            tag = self._tag(identity)
            stack.push_async_callback(tag.close)
            self._tags.append(tag)
            await tag.start(lambda ends, number=number: self._way(ends, number))  # type: ignore[misc]
            await asyncio.sleep(0)  # those that stand already go on

    def _tag(self, identity: Identity) -> SimulatedTag:
        counted = self._tally.tag(identity.tag, identity.secret)
        return SimulatedTag(identity, make_body(self._request.body), counted, max(1, round(1 / self._request.rate)))

    def _way(self, ends: Ends, number: int) -> Way:
        target = self._request.target
        if target.kind == "tcp":
            return TcpWay(*target.address, ends, self._failed)
        if target.kind == "serial":
            port, at, baud = target.rest.rpartition("@")
            return SerialWay(port if at else target.rest, int(baud) if at else BAUD, ends, self._failed)
        return HouseWay(self._houses[number % len(self._houses)].gateway.streams, ends)

    def _failed(self, reason: str) -> None:
        self._failures[reason if reason in self._failures or len(self._failures) < _ENOUGH else "others"] += 1

    async def _go_on(self, ended: asyncio.Event, limit_s: float | None, *, until_empty: bool = False) -> None:
        loop = asyncio.get_running_loop()
        begun_s = told_s = loop.time()
        while not ended.is_set() and (limit_s is None or loop.time() - begun_s < limit_s):
            left_s = _LOOK_S if limit_s is None else min(_LOOK_S, begun_s + limit_s - loop.time())
            await asyncio.sleep(max(0.0, left_s))
            if until_empty and self.status().waiting == 0:
                return
            if loop.time() - told_s >= _EACH_S:
                told_s += _EACH_S
                self._say(self.status())

    def status(self) -> Status:
        """How it stands now."""
        records = [tag.records() for tag in self._tags]
        return Status(
            t_s=asyncio.get_running_loop().time() - self._began_s,
            connected=sum(tag.is_connected for tag in self._tags),
            waiting=sum(waiting for _, waiting in records),
            counts=self._tally.counts(made for made, _ in records),
        )

    def _summary(self) -> dict[str, Any]:
        status, request = self.status(), self._request
        troubles = {house.ident: house.trouble for house in self._houses if house.trouble}
        return {
            "simulated": True,
            "passed": status.counts.acknowledged > 0 and status.waiting == 0 and status.counts.missing == 0,
            "target": _public(request.target.text),
            "body": request.body,
            "tags": request.tags,
            "rate_per_s": request.rate,
            "seconds": round(status.t_s, 1),
            "connected": status.connected,
            "connections": sum(tag.connections for tag in self._tags),
            "waiting": status.waiting,
            **status.counts._asdict(),
            "failures": dict(self._failures),
            "gateways": {house.ident: house.summary() for house in self._houses},
            "troubles": troubles,
        }


def check(request: Request) -> None:
    """UserError for what cannot be meant."""
    target = request.target
    if target.kind == "tcp":
        _ = target.address
    if target.kind == "serial" and request.tags != 1:
        raise UserError("--to serial: one port is one tag's wire: give --tags 1, or use tcp:")


def _public(target: str) -> str:
    """An address without its password."""
    kind, _, rest = target.partition("://")
    return f"{kind}://{rest.rsplit('@', maxsplit=1)[-1]}" if kind.startswith("mqtt") else target


@contextmanager
def _interrupts(end: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
