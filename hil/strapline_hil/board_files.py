"""The files in the root of a tag's board: what provisioning asks of them, and a folder that stands in for a board."""

import hashlib
import os
import stat
from pathlib import Path
from typing import Protocol

from strapline_hil.verdict import RigError


class BoardError(RigError):
    """A board that cannot be reached or does not do it: one line with the port and the mend, and nothing of what was written.

    A board is a part of the rig before it is the product: that it does not answer says nothing about the firmware.
    """

    def __init__(self, line: str) -> None:
        place, _, rest = line.partition(": ")
        what, _, mend = rest.rpartition("; ")
        super().__init__(place, what or mend, mend)
        self.args = (line,)


class BoardFiles(Protocol):
    """Files by name; BoardError where anything fails. What a call did is on the board's flash when it returns."""

    place: str
    """The port or the folder, for messages."""

    def has(self, name: str) -> bool: ...

    def write(self, name: str, data: bytes) -> None:
        """Replace the whole file."""

    def sha256(self, name: str) -> bytes:
        """The digest of what the board reads from the file."""

    def rename(self, old: str, new: str) -> None:
        """`new` does not exist."""

    def remove(self, name: str) -> None:
        """Nothing where there is no such file."""


class Folder:
    """A folder as the root of a board's file system: for images, simulated boards and tests."""

    def __init__(self, folder: str) -> None:
        self.place = f"file:{folder}"
        self._folder = Path(folder)
        if not folder or not self._folder.is_dir():
            raise BoardError(f"{self.place}: no such folder; make it, or name a board's serial port")

    def has(self, name: str) -> bool:
        try:
            return stat.S_ISREG((self._folder / name).lstat().st_mode)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._refused(error) from None

    def write(self, name: str, data: bytes) -> None:
        self.remove(name)
        try:
            descriptor = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
        except OSError as error:
            raise self._refused(error) from None

    def sha256(self, name: str) -> bytes:
        try:
            return hashlib.sha256((self._folder / name).read_bytes()).digest()
        except OSError as error:
            raise self._refused(error) from None

    def rename(self, old: str, new: str) -> None:
        try:
            (self._folder / old).rename(self._folder / new)
            self._sync()
        except OSError as error:
            raise self._refused(error) from None

    def remove(self, name: str) -> None:
        try:
            (self._folder / name).unlink(missing_ok=True)
            self._sync()
        except OSError as error:
            raise self._refused(error) from None

    def _sync(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _refused(self, error: OSError) -> BoardError:
        return BoardError(f"{self.place}: {error.strerror}; make room, or give yourself the right to write there")
