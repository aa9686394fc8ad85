"""The outbox: what must reach the centre, on disk until the centre's receipt for it is here. It knows nothing of MQTT.

What stands in it is bounded: of positions the oldest go first, and are counted; alarms and events never go. The tag keeps its copy of all
of them until the centre's receipt, so what is dropped here is lost only where the tag has dropped it too.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from strapline_gateway import salvage, store
from strapline_gateway.drops import HISTORY_LANE, Dropped, Drops, Limits
from strapline_gateway.rounds import BLOCK, Due, Rounds
from strapline_protocol.errors import UserError

ALARM_LANE = 0

__all__ = ["ALARM_LANE", "HISTORY_LANE", "Dropped", "Item", "Limits", "Outbox"]

_RETRY_LONGEST_S = (240.0, 3600.0)
"""By lane. R06: an alarm is at the centre within 4 min of a live link, even where a broker has lost it while the centre was away."""

_DROP = 64
"""Positions that go at once: room for a good while, and no list that has to be searched for each record."""

_RELAXED = 0.9
"""Of the limit. Below it, positions that were dropped are taken again when the tag brings them."""


class Item(NamedTuple):
    """One row: the record `sequence` of `source`'s `journal`, to be published on `channel`."""

    ident: int
    lane: int
    channel: str
    source: str
    journal: int
    sequence: int
    text: str
    """`data`, as `contract.canonical` writes it."""
    stored_utc_s: float
    tries: int
    """How often it was published before, on this connection."""
    pause_s: float
    """After that it is published again, if nothing has come."""

    @property
    def data(self) -> dict[str, Any]:
        """What was put, with `source`, `journal` and `sequence` beside it."""
        return dict(json.loads(self.text))


