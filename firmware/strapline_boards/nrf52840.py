# nRF52840 (Nordic's DK, or any module with its pins), MicroPython 1.29 from its nrf port. Stock builds lack `cryptolib` and rotate no
# address: docs/boards.md says which build it needs. Untried, the build included. Pins are P0.x, 32 + x for P1.x.
from strapline_wire.compat import const

_JOURNAL_AT = const(0xE0000)  # above the file system, below the boot loader's settings


class Board:
    NAME = "nrf52840"
    STRAP_ADC = 2  # AIN0
    STRAP_EDGE = 3
    STRAP_PULL_UP_OHM = 10000
    I2C = 0
    SDA = 26
    SCL = 27
    MOVED = 28
    KEY = 29
    GNSS_UART = 0
    GNSS_TX = 6
    GNSS_RX = 8
    GNSS_BAUD = 9600
    MODEM_UART = 1
    MODEM_TX = 33
    MODEM_RX = 34
    MODEM_KEY = 35
    CHARGING = 11
    CASE = 12
    WATER = 24
    BUTTON = 25
    MOTOR = 13
    WATCHDOG_MS = 8000

    @staticmethod
    def journal(size: int):
        from nrf import Flash

        return Flash(start=_JOURNAL_AT, len=size)
