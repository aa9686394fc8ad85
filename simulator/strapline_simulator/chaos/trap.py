"""Where a gateway's process dies by its own hand: at a counted operation, so that the same seed kills it at the same one."""

import os
import signal
import sqlite3
from collections.abc import Callable
from typing import Any

_UNLIMITED_PAGES = 0x7FFFFFFE


class Trap:
    """Kills this process with SIGKILL at the operation that was ordered: nothing is flushed, closed or said any more."""

    def __init__(self) -> None:
        self._left: int | None = None
        self._files: list[_TrappedConnection] = []

    def set(self, operations: int) -> None:
        """Die after so many more operations; from now on each step of SQLite's machine is one, and each word to the outside."""
        self._left = operations
        for file in self._files:
            file.watch(self.operation)

    def operation(self) -> int:
        """One more. Gives SQLite's "go on"."""
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return 0

    def connect(self, *arguments: Any, **options: Any) -> sqlite3.Connection:
        """As `sqlite3.connect`."""
        file: sqlite3.Connection = _CONNECT(*arguments, **options, factory=_TrappedConnection)
        assert isinstance(file, _TrappedConnection)
        self._files.append(file)
        if self._left is not None:
            file.watch(self.operation)
        return file

    def fill_disk(self, *, full: bool) -> None:
        """From now on no file may grow; or it may again."""
        for file in self._files:
            file.limit(full=full)


_CONNECT = sqlite3.connect


class _TrappedConnection(sqlite3.Connection):
    def watch(self, operation: Callable[[], int]) -> None:
        # Every instruction of SQLite's virtual machine: also in the middle of a transaction, and just before and after its COMMIT.
        self.set_progress_handler(operation, 1)

    def limit(self, *, full: bool) -> None:
        pages = self.execute("PRAGMA page_count").fetchone()[0] if full else _UNLIMITED_PAGES
        self.execute(f"PRAGMA max_page_count={pages}")
