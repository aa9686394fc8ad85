"""Which records of a journal are at the centre, what a receipt may say of that, and what a tag's tombstones explain of the rest.

A tombstone counts the positions that a full journal has dropped between two of them, without naming them, and each drop is counted in
one tombstone. A position may have been delivered and then dropped, because the receipt never came to the tag. So of the sequences that
are missing in its range, some may be dropped and others still to come, and two things are told apart:

- *explained*: there are no more of them than the tombstones count. They are gaps no longer, and count as tombstoned.
- *proved*: whatever positions have come between might be the dropped ones, and even then none is left that could still come. Only
  then does a receipt's `base` move past them. Else a gateway that keeps back an alarm, and passes a tombstone on, could have the tag
  delete that alarm. Nothing is held up meanwhile: what lies behind is receipted by its own sequence.

Both follow from what is here and from nothing else: in any order of arrival, after any restart, they come out the same. What comes later
for an explained sequence is taken like any other record, and the account is made again.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import NamedTuple

from strapline_wire.frames import Tombstone

_LAST = 0xFFFFFFFF
"""A sequence has 32 bits, and so has a receipt's base."""


class Sequences:
    """A set of sequences, held as its runs: a month without a gap takes no more room than one record."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        """Of each run, in order; an end is the sequence after its last."""

    def __contains__(self, sequence: int) -> bool:
        at = bisect_right(self._starts, sequence) - 1
        return at >= 0 and sequence < self._ends[at]

    def add(self, first: int, end: int) -> None:
        """All from `first` to before `end`."""
        low = bisect_left(self._ends, first)
        high = bisect_right(self._starts, end)
        if low < high:
            first, end = min(first, self._starts[low]), max(end, self._ends[high - 1])
        self._starts[low:high] = [first]
        self._ends[low:high] = [end]

    def count(self, first: int, end: int) -> int:
        """How many of those from `first` to before `end` are in it."""
        low, high = bisect_right(self._ends, first), bisect_left(self._starts, end)
        return sum(min(end, self._ends[at]) - max(first, self._starts[at]) for at in range(low, high))

    def bits(self, first: int, count: int) -> int:
        """Bit i is set where `first` + i is in it, for so many of them."""
        found, end = 0, first + count
        for at in range(bisect_right(self._ends, first), bisect_left(self._starts, end)):
            found |= (1 << min(end, self._ends[at]) - first) - (1 << max(first, self._starts[at]) - first)
        return found

    def after(self, sequence: int) -> int:
        """The lowest from `sequence` on that is not in it."""
        at = bisect_right(self._starts, sequence) - 1
        return self._ends[at] if at >= 0 and sequence < self._ends[at] else sequence

    def runs(self) -> Iterator[tuple[int, int]]:
        """(first, end) of each run."""
        return zip(self._starts, self._ends, strict=True)

    @property
    def end(self) -> int:
        """The sequence after the highest; 0 where there is none."""
        return self._ends[-1] if self._ends else 0


class _Grave(NamedTuple):
    """Tombstones whose ranges overlap, judged together: they mean at least `lowest` sequences and at most `highest`."""

    first: int
    end: int
    lowest: int
    highest: int


class Received:
    """What is at the centre of one journal. Sequences begin at 1."""

    def __init__(self) -> None:
        self._here = Sequences()
        self._positions = Sequences()
        """Those of them that a tag could have dropped after it had sent them."""
        self._tombstones: set[tuple[int, int, int]] = set()
        self._joined: list[_Grave] | None = []
        self._base = 1

    def __contains__(self, sequence: int) -> bool:
        return sequence in self._here

    def add(self, sequence: int, *, droppable: bool = False) -> bool:
        """One more is here; `droppable`: a position, or something unreadable that may be one. Gives whether it was not here before."""
        if sequence in self._here:
            return False
        self._here.add(sequence, sequence + 1)
        if droppable:
            self._positions.add(sequence, sequence + 1)
        self._base = self._here.after(self._base)
        return True

    def bury(self, tombstone: Tombstone) -> None:
        """A tombstone is here (and its own sequence was added). One that contradicts itself explains nothing."""
        first, last, dropped = tombstone.first, tombstone.last, tombstone.dropped
        if first <= last and dropped <= last - first + 1:
            self._tombstones.add((first, last + 1, dropped))
            self._joined = None

    @property
    def _graves(self) -> list[_Grave]:
        if self._joined is None:
            self._joined = list(_graves(sorted(self._tombstones)))
        return self._joined

    @property
    def newest(self) -> int:
        """The highest sequence that is here; 0 where there is none."""
        return max(self._here.end - 1, 0)

    def receipt(self) -> tuple[int, int]:
        """(base, bitmap): every sequence below base is here or proved to be dropped, and base + 1 + i is here for each bit i."""
        base = self._base
        for grave in self._graves:
            if base >= grave.first and self._is_proved(grave):
                base = self._here.after(max(base, grave.end))
        base = min(base, _LAST)
        return base, self._bitmap(base)

    def receipt_far(self, sequence: int) -> int | None:
        """Where `sequence` is here and lies further behind a gap than `receipt` reaches: the bitmap of the 32 after it, else None."""
        if sequence <= self.receipt()[0] + 32 or sequence not in self._here:
            return None
        return self._bitmap(sequence)

    def gaps(self) -> Iterator[int]:
        """Sequences that must exist, because a later one is here, and are neither here nor explained by tombstones; in order."""
        for first, end in self.missing_runs():
            yield from range(first, end)

    def missing_runs(self) -> Iterator[tuple[int, int]]:
        """The same as (first, end) of each run."""
        graves = [grave for grave in self._graves if self._is_explained(grave)]
        for first, end in self._holes():
            at = first
            for grave in graves:
                if grave.end > at:
                    if at < min(grave.first, end):
                        yield at, min(grave.first, end)
                    at = min(grave.end, end)
            if at < end:
                yield at, end

    @property
    def tombstoned(self) -> int:
        """How many sequences are not here and are explained by tombstones."""
        return sum(self._missing(grave) for grave in self._graves if self._is_explained(grave))

    def _holes(self) -> Iterator[tuple[int, int]]:
        runs = [(0, 1), *self._here.runs()]
        return ((end, first) for (_, end), (first, _) in pairwise(runs) if end < first)

    def _bitmap(self, sequence: int) -> int:
        return self._here.bits(sequence + 1, 32)

    def _missing(self, grave: _Grave) -> int:
        return grave.end - grave.first - self._here.count(grave.first, grave.end)

    def _is_proved(self, grave: _Grave) -> bool:
        # All that are missing and all positions that are here are just as many as were dropped at least: so it is they.
        return self._missing(grave) + self._positions.count(grave.first, grave.end) == grave.lowest

    def _is_explained(self, grave: _Grave) -> bool:
        # Fewer than were dropped, less the positions that are here, would be a contradiction.
        missing, positions = self._missing(grave), self._positions.count(grave.first, grave.end)
        return grave.highest - positions <= missing <= grave.highest or self._is_proved(grave)


def _graves(tombstones: list[tuple[int, int, int]]) -> Iterator[_Grave]:
    """Join what overlaps; `tombstones` are (first, end, dropped), sorted."""
    joined: list[tuple[int, int, int]] = []
    end = 0
    for one in tombstones:
        if joined and one[0] >= end:
            yield _grave(joined)
            joined = []
        joined.append(one)
        end = max(end, one[1]) if len(joined) > 1 else one[1]
    if joined:
        yield _grave(joined)


def _grave(joined: list[tuple[int, int, int]]) -> _Grave:
    # Two that overlap may, from a tag that counts a drop twice, mean the same ones; two that do not overlap never do. So they mean at
    # least the most that a choice of them without overlaps adds up to.
    best: list[tuple[int, int]] = [(0, 0)]
    """(end, most) of the choices so far, both rising."""
    for first, end, dropped in sorted(joined, key=lambda one: one[1]):
        before = best[bisect_right(best, first, key=lambda choice: choice[0]) - 1][1]
        best.append((end, max(best[-1][1], before + dropped)))
    return _Grave(joined[0][0], max(end for _, end, _ in joined), best[-1][1], sum(dropped for _, _, dropped in joined))


class Journals:
    """What is at the centre of every journal, by its source (a tag, or a gateway for what it says of itself) and its id."""

    def __init__(self) -> None:
        self._received: dict[tuple[str, int], Received] = {}

    def add(self, source: str, journal: int, sequence: int, *, droppable: bool = False) -> bool:
        """As `Received.add`."""
        return self._received.setdefault((source, journal), Received()).add(sequence, droppable=droppable)

    def bury(self, source: str, journal: int, tombstone: Tombstone) -> None:
        """As `Received.bury`."""
        self._received.setdefault((source, journal), Received()).bury(tombstone)

    def of(self, source: str, journal: int) -> Received:
        """One journal; of one that nothing has come of yet an empty one, which is not remembered."""
        return self._received.get((source, journal)) or Received()

    def sources(self) -> list[tuple[str, int]]:
        """(source, journal) of all that anything is known of."""
        return list(self._received)

    def gaps(self, source: str, journal: int, limit: int = 1000) -> list[int]:
        """The first `limit` of `Received.gaps`."""
        return list(islice(self.of(source, journal).gaps(), limit))

    @property
    def tombstoned(self) -> int:
        """Over all journals: how many records are not here because tags have dropped them by policy."""
        return sum(received.tombstoned for received in self._received.values())
