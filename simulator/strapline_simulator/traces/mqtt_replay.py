"""A trace's publications, published again at a broker, and counted against what the trace says came of them."""

import asyncio
import secrets
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from strapline_protocol import contract
from strapline_protocol.mqtt import PahoClient
from strapline_simulator.traces.pacing import Pace, Stepper
from strapline_simulator.traces.reading import Reading
from strapline_simulator.traces.remapping import Publication, Remapper
from strapline_wire.errors import RemoteProtocolError

SIDES = ("gateways", "centre", "both")
_UNACKNOWLEDGED = 256
"""On their way to the broker at a time: a broker that is slow slows the replay, and no memory fills."""

Record = tuple[str, str, int, int]
"""Gateway, source, journal, sequence."""


class Plan(NamedTuple):
    """What is asked of a replay."""

    pace: Pace = Pace()
    loops: int = 1
    """0 is without end."""
    verify: str = ""
    """`delivery`: each message comes back from the broker; `receipts`: each record gets a receipt that had one in the trace."""
    wait_s: float = 10.0
    """For what is to come behind the last message."""


class Outcome(NamedTuple):
    """What came of it."""

    published: int
    acknowledged: int
    took_s: float
    missing: list[str]
    """What `verify` missed, a line each; empty where it missed nothing or was not asked."""
    expected: int
    """How many things `verify` looked for."""


def publications(readings: Iterable[Reading], side: str) -> Iterator[Publication]:
    """What gateways, the centre or both have published, of what is on the interface `mqtt`."""
    for reading in readings:
        packet = reading.packet
        if packet.interface != "mqtt":
            continue
        topic, _, payload = packet.data.partition(b"\0")
        from_centre = reading.kind in contract.FROM_THE_CENTRE
        if side == "both" or from_centre == (side == "centre"):
            retain = "retain" in packet.notes or reading.kind == "state"
            yield Publication(packet.utc_s, topic.decode(errors="replace"), payload, retain)


def record_of(publication: Publication) -> Record | None:
    """The identity of the record in it, where it carries one."""
    data = publication.data
    identity = data.get("source"), data.get("journal"), data.get("sequence")
    if publication.channel not in contract.FROM_GATEWAYS or not all(
        isinstance(part, kind) for part, kind in zip(identity, (str, int, int), strict=True)
    ):
        return None
    return contract.parse_topic(publication.topic).gateway, *identity  # type: ignore[return-value]


class Receipts:
    """Which records have a receipt."""

    def __init__(self) -> None:
        self._base: dict[tuple[str, str, int], int] = {}
        self._beyond: set[Record] = set()

    def hear(self, publication: Publication) -> None:
        """A receipt, or anything else."""
        if publication.channel != "receipt":
            return
        gateway, data = contract.parse_topic(publication.topic).gateway, publication.data
        try:
            key = gateway, str(data["source"]), contract.number(data, "journal")
            base = contract.number(data, "base")
            self._base[key] = max(base, self._base.get(key, 0))
            self._note(key, base + 1, contract.number(data, "bitmap"))
            if "first" in data:
                first = contract.number(data, "first")
                self._beyond.add((*key, first))
                self._note(key, first + 1, contract.number(data, "far_bitmap"))
        except (KeyError, RemoteProtocolError):
            return  # no receipt of the contract, whoever sent it

    def _note(self, key: tuple[str, str, int], first: int, bitmap: int) -> None:
        self._beyond.update((*key, first + bit) for bit in range(32) if bitmap >> bit & 1)

    def cover(self, record: Record) -> bool:
        """Whether one of them is for this record."""
        gateway, source, journal, sequence = record
        return sequence < self._base.get((gateway, source, journal), 0) or record in self._beyond


class _Ear:
    """A listener that keeps what it is waiting for."""

    def __init__(self) -> None:
        self.acknowledged = 0
        self.heard: Counter[tuple[str, bytes]] = Counter()
        self.receipts = Receipts()
        self.changed = asyncio.Event()

    def mqtt_connected(self) -> None:
        """It goes on by itself."""

    def mqtt_disconnected(self, reason: str) -> None:
        """It comes back by itself, and sends again what has no PUBACK."""

    def mqtt_message(self, topic: str, payload: bytes) -> None:
        self.heard[topic, payload] += 1
        self.receipts.hear(Publication(0.0, topic, payload, retain=False))
        self.changed.set()

    def mqtt_published(self, token: int) -> None:
        self.acknowledged += 1
        self.changed.set()

    async def until(self, condition: Callable[[], bool], limit_s: float) -> bool:
        try:
            async with asyncio.timeout(limit_s):
                while not condition():
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            return False
        return True


async def replay(
    url: str,
    found: Sequence[Publication],
    expected: Sequence[Record],
    plan: Plan,
    stepper: Stepper,
) -> Outcome:
    """Publish them; `expected` are the records that `verify="receipts"` waits for. UserError where there is no broker."""
    ear, loop = _Ear(), asyncio.get_running_loop()
    client = PahoClient(url, f"strapline-replay-{secrets.token_hex(4)}", [f"{contract.ROOT}/#"] if plan.verify else [])
    await client.connect(ear)
    began, published = loop.time(), 0
    due = plan.pace.due([one.utc_s for one in found])
    try:
        rounds = 0
        while not plan.loops or rounds < plan.loops:
            start = loop.time()
            for at, one in zip(due, found, strict=True):
                if not await stepper.step(f"{one.topic} {len(one.payload)} bytes"):
                    plan = plan._replace(loops=rounds + 1)
                    break
                await asyncio.sleep(max(0.0, start + at - loop.time()))
                client.publish(one.topic, one.payload, retain=one.retain)
                published += 1
                await ear.until(lambda: published - ear.acknowledged < _UNACKNOWLEDGED, float("inf"))  # noqa: B023
            rounds += 1
        await ear.until(lambda: ear.acknowledged >= published, plan.wait_s)
        missing = await _missing(ear, found[:published], expected, rounds, plan)
    finally:
        await client.close()
    wanted = {"delivery": published, "receipts": len(expected)}.get(plan.verify, 0)
    return Outcome(published, ear.acknowledged, loop.time() - began, missing, wanted)


async def _missing(
    ear: _Ear, found: Sequence[Publication], expected: Sequence[Record], rounds: int, plan: Plan
) -> list[str]:
    if plan.verify == "delivery":
        ours = [one for one in found if one.topic.startswith(f"{contract.ROOT}/")]
        wanted = Counter((one.topic, one.payload) for one in ours for _ in range(rounds))
        await ear.until(lambda: not wanted - ear.heard, plan.wait_s)
        return [
            f"{topic} did not come back ({count} of {len(payload)} bytes)"
            for (topic, payload), count in (wanted - ear.heard).items()
        ]
    if plan.verify == "receipts":
        left = deque(expected)

        def all_there() -> bool:
            while left and ear.receipts.cover(left[0]):
                left.popleft()
            return not left

        await ear.until(all_there, plan.wait_s)
        late = [record for record in left if not ear.receipts.cover(record)]
        return [
            f"no receipt for {source} journal {journal} sequence {number} at gateway {gateway}"
            for gateway, source, journal, number in late
        ]
    return []


def receipted(readings: Sequence[Reading], remapper: Remapper, chosen: Iterable[Publication]) -> list[Record]:
    """The records among the chosen publications for which the trace has a receipt, each once, under their new names."""
    told = Receipts()
    for one in publications(readings, "centre"):
        told.hear(remapper.map(one))
    records = dict.fromkeys(record for one in chosen if (record := record_of(one)) is not None)
    return [record for record in records if told.cover(record)]
