"""When things were, by a tag whose starts nobody saw: its records count from a start, and the centre knows when they came."""

from collections.abc import Sequence

from strapline_centre.ledger import Entry

BEFORE_S = -1.0
"""What is older than this was before the session; nearly as old is what an estimate is wrong by."""


class Stamps:
    """Of one session's entries, each with the second at which it came.

    A record cannot have come before it was made, so the one that came soonest says best when the tag started: what it took to come
    is the error, and all stamps are late by it.
    """

    def __init__(self, entries: Sequence[tuple[float, Entry]], starts: int) -> None:
        """`starts`: how often the tag was given power in the session; what it says of starts before those is left out."""
        dated = [(at_s, entry) for at_s, entry in entries if "uptime_s" in entry.fields]
        self._first = max((entry.fields["boot"] for _, entry in dated), default=1) - starts + 1
        self._began: dict[int, float] = {}
        for at_s, entry in dated:
            boot, began_s = entry.fields["boot"], at_s - _uptime_s(entry)
            self._began[boot] = min(began_s, self._began.get(boot, began_s))

    def of(self, entry: Entry) -> float:
        """When the tag says that it was, seconds since the session's start."""
        return float(round(self._began[entry.fields["boot"]] + _uptime_s(entry), 3))

    def is_ours(self, entry: Entry) -> bool:
        """Whether it was in the session, and not before. A gateway's own entry always is."""
        if "uptime_s" not in entry.fields:
            return True
        return entry.fields["boot"] >= self._first and self.of(entry) >= BEFORE_S


def _uptime_s(entry: Entry) -> float:
    return float(entry.fields["uptime_s"] + entry.fields.get("uptime_ms", 0) / 1000)
