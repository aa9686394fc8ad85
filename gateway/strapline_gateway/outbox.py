"""The outbox: what must reach the centre, on disk until the centre's receipt for it is here. It knows nothing of MQTT."""

import base64
import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

from strapline_protocol.errors import UserError

ALARM_LANE = 0
HISTORY_LANE = 1

_RETRY_S = 30.0
_RETRY_LONGEST_S = (240.0, 3600.0)
"""By lane. R06: an alarm is at the centre within 4 min of a live link, even where a broker has lost it while the centre was away."""

_DOUBLINGS = 16

_SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY,
    lane INTEGER NOT NULL,
    channel TEXT NOT NULL,
    source TEXT NOT NULL,
    journal INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    digest TEXT NOT NULL,
    data TEXT NOT NULL,
    stored_utc_s REAL NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    next_try_s REAL NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX IF NOT EXISTS once ON outbox (source, journal, sequence, channel, digest);
CREATE INDEX IF NOT EXISTS by_lane ON outbox (lane, id, next_try_s);
CREATE INDEX IF NOT EXISTS by_time ON outbox (next_try_s);
CREATE TABLE IF NOT EXISTS own (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


class Item(NamedTuple):
    """One row: the record `sequence` of `source`'s `journal`, to be published on `channel`."""

    ident: int
    lane: int
    channel: str
    source: str
    journal: int
    sequence: int
    data: dict[str, Any]
    stored_utc_s: float


class Outbox:
    """An SQLite file in WAL mode with full synchronisation: what `put` has returned from survives a power cut.

    `path` may be `:memory:` for simulations that end with the process. Raises `UserError` where the file cannot be opened.
    """

    def __init__(self, path: Path | str) -> None:
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
        except sqlite3.Error as error:
            raise _cannot_open(path, error) from None
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
            self.start = self._count_start()
            """How often this outbox has been opened, this time included."""
            self.due_again()  # what was being published when we last stopped
        except sqlite3.Error as error:
            self._db.close()
            raise _cannot_open(path, error) from None

    def put(
        self,
        lane: int,
        channel: str,
        source: str,
        journal: int,
        sequence: int,
        data: dict[str, Any],
        utc_s: float,
    ) -> bool:
        """Keep a record; False where it is held already (a tag sends again what has no receipt).

        The same identity with another sealed `record` (base64) in its data is kept beside the first: only the centre can tell which of
        them is genuine, and a forgery that came first must not keep the genuine one out.
        """
        digest = hashlib.sha256(base64.b64decode(data.get("record", ""))).hexdigest()
        row = (lane, channel, source, journal, sequence, digest, json.dumps(data), utc_s)
        inserted = self._db.execute(
            "INSERT OR IGNORE INTO outbox (lane, channel, source, journal, sequence, digest, data, stored_utc_s)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        return inserted.rowcount == 1

    def put_own(self, lane: int, channel: str, source: str, journal: int, data: dict[str, Any], utc_s: float) -> int:
        """Keep a record of the gateway itself under its next sequence; gives that."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO own VALUES ('sequence', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1"
            )
            sequence = int(self._db.execute("SELECT value FROM own WHERE name = 'sequence'").fetchone()[0])
            self.put(lane, channel, source, journal, sequence, data, utc_s)
        return sequence

    def own_journal(self, fresh: int) -> int:
        """The gateway's own journal id: `fresh` the first time, the same ever after."""
        self._db.execute("INSERT OR IGNORE INTO own VALUES ('journal', ?)", (fresh,))
        return int(self._db.execute("SELECT value FROM own WHERE name = 'journal'").fetchone()[0])

    def _count_start(self) -> int:
        self._db.execute("INSERT INTO own VALUES ('starts', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1")
        return int(self._db.execute("SELECT value FROM own WHERE name = 'starts'").fetchone()[0])

    def note(self, name: str, value: int) -> None:
        """Keep a number of the gateway's over restarts."""
        self._db.execute("INSERT OR REPLACE INTO own VALUES (?, ?)", (f"note/{name}", value))

    def notes(self) -> dict[str, int]:
        """All that `note` has kept."""
        rows = self._db.execute("SELECT name, value FROM own WHERE name LIKE 'note/%'")
        return {str(name).removeprefix("note/"): int(value) for name, value in rows}

    def take_due(self, now: float, limit: int, last_lane: int = HISTORY_LANE) -> list[Item]:
        """What is to be published now, alarms first, each lane in order; each is then due again after a growing pause."""
        if (next_due_s := self.next_due_s()) is None or next_due_s > now:
            return []
        rows = self._db.execute(
            "SELECT id, lane, channel, source, journal, sequence, data, stored_utc_s, tries FROM outbox"
            " WHERE next_try_s <= ? AND lane <= ? ORDER BY lane, id LIMIT ?",
            (now, last_lane, limit),
        ).fetchall()
        with self._transaction():
            for ident, lane, *_, tries in rows:
                pause = min(_RETRY_S * 2 ** min(tries, _DOUBLINGS), _RETRY_LONGEST_S[lane])
                self._db.execute(
                    "UPDATE outbox SET tries = tries + 1, next_try_s = ? WHERE id = ?", (now + pause, ident)
                )
        return [
            Item(ident, lane, channel, source, journal, sequence, json.loads(data), stored_utc_s)
            for ident, lane, channel, source, journal, sequence, data, stored_utc_s, _ in rows
        ]

    def receipted(self, source: str, journal: int, base: int, bitmap: int) -> int:
        """Let go what the centre has: every sequence below `base`, and `base + 1 + i` for each bit i; gives how many."""
        with self._transaction():
            gone = self._db.execute(
                "DELETE FROM outbox WHERE source = ? AND journal = ? AND sequence < ?", (source, journal, base)
            ).rowcount
            for bit in range(32):
                if bitmap >> bit & 1:
                    gone += self._db.execute(
                        "DELETE FROM outbox WHERE source = ? AND journal = ? AND sequence = ?",
                        (source, journal, base + 1 + bit),
                    ).rowcount
        return gone

    def receipted_far(self, source: str, journal: int, first: int, bitmap: int) -> int:
        """The same for records behind a gap: `first`, and `first + 1 + i` for each bit i, and no other."""
        sequences = [first, *(first + 1 + bit for bit in range(32) if bitmap >> bit & 1)]
        with self._transaction():
            return sum(
                self._db.execute(
                    "DELETE FROM outbox WHERE source = ? AND journal = ? AND sequence = ?", (source, journal, sequence)
                ).rowcount
                for sequence in sequences
            )

    def refused(self, source: str, journal: int, sequence: int, digest: str) -> int:
        """Let go what the centre cannot open: what has this identity and this SHA-256 (hex) of its sealed bytes, alone."""
        return self._db.execute(
            "DELETE FROM outbox WHERE source = ? AND journal = ? AND sequence = ? AND digest = ?",
            (source, journal, sequence, digest),
        ).rowcount

    def due_again(self) -> None:
        """A new connection: everything is due at once."""
        self._db.execute("UPDATE outbox SET next_try_s = 0")

    def next_due_s(self) -> float | None:
        """When the next record is due, on the clock of `take_due`; None where the outbox is empty."""
        value = self._db.execute("SELECT MIN(next_try_s) FROM outbox").fetchone()[0]
        return None if value is None else float(value)

    def __len__(self) -> int:
        return int(self._db.execute("SELECT COUNT(*) FROM outbox").fetchone()[0])

    def close(self) -> None:
        self._db.close()

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._db)


class _Transaction:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        try:
            if kind is None:
                self._db.execute("COMMIT")
        finally:
            # Also after a COMMIT that failed (disk full): an open transaction would refuse all that follow.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")


def _cannot_open(path: Path | str, error: sqlite3.Error) -> UserError:
    return UserError(f"outbox {path}: {error}; give a folder that can be written and an outbox of this version")
