"""Serial ports for instruments: opened alone, bounded in time, and each failure sorted by whose it is.

A port is a path, a USB serial number, or any URL of pyserial (`socket://`, `rfc2217://`, `loop://`).
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Self

from serial import Serial, SerialException, SerialTimeoutException, serial_for_url

from strapline_hil.board_files import BoardError
from strapline_hil.boards import serial_port
from strapline_hil.verdict import BenchError, RigError, SurroundingsError

try:
    import fcntl
    import termios
except ImportError:  # Windows, where a port is always opened alone
    _EXCLUSIVE = _SHARED = None
    _PORT_ERRORS: tuple[type[Exception], ...] = (OSError, ValueError)
else:
    _EXCLUSIVE, _SHARED = termios.TIOCEXCL, termios.TIOCNXCL
    _PORT_ERRORS = (OSError, ValueError, termios.error)

_IS_EXCLUSIVE = 0x80045440
"""TIOCGEXCL of Linux, which `termios` does not name."""

_TAKEN = {errno.EBUSY, errno.EAGAIN}
_GONE = {errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.EIO}
_POLL_S = 0.001


class Port:
    """A port that is open. Every failure of it is a `BenchError` that names it; nothing waits longer than its timeout."""

    def __init__(self, line: Serial, place: str, timeout_s: float) -> None:
        self.place = place
        self.timeout_s = timeout_s
        self.line = line
        if _is_exclusive(line):
            line.close()
            raise _taken(str(line.port), place)
        _lock(line)

    def write(self, data: bytes) -> None:
        with self._errors():
            self.line.write(data)

    def drain(self) -> None:
        """Until all that was written has left this machine."""
        deadline = monotonic() + self.timeout_s
        with self._errors():
            while getattr(self.line, "out_waiting", 0):  # a network port does not know
                if monotonic() > deadline:
                    raise SerialTimeoutException
                sleep(_POLL_S)

    def read(self, size: int, timeout_s: float | None = None) -> bytes:
        """Up to `size` bytes; fewer where the time is over."""
        with self._errors():
            self.line.timeout = self.timeout_s if timeout_s is None else timeout_s
            return bytes(self.line.read(size))

    def read_until(self, done: Callable[[bytes], bool], timeout_s: float | None = None) -> bytes:
        """What comes until `done` says so of all of it; less where the time is over."""
        deadline = monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        data = b""
        while not done(data) and (left_s := deadline - monotonic()) > 0:
            data += self.read_waiting(left_s)
        return data

    def read_waiting(self, timeout_s: float = 0.0) -> bytes:
        """What has come; where nothing has, what comes within the time."""
        with self._errors():
            self.line.timeout = timeout_s
            return bytes(self.line.read(max(1, self.line.in_waiting)))

    def forget(self) -> None:
        """What came and was not read is of no interest any more."""
        with self._errors():
            self.line.reset_input_buffer()

    def settle(self, quiet_s: float = 0.02) -> None:
        """Forget what comes, too, until nothing does."""
        deadline = monotonic() + self.timeout_s
        while self.read_waiting(quiet_s) and monotonic() < deadline:
            pass
        self.forget()

    def no_sense(self, what: str, mend: str) -> BenchError:
        """Nothing, or nonsense, came back: the rig's failure, unless another program takes our answers."""
        others = holders(str(self.line.port))
        if others:
            return SurroundingsError(self.place, f"{what}; {others} reads from this port too", f"end {others}")
        return RigError(self.place, what, mend)

    def close(self) -> None:
        """May be called twice."""
        if self.line.is_open:
            _unlock(self.line)
            with suppress(*_PORT_ERRORS):
                self.line.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except SerialTimeoutException:
            raise RigError(self.place, "takes no more bytes", "switch the instrument off and on again") from None
        except _PORT_ERRORS:
            raise self._lost() from None

    def _lost(self) -> BenchError:
        if not self.line.is_open:
            return RigError(self.place, "the port is closed", "open the rig again")
        others = holders(str(self.line.port))
        if others:
            return SurroundingsError(self.place, f"{others} reads from this port too", f"end {others}")
        return RigError(self.place, "the port has gone", "put the cable back, then run it again")


