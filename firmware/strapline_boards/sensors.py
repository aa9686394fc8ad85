# What the sampler reads, and the chips behind it. A chip that is silent becomes a bit of `faults`, and its last value stays.
from strapline_boards import max17048, max30205
from strapline_boards.lis3dh import Accelerometer
from strapline_wire.compat import const

_FAULT_SKIN = const(2)
_FAULT_AMBIENT = const(4)
_FAULT_MOTION = const(8)
_FAULT_GAUGE = const(256)

_SKIN = const(0x48)  # the address; ambient is the one behind it
_FULL_SCALE = const(65535)
_OPEN_OHM = const(1000000)
_EARLY_MS = const(70)  # a conversion, and some patience


class Sensors:
    moved = True  # the driver looks at the chip's pin itself

    # machine: the module; parts: drivers that know of themselves that they have failed.
    def __init__(self, board, machine, i2c, parts, config):
        pin = machine.Pin
        self._i2c = i2c
        self._config = config
        self._strap = machine.ADC(pin(board.STRAP_ADC))
        self._pull_up_ohm = board.STRAP_PULL_UP_OHM
        # Low: the charger charges, the case is closed, water bridges the contacts.
        self._charging = pin(board.CHARGING, pin.IN, pin.PULL_UP)
        self._case = pin(board.CASE, pin.IN, pin.PULL_UP)
        self._water = pin(board.WATER, pin.IN, pin.PULL_UP)
        self._motion = Accelerometer(i2c, 0x18, pin(board.MOVED, pin.IN))
        self._parts = parts
        self._chip_faults = _FAULT_MOTION  # to be set up
        self.skin_centi_c = 3300
        self.ambient_centi_c = 2200
        self.battery_percent = 100
        self.battery_mv = 0
        self.due = config.skin_sample_ms - _EARLY_MS
        self._converting = False
        self._read_battery()
        self._set_up()
        self.sample(0)

    def sample(self, now: int) -> None:
        # All that costs little, each time; the temperatures when a conversion has been made.
        level = self._strap.read_u16()  # the loop is the lower half of a divider
        above = _FULL_SCALE - level
        self.strap_ohm = min(level * self._pull_up_ohm // above, _OPEN_OHM) if above else _OPEN_OHM
        self.charging = 1 - self._charging()
        self.case_open = self._case()
        self.immersed = 1 - self._water()
        if self._converting:
            self._converting = False
            self.due = now + self._config.skin_sample_ms - _EARLY_MS
            self.skin_centi_c = self._try(_FAULT_SKIN, max30205.read, _SKIN, self.skin_centi_c)
            self.ambient_centi_c = self._try(_FAULT_AMBIENT, max30205.read, _SKIN + 1, self.ambient_centi_c)
            self._read_battery()
        self.jam = self._parts[1].jam
        self.cell_dbm = self._parts[2].cell_dbm
        bits = self._chip_faults
        for part in self._parts:
            if part.failed:
                bits |= part.fault
        self.faults = bits

    def _try(self, bit: int, call, address: int, otherwise):
        # What the chip gives. One whose conversion did not begin is not asked for it.
        if self._chip_faults & bit:
            return otherwise
        try:
            return call(self._i2c, address)
        except OSError:
            self._chip_faults |= bit
            return otherwise

    def _read_battery(self) -> None:
        self._chip_faults &= ~_FAULT_GAUGE
        charge = self._try(_FAULT_GAUGE, max17048.read, 0x36, None)
        if charge:
            self.battery_percent, self.battery_mv = charge
        else:
            self.battery_mv = 0  # nobody measures it

    def handle_timer(self, now: int) -> None:
        # Conversions begin, and what fell silent is tried again.
        self.due = now + self._config.skin_sample_ms
        self._converting = True
        self._chip_faults &= ~(_FAULT_SKIN | _FAULT_AMBIENT)
        self._try(_FAULT_SKIN, max30205.start, _SKIN, None)
        self._try(_FAULT_AMBIENT, max30205.start, _SKIN + 1, None)
        self._set_up()

    def _set_up(self) -> None:
        if self._chip_faults & _FAULT_MOTION:
            try:
                self._motion.start()
                self._chip_faults &= ~_FAULT_MOTION
            except OSError:
                pass

    def read_motion(self, samples) -> int:
        if not self._chip_faults & _FAULT_MOTION:
            try:
                return self._motion.read(samples)
            except OSError:
                self._chip_faults |= _FAULT_MOTION
        return 0
