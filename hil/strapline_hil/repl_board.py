"""The files of a MicroPython board behind a serial port or a pty, through mpremote's raw REPL. No soft reset.

mpremote is a program first: it prints, waits without end, and lets through whatever its parsing meets. Here all of that
becomes one BoardError, which never quotes what the board said: that may be the echo of what was written.
"""

import ast
import errno
import io
import os
import stat
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport
from serial import Serial, SerialTimeoutException

from strapline_hil.board_files import BoardError

PATIENCE_S = 5.0
"""For entering the REPL, and for each request after it: a board that resets when its port is opened boots in 2 or 3."""

_LOOK_S = 0.05

_SLOW_PORTION, _SLOW_PAUSE_S = 16, 0.005
"""For ports without raw paste, so without flow control: a micro:bit's buffer holds 64 bytes."""

Answer = TypeVar("Answer")


@contextmanager
def repl_board(port: str) -> Iterator["ReplBoard"]:
    """The board at a port, its program interrupted; BoardError where nothing speaks MicroPython there in time."""
    _check_port(port)
    try:
        with redirect_stdout(io.StringIO()):
            # mpremote treats a pty as one by its name, so it is given the real one.
            transport = SerialTransport(os.path.realpath(port), timeout=_LOOK_S)
    except (TransportError, OSError, termios.error):
        raise BoardError(f"{port}: cannot be opened; end the program that has it (a terminal, mpremote)") from None
    board = ReplBoard(port, transport)
    try:
        board.enter()
        yield board
    finally:
        board.leave()


def _check_port(port: str) -> None:
    path = Path(port)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        raise BoardError(f"{port}: no such port; `strapline boards` lists what is on USB") from None
    if not stat.S_ISCHR(mode):
        raise BoardError(f"{port}: no serial port; a folder in a board's place is written file:{port}")
    if not os.access(path, os.R_OK | os.W_OK):
        raise BoardError(f"{port}: no permission; on Linux `sudo usermod -aG dialout $USER`, then log in again")


class _SilenceError(Exception):
    """The deadline passed."""


class _GoneError(Exception):
    """The port failed under us."""


class _Patient:
    """A serial port on which nothing lasts longer than the deadline: mpremote's own loops have none on a pty.

    Errors of the port leave as `_GoneError`, so that an OSError out of mpremote is one that the board reported.
    """

    def __init__(self, serial: Serial) -> None:
        self._serial = serial
        self._deadline = 0.0
        self.heard = False
        self.slowly = False
        serial.write_timeout = PATIENCE_S

    def allow(self, seconds: float) -> None:
        self._deadline = monotonic() + seconds

    def read(self, size: int = 1) -> bytes:
        """Exactly `size` bytes."""
        data = b""
        while len(data) < size:
            self._check()
            with _port_errors():
                data += self._serial.read(size - len(data))
        self.heard = True
        return data

    def write(self, data: bytes) -> None:
        portion = _SLOW_PORTION if self.slowly else len(data)
        for start in range(0, len(data), max(1, portion)):
            self._check()
            with _port_errors():
                self._serial.write(data[start : start + portion])
            if self.slowly:
                sleep(_SLOW_PAUSE_S)

    def inWaiting(self) -> int:  # noqa: N802 - pyserial's old name is what mpremote calls
        self._check()
        with _port_errors():
            return self._serial.in_waiting

    def _check(self) -> None:
        if monotonic() >= self._deadline:
            raise _SilenceError


@contextmanager
def _port_errors() -> Iterator[None]:
    try:
        yield
    except SerialTimeoutException:
        raise _SilenceError from None
    except (OSError, termios.error):
        raise _GoneError from None


