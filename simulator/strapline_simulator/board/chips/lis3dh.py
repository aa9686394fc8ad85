"""LIS3DH: ST DocID17530. Output, FIFO and one interrupt generator behind its high-pass filter; other registers are kept, no more."""

from collections import deque
from collections.abc import Sequence

from strapline_simulator.board.circuit import Circuit, NackError

WHO_AM_I, CTRL_REG1, CTRL_REG2, CTRL_REG3, CTRL_REG4, CTRL_REG5 = 0x0F, 0x20, 0x21, 0x22, 0x23, 0x24
FIFO_CTRL, FIFO_SRC, INT1_CFG, INT1_SRC, INT1_THS = 0x2E, 0x2F, 0x30, 0x31, 0x32
OUT_X_L, OUT_Z_H = 0x28, 0x2D

_RATES_HZ = {1: 1, 2: 10, 3: 25, 4: 50, 5: 100, 6: 200, 7: 400}
_MG_PER_DIGIT = (1, 2, 4, 12)
"""Table 4, high resolution, by full scale."""

_THRESHOLD_MG = (16, 32, 62, 186)
_DEPTH = 32
_FILTER = 0.88
"""First order, cut-off at a fiftieth of the rate."""

Sample = tuple[int, int, int]
STILL: Sample = (0, 0, 1000)


class Lis3dh:
    """`play(rate, samples)` moves it, behind what it was given before and has not yet done; else it lies still."""

    def __init__(self, circuit: Circuit) -> None:
        self._circuit = circuit
        self.present = True
        self._registers = bytearray(0x80)
        self._registers[WHO_AM_I] = 0x33
        self._registers[CTRL_REG1] = 0x07
        self._fifo: deque[Sample] = deque(maxlen=_DEPTH)
        self._overrun = False
        self._latched = False
        self._made = 0  # samples since the rate was set
        self._since = 0
        self._played: Sequence[Sample] = ()
        self._played_rate = 25
        self._played_since = 0
        self._last = STILL
        self._filtered = [0.0, 0.0, 0.0]

    def play(self, rate_hz: int, samples: Sequence[Sample]) -> None:
        self._catch_up()
        now = self._circuit.now
        if self._played_out(now):
            self._played, self._played_since = list(samples), now
        else:
            done = (now - self._played_since) * self._played_rate // 1000
            self._played_since += done * 1000 // self._played_rate
            self._played = [*self._played[done:], *samples]
        self._played_rate = rate_hz or 1

    def still(self) -> None:
        """What it has not yet done of that, it does not do."""
        self._catch_up()
        self._played = ()

    def moved(self) -> int:
        """The pin INT1."""
        self._catch_up()
        return int(self._latched and bool(self._registers[CTRL_REG3] & 0x40))

    def transfer(self, data: bytes, size: int) -> bytes:
        if not self.present:
            raise NackError
        self._catch_up()
        if not data:
            return bytes(size)
        register, several = data[0] & 0x7F, bool(data[0] & 0x80)
        for offset, value in enumerate(data[1:]):
            self._write(register + (offset if several else 0), value)
        if len(data) > 1:
            return b""
        return bytes(self._read_next(register, several, size))

    def _read_next(self, register: int, several: bool, size: int) -> bytearray:
        read = bytearray()
        for _ in range(size):
            read.append(self._read(register))
            if several:
                wraps = register == OUT_Z_H and self._registers[CTRL_REG5] & 0x40
                register = OUT_X_L if wraps else (register + 1) & 0x7F
        return read

    def _read(self, register: int) -> int:
        if register == FIFO_SRC:
            return self._fifo_source()
        if register == INT1_SRC:
            latched, self._latched = self._latched, False
            return 0x6A if latched else 0
        if OUT_X_L <= register <= OUT_Z_H:
            return self._output(register - OUT_X_L)
        return self._registers[register]

    def _fifo_source(self) -> int:
        count = len(self._fifo)
        watermark = self._registers[FIFO_CTRL] & 31
        return (
            (0x80 if count > watermark else 0)
            | (0x40 if self._overrun else 0)
            | (0x20 if not count else 0)
            | min(count, 31)
        )

    def _output(self, offset: int) -> int:
        oldest = self._fifo[0] if self._fifo else self._last
        scale = _MG_PER_DIGIT[self._registers[CTRL_REG4] >> 4 & 3]
        digit = max(-2048, min(round(oldest[offset // 2] / scale), 2047))
        raw = (digit << 4) & 0xFFFF
        if offset == OUT_Z_H - OUT_X_L and self._fifo:
            self._fifo.popleft()
            self._overrun = False
        return raw >> 8 if offset % 2 else raw & 255

    def _write(self, register: int, value: int) -> None:
        self._registers[register] = value
        if register == CTRL_REG1:
            self._made, self._since = 0, self._circuit.now
        elif register == FIFO_CTRL and not value >> 6:
            self._fifo.clear()
            self._overrun = False

    def _catch_up(self) -> None:
        """Take the samples that were due since the last look."""
        rate = _RATES_HZ.get(self._registers[CTRL_REG1] >> 4, 0)
        due = (self._circuit.now - self._since) * rate // 1000
        if due - self._made > 4 * _DEPTH and self._played_out(self._since + self._made * 1000 // max(rate, 1)):
            self._made = due - 4 * _DEPTH  # nothing has moved: what lies before is as what follows
        while self._made < due:
            self._made += 1
            self._take(self._at(self._since + self._made * 1000 // rate))

    def _played_out(self, at_ms: int) -> bool:
        return (at_ms - self._played_since) * self._played_rate // 1000 >= len(self._played)

    def _at(self, at_ms: int) -> Sample:
        index = (at_ms - self._played_since) * self._played_rate // 1000
        return self._played[index] if 0 <= index < len(self._played) else STILL

    def _take(self, sample: Sample) -> None:
        if self._registers[CTRL_REG5] & 0x40 and self._registers[FIFO_CTRL] >> 6 == 2:
            self._overrun = self._overrun or len(self._fifo) == _DEPTH
            self._fifo.append(sample)
        threshold = self._registers[INT1_THS] * _THRESHOLD_MG[self._registers[CTRL_REG4] >> 4 & 3]
        for axis in range(3):
            self._filtered[axis] = _FILTER * (self._filtered[axis] + sample[axis] - self._last[axis])
            if self._registers[INT1_CFG] & 2 << 2 * axis and abs(self._filtered[axis]) > threshold:
                self._latched = True
        self._last = sample
