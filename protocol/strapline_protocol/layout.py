"""The words that frames are declared in: construct's own parts, each with a unit, a range and what it means."""

from collections.abc import Iterator
from enum import IntEnum
from typing import Any, NamedTuple

import construct as c

from strapline_protocol.codes import Kind


class Record(NamedTuple):
    """The layout of one entry of a list, and its name."""

    name: str
    layout: Any


class Bounded(c.Validator):  # type: ignore[misc]
    """A field with a unit and a range; construct itself refuses what lies outside.

    The range of a text or of bytes is that of their size in bytes, the range of a list that of its length.
    """

    def __init__(
        self,
        subcon: Any,
        unit: str = "",
        low: int | None = None,
        high: int | None = None,
        *,
        shape: str = "int",
        names: type[IntEnum] | None = None,
        record: Record | None = None,
    ) -> None:
        super().__init__(subcon)
        self.unit = unit
        self.low = low
        self.high = high
        self.shape = shape
        self.names = names
        self.record = record

    def _validate(self, obj: Any, _context: Any, _path: str) -> bool:
        size = obj if isinstance(obj, int) else len(obj.encode() if isinstance(obj, str) else obj)
        return (self.low is None or size >= self.low) and (self.high is None or size <= self.high)


def number(
    name: str,
    subcon: Any,
    doc: str,
    unit: str = "",
    low: int | None = None,
    high: int | None = None,
    *,
    names: type[IntEnum] | None = None,
) -> Any:
    """An integer; `names` where its values have names (a value without one is kept as a number)."""
    return (name / Bounded(subcon, unit, low, high, names=names)) * doc


def octets(name: str, size: int, doc: str) -> Any:
    """So many bytes."""
    return (name / Bounded(c.Bytes(size), shape="bytes")) * doc


def blob(name: str, limit: int, doc: str) -> Any:
    """Up to `limit` bytes, after their number in two bytes."""
    return (name / Bounded(c.Prefixed(c.Int16ub, c.GreedyBytes), "bytes", 0, limit, shape="blob")) * doc


def text(name: str, limit: int, doc: str) -> Any:
    """UTF-8 in up to `limit` bytes, after their number in two bytes."""
    return (name / Bounded(c.PascalString(c.Int16ub, "utf8"), "UTF-8", 0, limit, shape="text")) * doc


def items(name: str, record: Record, limit: int, doc: str, low: int = 0) -> Any:
    """A list of records, after their number in one byte. A later version may add fields behind a list, never inside its records."""
    array = c.PrefixedArray(c.Int8ub, record.layout)
    return (name / Bounded(array, "", low, limit, shape="items", record=record)) * doc


class Frame(NamedTuple):
    """One frame body: its kind, who sends it, under which key, and its layout."""

    kind: Kind
    sender: str
    sealed_with: str
    layout: Any
    doc: str


class Leaf(NamedTuple):
    """One field as the generators see it."""

    name: str
    doc: str
    unit: str
    low: int | None
    high: int | None
    shape: str
    """`int`, `bytes` (of fixed size), `blob`, `text` or `items`."""
    code: str
    """The field's `struct` format character(s), or those of the number that stands before it."""
    size: int
    """Bytes of that."""
    names: type[IntEnum] | None
    record: Record | None

    @property
    def limits(self) -> tuple[int, int]:
        """The range that the declaration allows: its own bounds, or those of its integer type; of the size where it is no integer."""
        if self.shape == "bytes":
            return self.size, self.size
        bits = self.size * 8
        signed = self.code.islower()
        low = -(1 << (bits - 1)) if signed else 0
        high = (1 << (bits - 1)) - 1 if signed else (1 << bits) - 1
        return (low if self.low is None else self.low), (high if self.high is None else self.high)

    @property
    def is_fixed(self) -> bool:
        return self.shape in ("int", "bytes")

    @property
    def type_name(self) -> str:
        """The field's Python type."""
        if self.record is not None:
            return f"tuple[{self.record.name}, ...]"
        return {"int": "int", "text": "str"}.get(self.shape, "bytes")


_COUNTS = {"blob": ("H", 2), "text": ("H", 2), "items": ("B", 1)}


def leaves(layout: Any) -> Iterator[Leaf]:
    """The fields of a layout in order."""
    for renamed in layout.subcons:
        bounded = renamed.subcon
        while isinstance(bounded, c.Renamed):
            bounded = bounded.subcon
        plain, shape = bounded.subcon, bounded.shape
        if shape == "int":
            code, size = plain.fmtstr[1:], plain.sizeof()
        elif shape == "bytes":
            code, size = f"{plain.length}s", plain.length
        else:
            code, size = _COUNTS[shape]
        yield Leaf(
            renamed.name,
            renamed.docs,
            bounded.unit,
            bounded.low,
            bounded.high,
            shape,
            code,
            size,
            bounded.names,
            bounded.record,
        )


def is_fixed(layout: Any) -> bool:
    """Whether every field has a fixed size."""
    return all(leaf.is_fixed for leaf in leaves(layout))


def records_of(layout: Any) -> Iterator[Record]:
    """The records inside a layout's lists, the innermost first."""
    for leaf in leaves(layout):
        if leaf.record is not None:
            yield from records_of(leaf.record.layout)
            yield leaf.record