class ReplBoard:
    """`BoardFiles` over a raw REPL. Names are relative: a board starts in the root of its flash, which may be `/flash`."""

    def __init__(self, port: str, transport: SerialTransport) -> None:
        self.place = port
        self._transport = transport
        self._serial: Serial = transport.serial
        self._patient = _Patient(self._serial)
        transport.serial = self._patient
        self._entered = False

    def enter(self) -> None:
        """Into the raw REPL, and sure that it is MicroPython's."""
        # A bench program in the middle of a line (its host was killed) hears Ctrl-C only when the line has ended.
        self._ask(lambda: self._patient.write(b"\0"))
        self._ask(lambda: self._transport.enter_raw_repl(soft_reset=False))
        name = self._ask(self._name)
        if name != "micropython":
            raise self._broken()
        self._entered = True

    def _name(self) -> Any:
        asked = "__import__('sys').implementation.name"
        try:
            return self._transport.eval(asked)
        except TransportExecError:  # our own Ctrl-C: a board that boots raises it in the first thing that it runs
            return self._transport.eval(asked)

    def soft_reset(self) -> None:
        """Begin anew with an empty heap; in the raw REPL no `main.py` runs."""
        self._ask(lambda: self._transport.enter_raw_repl(soft_reset=True))

    def tell(self, script: str) -> Any:
        """What a script prints, as one Python literal."""
        return self._ask(lambda: ast.literal_eval(self._transport.exec(script).decode().strip()))

    def begin(self, script: str) -> Serial:
        """Start a script and leave it alone; from now on the line is the script's and whoever asked for it."""
        self._ask(lambda: self._transport.exec_raw_no_follow(script))
        return self._serial

    def leave(self) -> None:
        self._transport.serial = self._serial
        with suppress(Exception):  # a board that has gone cannot be left any better
            self._transport.exit_raw_repl()
        with suppress(Exception):
            self._transport.close()
        self._serial.close()

    def has(self, name: str) -> bool:
        return self._file(lambda: self._transport.fs_stat(name), or_absent=True) is not None

    def write(self, name: str, data: bytes) -> None:
        self._file(lambda: self._transport.fs_writefile(name, data))

    def sha256(self, name: str) -> bytes:
        return bytes(self._file(lambda: self._transport.fs_hashfile(name, "sha256")))

    def rename(self, old: str, new: str) -> None:
        # `fs_` has no rename, and `exec` leaves an OSError in text.
        self._file(lambda: self._transport.exec(f"import os\nos.rename({old!r}, {new!r})"))

    def remove(self, name: str) -> None:
        self._file(lambda: self._transport.fs_rmfile(name), or_absent=True)

    def _file(self, request: Callable[[], Any], *, or_absent: bool = False) -> Any:
        """What a request about a file gives; None for a file that is not there, where that is no mistake."""
        try:
            return self._ask(request)
        except OSError as error:
            if or_absent and error.errno == errno.ENOENT:
                return None
            why = os.strerror(error.errno or errno.EIO)
            raise BoardError(f"{self.place}: the board's file system refuses ({why}); free it, or flash anew") from None

    def _ask(self, request: Callable[[], Answer]) -> Answer:
        """One request to mpremote within the deadline. An OSError is the board's; all else that fails is a BoardError."""
        self._patient.allow(PATIENCE_S)
        self._patient.slowly = not self._transport.use_raw_paste
        try:
            with redirect_stdout(io.StringIO()):
                return request()
        except OSError:
            raise
        except _GoneError:
            raise BoardError(
                f"{self.place}: the board has gone, or another program took it; plug it in again"
            ) from None
        except TransportExecError:
            raise BoardError(f"{self.place}: the board refuses; flash a MicroPython that has a file system") from None
        except Exception:  # noqa: BLE001 - struct.error, SyntaxError, UnicodeError …: whatever mpremote's parsing meets
            raise self._broken() from None

    def _broken(self) -> BoardError:
        if self._entered:
            return BoardError(f"{self.place}: the board stopped answering in the middle; plug it in again")
        if self._patient.heard:
            return BoardError(f"{self.place}: what answers there is not MicroPython; flash it, or name another port")
        return BoardError(f"{self.place}: no answer within {PATIENCE_S:g} s; is a board there and switched on?")
