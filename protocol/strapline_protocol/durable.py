"""Files that are whole on the disk before anybody relies on them: what is written is synced, and so is the folder that names it."""

import os
from pathlib import Path


def write_new(path: Path, content: bytes, mode: int) -> None:
    """Make a file that is not there yet, with this mode whatever the umask takes away, and sync it; FileExistsError, OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that what was made, renamed or removed in it stays so; OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_private(path: Path, text: str) -> None:
    """Write a file for the owner's eyes, at once and whole; OSError."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)  # what a cut left there
    write_new(beside, text.encode(), 0o600)
    beside.replace(path)
    sync_folder(path.parent)
