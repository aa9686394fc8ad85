"""A MicroPython board through mpremote's raw REPL: its files, what it runs, and how it begins anew.

mpremote is a program first: it prints, waits without end, and lets through whatever its parsing meets. Here all of that
becomes one BoardError, which never quotes what the board said (that may be the echo of what was written), but of a script that was run.
"""

import ast
import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from time import monotonic, sleep
from typing import Any, TypeVar, cast

from mpremote.transport import TransportExecError
from mpremote.transport_serial import SerialTransport
from serial import Serial

from strapline_hil.board_files import BoardError
from strapline_hil.board_line import GoneError, Line, PatientLine, SilenceError, close_line, open_line

PATIENCE_S = 5.0
"""For entering the REPL, and for each request after it: a board that resets when its port is opened boots in 2 or 3."""

REBOOT_LIMIT_S = 10.0
"""For a hard reset: on USB the port goes and comes back."""

_ATTEMPTS = 3
"""To enter within that time: what a board hears while it boots may be lost."""

_PULSE_S = 0.1

# To a program that goes on after Ctrl-C: again, into the raw prompt, where no `main.py` follows a soft reset, and that.
_FIRMLY = b"\r\x03\x03\r\x01\x04"

Answer = TypeVar("Answer")
Hear = Callable[[bytes], object]


class ScriptError(BoardError):
    """A script that ended with an error on the board, or did not end."""

    def __init__(self, line: str, output: str, traceback: str = "") -> None:
        super().__init__(line)
        self.output, self.traceback = output, traceback


@contextmanager
def repl_board(port: str) -> Iterator["ReplBoard"]:
    """The board at a port or a URL, its program interrupted; BoardError where nothing speaks MicroPython there in time."""
    board = ReplBoard(port, open_line(port), again=lambda: open_line(port))
    try:
        board.enter()
        yield board
    finally:
        board.leave()


class _Transport(SerialTransport):  # type: ignore[misc] # mpremote ships no types
    """mpremote's, on a line that is open already."""

    def __init__(self, line: PatientLine, port: str) -> None:
        self.serial = line
        self.device_name = port
        self.in_raw_repl = self.mounted = False
        self.use_raw_paste = True
        self.is_pty = self._is_pty_device(port)


