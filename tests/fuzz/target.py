"""What a fuzz target is, and how a child reads one input. It knows neither atheris nor the protocol."""

from collections.abc import Callable, Sequence
from typing import NamedTuple


class Target(NamedTuple):
    """One entrance that hostile bytes come through.

    `build()` gives a fresh world as a function that takes one input: whatever it raises is a crash. `seeds()` gives inputs to begin
    with. `share` is how many of 1,000 executions it gets. `lives` is how many inputs one world takes before it is made anew, so that
    memory stays bounded and a crash can be repeated; 0 where inputs leave nothing behind.
    """

    name: str
    build: Callable[[], Callable[[bytes], None]]
    seeds: Callable[[], Sequence[bytes]]
    share: int
    max_len: int
    lives: int = 0
    words: Sequence[bytes] = ()
    """What a mutation may put in: names of fields and the like."""


class Reader:
    """An input taken apart: what is used up reads as zero or as nothing."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __len__(self) -> int:
        return max(len(self._data) - self._at, 0)

    def number(self, size: int = 1) -> int:
        return int.from_bytes(self.take(size), "big")

    def take(self, size: int) -> bytes:
        part = self._data[self._at : self._at + size]
        self._at += size
        return part

    def rest(self) -> bytes:
        return self.take(len(self))


def one_in(every: int, data: bytes) -> bool:
    """Whether this input is among the sample that is also put to a slow test; the same input always or never is."""
    return sum(data) % every == 0
