"""A second, bare MicroPython board beside the tag: relays, readings, heaters, a shaker, a UART. Its program is sent, never flashed."""

import math
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import cache
from importlib.resources import files
from time import monotonic

from serial import Serial

from strapline_hil.board_files import BoardError
from strapline_hil.boards import serial_port
from strapline_hil.instruments.bench_line import ANSWER_LIMIT_S, REPEATS, BenchLine, RefusedError
from strapline_hil.instruments.bench_wiring import BenchWiring
from strapline_hil.ports import open_port
from strapline_hil.repl_board import repl_board
from strapline_hil.verdict import BenchError, RigError

WATCHDOG_S = 60.0
LONGEST_PULSE_MS = 5000
"""Meanwhile the board does nothing else: no heater is held, no sample played."""

PROGRAM_NAME, PROGRAM_VERSION = "strapline-bench", "1"
_PORTION = 1200
"""Bytes of samples in a line."""

_UART_PORTION, _UART_LIMIT_S = 256, 1.0
_NOT_SENT = "#", "from bench_parts import"
_FULL_SCALE = 65_535
_OPEN_RATIO = 0.998
"""Of a 12-bit ADC's noise: five hundred times the divider's resistor."""

_BEGIN_LIMIT_S = 3.0
_CTRL_C, _PROMPT = b"\r\x03", b"\x04\x04>"
_COLDEST, _HOTTEST = -1000, 6000


