"""The outbox: what must reach the centre, on disk until the centre's receipt for it is here. It knows nothing of MQTT."""

import json
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

from strapline_protocol.errors import UserError

ALARM_LANE = 0
HISTORY_LANE = 1

_RETRY_S = 30.0
_RETRY_LONGEST_S = 3600.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY,
    lane INTEGER NOT NULL,
    channel TEXT NOT NULL,
    source TEXT NOT NULL,
    journal INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    data TEXT NOT NULL,
    stored_utc_s REAL NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    next_try_s REAL NOT NULL DEFAULT 0,
    UNIQUE (source, journal, sequence, channel)
);
CREATE INDEX IF NOT EXISTS by_lane ON outbox (lane, id);
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
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise UserError(f"outbox {path}: {error}; give a folder that can be written and an outbox of this version") from None
        # What was being published when we last stopped is due again at once.
        self._db.execute("UPDATE outbox SET next_try_s = 0")

    def put(
        self, lane: int, channel: str, source: str, journal: int, sequence: int, data: dict[str, Any], utc_s: float
    ) -> bool:
        """Keep a record; False where it is held already (a tag sends again what has no receipt)."""
        row = (lane, channel, source, journal, sequence, json.dumps(data), utc_s)
        inserted = self._db.execute(
            "INSERT OR IGNORE INTO outbox (lane, channel, source, journal, sequence, data, stored_utc_s)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        return inserted.rowcount == 1

    def put_own(self, lane: int, channel: str, source: str, journal: int, data: dict[str, Any], utc_s: float) -> int:
        """Keep a record of the gateway itself under its next sequence; gives that."""
        with self._transaction():
            self._db.execute("INSERT INTO own VALUES ('sequence', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1")
            sequence = int(self._db.execute("SELECT value FROM own WHERE name = 'sequence'").fetchone()[0])
            self.put(lane, channel, source, journal, sequence, data, utc_s)
        return sequence

    def own_journal(self, fresh: int) -> int:
        """The gateway's own journal id: `fresh` the first time, the same ever after."""
        self._db.execute("INSERT OR IGNORE INTO own VALUES ('journal', ?)", (fresh,))
        return int(self._db.execute("SELECT value FROM own WHERE name = 'journal'").fetchone()[0])

    def take_due(self, now: float, limit: int) -> list[Item]:
        """What is to be published now, alarms first, each lane in order; each is then due again after a growing pause."""
        rows = self._db.execute(
            "SELECT id, lane, channel, source, journal, sequence, data, stored_utc_s, tries FROM outbox"
            " WHERE next_try_s <= ? ORDER BY lane, id LIMIT ?",
            (now, limit),
        ).fetchall()
        with self._transaction():
            for row in rows:
                pause = min(_RETRY_S * 2 ** min(row[8], 16), _RETRY_LONGEST_S)
                self._db.execute("UPDATE outbox SET tries = tries + 1, next_try_s = ? WHERE id = ?", (now + pause, row[0]))
        return [Item(*row[:6], json.loads(row[6]), row[7]) for row in rows]

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
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")
