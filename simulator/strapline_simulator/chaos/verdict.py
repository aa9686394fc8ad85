"""Whether all was delivered: the ledger against the tags' journals, each record once, in order, alarms in time, no alert without cause."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from strapline_protocol import contract
from strapline_simulator.chaos.base import Base
from strapline_simulator.chaos.causes import causeless
from strapline_simulator.chaos.wearer import Recorded
from strapline_simulator.chaos.world import INGRESS, Fault, World
from strapline_wire import frames

LIVE_BOUND_S = 5.0
"""Where nothing has failed for `CALM_S` and nothing fails meanwhile: from the tag's journal to the centre's ledger."""

LIVE_BOUND_CELLULAR_S = 30.0
"""The same where a world has tags that may be on the way to dialling (R06: over cellular once Bluetooth has not answered for 20 s)."""

CALM_S = 360.0
"""After the last fault: a relay repeats an alarm within 240 s, a station calls again within 60 s, a client comes back within 60 s."""


class Wrong(NamedTuple):
    """One thing that must not be."""

    what: str
    detail: str


class Alarm(NamedTuple):
    """One alarm's way: when the tag recorded it, when the centre had it, and by when it had to."""

    recorded: float
    arrived: float
    bound: float
    live: bool


class Verdict(NamedTuple):
    """What has become of one run."""

    recorded: int
    entries: int
    missing: int
    tombstoned: int
    duplicates_stored: int
    copies: int
    """What came again, and was not stored again."""
    own_records: int
    alarms: tuple[Alarm, ...]
    wrong: tuple[Wrong, ...]


def judge(world: World) -> Verdict:
    """Call it when the world is at rest."""
    wrong: list[Wrong] = []
    entries = list(world.centre.ledger.entries())
    seen = Counter((entry.source, entry.journal, entry.sequence) for entry in entries)
    doubled = sum(count - 1 for count in seen.values())
    if doubled:
        wrong.append(Wrong("duplicates", f"{doubled} records stand in the ledger twice"))
    if world.centre.ledger.conflicts:
        wrong.append(Wrong("conflicts", f"{world.centre.ledger.conflicts} records came with another content"))
    missing, tombstoned = _compare(world, wrong)
    _own_records(world, wrong)
    _order(world, wrong)
    alarms = _alarms(world, wrong)
    wrong.extend(Wrong("false alert", text) for text in causeless(world))
    return Verdict(
        recorded=sum(len(wearer.truth) for wearer in world.wearers.values()),
        entries=len(entries),
        missing=missing,
        tombstoned=tombstoned,
        duplicates_stored=doubled,
        copies=world.centre.duplicates + world.centre.ledger.duplicates,
        own_records=sum(entry.source in world.bases for entry in entries),
        alarms=tuple(alarms),
        wrong=tuple(wrong),
    )


def _compare(world: World, wrong: list[Wrong]) -> tuple[int, int]:
    """(missing, dropped by the tag's own policy and told by a tombstone)."""
    ledger = world.centre.ledger
    there = {(entry.source, entry.journal, entry.sequence): entry for entry in ledger.entries()}
    missing = tombstoned = 0
    for ident, wearer in world.wearers.items():
        gaps = {journal: set(ledger.gaps(ident, journal, 1 << 20)) for journal, _ in wearer.truth}
        newest = {journal: max((s for i, j, s in there if (i, j) == (ident, journal)), default=0) for journal in gaps}
        for (journal, sequence), recorded in wearer.truth.items():
            entry = there.pop((ident, journal, sequence), None)
            if entry is not None:
                if entry.fields != recorded.fields:
                    wrong.append(Wrong("altered", f"{ident} {journal:08x}-{sequence}: {entry.fields}"))
            elif recorded.kind == frames.FIX and sequence not in gaps[journal] and sequence < newest[journal]:
                tombstoned += 1
            else:
                missing += 1
                wrong.append(Wrong("missing", f"{ident} {journal:08x}-{sequence}, {recorded}"))
    invented = [key for key in there if key[0] in world.wearers]
    wrong.extend(Wrong("invented", f"{key}: no tag has recorded this") for key in invented)
    return missing, tombstoned


