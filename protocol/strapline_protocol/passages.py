"""What the way between gateway and centre does to messages, as their numbers show: dropped, held back, repeated.

Nothing is lost by any of it, since a gateway publishes again until the receipt; it shows a broker that is full, or one that is dishonest.
A number may be missing for good where a position expired while the centre was away. It reads no clock.
"""

from collections import Counter
from typing import NamedTuple

from strapline_protocol.contract import Passage

NEW, LATE, REPEATED = "new", "late", "repeated"

_REMEMBERED = 256
"""Missing numbers for each tag and gateway; beyond that the oldest are counted and forgotten."""


class Missing(NamedTuple):
    """Messages of a gateway about one tag (empty: about none) that have not come."""

    gateway: str
    about: str
    first: int
    last: int
    messages: int


class _Counted:
    def __init__(self, start: int, number: int) -> None:
        self.start = start
        self.newest = number
        self.missing: dict[int, float] = {}
        """Number: when it was missed."""


class Passages:
    """Tell it of each genuine message; `counts` says how often each gateway's came `late` or `repeated`, or was `dropped`."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self._counted: dict[tuple[str, str], _Counted] = {}

    def note(self, gateway: str, about: str, passage: Passage | None, now_s: float) -> str:
        """How this one came. The first of a start counts as new, whatever its number: we may have begun to listen just now."""
        if passage is None:
            return NEW
        counted = self._counted.get((gateway, about))
        if counted is None or passage.start > counted.start:
            self._counted[gateway, about] = _Counted(passage.start, passage.number)
            return NEW
        how = self._place(counted, passage, gateway, now_s)
        if how != NEW:
            self.counts[gateway, how] += 1
        return how

    def _place(self, counted: _Counted, passage: Passage, gateway: str, now_s: float) -> str:
        if passage.start < counted.start:
            return REPEATED
        if passage.number > counted.newest:
            skipped = range(max(counted.newest + 1, passage.number - _REMEMBERED), passage.number)
            if (forgotten := skipped.start - counted.newest - 1) > 0:
                self.counts[gateway, "dropped"] += forgotten
            counted.missing |= dict.fromkeys(skipped, now_s)
            counted.newest = passage.number
            while len(counted.missing) > _REMEMBERED:
                del counted.missing[next(iter(counted.missing))]
                self.counts[gateway, "dropped"] += 1
            return NEW
        return LATE if counted.missing.pop(passage.number, None) is not None else REPEATED

    def overdue(self, now_s: float, after_s: float) -> list[Missing]:
        """What has been missing for so long: each is told once, counted as `dropped`, and waited for no more."""
        told = []
        for (gateway, about), counted in self._counted.items():
            gone = [number for number, since_s in counted.missing.items() if since_s + after_s <= now_s]
            if gone:
                told.append(Missing(gateway, about, min(gone), max(gone), len(gone)))
                self.counts[gateway, "dropped"] += len(gone)
            for number in gone:
                del counted.missing[number]
        return told
