"""The whole record in an open form, and back (R54): JSON Lines, or a folder of CSV files. docs/centre.md says it for other systems.

Both hold the tables as they are: texts, numbers, bytes as base64. A head says the version, an end how many rows there are and their digest.
"""

import base64
import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from sqlalchemy import Boolean, Integer, LargeBinary, Table, func, insert, select, text

from strapline_centre.database import Database
from strapline_centre.tables import EXPORTED, RECORDS, REFUSED, VERSION
from strapline_protocol.errors import UserError
from strapline_protocol.keys import CentreKeys
from strapline_protocol.records import RecordOpener
from strapline_protocol.rekeying import next_generation, root_of
from strapline_wire.errors import RemoteProtocolError

FORM = "strapline-centre-export"

_GROUP = 1000
_TABLES = {table.name: table for table in EXPORTED}

Row = dict[str, Any]


class Checked(NamedTuple):
    """What came of opening the sealed records of an export anew."""

    opened: int
    """Under their keys, with the content that the export says."""
    wrong: tuple[str, ...]
    """Identities of those that say something else, or do not open."""
    unknown: int
    """Of tags that no key was given for."""


# Out.


def rows_of(database: Database) -> Iterator[tuple[str, Row]]:
    """(table, row) of everything, in one consistent reading."""
    with database.reading() as connection:
        if database.is_postgres:
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        for table in EXPORTED:
            order = list(table.primary_key)
            for row in connection.execute(select(table).order_by(*order)).mappings():
                yield table.name, {column.name: _plain(row[column]) for column in table.columns}


def _plain(value: Any) -> Any:
    return base64.b64encode(bytes(value)).decode() if isinstance(value, bytes | memoryview) else value


def write_jsonl(database: Database, path: Path, made_utc: str) -> dict[str, int]:
    """Write an export; gives the rows of each table. UserError where it cannot be written."""
    counts = dict.fromkeys(_TABLES, 0)
    digest = hashlib.sha256()
    try:
        with _new_file(path) as file:
            for line in _lines(database, counts, made_utc):
                digest.update(line)
                file.write(line)
            end = {"end": FORM, "rows": counts, "sha256": digest.hexdigest()}
            file.write(json.dumps(end).encode() + b"\n")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); name a new file where there is room") from None
    return counts


