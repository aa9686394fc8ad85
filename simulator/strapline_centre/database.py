"""The ledger's database: transactions, one writer at a time, and what to say when it is away. It knows the tables, not what they mean."""

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, func, make_url, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from strapline_centre.tables import EPOCHS, OWNER, FormError, prepare
from strapline_protocol.errors import UserError

_CONNECT_LIMIT_S = 3
_STATEMENT_LIMIT_MS = 10_000
_BUSY_LIMIT_S = 5
"""The centre works on one thread: a database that does not answer must not hold it up for long."""

_LOCK = 0x53_54_52_41_50
"""PostgreSQL's advisory lock of a centre, within its database."""


class LedgerDownError(Exception):
    """The database did not take it. Nothing of the transaction is there; try again later."""


_IN_MEMORY = "sqlite://"

_OWNER_EPOCH = select(OWNER.c.epoch).with_for_update(read=True)


class TakenOverError(UserError):
    """Another centre has begun to work on this ledger."""


class Database:
    """SQLite or PostgreSQL by URL; `sqlite://` is in memory. `UserError` where it cannot be opened; `found` is the version it had."""

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            self.engine = _engine(url)
        except (SQLAlchemyError, ImportError, ValueError) as error:
            raise self._cannot_open(error) from None
        self._open: Connection | None = None
        self._upserts: dict[tuple[str, ...], Any] = {}
        """By table and columns."""
        self._epoch: int | None = None
        self._lock_file: int | None = None
        self._lock_connection: Connection | None = None
        try:
            with self.engine.begin() as connection:
                self.found = prepare(connection)
        except FormError as error:
            self.engine.dispose()
            raise UserError(f"ledger {shown(url)}: {error}") from None
        except SQLAlchemyError as error:
            self.engine.dispose()
            raise self._cannot_open(error) from None

    @property
    def _is_in_memory(self) -> bool:
        """Nobody else can reach it."""
        return self.url == _IN_MEMORY

    @property
    def is_postgres(self) -> bool:
        return self.engine.dialect.name == "postgresql"

    def insert(self, table: Table) -> Any:
        """An INSERT that can say what happens on a conflict."""
        return postgresql.insert(table) if self.is_postgres else sqlite.insert(table)

    def upsert(self, table: Table, row: Mapping[str, Any]) -> None:
        """Put a row in the place of the one with its primary key; within a transaction."""
        key = (table.name, *row)
        statement = self._upserts.get(key)
        if statement is None:
            statement = self._upserts[key] = self._upsert_of(table, row)
        self.connection.execute(statement, row)

    def _upsert_of(self, table: Table, names: Collection[str]) -> Any:
        """The statement for rows with these columns: made once, since making it costs more than carrying it out."""
        keys = [column.name for column in table.primary_key]
        statement = self.insert(table).inline()
        more = {name: statement.excluded[name] for name in names if name not in keys}
        return statement.on_conflict_do_update(index_elements=keys, set_=more)

    @property
    def in_transaction(self) -> bool:
        return self._open is not None

    @property
    def connection(self) -> Connection:
        """Of the transaction that is open."""
        assert self._open is not None, "outside of a transaction"
        return self._open

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """All of it or nothing, on the disk when it ends; one inside another is a part of it. `LedgerDownError`, `TakenOverError`."""
        if self._open is not None:
            yield self._open
            return
        try:
            with self.engine.begin() as connection:
                self._check_owner(connection)
                self._open = connection
                try:
                    yield connection
                finally:
                    self._open = None
        except DBAPIError as error:
            raise LedgerDownError(f"ledger {shown(self.url)}: {type(error.orig).__name__}") from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Reading sees what the open transaction has written."""
        if self._open is not None:
            yield self._open
            return
        try:
            with self.engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise LedgerDownError(f"ledger {shown(self.url)}: {type(error.orig).__name__}") from error

    # One writer.

    def claim_epoch(self, wanted: int) -> int:
        """An epoch that no centre on this ledger has had; from now on whoever had one before may not write."""
        self._epoch = None
        with self.transaction() as connection:
            last = connection.execute(select(func.max(EPOCHS.c.epoch))).scalar()
            epoch = wanted if last is None else max(wanted, last + 1)
            connection.execute(EPOCHS.insert().values(epoch=epoch))
            self.upsert(OWNER, {"id": 1, "epoch": epoch})
        self._epoch = epoch
        return epoch

    def _check_owner(self, connection: Connection) -> None:
        if self._epoch is None or self._is_in_memory:
            return
        owner = connection.execute(_OWNER_EPOCH).scalar()
        if owner is not None and owner != self._epoch:
            raise TakenOverError(
                f"ledger {shown(self.url)}: another centre has begun to work on it; end one of the two"
            )

    def lock(self) -> None:
        """Hold the ledger until `close`, so that a second centre is refused at its start: `UserError`."""
        if self.is_postgres:
            self._lock_connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            taken = self._lock_connection.execute(select(func.pg_try_advisory_lock(_LOCK))).scalar()
        else:
            taken = self._lock_beside()
        if not taken:
            raise UserError(
                f"ledger {shown(self.url)}: another centre works on it; end that one, or give another database"
            )

    def _lock_beside(self) -> bool:
        import fcntl  # Unix only, as is the service

        path = make_url(self.url).database
        if not path or path == ":memory:":
            return True
        self._lock_file = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def probe(self) -> None:
        """`LedgerDownError` where it does not answer."""
        with self.transaction() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        if self._lock_connection is not None:
            with suppress(SQLAlchemyError):
                self._lock_connection.close()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None
        self.engine.dispose()

    def _cannot_open(self, error: Exception) -> UserError:
        if "is locked" in str(error):
            return UserError(f"ledger {shown(self.url)}: another program holds it; end that program, and start again")
        return UserError(f"ledger {shown(self.url)}: {type(error).__name__}; give a database URL that can be opened")


def shown(url: str) -> str:
    """A database's URL without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except (SQLAlchemyError, ValueError):
        return "URL"  # which cannot be read, and may hold a password


def file_of(url: str) -> Path | None:
    """Where an SQLite ledger is; None for any other."""
    parsed = make_url(url)
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:")
    return Path(str(parsed.database)) if is_file else None


def _engine(url: str) -> Engine:
    if url == _IN_MEMORY:  # a database in memory lives as long as its one connection
        return create_engine(url, poolclass=StaticPool)
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        options = f"-c statement_timeout={_STATEMENT_LIMIT_MS} -c lock_timeout={_STATEMENT_LIMIT_MS}"
        limits = {"connect_timeout": _CONNECT_LIMIT_S, "options": options, "tcp_user_timeout": _STATEMENT_LIMIT_MS}
        return create_engine(parsed.set(drivername="postgresql+psycopg"), connect_args=limits, pool_pre_ping=False)
    if parsed.get_backend_name() != "sqlite":
        raise UserError(f"ledger {shown(url)}: write sqlite:///FILE or postgresql://…; no other database is supported")
    engine = create_engine(parsed, connect_args={"timeout": _BUSY_LIMIT_S})
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # WAL: whoever reads (a view, an export) does not hold up the centre. FULL: what is receipted survives a power cut.
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def sqlite_url(path: Path) -> str:
    """The URL of a ledger in this file."""
    return f"sqlite:///{path}"
