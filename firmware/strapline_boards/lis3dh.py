# LIS3DH accelerometer, ST DocID17530 Rev 2: section 8 for the registers, section 5 for its FIFO. It collects by itself, and its pin says
# whether anything has moved since the last look: at rest nothing goes over the bus.
from strapline_wire.compat import const

DEPTH = const(32)
# Register, value: 25 Hz, three axes; interrupt 1 by the high-pass filter; on the pin INT1; ±8 g (a blow clips at ±4 g), 12 bits, block
# update; FIFO on, interrupt 1 latched; its threshold of 62 mg and no duration; any axis above it; the FIFO cleared by way of bypass
# before it streams.
_SETUP = b"\x20\x37\x21\x01\x22\x40\x23\xa8\x24\x48\x32\x01\x33\x00\x30\x2a\x2e\x00\x2e\x80"
_WHO_AM_I = const(0x0F)
_INT1_SRC = const(0x31)
_FIFO_SRC = const(0x2F)
_OUT_X = const(0xA8)  # reads go on through X, Y, Z and from sample to sample
_MG = const(4)  # a digit at ±8 g with 12 bits: table 4


class Accelerometer:
    # address: 0x18 with SA0 to ground, 0x19 otherwise; moved: the pin at INT1. OSError where the chip is silent or is another.
    def __init__(self, i2c, address: int, moved):
        self._i2c = i2c
        self._address = address
        self._moved = moved
        self._byte = bytearray(1)
        buffer = bytearray(6 * DEPTH)
        self._parts = [memoryview(buffer)[: 6 * count] for count in range(DEPTH + 1)]
        self._buffer = buffer

    def _ask(self, register: int) -> int:
        self._i2c.readfrom_mem_into(self._address, register, self._byte)
        return self._byte[0]

    def start(self) -> None:
        if self._ask(_WHO_AM_I) != 0x33:
            raise OSError(19)  # ENODEV
        for at in range(0, len(_SETUP), 2):
            self._byte[0] = _SETUP[at + 1]
            self._i2c.writeto_mem(self._address, _SETUP[at], self._byte)

    def read(self, samples) -> int:
        # Fills an array of 16-bit integers with x, y, z in mg, the oldest first; gives how many triplets. 0: at rest.
        if not self._moved():
            return 0
        self._ask(_INT1_SRC)  # lets the latch go
        source = self._ask(_FIFO_SRC)
        count = DEPTH if source & 0x40 else source & 31  # overrun: all 32 places are full, and the count stays at 31
        if count:
            buffer = self._buffer
            self._i2c.readfrom_mem_into(self._address, _OUT_X, self._parts[count])
            for i in range(3 * count):
                raw = buffer[2 * i + 1] << 8 | buffer[2 * i]  # left-justified, two's complement
                samples[i] = ((raw - 0x10000 if raw & 0x8000 else raw) >> 4) * _MG
        return count
