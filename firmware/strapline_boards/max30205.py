# MAX30205 thermometer, Maxim 19-8505 Rev 0: "Register Map" for the numbers. It rests until it is asked for one conversion.
from strapline_wire.compat import const

_CONFIGURATION = const(1)
_ONE_SHOT = b"\x81"  # ONE-SHOT and SHUTDOWN: one conversion, then 3.5 µA instead of 925


class Thermometer:
    # address: 0x48 with A2, A1, A0 to ground, 0x49 with A0 to the supply. Each call raises OSError where the chip is silent.
    def __init__(self, i2c, address: int):
        self._i2c = i2c
        self._address = address
        self._buffer = bytearray(2)

    def start(self) -> None:
        self._i2c.writeto_mem(self._address, _CONFIGURATION, _ONE_SHOT)

    def read(self) -> int:
        # Centi °C of the last conversion, which takes 44 ms, 50 at most ("Electrical Characteristics"): before, the register has
        # what was there.
        buffer = self._buffer
        self._i2c.readfrom_mem_into(self._address, 0, buffer)
        raw = buffer[0] << 8 | buffer[1]
        if raw & 0x8000:
            raw -= 0x10000
        return (raw * 100 + 128) >> 8  # 1/256 °C
