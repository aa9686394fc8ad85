# What the sampler reads, and the chips behind it. A chip that is silent becomes a bit of `faults`, and its last value stays.
from strapline_boards.deadlines import NEVER
from strapline_boards.lis3dh import Accelerometer
from strapline_boards.max17048 import Gauge
from strapline_boards.max30205 import Thermometer
from strapline_wire.compat import const

_FAULT_STRAP = const(1)
_FAULT_SKIN = const(2)
_FAULT_AMBIENT = const(4)
_FAULT_MOTION = const(8)
_FAULT_GAUGE = const(256)

_FULL_SCALE = const(65535)
_OPEN_OHM = const(1000000)
_EARLY_MS = const(70)  # a conversion, and some patience
_REPAIR_MS = const(60000)  # how often a chip that fell silent is set up anew


class Sensors:
    # machine: the module; parts: drivers that know of themselves that they have failed.
    def __init__(self, board, machine, i2c, parts):
        pin = machine.Pin
        self._strap = machine.ADC(pin(board.STRAP_ADC))
        self._pull_up_ohm = board.STRAP_PULL_UP_OHM
        self._charging = pin(board.CHARGING, pin.IN, pin.PULL_UP)  # the charger pulls it low
        self._case = pin(board.CASE, pin.IN, pin.PULL_UP)  # closed it is low
        self._water = pin(board.WATER, pin.IN, pin.PULL_UP)  # water bridges it to ground
        self._thermometers = Thermometer(i2c, 0x48), Thermometer(i2c, 0x49)
        self._gauge = Gauge(i2c)
        self._motion = Accelerometer(i2c, 0x18, pin(board.MOVED, pin.IN))
        self._parts = parts
        self._faults = 0
        self._values = [3300, 2200]
        self._measured = False  # a conversion has begun
        self.config = None
        self._repair_at = 0
        self.now = 0
        self.due = NEVER
        self._try(_FAULT_MOTION, self._motion.start)

    def _try(self, bit: int, call):
        try:
            value = call()
        except OSError:
            self._faults |= bit
            return None
        self._faults &= ~bit
        return value

    def handle_timer(self, now: int) -> None:
        self.due = NEVER
        self._measured = True
        self._try(_FAULT_SKIN, self._thermometers[0].start)
        self._try(_FAULT_AMBIENT, self._thermometers[1].start)

    def _temperature(self, which: int) -> int:
        # The next is asked for as long after this one: its conversion ends just before.
        if not which:
            self.due = self.now + self.config.skin_sample_ms - _EARLY_MS
        bit = _FAULT_SKIN << which
        if self._measured and not self._faults & bit:
            value = self._try(bit, self._thermometers[which].read)
            if value is not None:
                self._values[which] = value
        return self._values[which]

    @property
    def skin_centi_c(self) -> int:
        return self._temperature(0)

    @property
    def ambient_centi_c(self) -> int:
        return self._temperature(1)

    @property
    def strap_ohm(self) -> int:
        # The loop is the lower half of a divider.
        level = self._strap.read_u16()
        above = _FULL_SCALE - level
        return min(level * self._pull_up_ohm // above, _OPEN_OHM) if above else _OPEN_OHM

    # Percent is asked for before millivolt.

    @property
    def battery_percent(self) -> int:
        self._try(_FAULT_GAUGE, self._gauge.read)
        return self._gauge.percent

    @property
    def battery_mv(self) -> int:
        return 0 if self._faults & _FAULT_GAUGE else self._gauge.milli_v

    @property
    def charging(self) -> int:
        return 1 - self._charging()

    @property
    def case_open(self) -> int:
        return self._case()

    @property
    def immersed(self) -> int:
        return 1 - self._water()

    @property
    def faults(self) -> int:
        bits = self._faults
        for part in self._parts:
            if part.failed:
                bits |= part.fault
        return bits

    def read_motion(self, samples) -> int:
        if self._faults & _FAULT_MOTION:
            if self.now >= self._repair_at:
                self._repair_at = self.now + _REPAIR_MS
                self._try(_FAULT_MOTION, self._motion.start)
            return 0
        try:
            return self._motion.read(samples)
        except OSError:
            self._faults |= _FAULT_MOTION
            return 0
