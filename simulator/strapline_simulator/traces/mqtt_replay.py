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
    url: str, found: Sequence[Publication], expected: Sequence[Record], plan: Plan, stepper: Stepper
) -> Outcome:
    """Publish them; `expected` are the records that `verify="receipts"` waits for. UserError where there is no broker."""
    ear, loop = _Ear(), asyncio.get_running_loop()
    client = PahoClient(url, f"strapline-replay-{secrets.token_hex(4)}", [f"{contract.ROOT}/#"] if plan.verify else [])
    await client.connect(ear)
    began = loop.time()
    sent: Counter[tuple[str, bytes]] = Counter()
    try:
        rounds = 0
        while not stepper.stopped and (not plan.loops or rounds < plan.loops):
            await _round(client, ear, found, plan, stepper, sent)
            rounds += 1
        await ear.until(lambda: ear.acknowledged >= sent.total(), plan.wait_s)
        missing = await _missing(ear, sent, expected, plan)
    finally:
        await client.close()
    wanted = {"delivery": sent.total(), "receipts": len(expected)}.get(plan.verify, 0)
    return Outcome(sent.total(), ear.acknowledged, loop.time() - began, missing, wanted)


async def _round(
    client: PahoClient,
    ear: _Ear,
    found: Sequence[Publication],
    plan: Plan,
    stepper: Stepper,
    sent: Counter[tuple[str, bytes]],
) -> None:
    """All of them once, as far as they are wanted."""
    start = asyncio.get_running_loop().time()
    for at, one in zip(plan.pace.due([one.utc_s for one in found]), found, strict=True):
        if not await stepper.until(start + at, f"{one.topic} {len(one.payload)} bytes"):
            return
        client.publish(one.topic, one.payload, retain=one.retain)
        sent[one.topic, one.payload] += 1
        await ear.until(lambda: sent.total() - ear.acknowledged < _UNACKNOWLEDGED or stepper.stopped, float("inf"))


async def _missing(ear: _Ear, sent: Counter[tuple[str, bytes]], expected: Sequence[Record], plan: Plan) -> list[str]:
    if plan.verify == "delivery":
        wanted = Counter({one: count for one, count in sent.items() if one[0].startswith(f"{contract.ROOT}/")})
        await ear.until(lambda: not wanted - ear.heard, plan.wait_s)
        lost = (wanted - ear.heard).items()
        return [f"{topic} did not come back ({count} times {len(payload)} bytes)" for (topic, payload), count in lost]
    if plan.verify == "receipts":
        left = deque(expected)
        await ear.until(lambda: _all_covered(left, ear.receipts), plan.wait_s)
        late = [record for record in left if not ear.receipts.cover(record)]
        return [
            f"no receipt for {tag} journal {journal} sequence {number} at gateway {at}"
            for at, tag, journal, number in late
        ]
    return []


def _all_covered(left: deque[Record], receipts: Receipts) -> bool:
    while left and receipts.cover(left[0]):
        left.popleft()
    return not left


def receipted(readings: Sequence[Reading], remapper: Remapper, chosen: Iterable[Publication]) -> list[Record]:
    """The records among the chosen publications for which the trace has a receipt, each once, under their new names."""
    told = Receipts()
    for one in publications(readings, "centre"):
        told.hear(remapper.map(one))
    records = dict.fromkeys(record for one in chosen if (record := record_of(one)) is not None)
    return [record for record in records if told.cover(record)]
