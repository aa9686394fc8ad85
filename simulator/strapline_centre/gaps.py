"""Records that must exist and do not come. A gap is judged once history has had the time to drain; filled, it is over."""

from collections.abc import Iterable
from typing import NamedTuple

from strapline_protocol.received import Journals

GAP_AFTER_S = 4 * 3600 + 1800.0
"""A tag that is away sends what waits with its next beacon, at the latest after 4 h; a gateway repeats at least each hour."""


class Gap(NamedTuple):
    """What is missing of a journal: so many, from the first to the last of them."""

    source: str
    journal: int
    first: int
    last: int
    missing: int


class _Open(NamedTuple):
    first: int
    since: float


class GapWatch:
    """Told of each record that comes, it looks at the lowest gap of its journal: as long as that moves, history is still coming in."""

    def __init__(self, journals: Journals, *, after_s: float = GAP_AFTER_S) -> None:
        self._journals = journals
        self._after_s = after_s
        self._open: dict[tuple[str, int], _Open] = {}
        self._told: set[tuple[str, int]] = set()

    def came(self, source: str, journal: int, now: float) -> None:
        """A record of this journal is here."""
        lowest = next(self._journals.of(source, journal).gaps(), None)
        at = source, journal
        known = self._open.get(at)
        if lowest is None:
            self._open.pop(at, None)
            self._told.discard(at)
        elif known is None or known.first != lowest:
            self._open[at] = _Open(lowest, now)

    def next_deadline(self) -> float | None:
        """When `due` may find another one."""
        return min((gap.since + self._after_s for at, gap in self._open.items() if at not in self._told), default=None)

    def due(self, now: float) -> list[Gap]:
        """Those that have stood for too long, of journals that were not `told` of."""
        found = []
        for (source, journal), gap in self._open.items():
            if (source, journal) not in self._told and now >= gap.since + self._after_s:
                found.append(self._gap(source, journal))
        return found

    def told(self, found: Iterable[Gap]) -> None:
        """These are known by now, each journal once until all of it is here."""
        self._told.update((gap.source, gap.journal) for gap in found)

    def is_open(self, source: str, journal: int) -> bool:
        """Whether anything of this journal is missing."""
        return (source, journal) in self._open

    def _gap(self, source: str, journal: int) -> Gap:
        holes = list(self._journals.of(source, journal).missing_runs())
        return Gap(source, journal, holes[0][0], holes[-1][1] - 1, sum(end - first for first, end in holes))
