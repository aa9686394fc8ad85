"""An open serial port on an event loop: bytes come by callback, writing never waits. Nothing about who is at the other end."""

import asyncio
import errno
import os
import termios
from collections.abc import Callable
from contextlib import suppress

import serial

UNSENT_LIMIT = 65_536
"""Bytes that wait for a port that takes none; no link has so much on its way."""

WRITE_LIMIT_S = 10.0
"""A port that takes nothing for so long is given up: a wedged USB adapter takes nothing ever again."""

_PORTION = 4096


class SerialPort:
    """`on_data` is called with what has come, `on_end` once, with the reason, when the port is of no more use. Raises `OSError`.

    POSIX only: on Windows no event loop can wait for a serial port.
    """

    def __init__(self, port: str, baud: int, on_data: Callable[[bytes], None], on_end: Callable[[str], None]) -> None:
        self._on_data = on_data
        self._on_end = on_end
        self._unsent = bytearray()
        self._taken = 0
        self._ended = False
        self._patience: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        try:
            self._port = serial.Serial(port, baud, timeout=0, exclusive=True)
        except (ValueError, termios.error) as error:  # what the driver does not know, or a port that has gone meanwhile
            raise OSError(errno.EINVAL, str(error)) from error
        self._fd: int = self._port.fileno()
        os.set_blocking(self._fd, False)
        self._loop.add_reader(self._fd, self._readable)

    def write(self, data: bytes) -> None:
        """Send when the port takes it."""
        if self._ended:
            return
        idle = not self._unsent
        self._unsent += data
        if len(self._unsent) > UNSENT_LIMIT:
            self._end("takes_nothing")
        elif idle:
            self._writable()

    def close(self) -> None:
        """Close it; what is not sent yet is dropped, because to wait for a dead port takes the system half a minute."""
        self._ended = True
        if self._patience is not None:
            self._patience.cancel()
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        with suppress(OSError, termios.error):
            termios.tcflush(self._fd, termios.TCOFLUSH)
        with suppress(OSError):
            self._port.close()

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, _PORTION)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(errno.errorcode.get(error.errno or 0, "OSError"))
            return
        if data:
            self._on_data(data)
        else:
            self._end("unplugged")

    def _writable(self) -> None:
        try:
            count = os.write(self._fd, self._unsent)
        except BlockingIOError:
            count = 0
        except OSError as error:
            self._end(errno.errorcode.get(error.errno or 0, "OSError"))
            return
        self._taken += count
        del self._unsent[:count]
        if not self._unsent:
            self._loop.remove_writer(self._fd)
            return
        self._loop.add_writer(self._fd, self._writable)
        if self._patience is None:
            self._patience = self._loop.call_later(WRITE_LIMIT_S, self._look_again, self._taken)

    def _look_again(self, taken: int) -> None:
        self._patience = None
        if self._unsent and taken == self._taken:
            self._end("takes_nothing")
        elif self._unsent:
            self._patience = self._loop.call_later(WRITE_LIMIT_S, self._look_again, self._taken)

    def _end(self, reason: str) -> None:
        if not self._ended:
            self._ended = True
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
            self._on_end(reason)
