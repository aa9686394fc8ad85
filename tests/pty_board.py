"""The package's board on a pseudo-terminal, behind a wire that a test can cut, stop or listen to."""

import threading
from pathlib import Path

import pytest

from real_micropython import interpreter
from strapline_hil import pty_board

needs_ctrl_c = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="only Linux tells whether a process lets itself be interrupted"
)

_END, _PROMPT = b"\x04", b">"

__all__ = ["FaultyBoard", "PtyBoard", "needs_ctrl_c"]


class PtyBoard(pty_board.PtyBoard):
    """Where this machine can have no MicroPython its tests are skipped."""

    def __init__(self, folder, **options):
        interpreter()
        super().__init__(folder, **options)


class FaultyBoard(PtyBoard):
    """At the request number `fail_at` (the first asks for the interpreter's name) `fails` the `request`, which the board never sees; the
    `answer`, after the board has done it; or the `port`, which is gone.
    """

    def __init__(self, folder, *, fail_at=0, fails="request"):
        self.said = b""
        """What went to the board."""
        self.failed = threading.Event()
        self._fail_at, self._fails, self._failing = fail_at, fails, False
        super().__init__(folder)

    @property
    def requests(self):
        """How many there were."""
        return self.said.count(_END)

    def _receive(self, data):
        for byte in data:
            if not self.failed.is_set():
                self._receive_byte(bytes([byte]))

    def _receive_byte(self, byte):
        self.said += byte
        self._failing = byte == _END and self.requests == self._fail_at
        if not self._failing or self._fails == "answer":
            super()._receive(byte)
            return
        self.failed.set()
        if self._fails == "port":
            self._unplug()

    def _send(self, data):
        if not self._failing:
            super()._send(data)
        elif _PROMPT in data:  # the board has done it
            self.failed.set()
