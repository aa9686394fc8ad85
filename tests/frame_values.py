"""Values of any frame for tests: drawn at random, read from the vectors, and turned from one form into another.

A value is a plain tuple of its fields in order; a list is a tuple of such tuples.
"""

from typing import Any

from hypothesis import strategies as st

from strapline_protocol.definitions import ENVELOPE, FRAMES, HEADER
from strapline_protocol.layout import Leaf, is_fixed, leaves
from strapline_wire import documents, frames

LAYOUTS: dict[str, Any] = {"HEADER": HEADER, "ENVELOPE": ENVELOPE, **{f.kind.name: f.layout for f in FRAMES}}


def module_of(name: str) -> Any:
    """Where the generated codec of a frame is."""
    return frames if is_fixed(LAYOUTS[name]) else documents


def pack(name: str, values: Any) -> bytes:
    return bytes(getattr(module_of(name), f"pack_{name.lower()}")(values))


def unpack(name: str, data: bytes) -> Any:
    return getattr(module_of(name), f"unpack_{name.lower()}")(data)


def build(name: str, values: Any) -> bytes:
    """What construct makes of it."""
    return bytes(LAYOUTS[name].build(_for_construct(LAYOUTS[name], values)))


def parse(name: str, data: bytes) -> Any:
    """What construct reads."""
    return _from_construct(LAYOUTS[name], LAYOUTS[name].parse(data))


def _for_construct(layout: Any, values: Any) -> dict[str, Any]:
    return {
        leaf.name: [_for_construct(leaf.record.layout, entry) for entry in value] if leaf.record else value
        for leaf, value in zip(leaves(layout), values, strict=True)
    }


def _from_construct(layout: Any, parsed: Any) -> tuple[Any, ...]:
    return tuple(
        tuple(_from_construct(leaf.record.layout, entry) for entry in parsed[leaf.name])
        if leaf.record
        else parsed[leaf.name]
        for leaf in leaves(layout)
    )


def from_vector(layout: Any, shown: dict[str, Any]) -> tuple[Any, ...]:
    """The values of an entry of tests/vectors/frames.json."""
    assert list(shown) == [leaf.name for leaf in leaves(layout)]
    return tuple(_shown(leaf, shown[leaf.name]) for leaf in leaves(layout))


def _shown(leaf: Leaf, value: Any) -> Any:
    if leaf.record:
        return tuple(from_vector(leaf.record.layout, entry) for entry in value)
    return bytes.fromhex(value) if leaf.shape in ("bytes", "blob") else value


def valid(layout: Any, longest: int = 12) -> st.SearchStrategy[tuple[Any, ...]]:
    """Values within the declared ranges, their limits often; lists of up to `longest` entries."""
    return st.tuples(*[_valid(leaf, longest) for leaf in leaves(layout)])


def _valid(leaf: Leaf, longest: int) -> st.SearchStrategy[Any]:
    low, high = leaf.limits
    if leaf.record:
        entries = valid(leaf.record.layout, 4)
        return st.lists(entries, min_size=low, max_size=min(high, max(low, longest))).map(tuple)
    if leaf.shape == "text":
        return st.text(max_size=high).filter(lambda text: len(text.encode(errors="replace")) <= high)
    if leaf.shape != "int":
        return st.binary(min_size=low, max_size=high)
    return st.one_of(st.sampled_from([low, high]), st.integers(low, high))
