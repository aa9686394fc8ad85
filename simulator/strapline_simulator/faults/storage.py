"""Disks that are full and databases that are locked, under the parts' own SQLite."""

import sqlite3
from collections.abc import Callable
from random import Random
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from strapline_gateway.outbox import Outbox

_WRITES = ("INSERT", "UPDATE", "DELETE", "CREATE")
_CONNECTION = "_db"


class FullDisk:
    """Of one outbox: from `fill` until `make_room` nothing can be written, as where another program has filled the disk."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.refused = 0

    def fill(self) -> None:
        """`Outbox` and its drops work on one connection; each gets one that refuses."""
        for owner in self._owners():
            within = getattr(owner, _CONNECTION)
            if not isinstance(within, _Refusing):
                setattr(owner, _CONNECTION, _Refusing(within, self))

    def make_room(self) -> None:
        for owner in self._owners():
            refusing = getattr(owner, _CONNECTION)
            if isinstance(refusing, _Refusing):
                setattr(owner, _CONNECTION, refusing.within)

    def _owners(self) -> list[Any]:
        # What fails is below the outbox, and it must not know: so nobody but this file reaches under it.
        return [self._outbox, self._outbox._drops]  # noqa: SLF001


class _Refusing:
    """A connection that reads."""

    def __init__(self, within: sqlite3.Connection, disk: FullDisk) -> None:
        self.within = within
        self._disk = disk

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        if statement.lstrip()[:6].upper() in _WRITES:
            self._disk.refused += 1
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return self.within.execute(statement, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.within, name)


class LockedLedger:
    """Whatever writes to the database finds it locked, in this share of all statements that begin to write. Readers go on, as with WAL."""

    def __init__(self, engine: Engine, draw: Random) -> None:
        self._draw = draw
        self.share = 0.0
        self.refused = 0
        event.listen(engine, "before_cursor_execute", self._before)
        self.close: Callable[[], None] = lambda: event.remove(engine, "before_cursor_execute", self._before)

    def _before(self, _connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if not self.share or statement.lstrip()[:6].upper() not in _WRITES:
            return
        if self._draw.random() < self.share:
            self.refused += 1
            raise OperationalError(statement, {}, sqlite3.OperationalError("database is locked"))
