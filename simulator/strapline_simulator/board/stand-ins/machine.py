# MicroPython's documented `machine` for the virtual board: docs.micropython.org, library/machine. What is not there was not needed.
from struct import pack

import silicon

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
SOFT_RESET = 5


class Pin:
    IN = 0
    OUT = 1
    OPEN_DRAIN = 2
    PULL_UP = 1
    PULL_DOWN = 2
    IRQ_RISING = 1
    IRQ_FALLING = 2

    def __init__(self, ident, mode=-1, pull=-1, *, value=None):
        self._ident = ident
        self._handler = None
        self._trigger = 0
        if mode == Pin.OUT or mode == Pin.OPEN_DRAIN:
            self.value(value or 0)

    def value(self, level=None):
        if level is None:
            return silicon.ask(0x72, bytes((self._ident,)))[0]
        silicon.ask(0x70, bytes((self._ident, 1 if level else 0)))
        return None

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def irq(self, handler=None, trigger=3, *, hard=False):
        self._handler = handler
        self._trigger = trigger
        silicon.on_pin(self._ident, self._edge)
        silicon.ask(0x69, bytes((self._ident, trigger if handler else 0)))

    def _edge(self, level):
        if self._handler and self._trigger & (Pin.IRQ_RISING if level else Pin.IRQ_FALLING):
            self._handler(self)


class ADC:
    def __init__(self, pin):
        self._ident = bytes((pin._ident if isinstance(pin, Pin) else pin,))

    def read_u16(self):
        answer = silicon.ask(0x61, self._ident)
        return answer[0] | answer[1] << 8


class I2C:
    def __init__(self, ident, *, scl=None, sda=None, freq=400000, timeout=50000):
        self._ident = ident

    def _transfer(self, address, data, size):
        # A write, a repeated start and a read; ENODEV (19) or EIO (5) where nobody acknowledges, as the port has it.
        return silicon.ask(0x63, bytes((self._ident, address)) + pack("<H", size) + bytes(data))

    def scan(self):
        found = []
        for address in range(8, 0x78):
            try:
                self._transfer(address, b"", 0)
            except OSError:
                continue
            found.append(address)
        return found

    def writeto(self, address, data, stop=True):
        self._transfer(address, data, 0)
        return len(data)

    def readfrom(self, address, size, stop=True):
        return self._transfer(address, b"", size)

    def writeto_mem(self, address, register, data, *, addrsize=8):
        self._transfer(address, register.to_bytes(addrsize // 8, "big") + bytes(data), 0)

    def readfrom_mem(self, address, register, size, *, addrsize=8):
        return self._transfer(address, register.to_bytes(addrsize // 8, "big"), size)

    def readfrom_mem_into(self, address, register, buffer, *, addrsize=8):
        buffer[:] = self._transfer(address, register.to_bytes(addrsize // 8, "big"), len(buffer))


class UART:
    def __init__(self, ident, baudrate=9600, *, tx=None, rx=None, rxbuf=256, timeout=0):
        self._ident = ident
        self._size = rxbuf
        self._held = b""
        silicon.on_uart(ident, self._came)

    def _came(self, data):
        self._held = (self._held + data)[: self._size]  # what finds no room is lost

    def any(self):
        return len(self._held)

    def read(self, size=-1):
        if not self._held:
            return None
        size = len(self._held) if size < 0 else size
        data, self._held = self._held[:size], self._held[size:]
        return data

    def readinto(self, buffer, size=-1):
        data = self.read(len(buffer) if size < 0 else size)
        if data is None:
            return None
        buffer[: len(data)] = data
        return len(data)

    def write(self, data):
        silicon.ask(0x75, bytes((self._ident,)) + bytes(data))
        return len(data)

    def ioctl(self, request, argument):
        return argument & 1 if request == 3 and self._held else 0


class PWM:
    def __init__(self, pin, *, freq=1000, duty_u16=0):
        self._ident = pin._ident
        self.duty_u16(duty_u16)

    def duty_u16(self, duty):
        silicon.ask(0x71, bytes((self._ident,)) + pack("<H", duty))

    def deinit(self):
        self.duty_u16(0)


class WDT:
    def __init__(self, id=0, timeout=5000):
        silicon.ask(0x77, pack("<I", timeout))

    def feed(self):
        silicon.ask(0x77)


class RTC:
    # Set by nobody, it counts from its epoch.
    def datetime(self):
        return (2000, 1, 1, 5, 0, 0, silicon.now // 1000, 0)


class Timer:
    # Virtual timers need their own place in `sleep`; the product has none.
    def __init__(self, *_, **__):
        raise NotImplementedError


def unique_id():
    return b"\x7a\x90\x00\x01virt"


def reset():
    silicon.ask(0x78)


def reset_cause():
    return silicon.ask(0x7A)[0]


def lightsleep(time_ms=None):
    silicon.sleep(None if time_ms is None else silicon.now + time_ms)


def idle():
    silicon.sleep(silicon.now + 1)


def disable_irq():
    return 0  # interrupts run in sleeps alone


def enable_irq(state):
    pass


def freq():
    return 64000000
