"""A board on a pty: real MicroPython's unix port, its flash a folder, behind a wire that a test can cut, stop or listen to."""

import os
import pty
import select
import subprocess
import threading
import tty
from contextlib import suppress

from real_micropython import interpreter

_END, _PROMPT = b"\x04", b">"


class PtyBoard:
    """MicroPython in `folder`; `port` is where its serial line ends.

    At the request number `fail_at` (the first asks for the interpreter's name) `fails` the `request`, which the board never sees; the
    `answer`, after the board has done it; or the `port`, which is gone.
    """

    def __init__(self, folder, *, fail_at=0, fails="request"):
        self.said = b""
        """What went to the board."""
        self.failed = threading.Event()
        self._fail_at, self._fails, self._failing = fail_at, fails, False
        self._near, self._port_end = pty.openpty()
        tty.setraw(self._port_end)
        self.port = os.ttyname(self._port_end)
        self._folder = folder
        self.starts = 0
        self._start()
        self._wake, self._wakened = os.pipe()
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()

    def _start(self):
        self.starts += 1
        self._far, shell = pty.openpty()
        tty.setraw(shell)
        self._process = subprocess.Popen(
            [interpreter()], cwd=self._folder, stdin=shell, stdout=shell, stderr=shell, start_new_session=True
        )
        os.close(shell)

    @property
    def requests(self):
        """How many there were."""
        return self.said.count(_END)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        os.close(self._wakened)
        self._thread.join()
        for descriptor in (self._near, self._port_end, self._far, self._wake):
            with suppress(OSError):  # a port that is gone already
                os.close(descriptor)

    def _carry(self):
        while not select.select([self._wake], [], [], 0)[0]:
            ends = [self._far] if self.failed.is_set() and self._fails == "port" else [self._near, self._far]
            for end in select.select([*ends, self._wake], [], [])[0]:
                if end != self._wake and not self._pass(end):
                    return

    def _pass(self, end):
        """One byte across; False at the end of MicroPython."""
        try:
            data = os.read(end, 1)
        except OSError:
            return False
        if end == self._far:
            self._from_board(data)
        elif not self.failed.is_set():
            self._to_board(data)
        return True

    def _from_board(self, data):
        if not self._failing:
            os.write(self._near, data)
        elif data == _PROMPT:  # the board has done it
            self.failed.set()

    def _to_board(self, data):
        self.said += data
        self._failing = data == _END and self.requests == self._fail_at
        if not self._failing or self._fails == "answer":
            os.write(self._far, data)
            return
        self.failed.set()
        if self._fails == "port":
            os.close(self._near)


class RebootingBoard(PtyBoard):
    """A soft reset begins its process anew, in the raw REPL as on a board; the unix port alone would end."""

    _ends = False

    def __exit__(self, *error):
        self._ends = True
        super().__exit__(*error)

    def _pass(self, end):
        goes_on = super()._pass(end)
        if self._ends:
            return False
        if not goes_on and end == self._far:
            self._process.wait()
            os.close(self._far)
            self._start()
            self._from_board(b"MPY: soft reboot\r\n")
            os.write(self._far, b"\x01")
        return goes_on or end == self._far
