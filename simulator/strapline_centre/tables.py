"""The ledger's tables, their version, and the way up from an earlier one. SQLite or PostgreSQL."""

from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Dialect,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    inspect,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

VERSION = 3
"""Of these tables. 1 had neither alerts nor orders, and no word of its version; 2 kept nothing of a gateway's clock."""

METADATA = MetaData()

RECORDS = Table(
    "records",
    METADATA,
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
    Column("clock", String(12)),  # what the gateway's was worth; NULL: it did not say so, or nobody kept it
    Column("historical", Boolean),  # it had waited at the gateway; NULL as of the clock
    UniqueConstraint("source", "journal", "sequence"),
)

_ADDED = ("clock", "historical")
"""Columns of the records since version 3."""

REFUSED = Table(
    "refused",
    METADATA,
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

REFUSED_MORE = Table(
    "refused_more",
    METADATA,
    Column("gateway", String(8), primary_key=True),
    Column("account", String(8), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

REKEYINGS = Table(
    "rekeyings",
    METADATA,
    Column("tag", String(8), primary_key=True),
    Column("root", String(16), primary_key=True),  # a tag that is provisioned anew begins anew
    Column("generation", BigInteger, primary_key=True, autoincrement=False),
    Column("salt", LargeBinary, nullable=False),  # no key: worth nothing without the generation before
    Column("proved", Boolean, nullable=False),
)

EPOCHS = Table("epochs", METADATA, Column("epoch", BigInteger, primary_key=True, autoincrement=False))

OWNER = Table(
    "owner",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),  # one row, 1
    Column("epoch", BigInteger, nullable=False),  # of the centre that may write
)

ALERTS = Table(
    "alerts",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("subject", String(8), nullable=False),
    Column("code", String(40), nullable=False),
    Column("key", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("gateway", String(8), nullable=False),
    Column("raised_utc", String(32), nullable=False),
    Column("last_utc", String(32), nullable=False),
    Column("times", BigInteger, nullable=False),
    Column("over_utc", String(32)),
    Column("merged_into", Integer),
    Column("acknowledged_utc", String(32)),
    Column("acknowledged_by", String(64), nullable=False),
    Column("note", Text, nullable=False),
)

STEPS = Table(
    "steps",
    METADATA,
    Column("alert", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("role", String(64), nullable=False),
    Column("begun_utc", String(32), nullable=False),
    Column("told_utc", String(32)),
    Column("outcome", Text, nullable=False),
)

ORDERS = Table(
    "orders",
    METADATA,
    Column("tag", String(8), primary_key=True),
    Column("kind", Integer, primary_key=True, autoincrement=False),
    Column("identity", BigInteger, primary_key=True, autoincrement=False),
    Column("parameters", Text, nullable=False),
    Column("made_utc", String(32), nullable=False),
)

NOTES = Table(
    "notes",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

SCHEMA = Table("schema_version", METADATA, Column("version", Integer, primary_key=True, autoincrement=False))

EXPORTED = (RECORDS, REFUSED, REFUSED_MORE, REKEYINGS, EPOCHS, ALERTS, STEPS, ORDERS, NOTES)
"""What the record is: all but who may write, and the version, which an export says at its head."""


class FormError(Exception):
    """A ledger of a form that cannot be used here; the text says which, and the mend."""


def prepare(connection: Connection) -> int:
    """Make or raise the tables to `VERSION`; gives the version that was found, 0 where there was nothing."""
    tables = inspect(connection)
    if not tables.has_table(RECORDS.name):
        found = 0
    else:
        # Those before version 1 compared sealed bytes, where this one compares what was under the seal: all would be conflicts.
        columns = {column["name"] for column in tables.get_columns(RECORDS.name)}
        if not columns >= set(RECORDS.c.keys()) - set(_ADDED):
            raise FormError("made by another version; give the URL of a new database")
        is_marked = tables.has_table(SCHEMA.name)
        found = int(connection.execute(select(SCHEMA.c.version)).scalar_one()) if is_marked else 1
    if found > VERSION:
        raise FormError(
            f"of version {found}, and this strapline knows {VERSION} at most; use the newer one that made it"
        )
    if found == 0:
        for statement in _statements(connection.dialect.name):
            connection.exec_driver_sql(statement)
    elif found < VERSION:
        METADATA.create_all(connection)
        for name in _ADDED:
            kind = RECORDS.c[name].type.compile(dialect=connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {RECORDS.name} ADD COLUMN {name} {kind}")
    if found < VERSION:
        connection.execute(SCHEMA.delete())
        connection.execute(SCHEMA.insert().values(version=VERSION))
    return found


@cache
def _statements(dialect: str) -> tuple[str, ...]:
    """What makes all tables where there is none: worked out once, for a simulation opens many ledgers in memory."""
    compiler: Dialect = (postgresql if dialect == "postgresql" else sqlite).dialect()
    return tuple(str(CreateTable(table).compile(dialect=compiler)) for table in METADATA.sorted_tables)


def row_of(value: Any) -> dict[str, Any]:
    """A NamedTuple of times and plain values as its row."""
    row: dict[str, Any] = value._asdict()
    return {name: part.isoformat() if hasattr(part, "isoformat") else part for name, part in row.items()}
