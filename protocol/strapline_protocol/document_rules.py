"""What a command may say, beyond its layout: ranges by the name of the place, and rules between fields. A tag would refuse the rest."""

from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from functools import cache
from typing import Any

from strapline_protocol.codes import RANGES, Kind, Refusal, Rule, Setting, Window
from strapline_protocol.definitions import FRAMES
from strapline_protocol.layout import Leaf, leaves
from strapline_wire import documents, frames
from strapline_wire.errors import LocalProtocolError

_LAYOUTS = {frame.kind: frame.layout for frame in FRAMES}
_ZONE_LAT_LIMIT_E7 = 850_000_000
_TO_BE_ACKNOWLEDGED = 1
_STREAM_LIMIT = 1 << 20


def checked(kind: Kind, values: Any) -> Any:
    """The typed record of a command out of its values in order, where entries of lists may be plain tuples.

    Raises `LocalProtocolError` with one line that names the place, such as `zones[2].vertices: …`.
    """
    fields, make = _layout(kind)
    _check_ranges("", fields, values)
    record = make(tuple(_inside(fields, values)))
    if kind in _RULES:
        _RULES[kind](record)
    return record


class _Field:
    """One field and what its value is held to, worked out once."""

    __slots__ = ("high", "inner", "kinds", "leaf", "low", "make", "name")

    def __init__(self, leaf: Leaf) -> None:
        self.leaf = leaf
        self.name = leaf.name
        self.low, self.high = leaf.limits
        self.kinds: Any = {"int": int, "text": str, "items": (tuple, list)}.get(leaf.shape, bytes)
        self.inner: list[_Field] = []
        """Of each of a list's records."""
        self.make: Callable[[Any], Any] | None = None
        if leaf.record is not None:
            self.inner = [_Field(one) for one in leaves(leaf.record.layout)]
            self.make = _maker(leaf.record.name)


@cache
def _layout(kind: Kind) -> tuple[list[_Field], Callable[[Any], Any]]:
    """The fields of a command, and what makes its record of them."""
    return [_Field(leaf) for leaf in leaves(_LAYOUTS[kind])], _maker(kind.name.title().replace("_", ""))


def _maker(name: str) -> Callable[[Any], Any]:
    made: Callable[[Any], Any] = getattr(documents, name, None) or getattr(frames, name)
    return made


def _fail(place: str, complaint: str) -> LocalProtocolError:
    return LocalProtocolError(f"{place}: {complaint}")


def _check_ranges(prefix: str, fields: list[_Field], values: Any) -> None:
    try:
        pairs = list(zip(fields, values, strict=True))
    except (TypeError, ValueError):
        raise _fail(prefix.rstrip(".") or "the command", f"needs {', '.join(field.name for field in fields)}") from None
    for field, value in pairs:
        place = prefix + field.name
        size = _size(place, field, value)
        if not field.low <= size <= field.high:
            unit = {"int": field.leaf.unit, "items": "entries"}.get(field.leaf.shape, "bytes")
            raise _fail(place, f"{size} is not within {field.low} … {field.high} {unit}".rstrip())
        if field.inner:
            for at, entry in enumerate(value):
                _check_ranges(f"{place}[{at}].", field.inner, entry)


def _size(place: str, field: _Field, value: Any) -> int:
    """The number itself, or how long the value is."""
    if not isinstance(value, field.kinds):
        raise _fail(place, f"{type(value).__name__} where {field.leaf.type_name} belongs")
    if not isinstance(value, str):
        return value if isinstance(value, int) else len(value)
    try:
        return len(value.encode())
    except UnicodeEncodeError:
        raise _fail(place, "has half a surrogate pair, which is no Unicode") from None


def _check_known(place: str, value: int, names: type[IntEnum]) -> None:
    if not any(value == known for known in names):
        raise _fail(place, f"{value} is none of {', '.join(f'{k.value} ({k.name.lower()})' for k in names)}")


def _check_once(place: str, field: str, values: Iterable[int]) -> None:
    seen: dict[int, int] = {}
    for at, value in enumerate(values):
        if value in seen:
            raise _fail(f"{place}[{at}].{field}", f"{value} stands in {place}[{seen[value]}] already")
        seen[value] = at


