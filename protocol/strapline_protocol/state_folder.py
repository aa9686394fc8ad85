"""The folder in which a service keeps what must outlive a restart: one process at a time, and nobody else's eyes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from strapline_protocol.errors import UserError

LOCK = "lock"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """The folder is this process's alone; UserError where another has it, or where it cannot be written."""
    import fcntl  # Unix only, as is the control socket

    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UserError(f"{folder}: cannot be used ({error.strerror}); name a folder of its own as the state") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{folder}: it runs there already{_holder(descriptor)}; end it first, or name another state folder"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _holder(descriptor: int) -> str:
    with suppress(OSError, ValueError):
        return f" (process {int(os.pread(descriptor, 32, 0))})"
    return ""