class Outbox:
    """An SQLite file in WAL mode with full synchronisation: what `put` or `group` has returned from survives a power cut.

    `path` may be `:memory:` for simulations that end with the process. A damaged file is set aside (`set_aside`), and a new one begun with
    what could be read of it. Raises `UserError` where the file cannot be used, or is of a newer version. `utc_s` is the wall clock.
    """

    def __init__(
        self, path: Path | str, *, limits: Limits | None = None, utc_s: Callable[[], float] = time.time
    ) -> None:
        self.limits = Limits() if limits is None else limits
        self._path = path
        self._utc_s = utc_s
        self.damaged_rows = 0
        """Rows in which a bit has turned: they are kept in the table `damaged`, and not published."""
        self.open_history = 0
        """Rows of the history lane that were published once, less than 30 s ago, and have no receipt."""
        try:
            self._db, self.set_aside = salvage.open_or_set_aside(path, utc_s)
        except (sqlite3.Error, OSError) as error:
            raise _cannot_open(path, error) from None
        try:
            self._load()
            self.start = self._count_start()
            """Rises with each opening of this outbox, and of another that takes its place under a clock that is right."""
        except sqlite3.Error as error:
            self._db.close()
            raise _cannot_open(path, error) from None

    def _load(self) -> None:
        """What is known of the file without asking it each time."""
        db = self._db
        self._page_size = int(db.execute("PRAGMA page_size").fetchone()[0])
        db.execute(f"PRAGMA max_page_count = {max(64, self.limits.limit_bytes // self._page_size)}")
        counts = dict(db.execute("SELECT lane, COUNT(*) FROM outbox GROUP BY lane").fetchall())
        self._held = [int(counts.get(lane, 0)) for lane in (ALARM_LANE, HISTORY_LANE)]
        self.newest = int(db.execute("SELECT COALESCE(MAX(id), 0) FROM outbox").fetchone()[0])
        """The number of the last row that was kept."""
        self._fresh_after = [0, 0]
        self._last_in = [self.newest if held else 0 for held in self._held]
        self._sequence = int((db.execute("SELECT value FROM own WHERE name = 'sequence'").fetchone() or [0])[0])
        self._rounds = [Rounds(longest_s) for longest_s in _RETRY_LONGEST_S]
        self._drops = Drops(db)
        self._has_put = False
        self.open_history = 0

    def mend(self) -> bool:
        """The file was found damaged in use: set it aside and begin a new one with what can be read. False where it is not damaged."""
        if str(self._path) == store.MEMORY:
            return False
        self._db.close()
        path = Path(self._path)
        try:
            self._db, told = salvage.open_or_set_aside(path, self._utc_s)
            if told is None:
                found = str(self._db.execute("PRAGMA integrity_check(1)").fetchone()[0])
                if found != "ok":
                    self._db.close()
                    self._db, told = salvage.set_aside(path, self._utc_s(), found)
        except OSError as error:
            raise sqlite3.OperationalError(str(error)) from error
        self._load()
        if told is None:
            return False
        self.set_aside = told
        return True

    # In.

    @contextmanager
    def group(self) -> Iterator[None]:
        """All that is put, noted and let go inside is one transaction: there as a whole when this returns, or not at all."""
        if self._db.in_transaction:
            yield
            return
        before = tuple(self._held), self._sequence, self.open_history, self._drops.positions
        is_done = False
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            if self._has_put:
                self._make_room()
            self._db.execute("COMMIT")
            is_done = True
        finally:
            self._has_put = False
            if not is_done:
                self._undo(*before)

    def _undo(self, held: tuple[int, ...], *numbers: int) -> None:
        self._held = [*held]
        self._sequence, self.open_history, dropped = numbers
        # An open transaction would refuse all that follow; a full disk may have ended it already.
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._drops.read_again(dropped)

    def commit(self, work: Callable[[], object]) -> None:
        """Do `work` in a group; where the disk has no room for it, drop the oldest positions and do it again."""
        for _ in range(_TRIES_FOR_ROOM):
            try:
                with self.group():
                    work()
                return
            except sqlite3.Error as error:
                if not store.is_full(error) or not self.drop_oldest():
                    raise
        with self.group():
            work()

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
        """Keep a record; False where it is held already (a tag sends again what has no receipt), or was dropped for want of room.

        The same identity with another sealed `record` (base64) in its data is kept beside the first: only the centre can tell which of
        them is genuine, and a forgery that came first must not keep the genuine one out.
        """
        if channel == "position" and lane == HISTORY_LANE and self._drops.refuses(source, journal, sequence):
            return False  # the tag brings it again for as long as it has it
        row = store.row_of(self.newest + 1, lane, channel, source, journal, sequence, data, utc_s)
        with self.group():
            if not store.insert(self._db, row):
                return False
            self._held[lane] += 1
            self._has_put = True
        self.newest = self._last_in[lane] = row.ident
        return True

    def put_own(self, lane: int, channel: str, source: str, journal: int, data: dict[str, Any], utc_s: float) -> int:
        """Keep a record of the gateway itself under its next sequence; gives that."""
        with self.group():
            sequence = self._sequence + 1
            self._db.execute("INSERT OR REPLACE INTO own VALUES ('sequence', ?)", (sequence,))
            self._sequence = sequence
            self.put(lane, channel, source, journal, sequence, data, utc_s)
        return sequence

    def own_journal(self, fresh: int) -> int:
        """The gateway's own journal id: `fresh` the first time, the same ever after, and another where the file was damaged."""
        self._db.execute("INSERT OR IGNORE INTO own VALUES ('journal', ?)", (fresh,))
        return int(self._db.execute("SELECT value FROM own WHERE name = 'journal'").fetchone()[0])

    def _count_start(self) -> int:
        # Never below Unix time: the states of a gateway with a new disk, or one put back from a copy, would be taken for old ones.
        count = "INSERT INTO own VALUES ('starts', ?1) ON CONFLICT (name) DO UPDATE SET value = MAX(value + 1, ?1)"
        now = max(1, int(self._utc_s()))
        self.commit(lambda: self._db.execute(count, (now,)))  # a gateway must start on a full disk too
        return int(self._db.execute("SELECT value FROM own WHERE name = 'starts'").fetchone()[0])

    def note(self, name: str, value: int) -> None:
        """Keep a number of the gateway's over restarts."""
        self._db.execute("INSERT OR REPLACE INTO own VALUES (?, ?)", (f"note/{name}", value))

    def notes(self) -> dict[str, int]:
        """All that `note` has kept."""
        rows = self._db.execute("SELECT name, value FROM own WHERE name LIKE 'note/%'")
        return {str(name).removeprefix("note/"): int(value) for name, value in rows}

    # Out.

    def take_due(
        self, now: float, limit: int, last_lane: int = HISTORY_LANE, *, most_open: int | None = None
    ) -> list[Item]:
        """What is to be published now, alarms first, each lane in order; each is then due again after a growing pause.

        No history is published for the first time while `most_open` rows of it are `open_history`.
        """
        items: list[Item] = []
        for lane in range(last_lane + 1):
            while len(items) < limit and (due := self._rounds[lane].take(now)) is not None:
                items += self._again(lane, due, now, limit - len(items))
            room = limit - len(items)
            if lane == HISTORY_LANE and most_open is not None:
                room = min(room, most_open - self.open_history)
            if room > 0 and self._has_fresh(lane):
                items += self._fresh(lane, now, room)
        return items

    def _again(self, lane: int, due: Due, now: float, room: int) -> list[Item]:
        rounds = self._rounds[lane]
        items = self._read(lane, due.first, due.last, room + 1, due.tries)
        if lane == HISTORY_LANE and due.tries == 1:
            self.open_history = max(0, self.open_history - len(items[:room]))
        if len(items) > room:
            rounds.interrupted(due, items[room].ident, now)
        elif items or due.first % BLOCK:
            rounds.published(due, now)
        return items[:room]

    def _fresh(self, lane: int, now: float, room: int) -> list[Item]:
        rounds = self._rounds[lane]
        items = self._read(lane, rounds.cursor + 1, self._last_in[lane], room, 0)
        for item in items:
            rounds.fresh(item.ident, now)
        if len(items) < room:
            rounds.cursor = self._last_in[lane]
        if lane == HISTORY_LANE:
            self.open_history += len(items)
        return items

    def _read(self, lane: int, first: int, last: int, room: int, tries: int) -> list[Item]:
        pause_s = self._rounds[lane].pause_s(tries)
        rows = self._db.execute(
            _READ,
            (lane, first, last, room),
        ).fetchall()
        items = []
        for ident, lane_there, channel, source, journal, sequence, text, stored_utc_s, crc in rows:
            if not _is_whole((lane_there, channel, source, journal, sequence), text, crc):
                self._put_by(ident, lane)
                continue
            record = channel.decode(), source.decode(), journal, sequence
            items.append(Item(ident, lane, *record, text.decode(), stored_utc_s, tries, pause_s))
        return items

    def _put_by(self, ident: int, lane: int) -> None:
        with self.group():
            self._db.execute("CREATE TABLE IF NOT EXISTS damaged AS SELECT * FROM outbox WHERE 0")
            self._db.execute("INSERT INTO damaged SELECT * FROM outbox WHERE id = ?", (ident,))
            self._db.execute("DELETE FROM outbox WHERE id = ?", (ident,))
            self._held[lane] -= 1
        self.damaged_rows += 1

    def _has_fresh(self, lane: int) -> bool:
        return bool(self._held[lane]) and self._last_in[lane] > self._rounds[lane].cursor

    def due_again(self) -> None:
        """A new connection: everything is due at once."""
        for rounds in self._rounds:
            rounds.restart()
        self.open_history = 0

    def next_due_s(self, last_lane: int = HISTORY_LANE, *, fresh_history: bool = True) -> float | None:
        """When the next record is due, on the clock of `take_due`; None where nothing waits."""
        soonest = None
        for lane, rounds in enumerate(self._rounds):
            if not self._held[lane] or lane > last_lane:
                continue
            if self._has_fresh(lane) and (fresh_history or lane == ALARM_LANE):
                return 0.0
            if (due_s := rounds.next_s()) is not None:
                soonest = due_s if soonest is None else min(soonest, due_s)
        return soonest

    # Let go.

    def receipted(self, source: str, journal: int, base: int, bitmap: int) -> int:
        """Let go what the centre has: every sequence below `base`, and `base + 1 + i` for each bit i; gives how many."""
        above = [base + 1 + bit for bit in range(32) if bitmap >> bit & 1]
        named = f" OR sequence IN ({','.join('?' * len(above))})" if above else ""
        return self._let_go(source, journal, f"(sequence < ?{named})", (base, *above))

    def receipted_far(self, source: str, journal: int, first: int, bitmap: int) -> int:
        """The same for records behind a gap: `first`, and `first + 1 + i` for each bit i, and no other."""
        sequences = [first, *(first + 1 + bit for bit in range(32) if bitmap >> bit & 1)]
        return self._let_go(source, journal, f"sequence IN ({','.join('?' * len(sequences))})", tuple(sequences))

    def refused(self, source: str, journal: int, sequence: int, digest: str) -> int:
        """Let go what the centre cannot open: what has this identity and this SHA-256 (hex) of its sealed bytes, alone."""
        return self._let_go(source, journal, "sequence = ? AND digest = ?", (sequence, bytes.fromhex(digest)))

    def _let_go(self, source: str, journal: int, which: str, values: tuple[Any, ...]) -> int:
        with self.group():
            gone = self._db.execute(
                f"DELETE FROM outbox WHERE source = ? AND journal = ? AND {which} RETURNING lane",  # noqa: S608 - of this file's making
                (source, journal, *values),
            ).fetchall()
            for (lane,) in gone:
                self._held[lane] -= 1
                if lane == HISTORY_LANE and self.open_history:
                    self.open_history -= 1
        return len(gone)

    # The limit.

    @property
    def used_bytes(self) -> int:
        """The database's pages in use; what has left is used again before the file grows."""
        pages, free = (
            int(self._db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "freelist_count")
        )
        return (pages - free) * self._page_size

    def _make_room(self) -> None:
        limit = self.limits.limit_bytes - self.limits.reserve_bytes
        used = self.used_bytes
        if used < _RELAXED * limit:
            self._drops.take_again()
        while used > limit and self._drop(_DROP):
            used = self.used_bytes

    def drop_oldest(self) -> bool:
        """Make some room at once; False where there is no position to be dropped."""
        try:
            with self.group():
                return bool(self._drop(_DROP))
        except sqlite3.Error as error:
            if store.is_full(error):
                return False
            raise

    def _drop(self, count: int) -> int:
        dropped = self._drops.drop(count)
        self._held[HISTORY_LANE] -= dropped
        return dropped

    def dropped(self) -> list[Dropped]:
        """What was dropped and is not told yet."""
        return self._drops.untold()

    @property
    def has_dropped(self) -> bool:
        """Whether `tell_dropped` has something to tell."""
        return self._drops.has_untold

    @property
    def dropped_positions(self) -> int:
        """How many positions were dropped since the start."""
        return self._drops.positions

    def tell_dropped(self, tell: Callable[[Dropped], None]) -> None:
        """Have each told, in one transaction with forgetting it; `tell` puts it."""
        with self.group():
            for one in self.dropped():
                tell(one)
            self._drops.forget()

    # About it.

    def held(self, lane: int) -> int:
        """How many rows this lane has."""
        return self._held[lane]

    def oldest_utc_s(self, lane: int) -> float | None:
        """When what waits longest in this lane was kept; None where nothing waits."""
        if not self._held[lane]:
            return None
        row = self._db.execute("SELECT stored_utc_s FROM outbox WHERE lane = ? ORDER BY id LIMIT 1", (lane,)).fetchone()
        return None if row is None else float(row[0])

    def check_writable(self) -> None:
        """sqlite3.Error where nothing can be written now: for a watchdog."""
        with self.group():
            self._db.execute("INSERT OR REPLACE INTO own VALUES ('checked', ?)", (int(self._utc_s()),))

    def __len__(self) -> int:
        return sum(self._held)

    def close(self) -> None:
        self._db.close()


def _is_whole(named: tuple[Any, ...], text: bytes, crc: int) -> bool:
    lane, channel, source, journal, sequence = named
    try:
        return crc == store.check_of(lane, channel, source, journal, sequence, text)
    except (TypeError, ValueError):  # another type than was written
        return False


_READ = f"SELECT {store.AS_BYTES} FROM outbox WHERE lane = ? AND id BETWEEN ? AND ? ORDER BY id LIMIT ?"  # noqa: S608 - a constant

_TRIES_FOR_ROOM = 16
"""Each frees some positions; a group that wants more than that many is no drain of ours."""


def _cannot_open(path: Path | str, error: Exception) -> UserError:
    return UserError(f"outbox {path}: {error}; give a folder that can be written and an outbox of this version")
