# MAX30205 thermometer, Maxim 19-8505 Rev 0: "Register Map" for the numbers. It rests until it is asked for one conversion. Addresses: 0x48
# with A2, A1 and A0 to ground, 0x49 with A0 to the supply. OSError where the chip is silent.
_ONE_SHOT = b"\x81"  # configuration: ONE-SHOT and SHUTDOWN, so that it draws 3.5 µA after the conversion instead of 925


def start(i2c, address: int) -> None:
    i2c.writeto_mem(address, 1, _ONE_SHOT)


def read(i2c, address: int) -> int:
    # Centi °C of the last conversion, which takes 44 ms, 50 at most ("Electrical Characteristics"): before, the register has what was
    # there.
    high, low = i2c.readfrom_mem(address, 0, 2)
    raw = high << 8 | low
    if raw & 0x8000:
        raw -= 0x10000
    return (raw * 100 + 128) >> 8  # 1/256 °C