class ReplBoard:
    """`BoardFiles` over a raw REPL. Names are relative: a board starts in the root of its flash, which may be `/flash`.

    `again` opens the line anew where a hard reset has closed it.
    """

    def __init__(self, place: str, line: Line, *, again: Callable[[], Line] | None = None) -> None:
        self.place = place
        self._again = again
        self._entered = False
        self._take(line)

    def _take(self, line: Line) -> None:
        self._serial = line
        self._patient = PatientLine(line)
        port = str(line.port or "")
        self._transport = _Transport(self._patient, port if "://" in port else os.path.realpath(port))

    def enter(self) -> None:
        """Into the raw REPL, and sure that it is MicroPython's; firmly from the second attempt on."""
        for attempt in range(_ATTEMPTS):
            self._patient.allow(PATIENCE_S / _ATTEMPTS)
            # Silence, and whatever mpremote's parsing meets, is another attempt's.
            with suppress(Exception), redirect_stdout(io.StringIO()):
                self._into_raw(firmly=attempt > 0)
                if self._name() != "micropython":
                    break
                self._entered = True
                return
            if self._patient.has_gone:
                raise self._gone()
        raise self._broken()

    def _into_raw(self, *, firmly: bool) -> None:
        if firmly:
            self._patient.write(_FIRMLY)
            self._patient.drain()
        # A bench program in the middle of a line (its host was killed) hears Ctrl-C only when the line has ended.
        self._patient.write(b"\0")
        self._transport.enter_raw_repl(soft_reset=False)

    def _name(self) -> Any:
        asked = "__import__('sys').implementation.name"
        try:
            return self._transport.eval(asked)
        except TransportExecError:  # our own Ctrl-C: a board that boots raises it in the first thing that it runs
            return self._transport.eval(asked)

    def interrupt(self) -> None:
        """Stop what runs: Ctrl-C, then once more and a soft reset. BoardError where it hangs, and only its power ends that."""
        try:
            self.enter()
        except BoardError:
            raise BoardError(
                f"{self.place}: the board hangs; switch its power off and on, nothing else ends that"
            ) from None

    # Begin anew.

    def soft_reset(self) -> None:
        """With an empty heap; in the raw REPL no `main.py` runs."""
        self._ask(lambda: self._transport.enter_raw_repl(soft_reset=True))

    def hard_reset(self) -> None:
        """By `machine.reset()`: as at power-on, `main.py` included, which is interrupted when the port is back."""
        self._mark()
        self._ask(lambda: self._transport.exec_raw_no_follow("import machine\nmachine.reset()"))
        self._reopen()
        self._check_reset("machine.reset() does not reset this board; switch its power off and on")

    def pulse_reset(self) -> None:
        """By DTR and RTS, as the ESP32's auto-reset circuit has it (docs.espressif.com, esptool, boot mode selection)."""
        self._mark()
        try:
            _set_lines(self._serial, dtr=False, rts=True)
            sleep(_PULSE_S)
            _set_lines(self._serial, rts=False)
        except (OSError, AttributeError):
            raise BoardError(
                f"{self.place}: this port has no DTR and RTS; reset the board by machine.reset()"
            ) from None
        self._check_reset("DTR and RTS reset nothing there; reset the board by machine.reset()")

    def _mark(self) -> None:
        self._ask(lambda: self._transport.exec("strapline_was_here = 1"))

    def _check_reset(self, otherwise: str) -> None:
        """What begins anew has forgotten the mark."""
        self.enter()
        if self.tell("print('strapline_was_here' in globals())"):
            raise BoardError(f"{self.place}: {otherwise}")

    def _reopen(self) -> None:
        """On USB the port comes back; on a serial bridge it never goes."""
        if self._again is None:
            return
        close_line(self._serial)
        deadline = monotonic() + REBOOT_LIMIT_S
        while True:
            sleep(_PULSE_S)
            try:
                self._take(self._again())
                return
            except BoardError:
                if monotonic() >= deadline:
                    raise

    # Run.

    def run(self, script: str, limit_s: float, hear: Hear | None = None) -> str:
        """What a script prints; `hear` gets it as it comes. ScriptError where it ends with an error, or not within the limit.

        What does not end is interrupted; where that does not help either, the BoardError of `interrupt` says so.
        """
        said = bytearray()

        def take(data: bytes) -> None:
            data = data.replace(b"\x04", b"")
            said.extend(data)
            if hear and data:
                hear(data)

        try:
            error = self._ask(lambda: self._transport.exec_raw(script, None, take)[1], limit_s, silence_is_ours=False)
        except SilenceError:
            self.interrupt()
            raise ScriptError(
                f"{self.place}: the script did not end within {limit_s:g} s and was interrupted; give it longer, or mend it",
                _text(said),
            ) from None
        if error:
            traceback = _text(error)
            last = (traceback.split("\n") or [""])[-1]
            raise ScriptError(f"{self.place}: the script ended with {last}; mend it", _text(said), traceback)
        return _text(said)

    def tell(self, script: str) -> Any:
        """What a script prints, as one Python literal."""
        return self._ask(lambda: ast.literal_eval(self._transport.exec(script).decode().strip()))

    def begin(self, script: str) -> Serial:
        """Start a script and leave it alone; from now on the line is the script's and whoever asked for it.

        It is pyserial's, but from a labgrid console, where it is a `Line`.
        """
        self._ask(lambda: self._transport.exec_raw_no_follow(script))
        return cast("Serial", self._serial)

    def leave(self) -> None:
        self._patient.allow(PATIENCE_S)
        with suppress(Exception):  # a board that has gone cannot be left any better
            self._transport.exit_raw_repl()
        with suppress(Exception):  # esptool's order, which mpremote keeps: no reset at closing
            _set_lines(self._serial, rts=False, dtr=False)
        close_line(self._serial)

    # Files.

    def has(self, name: str) -> bool:
        return self._file(lambda: self._transport.fs_stat(name), or_absent=True) is not None

    def write(self, name: str, data: bytes) -> None:
        def goes_on(_written: int, _size: int) -> None:
            self._patient.allow(PATIENCE_S)

        self._file(lambda: self._transport.fs_writefile(name, data, progress_callback=goes_on))

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

    # Requests.

    def _ask(self, request: Callable[[], Answer], limit_s: float = 0.0, *, silence_is_ours: bool = True) -> Answer:
        """One request to mpremote within the deadline. An OSError is the board's; all else that fails is a BoardError."""
        try:
            return self._run_request(request, limit_s or PATIENCE_S)
        except OSError:
            raise
        except GoneError:
            raise self._gone() from None
        except TransportExecError:
            raise BoardError(f"{self.place}: the board refuses; flash a MicroPython that has a file system") from None
        except SilenceError:
            if silence_is_ours:
                raise self._broken() from None
            raise
        except Exception:  # noqa: BLE001 - struct.error, SyntaxError, UnicodeError …: whatever mpremote's parsing meets
            raise self._broken() from None

    def _run_request(self, request: Callable[[], Answer], limit_s: float) -> Answer:
        self._patient.allow(limit_s)
        self._patient.slowly = not self._transport.use_raw_paste
        with redirect_stdout(io.StringIO()):
            return request()

    def _gone(self) -> BoardError:
        return BoardError(f"{self.place}: the board has gone, or another program took it; plug it in again")

    def _broken(self) -> BoardError:
        if self._entered:
            return BoardError(f"{self.place}: the board stopped answering in the middle; plug it in again")
        if self._patient.heard:
            return BoardError(f"{self.place}: what answers there is not MicroPython; flash it, or name another port")
        return BoardError(
            f"{self.place}: no answer within {PATIENCE_S:g} s; is a board there and switched on? One that hangs needs its power off and on"
        )


def _set_lines(serial: Line, **lines: bool) -> None:
    for name, level in lines.items():
        setattr(serial, name, level)


def _text(said: bytes | bytearray) -> str:
    return said.decode("utf-8", "replace").replace("\r\n", "\n").strip()
