"""Two traces compared by what they mean: what is random by design, or differs by the moment only, is no difference."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any, NamedTuple

from strapline_simulator.traces.reading import Reading
from strapline_simulator.traces.show import text_of

RANDOM = frozenset({
    "address", "command", "counter", "epoch", "journal", "nonce", "number", "origin", "pseudonym", "record", "refused", "request", "seal",
    "start",
})  # fmt: skip
"""Fields drawn anew in each run, or counted from something that was."""

TIMES = frozenset({"uptime_s", "uptime_ms", "uptime_4s", "utc_s", "utc_ms", "time", "heard"})
"""Fields that say when; the packets' own times are compared instead, within the tolerance."""

_AHEAD = 8
"""Packets that one trace may have more at a place, before what differs is called changed."""

_ONE_CLOCK_S = 60.0


class Difference(NamedTuple):
    """Where one stream first differs; None where a trace has no packet any more."""

    stream: str
    place: int
    """From 1, among the packets of the stream."""
    left: Reading | None
    right: Reading | None
    why: str

    @property
    def utc_s(self) -> float:
        """When, by the packet that is there."""
        there = self.left or self.right
        assert there is not None
        return there.packet.utc_s


class Comparison(NamedTuple):
    """What came of it."""

    same: dict[str, int]
    """Streams without a difference, and how many packets each has."""
    differences: list[Difference]
    """The first of each other stream, the earliest first."""


class Rules(NamedTuple):
    """What counts."""

    tolerance_s: float = 1.0
    ignored: frozenset[str] = RANDOM | TIMES


def compare(left: Iterable[Reading], right: Iterable[Reading], rules: Rules | None = None) -> Comparison:
    """Stream by stream: what passed on one interface, one way, about one tag.

    Times are the clock's where both begin within a minute of each other, as two runs of a scenario do; else they count from each beginning.
    """
    rules = rules or Rules()
    lefts, left_begin = _streams(left)
    rights, right_begin = _streams(right)
    if abs(left_begin - right_begin) < _ONE_CLOCK_S:
        right_begin = left_begin
    same: dict[str, int] = {}
    differences: list[Difference] = []
    for name in sorted(lefts.keys() | rights.keys()):
        found = _first(name, lefts.get(name, []), rights.get(name, []), (left_begin, right_begin), rules)
        if found is None:
            same[name] = len(lefts[name])
        else:
            differences.append(found)
    differences.sort(key=lambda one: one.utc_s - (left_begin if one.left else right_begin))
    return Comparison(same, differences)


def _streams(readings: Iterable[Reading]) -> tuple[dict[str, list[Reading]], float]:
    streams: dict[str, list[Reading]] = defaultdict(list)
    begin: float | None = None
    for reading in readings:
        begin = reading.packet.utc_s if begin is None else begin
        streams[_stream(reading)].append(reading)
    return streams, begin or 0.0


def _stream(reading: Reading) -> str:
    way = {True: "up", False: "down", None: ""}[reading.packet.inbound]
    # Which gateway and which tag, but of a frame that nobody opened no tag: its pseudonym changes by design.
    parts = [text_of(reading.packet.interface), way, reading.gateway, reading.tag]
    if reading.packet.interface == "mqtt":
        parts.append(reading.kind)
    return " ".join(part for part in parts if part)


def _first(
    name: str, left: list[Reading], right: list[Reading], begins: tuple[float, float], rules: Rules
) -> Difference | None:
    for place, (one, other) in enumerate(zip_longest(left, right), 1):
        why = _why(one, other, begins, rules)
        if why and one is not None and other is not None:
            if _follows(right[place : place + _AHEAD], one, begins, rules, swapped=False):
                return Difference(name, place, None, other, "only in the second")
            if _follows(left[place : place + _AHEAD], other, begins, rules, swapped=True):
                return Difference(name, place, one, None, "only in the first")
        if why:
            return Difference(name, place, one, other, why)
    return None


def _follows(
    ahead: list[Reading], wanted: Reading, begins: tuple[float, float], rules: Rules, *, swapped: bool
) -> bool:
    """Whether the packet that the other trace has here comes a little later in this one."""
    pairs = ((later, wanted) if swapped else (wanted, later) for later in ahead)
    return any(not _why(one, other, begins, rules) for one, other in pairs)


def _why(one: Reading | None, other: Reading | None, begins: tuple[float, float], rules: Rules) -> str:
    """Empty where both mean the same."""
    if one is None or other is None:
        return f"only in the {'second' if one is None else 'first'}"
    if one.kind != other.kind:
        return "another kind"
    names = list(_differing(one.fields, other.fields, rules.ignored))
    if names:
        return f"{', '.join(names)} differ{'s' if len(names) == 1 else ''}"
    apart_s = (one.packet.utc_s - begins[0]) - (other.packet.utc_s - begins[1])
    return (
        f"{abs(apart_s):.3f} s {'earlier' if apart_s > 0 else 'later'} in the second"
        if abs(apart_s) > rules.tolerance_s
        else ""
    )


def _differing(one: dict[str, Any], other: dict[str, Any], ignored: frozenset[str]) -> Iterator[str]:
    for name in {**one, **other}:
        if name not in ignored and one.get(name) != other.get(name):
            yield name


def side_by_side(found: Difference) -> list[str]:
    """A difference for people: field by field, what differs marked."""
    one, other = (_rows(reading) for reading in (found.left, found.right))
    width = max([len(value) for value in one.values()] + [5])
    lines = []
    for name in {**one, **other}:
        mark = " " if one.get(name) == other.get(name) else "≠" if name not in RANDOM | TIMES else "~"
        lines.append(f"{mark} {name:<12} {one.get(name, '-'):<{min(width, 60)}}  {other.get(name, '-')}")
    return lines


def _rows(reading: Reading | None) -> dict[str, str]:
    if reading is None:
        return {}
    head = {"packet": str(reading.number), "kind": reading.kind, "tag": reading.tag}
    return head | {text_of(name): text_of(value) for name, value in reading.fields.items()}
