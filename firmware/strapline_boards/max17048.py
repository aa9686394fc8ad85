# MAX17048 fuel gauge, Maxim 19-6171 Rev 7: "Register Summary". It follows the cell's charge by a model of the cell, because the voltage
# alone sags with cold and load.


def read(i2c, address: int) -> tuple:
    # (percent, millivolt); address: 0x36; OSError where the chip is silent.
    high, low, percent, part = i2c.readfrom_mem(address, 2, 4)
    return min(percent + (part >> 7), 100), (high << 8 | low) * 5 >> 6  # SOC: 1/256 %; VCELL: 78.125 µV a bit
