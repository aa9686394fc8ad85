"""The outbox's SQLite file: how it is opened, what stands in it, and how an older one becomes one of ours."""

import json
import sqlite3
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from strapline_protocol import contract
from strapline_protocol.durable import sync_folder
from strapline_protocol.errors import UserError

VERSION = 1
"""`user_version` of what we write. The first release wrote none, which reads as 0."""

MEMORY = ":memory:"

WAL_LIMIT_BYTES = 16 * 1024 * 1024
"""What a long backlog may leave of the write-ahead log; checkpoints begin at 4 MiB (SQLite's own 1,000 pages)."""

COLUMNS = "id, lane, channel, source, journal, sequence, digest, text, stored_utc_s, crc"
AS_BYTES = (
    "id, lane, CAST(channel AS BLOB), CAST(source AS BLOB), journal, sequence, CAST(text AS BLOB), stored_utc_s, crc"
)
"""What is read, as bytes: what was damaged may be no text."""

_SCHEMA = """
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    lane INTEGER NOT NULL,
    channel TEXT NOT NULL,
    source TEXT NOT NULL,
    journal INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    digest BLOB NOT NULL,
    text TEXT NOT NULL,
    stored_utc_s REAL NOT NULL,
    crc INTEGER NOT NULL
);
CREATE UNIQUE INDEX once ON outbox (source, journal, sequence, channel, digest);
CREATE INDEX by_lane ON outbox (lane);
CREATE TABLE IF NOT EXISTS own (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE dropped (
    source TEXT NOT NULL,
    journal INTEGER NOT NULL,
    count INTEGER NOT NULL,
    first_sequence INTEGER NOT NULL,
    last_sequence INTEGER NOT NULL,
    first_utc_s REAL NOT NULL,
    last_utc_s REAL NOT NULL,
    PRIMARY KEY (source, journal)
);
"""

_INSERT = f"INSERT OR IGNORE INTO outbox ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)"  # noqa: S608 - a constant

_DAMAGED = (11, 26)
"""SQLITE_CORRUPT and SQLITE_NOTADB (https://sqlite.org/rescode.html)."""

_FULL = 13
_NOT_WRITTEN = 10
"""SQLITE_FULL; SQLITE_IOERR, which a limit on the file's size gives."""


class Row(NamedTuple):
    """One row as it stands in the file."""

    ident: int
    lane: int
    channel: str
    source: str
    journal: int
    sequence: int
    digest: bytes
    text: str
    stored_utc_s: float
    crc: int


def row_of(
    ident: int, lane: int, channel: str, source: str, journal: int, sequence: int, data: dict[str, Any], utc_s: float
) -> Row:
    """What is to stand in the file. `digest` tells apart what has one identity: by its sealed bytes, where it has some."""
    text = contract.canonical({**data, "source": source, "journal": journal, "sequence": sequence})
    sealed = contract.octets(data, "record") if "record" in data else b""
    digest = bytes.fromhex(contract.digest(sealed))
    crc = check_of(lane, channel.encode(), source.encode(), journal, sequence, text.encode())
    return Row(ident, lane, channel, source, journal, sequence, digest, text, utc_s, crc)


def check_of(lane: int, channel: bytes, source: bytes, journal: int, sequence: int, text: bytes) -> int:
    """SQLite does not see a bit that has turned in a row's content; this does."""
    return zlib.crc32(b"%b %b %b" % (channel, source, text), lane ^ journal ^ sequence << 1 & 0xFFFFFFFF)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file is broken, rather than the disk full, the folder not ours, or another process at it."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


def is_full(error: sqlite3.Error) -> bool:
    """Whether there was no room to write."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (_FULL, _NOT_WRITTEN)


def connect(path: Path | str) -> sqlite3.Connection:
    """The file at `path`, made where there is none, checked, and of this version; sqlite3.Error, or UserError for another make.

    A new one takes its name when it is whole, so that an empty file is never one of ours.
    """
    if str(path) != MEMORY and not Path(path).exists():
        _make(Path(path))
    db = sqlite3.connect(path, isolation_level=None)
    try:
        _prepare(db, path)
    except BaseException:
        db.close()
        raise
    return db


def make_in(db: sqlite3.Connection) -> None:
    """The schema, in an empty file or in memory."""
    db.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version = {VERSION};COMMIT;")


def _make(path: Path) -> None:
    new = Path(f"{path}.new")
    for leftover in (new, Path(f"{new}-journal")):
        leftover.unlink(missing_ok=True)
    db = sqlite3.connect(new, isolation_level=None)
    try:
        make_in(db)
    finally:
        db.close()
    new.rename(path)
    with suppress(OSError):  # a file system without it
        sync_folder(path.parent)


def _prepare(db: sqlite3.Connection, path: Path | str) -> None:
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("PRAGMA secure_delete=FAST")  # some builds zero whole pages that leave, which are sealed records
    db.execute(f"PRAGMA journal_size_limit={WAL_LIMIT_BYTES}")
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > VERSION:
        raise UserError(
            f"outbox {path}: written by a newer version (its format {version}, ours {VERSION}); start that version again"
        )
    if str(path) == MEMORY:
        make_in(db)
        return
    # Not the quick one: it passes over an index that is not of its table, and receipts would miss rows.
    if (found := str(db.execute("PRAGMA integrity_check(1)").fetchone()[0])) != "ok":
        raise _damaged(found)
    if version < VERSION:
        _upgrade(db, path)


def _damaged(what: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(what)
    error.sqlite_errorcode = _DAMAGED[0]
    return error


def columns(db: sqlite3.Connection, table: str) -> set[str]:
    """The names of a table's columns; none where it is not there."""
    return {str(name) for _, name, *_ in db.execute(f"PRAGMA table_info({table})")}


_FIRST = {
    "id",
    "lane",
    "channel",
    "source",
    "journal",
    "sequence",
    "digest",
    "data",
    "stored_utc_s",
    "tries",
    "next_try_s",
}


def _upgrade(db: sqlite3.Connection, path: Path | str) -> None:
    """From the first release's to ours, whole or not at all."""
    if columns(db, "outbox") != _FIRST or columns(db, "own") != {"name", "value"}:
        raise UserError(
            f"outbox {path}: no outbox of ours; give the file of a gateway's outbox, or one that is not there yet"
        )
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute("ALTER TABLE outbox RENAME TO first")
        for index in ("once", "by_lane", "by_time"):
            db.execute(f"DROP INDEX IF EXISTS {index}")
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        for row in db.execute(f"SELECT {FIRST_COLUMNS} FROM first ORDER BY id"):  # noqa: S608 - a constant
            insert(db, from_first(row))
        db.execute("DROP TABLE first")
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


FIRST_COLUMNS = "id, lane, channel, source, journal, sequence, data, stored_utc_s"


def from_first(row: tuple[Any, ...]) -> Row:
    """A row of the first release as one of ours; ValueError and others where it cannot be read."""
    ident, lane, channel, source, journal, sequence, data, stored_utc_s = row
    return row_of(ident, lane, channel, source, journal, sequence, json.loads(data), stored_utc_s)


def insert(db: sqlite3.Connection, row: Row) -> bool:
    """Whether it was not there before."""
    return db.execute(_INSERT, row).rowcount == 1