class BenchBoard:
    """`Relays` and all else that the board does. `port` is a path or a USB serial number.

    The board sets its outputs to safe (relays and heaters off, shaker still) when it has heard nothing for `watchdog_s`, and the next
    request is a `SurroundingsError`; 0 switches that off, as virtual time must.
    """

    def __init__(
        self,
        port: str,
        wiring: BenchWiring,
        *,
        watchdog_s: float = WATCHDOG_S,
        answer_limit_s: float = ANSWER_LIMIT_S,
        name: str = "bench board",
        clock: Callable[[], float] = monotonic,
    ) -> None:
        wiring.check()
        self.name = name
        self.wiring = wiring
        self.place = f"{name} at {port}"
        self._answer_limit_s = answer_limit_s
        self._stack = ExitStack()
        try:
            self._line = self._begin(serial_port(port), watchdog_s, clock)
            self.identity = self._hello(_BEGIN_LIMIT_S)
        except BaseException:
            self._stack.close()
            raise

    @property
    def garbled(self) -> int:
        """Lines that noise has spoilt so far."""
        return self._line.garbled

    # Relays.

    def set(self, channel: int, on: bool) -> None:
        states = _states(self._ask(f"set {channel} {on:d}"))
        if states[channel] is not on:
            raise RigError(
                self.place,
                f"relay {channel} was switched {_word(on)} and its pin is {_word(not on)}",
                "look for a short at that pin",
            )

    def states(self) -> dict[int, bool]:
        return _states(self._ask("states"))

    def pulse(self, channel: int, duration_ms: int) -> int:
        """On for so long, timed by the board, five seconds at most. Gives how long it was, in µs."""
        if not 0 < duration_ms <= LONGEST_PULSE_MS:
            raise ValueError(
                f"a pulse of {duration_ms} ms: 1 to {LONGEST_PULSE_MS}; what lasts longer is set on, then off"
            )
        was_on, is_on, lasted_us = map(int, self._ask(f"pulse {channel} {duration_ms}", duration_ms / 1000).split(" "))
        if not was_on or is_on:
            raise RigError(self.place, f"relay {channel} did not follow a pulse", "look for a short at that pin")
        return lasted_us

    # Readings.

    def ratio(self, sense: str) -> float:
        """What a sense reads, as a part of the ADC's reference."""
        return int(self._ask(f"read {sense}")) / _FULL_SCALE

    def ohm(self, sense: str) -> float:
        """The resistance from a sense to ground, through its divider; `math.inf` where it is open."""
        ratio = self.ratio(sense)
        return self.wiring.senses[sense].above_ohm * ratio / (1 - ratio) if ratio < _OPEN_RATIO else math.inf

    # What the drivers of heater, shaker, motor and injector are made of.

    def warm(self, heater: str, centi_c: int | None) -> None:
        """Hold this temperature from now on; None: off."""
        self._ask(f"warm {heater} {'off' if centi_c is None else centi_c}")

    def temperature(self, heater: str) -> int:
        """Measured now, in 0.01 °C; `RigError` where the board has switched the heater off for its own safety."""
        return int(self._ask(f"temp {heater}"))

    def play(self, rate_hz: int, vectors: bytes) -> None:
        """x, y, z in mg, 16 bits big-endian; loaded whole, then begun."""
        room, count = int(self._ask("room")), len(vectors) // 6
        if count > room:
            raise RigError(
                self.place,
                f"{count} samples do not fit, {room} do ({room / rate_hz:.0f} s)",
                "play a shorter stretch, or a lower rate",
            )
        self._ask(f"shake {count}")
        for at in range(0, count * 6, _PORTION):
            self._ask(f"more {at} {vectors[at : at + _PORTION].hex()}")
        self._ask(f"play {rate_hz}")

    def still(self) -> None:
        self._ask("still")

    def samples_left(self) -> int:
        return int(self._ask("left"))

    def motor(self, on: bool) -> None:
        if self._ask(f"motor {on:d}") != f"{on:d}":
            raise RigError(self.place, "the vibration motor's pin does not follow", "look for a short at that pin")

    def open_uart(self, baudrate: int) -> None:
        self._ask(f"baud {baudrate}")

    def uart_write(self, data: bytes) -> None:
        """Returns when the bytes are on the wire."""
        for at in range(0, len(data), _UART_PORTION):
            self._ask(f"uart {data[at : at + _UART_PORTION].hex()}", _UART_LIMIT_S)

    def uart_read(self) -> bytes:
        """What came since the last time."""
        return bytes.fromhex(self._ask("heard"))

    # As an instrument.

    def keep_alive(self) -> None:
        """Tell the board that its host is awake."""
        self._ask("states")

    def check(self) -> list[str]:
        try:
            findings = self._check_identity() + self._check_heaters()
            self.states()
        except BenchError as error:
            return [str(error)]
        return findings

    def blind_spots(self) -> list[str]:
        return [f"{self.name}: it reads its pins back, and not what hangs on them"]

    def close(self) -> None:
        """Outputs safe, the board back at its prompt."""
        self._stack.close()

    def _check_identity(self) -> list[str]:
        return [] if self._hello() == self.identity else [f"{self.place}: another board answers than at the beginning"]

    def _check_heaters(self) -> list[str]:
        found = {name: self.temperature(name) for name in self.wiring.heaters}
        return [
            f"{self.place}: heater {name} reads {centi_c / 100:.1f} °C; look at its sensor"
            for name, centi_c in found.items()
            if not _COLDEST < centi_c < _HOTTEST
        ]

    # The beginning and the end.

    def _begin(self, port: str, watchdog_s: float, clock: Callable[[], float]) -> BenchLine:
        # What is wrong with the port is told by whose fault it is.
        open_port(port, timeout_s=0).close()
        program = f"{_program()}\nmain({self.wiring.told(watchdog_s)!r})\n"
        try:
            board = self._stack.enter_context(repl_board(port))
            serial = board.begin(program)
        except BoardError as error:
            raise self._no_board(error) from None
        line = BenchLine(self.place, serial, clock)
        self._stack.callback(self._end, line, serial)
        return line

    def _hello(self, longer_s: float = 0.0) -> str:
        name, version, *rest = self._ask("hello", longer_s).split(" ")
        if (name, version) != (PROGRAM_NAME, PROGRAM_VERSION) or len(rest) != 3:
            raise RigError(self.place, "what answers is no bench board", "press its reset button and begin again")
        return f"MicroPython on {rest[0]}, id {rest[1]}"

    def _end(self, line: BenchLine, serial: Serial) -> None:
        if line.has_ended:
            return
        # The program makes its outputs safe when it ends, too. A board that has gone cannot be left any better.
        with suppress(OSError, BenchError, RefusedError):
            line.ask("safe", self._answer_limit_s, repeats=0)
        with suppress(OSError):
            serial.write(_CTRL_C)
            serial.timeout = self._answer_limit_s
            serial.read_until(_PROMPT)

    def _no_board(self, error: BoardError) -> RigError:
        what, _, mend = str(error).partition("; ")
        mend = mend or "put MicroPython on it, and press its reset button"
        return RigError(self.place, what.partition(": ")[2] or what, mend)

    def _ask(self, words: str, longer_s: float = 0.0, repeats: int = REPEATS) -> str:
        try:
            return self._line.ask(words, self._answer_limit_s + longer_s, repeats)
        except RefusedError as refused:
            raise RigError(
                self.place, f"the bench board refuses `{words[:40]}` ({refused})", "look at its wiring in the rig file"
            ) from None


@cache
def _program() -> str:
    """The board's program in one text, without what only people read: a port without flow control takes 0.3 s for each kB."""
    folder = files("strapline_hil.instruments") / "on_board"
    text = "".join((folder / name).read_text("utf-8") for name in ("bench_parts.py", "bench_board_program.py"))
    lines = (line.partition("  # ")[0] for line in text.split("\n"))
    return "\n".join(_narrow(line) for line in lines if line.strip() and not line.lstrip().startswith(_NOT_SENT))


def _narrow(line: str) -> str:
    words = line.lstrip(" ")
    return " " * ((len(line) - len(words)) // 4) + words


def _states(answer: str) -> dict[int, bool]:
    pairs = (pair.split("=") for pair in answer.split(" ") if pair)
    return {int(channel): state == "1" for channel, state in pairs}


def _word(on: bool) -> str:
    return "on" if on else "off"
