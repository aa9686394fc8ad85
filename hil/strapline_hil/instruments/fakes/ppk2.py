"""A fake Power Profiler Kit II. Its time is what `pass_time` says."""

import math
import struct
from collections.abc import Callable

from strapline_hil.instruments.fakes.pty_fake import PtyFake

# As a calibrated kit's look: shunt, quadratic gain, gain, offset of the reading, for each range.
_RANGES = [
    (1003.3506, 0.0, 1.0, 105.0838),
    (101.5865, 112.789, 0.9695, 79.8837),
    (10.3027, 18.0115, 0.9606, 81.2453),
    (0.9636, 2.4217, 0.9534, 90.5513),
    (0.0564, 0.0729, 0.9537, 85.0246),
]
_MOST_MICRO_A = [50, 500, 5_000, 50_000]
"""Where it goes to the next range."""
_VOLT_PER_STEP = 1.8 / 163840

# https://github.com/NordicSemiconductor/pc-nrfconnect-ppk, src/constants: its numbers, and how many bytes each has.
_AVERAGE_START, _AVERAGE_STOP, _RUNNING_SET, _REGULATOR_SET, _POWER_MODE, _METADATA = 0x06, 0x07, 0x0C, 0x0D, 0x11, 0x19
_LONG = {_RUNNING_SET: 2, _REGULATOR_SET: 3, _POWER_MODE: 2}


class FakePpk2(PtyFake):
    """Measures what `micro_a()` says, `samples_per_s` times a second; a real one takes 100,000, so its driver must be told.

    Calls `on_power(on, milli_v)` for the tag's supply; `milli_v` is 0 where it only measures. Faults: `lossy`, each seventh sample
    is missing; `torn`, each seventh byte.
    """

    own_faults = frozenset({"lossy", "torn"})

    def __init__(
        self,
        micro_a: Callable[[], float] = lambda: 0.0,
        *,
        on_power: Callable[[bool, int], None] | None = None,
        samples_per_s: int = 1000,
    ) -> None:
        super().__init__()
        self._micro_a = micro_a
        self._on_power = on_power
        self._samples_per_s = samples_per_s
        self._rest = b""
        self._mode, self._milli_v, self._is_on, self._runs = 1, 3000, False, False
        self._due = 0.0
        self._counter = 0
        self._sent_bytes = 0

    def pass_time(self, duration_s: float) -> None:
        """So long it measures what flows now; from any thread."""
        self.call(lambda: self._measure(duration_s))

    def plugged_in(self) -> None:
        self._rest = b""
        self._runs = False

    def received(self, data: bytes) -> None:
        self._rest += data
        while self._rest and len(self._rest) >= (size := _LONG.get(self._rest[0], 1)):
            command, self._rest = self._rest[:size], self._rest[size:]
            self._obey(command)

    def _obey(self, command: bytes) -> None:
        code, values = command[0], command[1:]
        if code == _METADATA:
            self.send(self._calibration())
        elif code == _AVERAGE_START:
            self._runs, self._due = True, 1.0  # its first sample comes at once
            self._measure(0.0)
        elif code == _AVERAGE_STOP:
            self._runs = False
        elif code == _REGULATOR_SET:
            self._milli_v = (values[0] - 3) * 256 + values[1] - 32 + 800
        elif code == _POWER_MODE:
            self._mode = values[0]
        elif code == _RUNNING_SET:
            self._is_on = values[0] == 1
        if code in _LONG:
            self._tell_power()

    def _tell_power(self) -> None:
        if self._on_power is not None:
            self._on_power(self._is_on, self._milli_v if self._mode == 2 else 0)

    def _calibration(self) -> bytes:
        lines = ["Calibrated: 1"]
        for title, values in zip(("R", "GS", "GI", "O"), zip(*_RANGES, strict=True), strict=True):
            lines += [f"{title}{number}: {value:.4f}" for number, value in enumerate(values)]
        for title, value in (("S", 0.0), ("I", 0.0), ("UG", 1.0)):
            lines += [f"{title}{number}: {value:.4f}" for number in range(len(_RANGES))]
        lines += [f"VDD: {self._milli_v}", "HW: 0", f"mode: {self._mode}", "IA: 0", "END"]
        return "\n".join(lines).encode() + b"\n"

    def _measure(self, duration_s: float) -> None:
        if not self._runs or "silent" in self.faults:
            return
        self._due += duration_s * self._samples_per_s
        # Adding up tenths must not cost a sample.
        due = math.floor(self._due + 1e-6)
        self._due -= due
        if due:
            self._send_samples(due, _reading(self._micro_a()))

    def _send_samples(self, count: int, reading: int) -> None:
        samples = bytearray()
        for _ in range(count):
            self._counter = (self._counter + 1) & 0x3F
            if not ("lossy" in self.faults and self._counter % 7 == 0):
                samples += struct.pack("<I", reading | self._counter << 18)
        if "torn" in self.faults:
            del samples[::7]
        self.send(bytes(samples))


def _reading(micro_a: float) -> int:
    """The range and the 14 bits that the calibration above turns into this current."""
    number = sum(micro_a >= most for most in _MOST_MICRO_A)
    shunt, square, gain, offset = _RANGES[number]
    ampere = micro_a / 1e6
    if square:
        ampere = (math.sqrt(gain * gain + 4 * square * ampere) - gain) / (2 * square)
    steps = round((ampere / gain * shunt / _VOLT_PER_STEP if not square else ampere * shunt / _VOLT_PER_STEP) + offset)
    return min(max(round(steps / 4), 0), 0x3FFF) | number << 14
