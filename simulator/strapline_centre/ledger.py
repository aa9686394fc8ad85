"""The ledger: every record once, by (tag, journal, sequence), and beside them what was refused. It opens and decides nothing."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import Enum
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    create_engine,
    func,
    inspect,
    make_url,
    select,
)
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from strapline_protocol.errors import UserError
from strapline_protocol.received import Journals
from strapline_wire.frames import Tombstone

REFUSED_LIMIT = 100
"""Rows of refused records for one gateway and tag, of 512 bytes at most: so much disk can a dishonest gateway take, and no more."""

_RECORD_LIMIT = 512
"""Bytes of a sealed record; of something longer that came in a record's place, the beginning is kept."""

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
    Column("sealed", LargeBinary, nullable=False),  # as it came: the proof
    Column("fields", String, nullable=False),  # the opened content as JSON
    Column("gateway", String(8), nullable=False),
    Column("gateway_utc", String(32), nullable=False),
    Column("centre_utc", String(32), nullable=False),
    UniqueConstraint("source", "journal", "sequence"),
)

_REFUSED = Table(
    "refused",
    _METADATA,
    Column("id", Integer, primary_key=True),
    Column("gateway", String(8), nullable=False),
    Column("account", String(8), nullable=False),  # the tag; empty for all those together that are unknown here
    Column("tag", String(8), nullable=False),
    Column("known", Boolean, nullable=False),
    Column("journal", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("reason", String(16), nullable=False),
    Column("gateway_utc", String(32), nullable=False),
    Column("centre_utc", String(32), nullable=False),
    UniqueConstraint("gateway", "account", "digest"),
)

_REFUSED_MORE = Table(
    "refused_more",
    _METADATA,
    Column("gateway", String(8), primary_key=True),
    Column("account", String(8), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

_REKEYINGS = Table(
    "rekeyings",
    _METADATA,
    Column("tag", String(8), primary_key=True),
    Column("root", String(16), primary_key=True),  # a tag that is provisioned anew begins anew
    Column("generation", BigInteger, primary_key=True, autoincrement=False),
    Column("salt", LargeBinary, nullable=False),  # no key: worth nothing without the generation before
    Column("proved", Boolean, nullable=False),
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
    """What its identity stands for: of a tag's record what was under the seal, which another key may seal again."""
    fields: dict[str, Any]
    gateway: str
    gateway_utc: datetime
    centre_utc: datetime
    sealed: bytes = b""
    """A tag's record as it came."""


class RefusedEntry(NamedTuple):
    """Something that came as a tag's record and could not be opened."""

    gateway: str
    tag: str
    known: bool
    """Whether the centre had keys of that tag."""
    journal: int
    sequence: int
    sealed: bytes
    digest: str
    """SHA-256 of all that came."""
    reason: str
    gateway_utc: datetime
    centre_utc: datetime

    @property
    def account(self) -> str:
        """Under which it is counted: a gateway may invent tags without end, so those that are unknown share one."""
        return self.tag if self.known else ""


class Ledger:
    """On any database that SQLAlchemy knows; the default keeps it in memory. Raises `UserError` where it cannot be opened."""

    def __init__(self, url: str = "sqlite://", *, refused_limit: int = REFUSED_LIMIT) -> None:
        self.duplicates = 0
        self.conflicts = 0
        self.journals = Journals()
        """What is here of each journal, and what tombstones explain of the rest."""
        self._refused_limit = refused_limit
        try:
            self._engine = _engine(url)
        except (SQLAlchemyError, ImportError) as error:
            raise _cannot_open(url, error) from None
        try:
            self._check_form(url)
            _METADATA.create_all(self._engine)
            self._read_journals()
        except SQLAlchemyError as error:
            self._engine.dispose()
            raise _cannot_open(url, error) from None

    def _check_form(self, url: str) -> None:
        """Earlier versions compared sealed bytes, where this one compares what was under the seal: their rows would all be conflicts."""
        tables = inspect(self._engine)
        if tables.has_table(_RECORDS.name):
            columns = {column["name"] for column in tables.get_columns(_RECORDS.name)}
            if not columns >= set(_RECORDS.c.keys()):
                self._engine.dispose()
                raise UserError(f"ledger {_shown(url)}: made by another version; give the URL of a new database")

    def _read_journals(self) -> None:
        r = _RECORDS.c
        with self._engine.connect() as connection:
            for source, journal, sequence, kind in connection.execute(select(r.source, r.journal, r.sequence, r.kind)):
                self.journals.add(source, journal, sequence, droppable=kind in _DROPPABLE)
            told = select(r.source, r.journal, r.fields).where(r.kind == "tombstone")
            for source, journal, fields in connection.execute(told):
                self.journals.bury(source, journal, _tombstone(json.loads(fields)))

    def claim_epoch(self, wanted: int) -> int:
        """An epoch that no centre on this ledger has had: `wanted`, or the one after the last where that is not higher."""
        with self._engine.begin() as connection:
            last = connection.execute(select(func.max(_EPOCHS.c.epoch))).scalar()
            epoch = wanted if last is None else max(wanted, last + 1)
            connection.execute(_EPOCHS.insert().values(epoch=epoch))
        return epoch

    def begin_rekeying(self, tag: str, root: str, generation: int, salt: bytes) -> None:
        """Keep what a tag's next keys follow from, before anyone hears of it; on return it is committed.

        `root` names the provisioned keys at the beginning (`rekeying.root_of`).
        """
        row = {"tag": tag, "root": root, "generation": generation, "salt": salt, "proved": False}
        with self._engine.begin() as connection:
            connection.execute(_REKEYINGS.insert().values(row))

    def prove_rekeying(self, tag: str, root: str, generation: int) -> None:
        """The tag has come under the keys of this generation."""
        t = _REKEYINGS.c
        with self._engine.begin() as connection:
            wanted = (t.tag == tag) & (t.root == root) & (t.generation == generation)
            connection.execute(_REKEYINGS.update().where(wanted).values(proved=True))

    def rekeyings(self, tag: str, root: str) -> list[tuple[int, bytes, bool]]:
        """(generation, salt, whether the tag has come under it) of a tag since it was provisioned with `root`, in order."""
        t = _REKEYINGS.c
        query = select(t.generation, t.salt, t.proved).where((t.tag == tag) & (t.root == root)).order_by(t.generation)
        with self._engine.connect() as connection:
            return [(int(row[0]), bytes(row[1]), bool(row[2])) for row in connection.execute(query)]

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
        self.journals.add(entry.source, entry.journal, entry.sequence, droppable=entry.kind in _DROPPABLE)
        if entry.kind == "tombstone":
            self.journals.bury(entry.source, entry.journal, _tombstone(entry.fields))
        return Outcome.NEW

    def _content(self, entry: Entry) -> bytes:
        r = _RECORDS.c
        wanted = (r.source == entry.source) & (r.journal == entry.journal) & (r.sequence == entry.sequence)
        with self._engine.connect() as connection:
            return bytes(connection.execute(select(r.content).where(wanted)).scalar_one())

    def refuse(self, refused: RefusedEntry) -> bool:
        """Keep what cannot be opened, each once; beyond the limit of its gateway and tag it is only counted. Gives whether it was kept."""
        t, more = _REFUSED.c, _REFUSED_MORE.c
        gateway, account = refused.gateway, refused.account
        with self._engine.begin() as connection:
            here = (t.gateway == gateway) & (t.account == account)
            if connection.execute(select(t.id).where(here & (t.digest == refused.digest))).first():
                return False
            kept = connection.execute(select(func.count()).select_from(_REFUSED).where(here)).scalar_one()
            if kept < self._refused_limit:
                row = refused._asdict() | {
                    "account": account,
                    "sealed": refused.sealed[:_RECORD_LIMIT],
                    "gateway_utc": refused.gateway_utc.isoformat(),
                    "centre_utc": refused.centre_utc.isoformat(),
                }
                connection.execute(_REFUSED.insert().values(row))
                return True
            counted = (more.gateway == gateway) & (more.account == account)
            if not connection.execute(_REFUSED_MORE.update().where(counted).values(count=more.count + 1)).rowcount:
                connection.execute(_REFUSED_MORE.insert().values(gateway=gateway, account=account, count=1))
            return False

    def refused(self) -> Iterator[RefusedEntry]:
        """All that `refuse` has kept, in the order in which it came."""
        with self._engine.connect() as connection:
            for row in connection.execute(select(_REFUSED).order_by(_REFUSED.c.id)).mappings():
                yield RefusedEntry(
                    row["gateway"],
                    row["tag"],
                    row["known"],
                    row["journal"],
                    row["sequence"],
                    bytes(row["sealed"]),
                    row["digest"],
                    row["reason"],
                    datetime.fromisoformat(row["gateway_utc"]).astimezone(UTC),
                    datetime.fromisoformat(row["centre_utc"]).astimezone(UTC),
                )

    def refused_more(self, gateway: str, account: str) -> int:
        """How often something came for this gateway and account (a tag; empty: all unknown ones) that was not kept any more."""
        more = _REFUSED_MORE.c
        counted: ColumnElement[bool] = (more.gateway == gateway) & (more.account == account)
        with self._engine.connect() as connection:
            return int(connection.execute(select(more.count).where(counted)).scalar() or 0)

    def receipt(self, source: str, journal: int) -> tuple[int, int]:
        """As `Received.receipt`."""
        return self.journals.of(source, journal).receipt()

    def receipt_far(self, source: str, journal: int, sequence: int) -> int | None:
        """As `Received.receipt_far`."""
        return self.journals.of(source, journal).receipt_far(sequence)

    def gaps(self, source: str, journal: int, limit: int = 1000) -> list[int]:
        """Sequences that must exist, because a later one is here, and that no tombstone explains: the first `limit` of them."""
        return self.journals.gaps(source, journal, limit)

    @property
    def tombstoned(self) -> int:
        """How many records are not here because tags have dropped them by policy, as their tombstones say."""
        return self.journals.tombstoned

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
                    bytes(row["sealed"]),
                )

    def close(self) -> None:
        self._engine.dispose()


_DROPPABLE = ("fix", "raw")
"""Kinds that a tag may have dropped after it had sent them: positions, and what may be one."""


def _tombstone(fields: dict[str, Any]) -> Tombstone:
    return Tombstone(tuple(fields[name] for name in ("boot", "uptime_s", "first", "last", "dropped")))


def _cannot_open(url: str, error: Exception) -> UserError:
    return UserError(f"ledger {_shown(url)}: {type(error).__name__}; give a database URL that can be opened")


def _shown(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return "URL"  # which cannot be read, and may hold a password


def _engine(url: str) -> Engine:
    # A database in memory lives as long as its one connection.
    return create_engine(url, poolclass=StaticPool) if url == "sqlite://" else create_engine(url)