def _own_records(world: World, wrong: list[Wrong]) -> None:
    numbers: dict[tuple[str, int], list[int]] = defaultdict(list)
    for entry in world.centre.ledger.entries():
        if entry.source in world.bases:
            numbers[entry.source, entry.journal].append(entry.sequence)
    for (ident, journal), found in numbers.items():
        if sorted(found) != list(range(1, len(found) + 1)):
            wrong.append(Wrong("gap", f"gateway {ident}, journal {journal:08x}: {sorted(found)}"))
    journals = Counter(ident for ident, _ in numbers)
    wrong.extend(Wrong("journal", f"gateway {i} began {n} journals") for i, n in journals.items() if n > 1)


def _order(world: World, wrong: list[Wrong]) -> None:
    """Each gateway publishes each (tag, lane) for the first time in the tag's order; where no broker loses or reorders, they arrive so.

    A gateway whose disk was full took what came when there was room for it, so that nothing can be said of its order.
    """
    bases = [] if any(fault.name == "disk full" for fault in world.faults) else world.bases.values()
    for base in bases:
        firsts = _first_publications(base)
        wrong.extend(_disorder(world, f"first published by {base.ident}", firsts))
    if world.plan.orderly and INGRESS not in world.bases:
        arrived = [(a.entry.source, a.entry.journal, a.entry.sequence) for a in world.centre.arrived]
        wrong.extend(_disorder(world, "arrived", arrived))


def _first_publications(base: Base) -> list[tuple[str, int, int]]:
    firsts: dict[tuple[str, int, int], None] = {}
    for topic, payload in base.published:
        if contract.parse_topic(topic).channel in ("event", "position"):
            data = contract.decode(topic, payload, base.key).data
            firsts[data["source"], data["journal"], data["sequence"]] = None
    return list(firsts)


def _disorder(world: World, what: str, keys: Iterable[tuple[str, int, int]]) -> list[Wrong]:
    newest: dict[tuple[str, int, bool], int] = {}
    wrong = []
    for ident, journal, sequence in keys:
        recorded = _truth(world, ident, journal, sequence)
        if recorded is None:
            continue
        lane = ident, journal, recorded.alarm
        if sequence < newest.get(lane, 0):
            name = "alarms" if recorded.alarm else "history"
            wrong.append(Wrong("order", f"{what}: {ident} {journal:08x}-{sequence} ({name}) after {newest[lane]}"))
        newest[lane] = max(sequence, newest.get(lane, 0))
    return wrong


def _truth(world: World, ident: str, journal: int, sequence: int) -> Recorded | None:
    wearer = world.wearers.get(ident)
    return None if wearer is None else wearer.truth.get((journal, sequence))


def _alarms(world: World, wrong: list[Wrong]) -> list[Alarm]:
    arrived = {(a.entry.source, a.entry.journal, a.entry.sequence): a.at for a in world.centre.arrived}
    alarms = []
    for ident, wearer in world.wearers.items():
        for (journal, sequence), recorded in wearer.truth.items():
            at = arrived.get((ident, journal, sequence))
            if not recorded.alarm or at is None:
                continue
            bound, live = bound_of(recorded.at, world.faults)
            alarms.append(Alarm(recorded.at, at, bound, live))
            if at > bound:
                text = f"{ident} {journal:08x}-{sequence}: recorded at {recorded.at:.1f} s, arrived at {at:.1f} s, due by {bound:.1f} s"
                wrong.append(Wrong("late", text))
    return alarms


def bound_of(recorded: float, faults: Iterable[Fault]) -> tuple[float, bool]:
    """(by when an alarm must be at the centre, whether it was recorded on a live chain).

    A live chain (nothing broken in the last `CALM_S`, nothing breaks in the next `LIVE_BOUND_S`) brings it in `LIVE_BOUND_S`. Else it has
    until the end of the first `CALM_S` in one piece in which nothing is broken.
    """
    spans = sorted((fault.begin, fault.end) for fault in faults)
    if not any(begin <= recorded + LIVE_BOUND_S and end > recorded - CALM_S for begin, end in spans):
        return recorded + LIVE_BOUND_S, True
    calm_since = recorded
    for begin, end in spans:
        if begin - calm_since >= CALM_S:
            break
        calm_since = max(calm_since, end)
    return calm_since + CALM_S, False
