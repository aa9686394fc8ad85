"""What the way between gateway and centre does to messages, as their numbers show: dropped, held back, repeated.

Nothing is lost by any of it, since a gateway publishes again until the receipt; it shows a broker that is full, or one that is dishonest.
Where a connection broke, at either end, numbers may be missing for good with nobody to blame: what was under way is gone, and positions
expire while the centre is away. Such gaps are counted and explained; one that no break explains is evidence. It reads no clock.
"""

from collections import Counter
from typing import NamedTuple

from strapline_protocol.contract import Passage

NEW, LATE, REPEATED = "new", "late", "repeated"

EXCUSED_S = 300.0
"""For so long after the centre was connected anew it is what waited for it that comes, with holes where positions have expired."""

_REMEMBERED = 256
"""Missing numbers for each tag and gateway; beyond that the oldest are counted and forgotten."""


class Missing(NamedTuple):
    """Messages of a gateway about one tag (empty: about none) that have not come."""

    gateway: str
    about: str
    first: int
    last: int
    messages: int
    unexplained: int = 0
    """So many of them were missed while both ends stayed connected."""


class _Miss(NamedTuple):
    since_s: float
    explained: bool


class _Counted:
    def __init__(self, start: int, number: int) -> None:
        self.start = start
        self.newest = number
        self.missing: dict[int, _Miss] = {}
        self.after_break = False
        """The gateway was connected anew, and nothing has come about this tag since."""

    def explain(self) -> None:
        """The connection was broken: what is missing may have been under way."""
        self.missing = {number: miss._replace(explained=True) for number, miss in self.missing.items()}
        self.after_break = True


class Passages:
    """Tell it of each genuine message; `counts` says how often each gateway's came `late` or `repeated`, or was `dropped`."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.unexplained: Counter[str] = Counter()
        """Of those that were dropped, how many of each gateway no broken connection explains."""
        self._excused_until_s = float("-inf")
        self._connections: dict[str, tuple[int, int]] = {}
        """(start, connection) of each gateway, as its state tells them."""
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

    def centre_connected(self, now_s: float) -> None:
        """The centre itself was away: for a while gaps tell nothing."""
        self._excused_until_s = now_s + EXCUSED_S
        for counted in self._counted.values():
            counted.explain()

    def gateway_state(self, gateway: str, start: int, connection: int) -> None:
        """A gateway has told its state, on this connection of this start (0: it does not say, or it is gone)."""
        known, self._connections[gateway] = self._connections.get(gateway), (start, connection)
        if connection and known == (start, connection):
            return
        for (of, _), counted in self._counted.items():
            if of == gateway:
                counted.explain()

    def _place(self, counted: _Counted, passage: Passage, gateway: str, now_s: float) -> str:
        if passage.start < counted.start:
            return REPEATED
        if passage.number > counted.newest:
            skipped = range(max(counted.newest + 1, passage.number - _REMEMBERED), passage.number)
            if (forgotten := skipped.start - counted.newest - 1) > 0:
                self.counts[gateway, "dropped"] += forgotten
            explained = counted.after_break or now_s < self._excused_until_s
            counted.missing |= dict.fromkeys(skipped, _Miss(now_s, explained))
            counted.newest, counted.after_break = passage.number, False
            while len(counted.missing) > _REMEMBERED:
                del counted.missing[next(iter(counted.missing))]
                self.counts[gateway, "dropped"] += 1
            return NEW
        return LATE if counted.missing.pop(passage.number, None) is not None else REPEATED

    def overdue(self, now_s: float, after_s: float) -> list[Missing]:
        """What has been missing for so long: each is told once, counted as `dropped`, and waited for no more."""
        told = []
        for (gateway, about), counted in self._counted.items():
            gone = [number for number, miss in counted.missing.items() if miss.since_s + after_s <= now_s]
            if gone:
                unexplained = sum(not counted.missing[number].explained for number in gone)
                told.append(Missing(gateway, about, min(gone), max(gone), len(gone), unexplained))
                self.unexplained[gateway] += unexplained
                self.counts[gateway, "dropped"] += len(gone)
            for number in gone:
                del counted.missing[number]
        return told
