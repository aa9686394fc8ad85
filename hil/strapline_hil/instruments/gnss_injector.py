"""The tag's receiver, played: NMEA out of a UART. Generated sentences, or a real receiver's log at its own pace."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Protocol

from strapline_hil.instruments.bench_board import BenchBoard
from strapline_hil.ports import open_port
from strapline_hil.verdict import BenchError, RigError
from strapline_simulator.gnss_log import read_gnss_log
from strapline_simulator.world.sky import sentences
from strapline_simulator.world.wearer import Point

BAUDRATE = 9600
REPEATS = 3
_PORTION = 256
_BITS_A_BYTE = 10
_CHECK = b"$GNTXT,01,01,02,STRAPLINE*67\r\n"
_HDOP = 0.8


class Uart(Protocol):
    """A line out, and what comes back in."""

    place: str

    def write(self, data: bytes) -> None:
        """Returns when the bytes are on the wire."""

    def read(self, size: int, limit_s: float) -> bytes:
        """Up to so many, sooner or later."""

    def forget(self) -> None:
        """Drop what has come."""

    def close(self) -> None: ...


class UsbUart:
    """A USB-UART adapter: its port, or its USB serial number."""

    def __init__(self, port: str, baudrate: int = BAUDRATE) -> None:
        self.place = f"UART at {port}"
        self._port = open_port(port, baudrate=baudrate, timeout_s=10.0, place=self.place)

    def write(self, data: bytes) -> None:
        self._port.write(data)
        self._port.drain()

    def read(self, size: int, limit_s: float) -> bytes:
        return self._port.read(size, limit_s)

    def forget(self) -> None:
        self._port.forget()

    def close(self) -> None:
        self._port.close()


class BoardUart:
    """The UART of a bench board."""

    def __init__(self, board: BenchBoard, baudrate: int = BAUDRATE, clock: Callable[[], float] = monotonic) -> None:
        self.place = f"UART of {board.place}"
        self._board = board
        self._clock = clock
        board.open_uart(baudrate)

    def write(self, data: bytes) -> None:
        self._board.uart_write(data)

    def read(self, size: int, limit_s: float) -> bytes:
        deadline = self._clock() + limit_s
        data = self._board.uart_read()
        while len(data) < size and self._clock() < deadline:
            data += self._board.uart_read()
        return data

    def forget(self) -> None:
        while self._board.uart_read():
            pass

    def close(self) -> None:
        """The board is closed by whoever opened it."""


class GnssInjector:
    """A `Gnss`. With `loopback` (RX wired to TX) each sentence is heard again and compared; without, it is gone when it is on the wire."""

    def __init__(
        self,
        uart: Uart,
        *,
        loopback: bool = False,
        baudrate: int = BAUDRATE,
        slack_s: float = 0.5,
        name: str = "GNSS injector",
        clock: Callable[[], float] = monotonic,
        sleep: Callable[[float], object] = sleep,
    ) -> None:
        """`baudrate`: the UART's, for how long to wait; `slack_s` is what USB and host may take beside it."""
        self.name = name
        self.garbled = 0
        self._uart = uart
        self._loopback = loopback
        self._slack_s = slack_s
        self._byte_s = _BITS_A_BYTE / baudrate
        self._clock, self._sleep = clock, sleep

    def send(self, data: bytes) -> None:
        if not self._loopback:
            self._uart.write(data)
            return
        self._uart.forget()
        for portion in _portions(data):
            self._send_heard(portion)

    def send_position(self, moment: datetime, where: Point | None, speed_m_s: float = 0.0, hdop: float = _HDOP) -> None:
        """One epoch as a receiver tells it; without a place it has no fix."""
        self.send(sentences(moment, where, speed_m_s=speed_m_s, hdop=hdop))

    def play_log(self, path: Path, rate: float = 1.0) -> int:
        """A recorded log, no byte changed, `rate` times as fast as it came. Returns at its end, with the number of epochs."""
        epochs = read_gnss_log(path)
        began = self._clock()
        for epoch in epochs:
            ahead_s = began + epoch.offset_s / rate - self._clock()
            if ahead_s > 0:
                self._sleep(ahead_s)
            self.send(epoch.data)
        return len(epochs)

    def check(self) -> list[str]:
        """A sentence of no meaning to a tag, through the loop-back where there is one."""
        try:
            self.send(_CHECK)
        except BenchError as error:
            return [str(error)]
        return []

    def blind_spots(self) -> list[str]:
        if self._loopback:
            return [f"{self.name}: a baud rate that is not the tag's looks like a deaf tag"]
        return [f"{self.name}: without loop-back nobody hears what it says; a loose wire looks like a deaf tag"]

    def close(self) -> None:
        self._uart.close()

    def _send_heard(self, portion: bytes) -> None:
        """Repeated where noise has spoilt it: a receiver may say the same twice."""
        heard = b""
        for _ in range(1 + REPEATS):
            self._uart.write(portion)
            heard = self._uart.read(len(portion), len(portion) * self._byte_s + self._slack_s)
            if heard == portion:
                return
            self.garbled += 1
            self._uart.forget()
        if not heard:
            raise RigError(
                self._uart.place, "hears nothing of what it sends", "join its RX to its TX, at the tag's pin"
            )
        raise RigError(
            self._uart.place,
            "hears other bytes than it sends",
            "look at the baud rate, and for another sender on this wire",
        )


def _portions(data: bytes) -> Iterator[bytes]:
    for line in data.splitlines(keepends=True):
        for at in range(0, len(line), _PORTION):
            yield line[at : at + _PORTION]
