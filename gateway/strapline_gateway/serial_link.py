"""The `serial:` link: one tag on a wire, unplugged and back as often as it likes, its log text between its frames."""

import asyncio
import errno
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Self

import serial

from strapline_gateway.health import Health, LinkState
from strapline_gateway.lines import Lines
from strapline_gateway.log_text import LogText
from strapline_gateway.serial_port import SerialPort
from strapline_gateway.station import Abandon, Connect, HangUp, Station, Transmit
from strapline_gateway.tap import Tap

REOPEN_S = 2.0
"""How often a port that is not there is looked for."""

_LOG = logging.getLogger(__name__)


class SerialLink:
    """Use as an asynchronous context manager. A port that is absent, busy or forbidden is told in the log once, and tried again."""

    def __init__(
        self,
        port: str,
        baud: int,
        station: Station,
        on_change: Callable[[], None],
        *,
        name: str = "",
        reopen_s: float = REOPEN_S,
        tap: Tap | None = None,
    ) -> None:
        self.name = name or f"serial:{port}@{baud}"
        self._address = port, baud
        self._reopen_s = reopen_s
        self._lines = Lines(station, on_change, tap, "serial")
        self._port: SerialPort | None = None
        self._number: int | None = None
        self._ended = asyncio.Event()
        self._text = LogText()
        self._reason = ""
        self._opened = 0
        self._tasks = asyncio.TaskGroup()
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._open()
        self._running = self._tasks.create_task(self._run(), name=self.name)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._running is not None:
            self._running.cancel()
            self._running = None
        await self._tasks.__aexit__(None, None, None)

    @property
    def health(self) -> Health:
        state = LinkState.DOWN if self._port is None else LinkState.UP
        state = LinkState.CLOSED if self._running is None else state
        restarts = max(0, self._opened - 1)
        return Health(
            self.name, state, len(self._lines), self._lines.last_heard_s, restarts, dict(self._lines.failures)
        )

    def perform(self, event: Connect | Abandon | Transmit | HangUp) -> bool:
        """Do what the station asks; False where the line is not ours."""
        return self._lines.perform(event)

    async def _run(self) -> None:
        try:
            while True:
                if self._port is not None:
                    await self._ended.wait()
                    self._close()
                await asyncio.sleep(self._reopen_s)
                self._open()
        finally:
            self._close()

    def _open(self) -> None:
        self._ended.clear()
        try:
            self._port = SerialPort(*self._address, self._received, self._failed)
        except OSError as error:
            self._say(_mend(self._address[0], error))
            self._lines.failures[_kind(error)] += 1
            return
        self._opened += 1
        if self._reason:
            _LOG.info("%s is open again", self.name)
        self._reason = ""

    def _say(self, reason: str) -> None:
        if reason != self._reason:  # once, not every two seconds
            _LOG.warning("%s: %s; it is tried again every %g s", self.name, reason, self._reopen_s)
        self._reason = reason

    def _failed(self, reason: str) -> None:
        self._lines.failures[reason] += 1
        self._say(f"the port is of no more use ({reason})")
        self._ended.set()

    def _close(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            port.close()
        self._hang_up(self._number)

    def _received(self, data: bytes) -> None:
        now = asyncio.get_running_loop().time()
        for text in self._text.feed(data, now):
            _LOG.info("%s says: %s", self.name, text)
        if self._number is None and b"\0" in data:  # a frame begins with a zero; a board that only prints is no caller
            self._number = self._lines.open(_Wire(self))
        if self._number is not None:
            self._lines.receive(self._number, data)

    # The line, as the station has it: a wire cannot hang up, so the next frame begins a new line.

    def write(self, data: bytes) -> None:
        if self._port is not None:
            self._port.write(data)

    def hang_up_soon(self) -> None:
        """End the line; the port stays open."""
        asyncio.get_running_loop().call_soon(self._hang_up, self._number)

    def _hang_up(self, number: int | None) -> None:
        if number is not None and number == self._number:
            self._number = None
            self._lines.close(number)


class _Wire:
    """One line on the port."""

    def __init__(self, link: SerialLink) -> None:
        self._link = link

    def write(self, data: bytes) -> None:
        self._link.write(data)

    def close(self) -> None:
        self._link.hang_up_soon()


def _kind(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, type(error).__name__)


def _mend(port: str, error: OSError) -> str:
    if error.errno in {errno.ENOENT, errno.ENODEV, errno.ENXIO}:
        return "there is no such port; plug it in, or see `ls /dev/serial/by-id` for what is there"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"this user may not open it; add the user to the group that owns {port} (often dialout)"
    if error.errno in {errno.EBUSY, errno.EAGAIN} or "exclusively lock" in str(error):
        return "another program has it open; end that program"
    if isinstance(error, serial.SerialException) and error.errno is None:
        return f"it cannot be opened ({error})"
    return f"it cannot be opened ({error.strerror or error})"
