"""What is on the board around its processor: time, wires and chips that wait. It knows no chip, and not how the processor is run."""

import heapq
import struct
from collections.abc import Callable
from typing import Protocol

PIN, UART, RADIO, MEASURE = 1, 2, 3, 4
"""Kinds of interrupts."""

EIO, ENOMEM, ENODEV, EINVAL = 5, 12, 19, 22


class NackError(Exception):
    """Nobody acknowledged on the bus."""


class I2cChip(Protocol):
    """A chip on the bus."""

    def transfer(self, data: bytes, size: int) -> bytes:
        """A write of `data`, then a read of `size` bytes; raises `NackError`."""


class UartChip(Protocol):
    """A chip at the other end of a UART."""

    def receive(self, data: bytes) -> None:
        """What the board has sent."""


class Circuit:
    """Milliseconds count from power-on. `output(kind, content)` collects what leaves the board for the world."""

    def __init__(self) -> None:
        self.now = 0
        self.interrupts: list[bytes] = []
        self.outputs: list[tuple[int, int, bytes]] = []
        """(when, kind, content)"""
        self.bus: dict[int, I2cChip] = {}
        self.uarts: dict[int, UartChip] = {}
        self.levels: dict[int, int] = {}
        """Inputs by pin, those that no chip drives."""
        self.analog: dict[int, Callable[[], int]] = {}
        """16-bit readings by pin."""
        self.driven: dict[int, Callable[[], int]] = {}
        """Inputs that a chip drives."""
        self.on_pin: dict[int, Callable[[int], None]] = {}
        """Told of what the board puts on an output."""
        self._armed: dict[int, int] = {}
        self._waiting: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0

    def later(self, after_ms: int, call: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._waiting, (self.now + after_ms, self._order, call))

    def next_deadline(self) -> int | None:
        return self._waiting[0][0] if self._waiting else None

    def run_due(self) -> None:
        """Carry out what chips waited for until now."""
        while self._waiting and self._waiting[0][0] <= self.now:
            heapq.heappop(self._waiting)[2]()

    # What chips do to the processor.

    def interrupt(self, kind: int, ident: int, data: bytes = b"") -> None:
        self.interrupts.append(struct.pack("<BBH", kind, ident, len(data)) + data)

    def drive(self, pin: int, level: int) -> None:
        """An input changes; an edge interrupts where the board asked for it."""
        if self.levels.get(pin) == level:
            return
        self.levels[pin] = level
        if self._armed.get(pin, 0) & (1 if level else 2):
            self.interrupt(PIN, pin, bytes([level]))

    def send(self, uart: int, data: bytes) -> None:
        """Bytes towards the board."""
        if data:
            self.interrupt(UART, uart, data)

    def output(self, kind: int, content: bytes) -> None:
        self.outputs.append((self.now, kind, content))

    # What the processor does.

    def arm(self, pin: int, trigger: int) -> None:
        self._armed[pin] = trigger

    def read_pin(self, pin: int) -> int:
        return self.driven[pin]() if pin in self.driven else self.levels.get(pin, 1)

    def write_pin(self, pin: int, level: int) -> None:
        if pin in self.on_pin:
            self.on_pin[pin](level)

    def read_analog(self, pin: int) -> int:
        return self.analog[pin]() if pin in self.analog else 0

    def transfer(self, address: int, data: bytes, size: int) -> bytes:
        if address not in self.bus:
            raise NackError
        return self.bus[address].transfer(data, size)
