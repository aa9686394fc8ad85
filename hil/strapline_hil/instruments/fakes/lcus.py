"""A fake LCUS-type relay board."""

import re
from collections.abc import Callable
from typing import Literal

from strapline_hil.instruments.fakes.pty_fake import PtyFake
from strapline_hil.instruments.lcus_relay import BAUDRATE, STATUS, command

_FRAME = re.compile(rb"\xa0(?P<channel>.)(?P<state>[\x00\x01])(?P<sum>.)", re.DOTALL)


class FakeLcus(PtyFake):
    """Calls `on_change(channel, on)` for contacts that move.

    Faults: `stuck`, the contacts are welded and the board does not know; `deaf`, commands are not obeyed and the status says so.
    """

    own_faults = frozenset({"stuck", "deaf"})
    baudrate = BAUDRATE

    def __init__(
        self,
        on_change: Callable[[int, bool], None] | None = None,
        *,
        channels: int = 4,
        answers: Literal["lines", "bytes", "nothing"] = "lines",
    ) -> None:
        super().__init__()
        self._on_change = on_change
        self._answers = answers
        self._rest = b""
        self.told = dict.fromkeys(range(1, channels + 1), False)
        """What the board believes."""
        self.contacts = dict(self.told)
        """What its contacts do."""

    def plugged_in(self) -> None:
        self._rest = b""

    def faults_changed(self) -> None:
        """It lives on the cable's power: without it the contacts fall back."""
        if "gone" in self.faults:
            for channel in self.told:
                self._obey(channel, on=False)

    def received(self, data: bytes) -> None:
        self._rest += data
        while self._rest:
            if self._rest.startswith(STATUS):
                self._rest = self._rest[1:]
                self._send_status()
            elif frame := _FRAME.match(self._rest):
                self._rest = self._rest[4:]
                self._command(frame)
            elif len(self._rest) < 4 and self._rest.startswith(b"\xa0"):
                return
            else:
                self._rest = self._rest[1:]

    def _command(self, frame: re.Match[bytes]) -> None:
        channel, on = frame["channel"][0], frame["state"] == b"\x01"
        if frame[0] == command(channel, on) and channel in self.told and not self.faults.strikes("deaf"):
            self._obey(channel, on)

    def _obey(self, channel: int, on: bool) -> None:
        self.told[channel] = on
        if self.contacts[channel] != on and not self.faults.strikes("stuck"):
            self.contacts[channel] = on
            if self._on_change is not None:
                self._on_change(channel, on)

    def _send_status(self) -> None:
        if self._answers == "lines":
            self.send(
                "".join(f"CH{channel}: {'ON' if on else 'OFF'} \r\n" for channel, on in self.told.items()).encode()
            )
        elif self._answers == "bytes":
            self.send(bytes(self.told.values()))
