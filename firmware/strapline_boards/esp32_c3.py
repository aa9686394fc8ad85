# ESP32-C3-MINI-1, MicroPython 1.29 with MICROPY_PY_BLUETOOTH_ENABLE_HCI_CMD=1 (docs/boards.md). Untried on hardware. It has 15 pins: no
# motor. GPIO 2, 8 and 9 are read at reset, so 2 and 9 carry what rests high (a UART's output, an open drain).


class Board:
    NAME = "esp32-c3"
    STRAP_ADC = 0  # ADC1: ADC2 is of no use beside the radio
    STRAP_EDGE = 3
    STRAP_PULL_UP_OHM = 10000
    I2C = 0
    SDA = 4
    SCL = 5
    MOVED = 10
    KEY = 9
    GNSS_UART = 0  # the console is on USB, which a product build has not
    GNSS_TX = 21
    GNSS_RX = 20
    GNSS_BAUD = 9600
    MODEM_UART = 1
    MODEM_TX = 2
    MODEM_RX = 7
    MODEM_KEY = 18
    CHARGING = 8
    CASE = 19
    WATER = 6
    BUTTON = 1
    MOTOR = None
    WATCHDOG_MS = 8000

    @staticmethod
    def journal(size: int):
        from esp32 import Partition

        return Partition.find(Partition.TYPE_DATA, label="journal")[0]
