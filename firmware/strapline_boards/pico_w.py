# Raspberry Pi Pico W (RP2040, CYW43439), MicroPython 1.29 with MICROPY_PY_BLUETOOTH_ENABLE_HCI_CMD=1 (docs/boards.md). Untried on hardware.
# Pins are GPIO numbers of its data sheet.
from strapline_boards.pages import Pages
from strapline_wire.compat import const

_FLASH_BYTES = const(0x200000)  # of which the build leaves the last 64 KiB out of the file system


class Board:
    NAME = "pico-w"
    STRAP_ADC = 26
    STRAP_EDGE = 15  # the comparator's output: high while the loop is open
    STRAP_PULL_UP_OHM = 10000
    I2C = 0
    SDA = 4
    SCL = 5
    MOVED = 6  # LIS3DH INT1
    KEY = 7  # ST25DV GPO, open drain
    GNSS_UART = 0
    GNSS_TX = 0
    GNSS_RX = 1
    GNSS_BAUD = 9600  # what a MAX-M10S begins with
    MODEM_UART = 1
    MODEM_TX = 8
    MODEM_RX = 9
    MODEM_KEY = 10  # a transistor pulls PWRKEY to ground
    CHARGING = 11
    CASE = 12
    WATER = 13
    BUTTON = 14
    MOTOR = 16
    WATCHDOG_MS = 8000  # RP2040: 8,388 ms at most

    @staticmethod
    def journal(size: int):
        from rp2 import Flash

        return Pages(Flash(start=_FLASH_BYTES - size, len=size))