def _new_file(path: Path) -> IO[bytes]:
    """For its owner alone: an export holds positions."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def _lines(database: Database, counts: dict[str, int], made_utc: str) -> Iterator[bytes]:
    yield json.dumps({"begin": FORM, "version": VERSION, "made_utc": made_utc}).encode() + b"\n"
    for table, row in rows_of(database):
        counts[table] += 1
        yield json.dumps({"table": table, "row": row}, ensure_ascii=False).encode() + b"\n"


def write_csv(database: Database, folder: Path, made_utc: str) -> dict[str, int]:
    """The same as one CSV file for each table, and `export.json` with head and end."""
    texts = {name: io.StringIO() for name in _TABLES}
    writers = {name: csv.writer(texts[name]) for name in _TABLES}
    for name, table in _TABLES.items():
        writers[name].writerow(column.name for column in table.columns)
    counts = dict.fromkeys(_TABLES, 0)
    for name, row in rows_of(database):
        counts[name] += 1
        writers[name].writerow(_cell(value) for value in row.values())
    head = {"begin": FORM, "version": VERSION, "made_utc": made_utc, "rows": counts}
    digests = {name: hashlib.sha256(texts[name].getvalue().encode()).hexdigest() for name in _TABLES}
    try:
        folder.mkdir(mode=0o700, parents=True)
        for name, written in texts.items():
            (folder / f"{name}.csv").write_text(written.getvalue(), encoding="utf-8", newline="")
        (folder / "export.json").write_text(json.dumps({**head, "sha256": digests}, indent=1) + "\n")
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written ({error.strerror}); name a new folder where there is room"
        ) from None
    return counts


def _cell(value: Any) -> str:
    """An empty cell is nothing; a text that is empty stands in quotes of its own."""
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else json.dumps(value)


# Back.


def read(path: Path) -> Iterator[tuple[str, Row]]:
    """(table, row) of an export, a file or a folder; UserError where it is none, is of a newer version, or not whole."""
    yield from _read_csv(path) if path.is_dir() else _read_jsonl(path)


def _read_jsonl(path: Path) -> Iterator[tuple[str, Row]]:
    counts, digest, ended = dict.fromkeys(_TABLES, 0), hashlib.sha256(), False
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                said = _json(path, number, line)
                if number == 1:
                    _check_head(path, said)
                elif "end" in said:
                    ended = said.get("rows") == counts and said.get("sha256") == digest.hexdigest()
                else:
                    table, row = said.get("table"), said.get("row")
                    if table not in _TABLES or not isinstance(row, dict):
                        raise UserError(f"{path}:{number}: no row of a table that is known here")
                    counts[table] += 1
                    yield table, row
                digest.update(line)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); name an export") from None
    if not ended:
        raise UserError(f"{path}: not whole, or changed since it was written; export it again")


def _json(path: Path, number: int, line: bytes) -> Row:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise UserError(f"{path}:{number}: no JSON object; name an export, and export it again if it was changed")
    return said


def _check_head(path: Path, said: Row) -> None:
    if said.get("begin") != FORM:
        raise UserError(f"{path}:1: no export of a centre; name one that `strapline centre export` made")
    if said.get("version") not in (2, VERSION):  # what 2 did not keep yet stays empty
        raise UserError(
            f"{path}:1: of version {said.get('version')}, and this strapline reads {VERSION}; use that one's"
        )


def _read_csv(folder: Path) -> Iterator[tuple[str, Row]]:
    try:
        head = _json(folder / "export.json", 1, (folder / "export.json").read_bytes())
        _check_head(folder / "export.json", head)
        for name in _TABLES:
            content = (folder / f"{name}.csv").read_bytes()
            if hashlib.sha256(content).hexdigest() != head["sha256"][name]:
                raise UserError(f"{folder / name}.csv: not whole, or changed since it was written; export it again")
            for row in csv.DictReader(io.StringIO(content.decode(), newline="")):
                yield name, {column: json.loads(cell) if cell else None for column, cell in row.items()}
    except (OSError, KeyError, ValueError) as error:
        raise UserError(
            f"{folder}: no export that can be read ({error}); name one that `strapline centre export` made"
        ) from None


def load(database: Database, rows: Iterable[tuple[str, Row]]) -> dict[str, int]:
    """Put an export into a ledger with nothing in it, all or nothing; gives the rows of each table."""
    counts = dict.fromkeys(_TABLES, 0)
    with database.transaction() as connection:
        for table in EXPORTED:
            if connection.execute(select(func.count()).select_from(table)).scalar_one():
                raise UserError("this ledger is not empty; give the URL of a new one")
        waiting: dict[str, list[Row]] = {name: [] for name in _TABLES}
        for name, row in rows:
            counts[name] += 1
            waiting[name].append(_typed(_TABLES[name], row))
            if len(waiting[name]) >= _GROUP:
                connection.execute(insert(_TABLES[name]), waiting[name])
                waiting[name] = []
        for name, left in waiting.items():
            if left:
                connection.execute(insert(_TABLES[name]), left)
        if database.is_postgres:
            _raise_counters(connection)
    return counts


def _raise_counters(connection: Any) -> None:
    """PostgreSQL counts by itself, and knows nothing of rows that came with their numbers."""
    for table in (RECORDS, REFUSED):
        newest = int(connection.execute(select(func.max(table.c.id))).scalar() or 0)
        connection.execute(select(func.setval(func.pg_get_serial_sequence(table.name, "id"), newest + 1, False)))


def _typed(table: Table, row: Row) -> Row:
    values = {}
    for column in table.columns:
        value = row.get(column.name)
        if isinstance(column.type, LargeBinary) and value is not None:
            value = base64.b64decode(value, validate=True)
        elif isinstance(column.type, Integer) and not isinstance(column.type, Boolean) and value is not None:
            value = int(value)
        values[column.name] = value
    return values


# Proof.


def verify(rows: Iterable[tuple[str, Row]], keys: Iterable[CentreKeys]) -> Checked:
    """Open every sealed record of an export anew, with the tags' keys: it says what the export says, or it is named."""
    held = list(rows)
    given = {one.tag: one for one in keys}
    opener = RecordOpener([one for tag in given.values() for one in _generations(tag, held)])
    opened, unknown, wrong = 0, 0, []
    for row in (row for table, row in held if table == "records" and row["sealed"]):
        if row["source"] not in given:
            unknown += 1
            continue
        identity = f"{row['source']}-{row['journal']:08x}-{row['sequence']}"
        try:
            record = opener.open_record(row["source"], base64.b64decode(row["sealed"]))
        except RemoteProtocolError:
            wrong.append(identity)
            continue
        same = (record.journal, record.sequence, record.name) == (row["journal"], row["sequence"], row["kind"])
        if same and record.content == base64.b64decode(row["content"]) and record.fields == json.loads(row["fields"]):
            opened += 1
        else:
            wrong.append(identity)
    return Checked(opened, tuple(wrong), unknown)


def _generations(keys: CentreKeys, rows: Iterable[tuple[str, Row]]) -> list[CentreKeys]:
    """The keys that a tag was given first, and those that followed."""
    found = [keys]
    salts = {
        r["generation"]: r["salt"]
        for t, r in rows
        if t == "rekeyings" and r["tag"] == keys.tag and r["root"] == root_of(keys)
    }
    for number in sorted(salts):
        found.append(next_generation(found[-1], number, base64.b64decode(salts[number])).centre)
    return found
