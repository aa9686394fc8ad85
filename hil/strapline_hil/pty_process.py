"""MicroPython's unix port in a process with a terminal of its own: the chip of a board on a pseudo-terminal."""

import os
import pty
import signal
import subprocess
import sys
import tty
from contextlib import suppress
from pathlib import Path

from strapline_protocol.errors import UserError
from strapline_simulator.tools import find_micropython

HARD_RESET = 75
"""The exit status that stands for `machine.reset()`; a soft reset ends the process with 0."""

BEGINS = b"\0"
"""Said once, before the first of the files that a board starts."""

# The unix port's own `machine` stays behind the stand-in. What `execfile` raises ends the start in the prompt, as on a board.
_BOOT = """
import sys, os
def begin(own_id, status):
 import machine
 class Machine:
  def unique_id(self):
   return own_id
  def reset(self):
   raise SystemExit(status)
  def __getattr__(self, name):
   return getattr(machine, name)
 sys.modules['machine'] = Machine()
begin(UNIQUE_ID, STATUS)
def files():
 for name in FILES:
  try:
   os.stat(name)
   yield name
  except OSError:
   pass
files = list(files())
if files:
 sys.stdout.write('\\0')
del sys, os, begin
while files:
 execfile(files.pop(0))
"""

# The terminal becomes the one that controls the process, so that its end is the process's end, whatever runs.
_TAKE_TERMINAL = 'exec "$@" <>"$0" >&0 2>&0'

# Whoever was started by `nohup` hands down a deaf ear for that end.
_HEAR_THE_END = (
    "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
)


class PtyProcess:
    """`line` is the near end of its terminal; nothing to read there any more where it has ended."""

    def __init__(self, folder: Path, unique_id: bytes, starts: tuple[str, ...]) -> None:
        program = find_micropython()
        if program is None:
            raise UserError("there is no micropython here for a board on a pseudo-terminal: install strapline[hil]")
        boot = (
            _BOOT.replace("UNIQUE_ID", repr(unique_id))
            .replace("STATUS", str(HARD_RESET))
            .replace("FILES", repr(starts))
        )
        self.line, shell = pty.openpty()
        tty.setraw(shell)
        os.set_blocking(self.line, False)
        takes = ["/bin/sh", "-c", _TAKE_TERMINAL, os.ttyname(shell)]
        hears = [sys.executable, "-I", "-S", "-c", _HEAR_THE_END]
        self._process = subprocess.Popen(
            [*takes, *hears, str(program), "-i", "-c", boot],
            cwd=folder,
            # No HOME: it would leave a history there.
            env={"MICROPYPATH": ".frozen:lib"},
            stdin=shell,
            stdout=shell,
            stderr=shell,
            start_new_session=True,
        )
        os.close(shell)

    def interrupt(self) -> bool:
        """What Ctrl-C does to a program that lets itself be interrupted; False, and nothing done, where none does."""
        process = self._process.pid
        with suppress(ProcessLookupError):
            # Stopped, it cannot change its mind between our look and the signal, which would kill it.
            os.kill(process, signal.SIGSTOP)
            os.waitid(os.P_PID, process, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            try:
                catches = _catches_interrupt(process)
                if catches:
                    os.kill(process, signal.SIGINT)
                return catches
            finally:
                os.kill(process, signal.SIGCONT)
        return False

    def close(self) -> int:
        """Its exit status; killed where it goes on."""
        os.close(self.line)  # which it hears as a hang-up
        self._process.kill()
        return self._process.wait()


def _catches_interrupt(process: int) -> bool:
    """MicroPython catches SIGINT while it runs a program that has not refused it (`micropython.kbd_intr`), and never at its prompt.

    Only Linux tells (proc_pid_status(5), SigCgt); elsewhere Ctrl-C stays a byte.
    """
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(":")
            if name == "SigCgt":
                return bool(int(value, 16) >> (signal.SIGINT - 1) & 1)
    return False
