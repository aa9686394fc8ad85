"""Where a gateway's process dies by its own hand: at a counted operation, so that the same seed kills it at the same one."""

import os
import signal
import sqlite3
from collections.abc import Callable
from typing import Any


class Trap:
    """Kills this process with SIGKILL at the operation that was ordered: nothing is flushed, closed or said any more."""

    def __init__(self) -> None:
        self._left: int | None = None
        self._files: list[_TrappedConnection] = []

    def set(self, operations: int) -> None:
        """Die after so many more operations; from now on each step of SQLite's machine is one, and each word to the outside."""
        self._left = operations
        for file in self._open_files():
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
        for file in self._open_files():
            file.limit(full=full)

    def _open_files(self) -> list["_TrappedConnection"]:
        self._files = [file for file in self._files if not file.is_closed]
        return self._files


_CONNECT = sqlite3.connect


class _TrappedConnection(sqlite3.Connection):
    is_closed = False
    _own_limit: int | None = None
    """In pages; while the disk is full."""

    def watch(self, operation: Callable[[], int]) -> None:
        # Every instruction of SQLite's virtual machine: also in the middle of a transaction, and just before and after its COMMIT.
        self.set_progress_handler(operation, 1)

    def limit(self, *, full: bool) -> None:
        if full and self._own_limit is None:
            self._own_limit = self._pragma("max_page_count")
            self._pragma(f"max_page_count={self._pragma('page_count')}")
        elif not full and self._own_limit is not None:
            self._pragma(f"max_page_count={self._own_limit}")
            self._own_limit = None

    def _pragma(self, what: str) -> int:
        return int(self.execute(f"PRAGMA {what}").fetchone()[0])

    def close(self) -> None:
        self.is_closed = True
        super().close()
