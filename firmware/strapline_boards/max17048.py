# MAX17048 fuel gauge, Maxim 19-6171 Rev 7: "Register Summary". It follows the cell's charge by a model of the cell, because the voltage
# alone sags with cold and load.
from strapline_wire.compat import const

_ADDRESS = const(0x36)
_VCELL = const(2)


class Gauge:
    # Calls raise OSError where the chip is silent.
    def __init__(self, i2c):
        self._i2c = i2c
        self._buffer = bytearray(4)
        self.percent = 100
        self.milli_v = 0  # nobody has measured it

    def read(self) -> None:
        buffer = self._buffer
        self._i2c.readfrom_mem_into(_ADDRESS, _VCELL, buffer)
        self.milli_v = (buffer[0] << 8 | buffer[1]) * 5 >> 6  # 78.125 µV a bit
        self.percent = min(buffer[2] + (buffer[3] >> 7), 100)  # SOC: 1/256 %
