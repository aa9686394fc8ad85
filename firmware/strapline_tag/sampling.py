# When each sensor is read. The product's main loop and every simulated body share it, so that both read at the same moments.
# Most seconds are like the one before. What a part has said that it does not count (a strap's band, closed contacts, a limb that does not
# move) is read, and nobody is called for it.
from array import array

from strapline_wire.compat import const

_BATTERY_MS = const(60000)
_SECOND_MS = const(1000)
_FIFO = const(96)  # 32 triplets: as many as the LIS3DH's FIFO holds (its data sheet), more than a second at 25 Hz


class Sampler:
    # `sensors` has as attributes or properties what `SENSORS` in bench.py names, and read_motion(samples): it fills an array of 16-bit
    # integers with x, y, z in mg, oldest first, at most 32 triplets, and gives their number; 0 while nothing has woken the chip.
    def __init__(self, tag, sensors, config, now: int):
        self._tag = tag
        self._sensors = sensors
        self._config = config
        self._motion = array("h", bytes(2 * _FIFO))
        self._strap = tag.strap
        self._housing = tag.housing
        self._movement = tag.motion
        self._strap_at = self._second_at = self._skin_at = self._battery_at = self.due = now

    def handle_timer(self, now: int) -> None:
        tag = self._tag
        sensors = self._sensors
        if now >= self._battery_at:
            self._battery_at = now + _BATTERY_MS
            tag.feed_faults(now, sensors.faults)
            tag.feed_battery(now, sensors.battery_percent, sensors.battery_mv)
        if now >= self._strap_at:
            self._strap_at = now + self._config.strap_sample_ms
            ohm = sensors.strap_ohm
            if self._strap.calm_low <= ohm <= self._strap.calm_high:
                tag.strap_ohm = ohm
            else:
                tag.feed_strap(now, ohm)
        if now >= self._second_at:
            self._second_at = now + _SECOND_MS
            if sensors.case_open or sensors.charging or sensors.immersed or self._housing.calm:
                tag.feed_housing(now, sensors.case_open, sensors.charging, sensors.immersed)
            count = sensors.read_motion(self._motion)
            if count or now >= self._movement.due or tag.faults:
                tag.feed_motion(now, self._motion, count)
        if now >= self._skin_at:
            self._skin_at = now + self._config.skin_sample_ms
            tag.feed_skin(now, sensors.skin_centi_c, sensors.ambient_centi_c)
            tag.feed_radio(now, sensors.jam, sensors.cell_dbm)
        due = self._second_at if self._second_at < self._strap_at else self._strap_at
        if self._skin_at < due:
            due = self._skin_at
        self.due = due if due < self._battery_at else self._battery_at