def open_port(url: str, *, baudrate: int = 115200, timeout_s: float = 1.0, place: str = "") -> Port:
    """For us alone. `place` names it in errors: as the port unless given.

    No such port, or nobody there: RigError. Another program has it, or we may not: SurroundingsError.
    """
    place = place or url
    if not url:
        raise RigError(place or "a port without a name", "names no port", "write a path, a USB serial number or a URL")
    port = _named(url, place)
    try:
        line = serial_for_url(port, do_not_open=True, baudrate=baudrate, timeout=timeout_s, exclusive=True)
        if not port.startswith("rfc2217:"):  # has none, and says so only when it is open
            line.write_timeout = timeout_s
        line.open()
    except _PORT_ERRORS as error:
        raise _not_opened(port, place, error) from None
    return Port(line, place, timeout_s)


def _named(url: str, place: str) -> str:
    try:
        return serial_port(url)
    except BoardError as error:
        what, _, mend = str(error).removeprefix(f"{url}: ").partition("; ")
        raise RigError(place, what, mend) from None


def holders(device: str) -> str:
    """Which other programs have a device open, as "picocom (4711)"; empty where there is none, or nobody can say."""
    found = []
    wanted = os.path.realpath(device)
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) != os.getpid() and _has_open(process, wanted):
            with suppress(OSError):
                found.append(f"{(process / 'comm').read_text().strip()} ({process.name})")
    return ", ".join(found)


def _has_open(process: Path, device: str) -> bool:
    with suppress(OSError):  # ended in the meantime, or somebody else's
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):
                if str(descriptor.readlink()) == device:
                    return True
    return False


def _not_opened(port: str, place: str, error: Exception) -> BenchError:
    number = getattr(error, "errno", None)
    if number in _TAKEN:
        return _taken(port, place)
    if number in {errno.EACCES, errno.EPERM}:
        return SurroundingsError(place, "no permission", "on Linux `sudo usermod -aG dialout $USER`, then log in again")
    if "://" in port:
        return _no_network_port(port, place, error)
    if number in _GONE:
        return RigError(place, "no such port", "plug it in; `strapline boards` lists what is on USB")
    return RigError(place, "no serial port", "name a serial port; `strapline boards` lists what is on USB")


def _taken(port: str, place: str) -> SurroundingsError:
    others = holders(port) or "another program"
    return SurroundingsError(place, f"{others} has this port", f"end {others}")


def _no_network_port(port: str, place: str, error: Exception) -> BenchError:
    if isinstance(error, ValueError) and not isinstance(error, SerialException):
        return RigError(
            place, "no URL that pyserial knows", "write socket://HOST:PORT, rfc2217://HOST:PORT, or the path of a port"
        )
    return RigError(
        place, "nobody answers there", f"start the server of {port.partition('://')[2]}, or mend the network"
    )


def _is_exclusive(line: Serial) -> bool:
    """Root is not kept out by it, so it asks."""
    if _EXCLUSIVE is not None:
        with suppress(*_PORT_ERRORS):
            return fcntl.ioctl(line.fileno(), _IS_EXCLUSIVE, b"\0\0\0\0") != b"\0\0\0\0"
    return False


def _lock(line: Serial) -> None:
    """The lock of pyserial keeps out who asks for it; this one keeps out everybody (but root)."""
    _set_exclusive(line, _EXCLUSIVE)


def _unlock(line: Serial) -> None:
    """It would stay on a pty, whose other end is still open."""
    _set_exclusive(line, _SHARED)


def _set_exclusive(line: Serial, request: int | None) -> None:
    if request is None:
        return
    with suppress(*_PORT_ERRORS):  # a network port has no descriptor, or one of a socket
        fcntl.ioctl(line.fileno(), request)
