"""Which positions leave the outbox when there is no room for more, and the count of them until somebody has been told."""

import sqlite3
from typing import NamedTuple

HISTORY_LANE = 1


class Limits(NamedTuple):
    """How much of the disk the outbox may use.

    R25's ten days are 1,600 positions a tag and some hundred events. At 375 bytes a row, indexes included (measured, 100,000 positions),
    that is less than 1 MB: the default holds ten days for 220 tags. A cellular ingress with more wants 1 MB for each.
    """

    limit_bytes: int = 256 * 1024 * 1024
    """For the database's pages in use; the write-ahead log comes on top, usually 4 MiB and at most a few times that."""
    reserve_bytes: int = 32 * 1024 * 1024
    """Of these, what positions leave alone: room for alarms and events."""


class Dropped(NamedTuple):
    """Positions of one journal that were dropped: so many between two sequences, heard between two times."""

    source: str
    journal: int
    positions: int
    first_sequence: int
    last_sequence: int
    first_utc_s: float
    last_utc_s: float


class Drops:
    """Over the outbox's file, inside its transactions. Only positions of the history lane go, the oldest first."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.positions = 0
        """Since the start."""
        self._after = 0
        """None that could go stands at this number or before."""
        self._gone = {(one.source, one.journal): one.last_sequence for one in self.untold()}
        self.has_untold = bool(self._gone)

    def read_again(self, positions: int) -> None:
        """A transaction was undone: what was dropped in it is there; `positions` were before."""
        self.positions, self._after = positions, 0
        self._gone = {(one.source, one.journal): one.last_sequence for one in self.untold()}
        self.has_untold = bool(self._gone)

    def refuses(self, source: str, journal: int, sequence: int) -> bool:
        """Whether this one was dropped, or an earlier one kept in its place, and there is no more room by now."""
        return sequence <= self._gone.get((source, journal), 0)

    def take_again(self) -> None:
        """There is room: what the tag brings once more is welcome."""
        self._gone.clear()

    def drop(self, count: int) -> int:
        """Let the oldest go, so many at most; gives how many went."""
        oldest = self._db.execute(
            "SELECT id, source, journal, sequence, stored_utc_s FROM outbox"
            " WHERE id > ? AND lane = ? AND channel = 'position' ORDER BY id LIMIT ?",
            (self._after, HISTORY_LANE, count),
        ).fetchall()
        for ident, source, journal, sequence, utc_s in oldest:
            self._db.execute("DELETE FROM outbox WHERE id = ?", (ident,))
            self._db.execute(
                "INSERT INTO dropped VALUES (?, ?, 1, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + 1,"
                " first_sequence = MIN(first_sequence, excluded.first_sequence),"
                " last_sequence = MAX(last_sequence, excluded.last_sequence),"
                " first_utc_s = MIN(first_utc_s, excluded.first_utc_s), last_utc_s = MAX(last_utc_s, excluded.last_utc_s)",
                (source, journal, sequence, sequence, utc_s, utc_s),
            )
            self._gone[source, journal] = max(sequence, self._gone.get((source, journal), 0))
            self._after = ident
            self.has_untold = True
        self.positions += len(oldest)
        return len(oldest)

    def untold(self) -> list[Dropped]:
        """What was dropped, by tag and journal."""
        return [Dropped._make(row) for row in self._db.execute("SELECT * FROM dropped ORDER BY source, journal")]

    def forget(self) -> None:
        """It was told."""
        self._db.execute("DELETE FROM dropped")
        self.has_untold = False
