"""The serial line of a board: any URL of pyserial, opened for us alone, and nothing on it lasts longer than a deadline."""

import os
import stat
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EACCES, EAGAIN, EBUSY, EPERM
from pathlib import Path
from time import monotonic, sleep
from typing import Protocol
from urllib.parse import urlsplit

from serial import Serial, SerialException, SerialTimeoutException, serial_for_url

from strapline_hil.board_files import BoardError
from strapline_hil.verdict import SurroundingsError

LOOK_S = 0.05
WRITE_LIMIT_S = 5.0
BAUDRATE = 115_200
"""Of MicroPython's REPL on a UART (docs.micropython.org); USB does not care."""

_SLOW_PORTION, _SLOW_PAUSE_S = 16, 0.005
"""For ports without raw paste, so without flow control: a micro:bit's buffer holds 64 bytes."""

_LISTED = "`strapline boards` lists what is on USB"


class Line(Protocol):
    """What a board's driver asks of a serial port: pyserial's, or what has its face."""

    timeout: float | None

    @property
    def port(self) -> str | None: ...

    @property
    def in_waiting(self) -> int: ...

    def read(self, size: int = 1, /) -> bytes: ...

    def write(self, data: bytes, /) -> int | None: ...

    def close(self) -> None: ...


def open_line(port: str) -> Serial:
    """A path or a URL (`socket://HOST:PORT`, `rfc2217://HOST:PORT`).

    BoardError where there is none, SurroundingsError where this machine does not let us have it.
    """
    is_url = "://" in port
    if not is_url:
        _check_path(port)
    # A pty goes by its own name, not by a link's: mpremote asks the name.
    target = port if is_url else os.path.realpath(port)
    try:
        line = serial_for_url(target, BAUDRATE, do_not_open=True, timeout=LOOK_S, exclusive=True)
        if not target.startswith("rfc2217:"):  # which has none, and tells so when it is open
            line.write_timeout = WRITE_LIMIT_S
    except (OSError, ValueError) as error:
        raise _not_opened(port, error) from None
    try:
        line.open()
    except (OSError, ValueError, termios.error) as error:
        with suppress(Exception):  # half open
            close_line(line)
        raise _not_opened(port, error) from None
    return line


def close_line(line: Line) -> None:
    held = getattr(line, "_socket", None)
    line.close()
    if held is not None:  # pyserial forgets to close a socket whose other end has gone
        held.close()


def _check_path(port: str) -> None:
    path = Path(port)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        raise BoardError(f"{port}: no such port; {_LISTED}") from None
    if not stat.S_ISCHR(mode):
        raise BoardError(f"{port}: no serial port; a folder in a board's place is written file:{port}")
    if not os.access(path, os.R_OK | os.W_OK):
        raise _not_opened(port, PermissionError(EACCES, ""))


def _not_opened(port: str, error: Exception) -> BoardError | SurroundingsError:
    number = getattr(error, "errno", None)
    if number in {EACCES, EPERM}:
        mend = "on Linux `sudo usermod -aG dialout $USER`, then log in again"
        return SurroundingsError(port, "no permission", mend)
    if number in {EAGAIN, EBUSY}:
        mend = "end the program that has it (a terminal, mpremote)"
        return SurroundingsError(port, "cannot be opened: another program has this port", mend)
    if "://" not in port:
        return BoardError(f"{port}: cannot be opened as a serial port; {_LISTED}")
    if isinstance(error, SerialException) and _names_a_port(port):
        return BoardError(f"{port}: nobody answers there; start the server, or mend the network")
    return BoardError(f"{port}: no URL of a port; write socket://HOST:PORT or rfc2217://HOST:PORT")


def _names_a_port(url: str) -> bool:
    with suppress(ValueError):
        return urlsplit(url).port is not None
    return False


class SilenceError(Exception):
    """The deadline passed."""


class GoneError(Exception):
    """The port failed under us."""


class PatientLine:
    """What mpremote takes for a serial port: its own loops have no end on a pty, and these have.

    Errors of the port leave as `GoneError`, so that an OSError out of mpremote is one that the board reported.
    """

    def __init__(self, serial: Line) -> None:
        self._serial = serial
        self._deadline = 0.0
        self.heard = False
        self.has_gone = False
        self.slowly = False

    def allow(self, seconds: float) -> None:
        self._deadline = monotonic() + seconds

    def read(self, size: int = 1) -> bytes:
        """Exactly `size` bytes."""
        data = b""
        while len(data) < size:
            self._check()
            with self._port_errors():
                data += self._serial.read(size - len(data))
        self.heard = True
        return data

    def write(self, data: bytes) -> None:
        portion = _SLOW_PORTION if self.slowly else len(data)
        for start in range(0, len(data), max(1, portion)):
            self._check()
            with self._port_errors():
                self._serial.write(data[start : start + portion])
            if self.slowly:
                sleep(_SLOW_PAUSE_S)

    def drain(self) -> None:
        """Until nothing comes for a moment."""
        data = b"?"
        while data:
            self._check()
            with self._port_errors():
                data = self._serial.read(max(1, self._serial.in_waiting)) or self._serial.read(1)

    def inWaiting(self) -> int:  # noqa: N802 - pyserial's old name is what mpremote calls
        self._check()
        with self._port_errors():
            return self._serial.in_waiting

    def _check(self) -> None:
        if monotonic() >= self._deadline:
            raise SilenceError

    @contextmanager
    def _port_errors(self) -> Iterator[None]:
        try:
            yield
        except SerialTimeoutException:
            raise SilenceError from None
        except (OSError, termios.error):
            self.has_gone = True
            raise GoneError from None
