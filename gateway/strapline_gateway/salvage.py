"""A damaged outbox: set aside under a dated name, what can be read of it carried over into a new one, and all of it told.

Damage is what a bad disk, a bad copy or somebody's editor does. A power cut does none.
"""

import logging
import shutil
import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from strapline_gateway import store
from strapline_gateway.store import Row
from strapline_protocol import contract
from strapline_wire.errors import RemoteProtocolError

_LOG = logging.getLogger(__name__)

_LONGEST_BYTES = 1 << 40

_SINGLY = 100_000
"""So many rows between two damaged places are asked for one by one."""


class SetAside(NamedTuple):
    """What happened to a damaged file."""

    path: Path
    """Where it lies now; empty where the log alone was damaged, of which a copy lies here."""
    reason: str
    rescued: int
    """Rows that go on in the new file."""
    lost: int
    """Rows that are known to have been there and cannot be read; nobody can tell of more."""
    log_only: bool = False
    """The database is whole, but its newest transactions lay in a write-ahead log that is not."""


def open_or_set_aside(path: Path | str, utc_s: Callable[[], float]) -> tuple[sqlite3.Connection, SetAside | None]:
    """The file at `path`; where it is damaged, a new one with what could be rescued. Raises as `store.connect`."""
    if str(path) == store.MEMORY:
        return store.connect(path), None
    path = Path(path)
    told = None
    if path.exists() and not path.stat().st_size:
        return _replace(path, utc_s(), "it is empty")
    if not path.exists() and _of(path, "-wal").exists():
        return _replace(path, utc_s(), "only its log is there")
    if (unreadable := unreadable_commits(_of(path, "-wal"))) > 1:
        told = _keep_log(path, utc_s(), unreadable)
    try:
        db = store.connect(path)
    except sqlite3.Error as error:
        if not store.is_damage(error):
            raise
        return _replace(path, utc_s(), str(error))
    if told is not None:
        _begin_anew(db, utc_s())
    return db, told


def set_aside(path: Path, utc_s: float, reason: str) -> tuple[sqlite3.Connection, SetAside]:
    """The same for a file that was found damaged in use, and is closed by now."""
    return _replace(path, utc_s, reason)


# The log.


def unreadable_commits(wal: Path) -> int:
    """How many transactions of a write-ahead log lie behind a damaged place, where SQLite passes over them without a word.

    One may be what a power cut has torn; nothing has returned from it. Of more than one, all but the last were said to be kept.
    https://sqlite.org/fileformat2.html#the_write_ahead_log
    """
    try:
        with wal.open("rb") as file:
            return _unreadable_in(file.read(32), file)
    except OSError:
        return 0


def _unreadable_in(header: bytes, file: Any) -> int:
    if len(header) < 32:
        return 0
    magic, _, size = struct.unpack(">III", header[:12])
    order = {0x377F0682: "<", 0x377F0683: ">"}.get(magic)
    if order is None:
        return 0  # its header is gone: nothing shows what it was
    salts, total = header[16:24], _sum(order, header[:24], (0, 0))
    is_whole, commits = total == struct.unpack(">II", header[24:32]), 0
    while len(frame := file.read(24 + size)) == 24 + size:
        if frame[8:16] != salts:
            break  # of before the last checkpoint
        if is_whole:
            total = _sum(order, frame[24:], _sum(order, frame[:8], total))
            is_whole = total == struct.unpack(">II", frame[16:24])
        if not is_whole and any(frame[4:8]):
            commits += 1
    return commits


def _sum(order: str, data: bytes, before: tuple[int, int]) -> tuple[int, int]:
    first, second = before
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for one, two in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + two + first) & 0xFFFFFFFF
    return first, second


def _keep_log(path: Path, utc_s: float, unreadable: int) -> SetAside:
    copy = _dated(path, utc_s)
    for end in ("", "-wal"):
        with suppress(OSError):  # no room for evidence is no reason not to go on
            shutil.copy2(_of(path, end), _of(copy, end))
    _LOG.error("outbox %s: %d transactions of its log cannot be read; copied to %s", path, unreadable, copy.name)
    return SetAside(copy, "its log is damaged", 0, unreadable, log_only=True)


def _begin_anew(db: sqlite3.Connection, utc_s: float) -> None:
    """What was numbered may have been published: the gateway's own journal ends here, and starts are counted from where none has been."""
    db.execute("BEGIN IMMEDIATE")
    db.execute("DELETE FROM own WHERE name IN ('journal', 'sequence')")
    db.execute(
        "INSERT INTO own VALUES ('starts', ?) ON CONFLICT (name) DO UPDATE SET value = MAX(value, excluded.value)",
        (int(utc_s),),
    )
    db.execute("COMMIT")


# The file.


def _replace(path: Path, utc_s: float, reason: str) -> tuple[sqlite3.Connection, SetAside]:
    aside = _dated(path, utc_s)
    for end in ("", "-wal", "-shm"):
        if _of(path, end).exists():
            _of(path, end).rename(_of(aside, end))
    db = store.connect(path)
    try:
        rescued, lost = _carry_over(aside, db)
        _begin_anew(db, utc_s)
    except BaseException:
        db.close()
        raise
    _LOG.error("outbox %s: %s; set aside as %s, %d rows rescued, %d lost", path, reason, aside.name, rescued, lost)
    return db, SetAside(aside, reason, rescued, lost)


def _of(path: Path, end: str) -> Path:
    return Path(f"{path}{end}")