def _config(config: documents.Config) -> None:
    _check_once("homes", "gateway", (home.gateway for home in config.homes))
    _check_once("settings", "setting", (entry.setting for entry in config.settings))
    values: dict[int, int] = {}
    for at, entry in enumerate(config.settings):
        _check_known(f"settings[{at}].setting", entry.setting, Setting)
        span = RANGES[Setting(entry.setting)]
        if not span.low <= entry.value <= span.high:
            name = Setting(entry.setting).name.lower()
            raise _fail(
                f"settings[{at}].value", f"{name} {entry.value} is not within {span.low} … {span.high} {span.unit}"
            )
        values[entry.setting] = entry.value
    shortest, longest = values.get(Setting.HEARTBEAT_SHORTEST_MS), values.get(Setting.HEARTBEAT_LONGEST_MS)
    if shortest is not None and longest is not None and shortest > longest:
        raise _fail("settings", f"heartbeat_shortest_ms {shortest} is above heartbeat_longest_ms {longest}")


def _curfew(curfew: documents.Curfew) -> None:
    for at, (before, change) in enumerate(zip(curfew.changes, curfew.changes[1:], strict=False), 1):
        if change.from_utc_s <= before.from_utc_s:
            raise _fail(f"changes[{at}].from_utc_s", f"{change.from_utc_s} does not come after {before.from_utc_s}")
    for at, weekly in enumerate(curfew.weekly):
        _check_known(f"weekly[{at}].window", weekly.window, Window)
    for at, once in enumerate(curfew.once):
        _check_known(f"once[{at}].window", once.window, Window)
        if once.from_utc_s >= once.until_utc_s:
            raise _fail(f"once[{at}].until_utc_s", f"{once.until_utc_s} is not after {once.from_utc_s}")


def _zones(zones: documents.Zones) -> None:
    _check_once("zones", "zone", (zone.zone for zone in zones.zones))
    for at, zone in enumerate(zones.zones):
        _check_known(f"zones[{at}].rule", zone.rule, Rule)
        corners = len(zone.vertices)
        for corner, (lat_e7, _) in enumerate(zone.vertices):
            if abs(lat_e7) > _ZONE_LAT_LIMIT_E7:
                raise _fail(f"zones[{at}].vertices[{corner}]", "lies within 5 degrees of a pole: no tag measures there")
        if zone.radius_m and corners != 1:
            raise _fail(f"zones[{at}].vertices", f"a circle (radius_m is {zone.radius_m}) has 1 vertex, not {corners}")
        if not zone.radius_m and corners == 1:
            raise _fail(f"zones[{at}].radius_m", "a circle (one vertex) has a radius above 0")
        if not zone.radius_m and corners < 3:
            raise _fail(f"zones[{at}].vertices", f"a polygon (radius_m is 0) has at least 3 corners, not {corners}")
        if corners > 1 and tuple(zone.vertices[0]) == tuple(zone.vertices[-1]):
            raise _fail(f"zones[{at}].vertices[{corners - 1}]", "the first corner is not repeated at the end")


def _message(message: documents.Message) -> None:
    if not message.text:
        raise _fail("text", "says nothing")
    if message.answer_within_s and not message.flags & _TO_BE_ACKNOWLEDGED:
        raise _fail("answer_within_s", "waits for an answer that flags (bit 0) does not ask for")


def _update_begin(begin: frames.UpdateBegin) -> None:
    if begin.manifest_size >= begin.size:
        raise _fail("size", f"{begin.size} has no room for an image behind a manifest of {begin.manifest_size}")


def _update_chunk(chunk: documents.UpdateChunk) -> None:
    if not chunk.data:
        raise _fail("data", "is empty")
    if chunk.offset + len(chunk.data) > _STREAM_LIMIT:
        raise _fail("offset", f"the data would end at {chunk.offset + len(chunk.data)}, behind {_STREAM_LIMIT}")


def _refused(refused: frames.Refused) -> None:
    _check_known("reason", refused.reason, Refusal)


_RULES: dict[Kind, Callable[[Any], None]] = {
    Kind.CONFIG: _config,
    Kind.CURFEW: _curfew,
    Kind.ZONES: _zones,
    Kind.MESSAGE: _message,
    Kind.UPDATE_BEGIN: _update_begin,
    Kind.UPDATE_CHUNK: _update_chunk,
    Kind.REFUSED: _refused,
}


def _inside(fields: list[_Field], values: Any) -> Iterator[Any]:
    for field, value in zip(fields, values, strict=True):
        if field.make is None:
            yield value
        else:
            yield tuple(field.make(tuple(_inside(field.inner, entry))) for entry in value)
