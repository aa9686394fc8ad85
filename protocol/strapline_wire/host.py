"""What `compat` offers, at the speed that CPython allows. It is not on a board."""

import sys
from collections import namedtuple
from collections.abc import Callable, Iterable
from struct import Struct
from struct import error as SHORT
from typing import Any

from cryptography.exceptions import InvalidTag as FORGED

from strapline_wire.errors import RemoteProtocolError

CUTS = False
"""Whether struct cuts numbers that are too large: here it refuses them."""

__all__ = ["CUTS", "FORGED", "SHORT", "reader", "record", "rows", "utf8", "writer"]


def reader(form: str) -> Callable[..., tuple[Any, ...]]:
    """Data, and where to begin, into a tuple."""
    return Struct(form).unpack_from


def writer(form: str) -> Callable[..., bytes]:
    """Values into bytes."""
    return Struct(form).pack


def record(name: str, fields: tuple[str, ...]) -> Any:
    """A class of immutable records with named fields, made out of one tuple of values.

    It is a named tuple in everything but its constructor, which is the tuple's own: half as slow, and decoding is mostly that.
    """
    model = namedtuple(name, fields)  # type: ignore[misc]
    space = {key: value for key, value in vars(model).items() if key not in {"__new__", "__doc__"}}
    caller = sys._getframe(1).f_globals.get("__name__", "__main__")  # noqa: SLF001 - as `namedtuple`: a pickle finds it there
    space |= {"__module__": caller, "__getnewargs__": _newargs}
    return type(name, (tuple,), space)


def _newargs(self: tuple[Any, ...]) -> tuple[tuple[Any, ...]]:
    """For copies and pickles."""
    return (tuple(self),)


def rows(form: str) -> Callable[[Callable[[Iterable[Any]], Any], bytes, int, int], tuple[Any, ...]]:
    """So many records of the same form, one behind the other."""
    layout = Struct(form)
    size, unpack = layout.size, layout.iter_unpack

    def read(make: Callable[[Iterable[Any]], Any], data: bytes, at: int, count: int) -> tuple[Any, ...]:
        end = at + count * size
        if end > len(data):
            raise SHORT
        return tuple(map(make, unpack(data[at:end])))

    return read


def utf8(data: bytes) -> str:
    """Text out of UTF-8; raises `RemoteProtocolError("not_utf8")`."""
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError:
        raise RemoteProtocolError("not_utf8") from None