def _dated(path: Path, utc_s: float) -> Path:
    stamp = datetime.fromtimestamp(utc_s, UTC).strftime("%Y%m%dT%H%M%SZ")
    names = (f"{path}.damaged-{stamp}{more}" for more in ["", *(f"-{n}" for n in range(2, 1000))])
    return next(Path(name) for name in names if not Path(name).exists() and not Path(f"{name}-wal").exists())


def _carry_over(aside: Path, db: sqlite3.Connection) -> tuple[int, int]:
    """What can be read of it, from a copy: reading writes, and what was set aside stays as it was found."""
    copy = _of(aside, ".reading")
    try:
        for end in ("", "-wal"):
            if _of(aside, end).exists():
                shutil.copyfile(_of(aside, end), _of(copy, end))
        _lengthen(copy)
        return _read_into(copy, db)
    except OSError as error:
        _LOG.error("%s: nothing rescued: %s", aside.name, error)
        return 0, 0
    finally:
        for end in ("", "-wal", "-shm", "-journal"):
            _of(copy, end).unlink(missing_ok=True)


def _lengthen(copy: Path) -> None:
    """Of a file that was cut off SQLite reads nothing, unless it has the length that its header says."""
    with copy.open("r+b") as file:
        header = file.read(32)
        if len(header) == 32:
            size, pages = struct.unpack(">H", header[16:18])[0], struct.unpack(">I", header[28:32])[0]
            wanted = (65536 if size == 1 else size) * pages
            if copy.stat().st_size < wanted <= _LONGEST_BYTES:
                file.truncate(wanted)  # a hole: no room on the disk


def _read_into(copy: Path, db: sqlite3.Connection) -> tuple[int, int]:
    rescued = lost = 0
    old = sqlite3.connect(copy, isolation_level=None)
    old.text_factory = bytes  # what was damaged may be no UTF-8
    try:
        names = _asked(lambda: {str(name, "ascii") for _, name, *_ in old.execute("PRAGMA table_info(outbox)")}, set())
        chosen, read = (store.COLUMNS, Row._make) if "text" in names else (store.FIRST_COLUMNS, store.from_first)
        db.execute("BEGIN IMMEDIATE")
        for found in _rows(old, chosen) if names else ():
            row = None if found is None else _checked(found, read)
            rescued, lost = (rescued, lost + 1) if row is None else (rescued + store.insert(db, row), lost)
        # An index may be whole where the table is not: it tells how many there were.
        count = "SELECT COUNT(*) FROM outbox INDEXED BY by_lane"
        lost = max(lost, int(_asked(lambda: old.execute(count).fetchone()[0], 0)) - rescued)
        for name, value in _asked(lambda: old.execute("SELECT name, value FROM own").fetchall(), []):
            if _is_of_use(name, value):
                db.execute("INSERT OR REPLACE INTO own VALUES (?, ?)", (name.decode("utf-8", "replace"), value))
        db.execute("COMMIT")
    finally:
        old.close()
    return rescued, lost


def _is_of_use(name: object, value: object) -> bool:
    """Of what the gateway remembers: where its tags were, and how often it has started."""
    if not isinstance(name, bytes) or not isinstance(value, int) or not 0 <= value < 1 << 32:
        return False
    return name == b"starts" or name.startswith(b"note/")


def _asked(ask: Callable[[], Any], otherwise: Any) -> Any:
    try:
        return ask()
    except (sqlite3.Error, ValueError):
        return otherwise


def _rows(old: sqlite3.Connection, chosen: str) -> Iterator[tuple[Any, ...] | None]:
    """From the front as far as it goes; behind that by number, as far as numbers can be read from the back. None for what is damaged."""
    last = 0
    try:
        for row in old.execute(f"SELECT {chosen} FROM outbox NOT INDEXED ORDER BY id"):  # noqa: S608 - one of two constants
            last = row[0]
            yield row
        return
    except sqlite3.Error:
        pass
    behind: list[int] = []
    with suppress(sqlite3.Error):
        behind.extend(
            n for (n,) in old.execute("SELECT id FROM outbox NOT INDEXED WHERE id > ? ORDER BY id DESC", (last,))
        )
    between = range(last + 1, min(min(behind, default=last + _SINGLY), last + _SINGLY))
    single = f"SELECT {chosen} FROM outbox NOT INDEXED WHERE id = ?"  # noqa: S608 - as above
    for ident in (*between, *sorted(behind)):
        try:
            row = old.execute(single, (ident,)).fetchone()
        except sqlite3.Error:
            row = None
            if ident not in between:
                yield None
        if row is not None:
            yield row


def _checked(found: tuple[Any, ...], read: Callable[[Any], Row]) -> Row | None:
    try:
        row = read([value.decode() if isinstance(value, bytes) and n != 6 else value for n, value in enumerate(found)])
        return row if is_sound(row) else None
    except (ValueError, TypeError, KeyError, ArithmeticError, AttributeError, sqlite3.Error, RemoteProtocolError):
        return None


def is_sound(row: Row) -> bool:
    """Whether this is a row that we have written."""
    numbers = (row.ident, row.journal, row.sequence, row.crc)
    named = row.lane, row.channel.encode(), row.source.encode(), row.journal, row.sequence
    check = store.check_of(*named, row.text.encode())
    return (
        row.lane in (0, 1)
        and row.channel in contract.FROM_GATEWAYS
        and contract.is_ident(row.source)
        and all(type(number) is int for number in numbers)
        and isinstance(row.stored_utc_s, float)
        and row.crc == check
    )
