"""The officer's electronic key, held to the tag by a person who is asked."""

from collections.abc import Callable
from pathlib import Path

from strapline_hil.instruments.by_hand import ByHand, ask_at_terminal
from strapline_hil.verdict import SurroundingsError


class OfficersHand(ByHand):
    """A `Hand`. The key's content lies in `file` for the NFC writer, for as long as the person is asked."""

    def __init__(self, file: Path, ask: Callable[[str], object] = ask_at_terminal, name: str = "by hand") -> None:
        super().__init__(ask, name)
        self._file = file

    def present_key(self, sealed: bytes) -> None:
        try:
            self._file.write_bytes(sealed)
        except OSError as error:
            raise SurroundingsError(str(self._file), f"{error.strerror}", "run this in a folder of yours") from None
        try:
            self.do(f"write the {len(sealed)} bytes of {self._file} into the tag's mailbox with the NFC writer")
        finally:
            self._file.unlink(missing_ok=True)
