"""The ledger: every record once, by (tag, journal, sequence), and beside them what was refused. It opens and decides nothing."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import Enum
from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, bindparam, func, select

from strapline_centre.alert_rows import AlertRows
from strapline_centre.database import Database
from strapline_centre.notes import Notes
from strapline_centre.order_rows import OrderRows
from strapline_centre.tables import RECORDS, REFUSED, REFUSED_MORE, REKEYINGS
from strapline_protocol.received import Journals
from strapline_wire.frames import Tombstone

REFUSED_LIMIT = 100
"""Rows of refused records for one gateway and tag, of 512 bytes at most: so much disk can a dishonest gateway take, and no more."""

_RECORD_LIMIT = 512
"""Bytes of a sealed record; of something longer that came in a record's place, the beginning is kept."""


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
    clock: str = ""
    """What the gateway's clock was worth at `gateway_utc`, as the contract has it; empty where it did not say so."""
    historical: bool | None = None
    """It had waited at the gateway, and was no news when it came; None where the gateway did not say."""


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
    """On SQLite or PostgreSQL; the default keeps it in memory. Raises `UserError` where it cannot be opened.

    What writes may raise `LedgerDownError`: then nothing of it is there. Several writes in one `transaction` are there together or not.
    """

    def __init__(self, url: str = "sqlite://", *, refused_limit: int = REFUSED_LIMIT) -> None:
        self.duplicates = 0
        self.conflicts = 0
        self.journals = Journals()
        """What is here of each journal, and what tombstones explain of the rest; never more than is committed."""
        self._refused_limit = refused_limit
        self._added: list[Entry] = []
        """In the transaction that is open."""
        self.database = Database(url)
        self.upgraded_from = self.database.found
        """The version that it had before it was opened; 0: it was new."""
        self.alerts = AlertRows(self.database)
        self.orders = OrderRows(self.database)
        self.notes = Notes(self.database)
        self._read_journals()

    @property
    def _engine(self) -> Any:
        return self.database.engine

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is kept inside is committed when it ends, all at once."""
        outermost = not self.database.in_transaction
        try:
            with self.database.transaction():
                yield
        except BaseException:
            if outermost:
                self._added.clear()
            raise
        if outermost:
            self._note_added()

    def _note_added(self) -> None:
        for entry in self._added:
            self.journals.add(entry.source, entry.journal, entry.sequence, droppable=entry.kind in _DROPPABLE)
            if entry.kind == "tombstone":
                self.journals.bury(entry.source, entry.journal, _tombstone(entry.fields))
        self._added.clear()

    def _read_journals(self) -> None:
        r = RECORDS.c
        with self.database.reading() as connection:
            for source, journal, sequence, kind in connection.execute(select(r.source, r.journal, r.sequence, r.kind)):
                self.journals.add(source, journal, sequence, droppable=kind in _DROPPABLE)
            told = select(r.source, r.journal, r.fields).where(r.kind == "tombstone")
            for source, journal, fields in connection.execute(told):
                self.journals.bury(source, journal, _tombstone(json.loads(fields)))

    def claim_epoch(self, wanted: int) -> int:
        """As `Database.claim_epoch`."""
        return self.database.claim_epoch(wanted)

    def last_heard(self) -> dict[str, datetime]:
        """When the newest record of each source came."""
        r = RECORDS.c
        newest = select(func.max(r.id)).group_by(r.source)
        with self.database.reading() as connection:
            rows = connection.execute(select(r.source, r.centre_utc).where(r.id.in_(newest)))
            return {source: datetime.fromisoformat(utc) for source, utc in rows}

    def begin_rekeying(self, tag: str, root: str, generation: int, salt: bytes) -> None:
        """Keep what a tag's next keys follow from, before anyone hears of it; on return it is committed.

        `root` names the provisioned keys at the beginning (`rekeying.root_of`).
        """
        row = {"tag": tag, "root": root, "generation": generation, "salt": salt, "proved": False}
        with self.database.transaction() as connection:
            connection.execute(REKEYINGS.insert().values(row))

    def prove_rekeying(self, tag: str, root: str, generation: int) -> None:
        """The tag has come under the keys of this generation."""
        t = REKEYINGS.c
        with self.database.transaction() as connection:
            wanted = (t.tag == tag) & (t.root == root) & (t.generation == generation)
            connection.execute(REKEYINGS.update().where(wanted).values(proved=True))

    def rekeyings(self, tag: str, root: str) -> list[tuple[int, bytes, bool]]:
        """(generation, salt, whether the tag has come under it) of a tag since it was provisioned with `root`, in order."""
        t = REKEYINGS.c
        query = select(t.generation, t.salt, t.proved).where((t.tag == tag) & (t.root == root)).order_by(t.generation)
        with self.database.reading() as connection:
            return [(int(row[0]), bytes(row[1]), bool(row[2])) for row in connection.execute(query)]

    def add(self, entry: Entry) -> Outcome:
        """Keep a record; on return it is committed, or will be with the transaction around it."""
        row = entry._asdict() | {
            "fields": json.dumps(entry.fields),
            "gateway_utc": entry.gateway_utc.isoformat(),
            "centre_utc": entry.centre_utc.isoformat(),
            "clock": entry.clock or None,
        }
        with self.transaction():
            connection = self.database.connection
            if connection.execute(self._insert_record, row).rowcount:
                self._added.append(entry)
                return Outcome.NEW
            if self._content(entry) != entry.content:
                self.conflicts += 1
                return Outcome.CONFLICT
            self.duplicates += 1
            return Outcome.DUPLICATE

    @cached_property
    def _insert_record(self) -> Any:
        return self.database.insert(RECORDS).on_conflict_do_nothing().inline().execution_options(preserve_rowcount=True)

    def _content(self, entry: Entry) -> bytes:
        wanted = {"source": entry.source, "journal": entry.journal, "sequence": entry.sequence}
        with self.database.reading() as connection:
            return bytes(connection.execute(_CONTENT, wanted).scalar_one())

    def refuse(self, refused: RefusedEntry) -> bool:
        """Keep what cannot be opened, each once; beyond the limit of its gateway and tag it is only counted. Gives whether it was kept."""
        t, more = REFUSED.c, REFUSED_MORE.c
        gateway, account = refused.gateway, refused.account
        with self.database.transaction() as connection:
            here = (t.gateway == gateway) & (t.account == account)
            if connection.execute(select(t.id).where(here & (t.digest == refused.digest))).first():
                return False
            kept = connection.execute(select(func.count()).select_from(REFUSED).where(here)).scalar_one()
            if kept < self._refused_limit:
                row = refused._asdict() | {
                    "account": account,
                    "sealed": refused.sealed[:_RECORD_LIMIT],
                    "gateway_utc": refused.gateway_utc.isoformat(),
                    "centre_utc": refused.centre_utc.isoformat(),
                }
                connection.execute(REFUSED.insert().values(row))
                return True
            counted = (more.gateway == gateway) & (more.account == account)
            if not connection.execute(REFUSED_MORE.update().where(counted).values(count=more.count + 1)).rowcount:
                connection.execute(REFUSED_MORE.insert().values(gateway=gateway, account=account, count=1))
            return False

    def refused(self) -> Iterator[RefusedEntry]:
        """All that `refuse` has kept, in the order in which it came."""
        with self.database.reading() as connection:
            for row in connection.execute(select(REFUSED).order_by(REFUSED.c.id)).mappings():
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
        more = REFUSED_MORE.c
        counted: ColumnElement[bool] = (more.gateway == gateway) & (more.account == account)
        with self.database.reading() as connection:
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
        yield from self._entries(select(RECORDS).order_by(RECORDS.c.id))

    def newest(self, count: int) -> list[Entry]:
        """The last ones, in the order in which they came."""
        return list(self._entries(select(RECORDS).order_by(RECORDS.c.id.desc()).limit(count)))[::-1]

    def _entries(self, query: Any) -> Iterator[Entry]:
        with self.database.reading() as connection:
            for row in connection.execute(query).mappings():
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
                    row["clock"] or "",
                    row["historical"],
                )

    def close(self) -> None:
        self.database.close()


_CONTENT = select(RECORDS.c.content).where(
    *(getattr(RECORDS.c, name) == bindparam(name) for name in ("source", "journal", "sequence"))
)
"""Of one record; made once, since duplicates come by the thousand after an outage."""

_DROPPABLE = ("fix", "raw")
"""Kinds that a tag may have dropped after it had sent them: positions, and what may be one."""


def _tombstone(fields: dict[str, Any]) -> Tombstone:
    return Tombstone(tuple(fields[name] for name in ("boot", "uptime_s", "first", "last", "dropped")))
