"""The ledger: every record once, by (tag, journal, sequence), and what came twice or otherwise. It opens and decides nothing."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import Enum
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    create_engine,
    func,
    make_url,
    select,
)
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from strapline_protocol.errors import UserError

_METADATA = MetaData()

_RECORDS = Table(
    "records",
    _METADATA,
    Column("id", Integer, primary_key=True),
    Column("source", String(8), nullable=False),
    Column("journal", BigInteger, nullable=False),  # both use all 32 bits, and PostgreSQL's integer has a sign
    Column("sequence", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("content", LargeBinary, nullable=False),  # what its identity stands for: compared when it comes again
    Column("fields", String, nullable=False),  # the opened content as JSON
    Column("gateway", String(8), nullable=False),
    Column("gateway_utc", String(32), nullable=False),
    Column("centre_utc", String(32), nullable=False),
    UniqueConstraint("source", "journal", "sequence"),
)


_EPOCHS = Table("epochs", _METADATA, Column("epoch", BigInteger, primary_key=True, autoincrement=False))


class Outcome(Enum):
    """What became of a record."""

    NEW = "new"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    """The same identity with other content: somebody lies, or a journal was copied."""


class Entry(NamedTuple):
    """One record as it stands in the ledger. `source` is a tag, or a gateway for what it says of itself."""

    source: str
    journal: int
    sequence: int
    kind: str
    content: bytes
    fields: dict[str, Any]
    gateway: str
    gateway_utc: datetime
    centre_utc: datetime


class Ledger:
    """On any database that SQLAlchemy knows; the default keeps it in memory. Raises `UserError` where it cannot be opened."""

    def __init__(self, url: str = "sqlite://") -> None:
        self.duplicates = 0
        self.conflicts = 0
        self._runs: dict[tuple[str, int], _Run] = {}
        try:
            self._engine = _engine(url)
        except (SQLAlchemyError, ImportError) as error:
            raise _cannot_open(url, error) from None
        try:
            _METADATA.create_all(self._engine)
            with self._engine.connect() as connection:
                columns = _RECORDS.c.source, _RECORDS.c.journal, _RECORDS.c.sequence
                for source, journal, sequence in connection.execute(select(*columns)):
                    self._run(source, journal).add(sequence)
        except SQLAlchemyError as error:
            self._engine.dispose()
            raise _cannot_open(url, error) from None

    def claim_epoch(self, wanted: int) -> int:
        """An epoch that no centre on this ledger has had: `wanted`, or the one after the last where that is not higher."""
        with self._engine.begin() as connection:
            last = connection.execute(select(func.max(_EPOCHS.c.epoch))).scalar()
            epoch = wanted if last is None else max(wanted, last + 1)
            connection.execute(_EPOCHS.insert().values(epoch=epoch))
        return epoch

    def add(self, entry: Entry) -> Outcome:
        """Keep a record; on return it is committed."""
        row = entry._asdict() | {
            "fields": json.dumps(entry.fields),
            "gateway_utc": entry.gateway_utc.isoformat(),
            "centre_utc": entry.centre_utc.isoformat(),
        }
        try:
            with self._engine.begin() as connection:
                connection.execute(_RECORDS.insert().values(row))
        except IntegrityError:
            if self._content(entry) != entry.content:
                self.conflicts += 1
                return Outcome.CONFLICT
            self.duplicates += 1
            return Outcome.DUPLICATE
        self._run(entry.source, entry.journal).add(entry.sequence)
        return Outcome.NEW

    def _content(self, entry: Entry) -> bytes:
        r = _RECORDS.c
        wanted = (r.source == entry.source) & (r.journal == entry.journal) & (r.sequence == entry.sequence)
        with self._engine.connect() as connection:
            return bytes(connection.execute(select(r.content).where(wanted)).scalar_one())

    def receipt(self, source: str, journal: int) -> tuple[int, int]:
        """(base, bitmap): every sequence below base is here, and base + 1 + i for each bit i."""
        return self._run(source, journal).receipt()

    def receipt_far(self, source: str, journal: int, sequence: int) -> int | None:
        """Where `sequence` is here and lies further behind a gap than `receipt` reaches: the bitmap of the 32 after it, else None."""
        return self._run(source, journal).receipt_far(sequence)

    def gaps(self, source: str, journal: int, limit: int = 1000) -> list[int]:
        """Sequences that must exist, because a later one is here, and are not: the first `limit` of them."""
        return list(islice(self._run(source, journal).gaps(), limit))

    def entries(self) -> Iterator[Entry]:
        """Everything, in the order in which it came."""
        with self._engine.connect() as connection:
            for row in connection.execute(select(_RECORDS).order_by(_RECORDS.c.id)).mappings():
                yield Entry(
                    row["source"],
                    row["journal"],
                    row["sequence"],
                    row["kind"],
                    bytes(row["content"]),
                    json.loads(row["fields"]),
                    row["gateway"],
                    datetime.fromisoformat(row["gateway_utc"]).astimezone(UTC),
                    datetime.fromisoformat(row["centre_utc"]).astimezone(UTC),
                )

    def close(self) -> None:
        self._engine.dispose()

    def _run(self, source: str, journal: int) -> "_Run":
        return self._runs.setdefault((source, journal), _Run())


class _Run:
    """The sequences of one journal: all below `base`, and a few above."""

    def __init__(self) -> None:
        self._base = 1  # sequences start at 1
        self._above: set[int] = set()

    def add(self, sequence: int) -> None:
        self._above.add(sequence)
        while self._base in self._above:
            self._above.remove(self._base)
            self._base += 1

    def receipt(self) -> tuple[int, int]:
        return self._base, sum(1 << bit for bit in range(32) if self._base + 1 + bit in self._above)

    def receipt_far(self, sequence: int) -> int | None:
        if sequence <= self._base + 32 or sequence not in self._above:
            return None
        return sum(1 << bit for bit in range(32) if sequence + 1 + bit in self._above)

    def gaps(self) -> Iterator[int]:
        return (s for s in range(self._base, max(self._above, default=0)) if s not in self._above)


def _cannot_open(url: str, error: Exception) -> UserError:
    try:
        shown = make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        shown = "URL"  # which cannot be read, and may hold a password
    return UserError(f"ledger {shown}: {type(error).__name__}; give a database URL that can be opened")


def _engine(url: str) -> Engine:
    # A database in memory lives as long as its one connection.
    return create_engine(url, poolclass=StaticPool) if url == "sqlite://" else create_engine(url)
