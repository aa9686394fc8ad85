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
    # integers with x, y, z in mg, oldest first, at most 32 triplets, and gives their number; 0 while nothing has woken the chip, and where
    # that is known it need not be asked: `moved` is false. Before each reading its `now` is set.
    def __init__(self, tag, sensors, config, now: int):
        self._tag = tag
        self._sensors = sensors
        self._config = config
        self._motion = array("h", bytes(2 * _FIFO))
        self._strap_at = self._second_at = self._skin_at = self._battery_at = self.due = now

    def handle_timer(self, now: int) -> None:
        self.run(now, now + 1)

    def run(self, now: int, until: int) -> int:
        # Reads at `now`, and on where time is virtual: whatever is due before `until`, up to a reading that the tag is stale by. Gives the
        # moment of the last one.
        tag = self._tag
        sensors = self._sensors
        strap = tag.strap
        housing = tag.housing
        movement = tag.motion
        strap_ms = self._config.strap_sample_ms
        strap_at = self._strap_at
        second_at = self._second_at
        skin_at = self._skin_at
        battery_at = self._battery_at
        low = strap.calm_low
        high = strap.calm_high
        even = strap_at == second_at and strap_ms == _SECOND_MS
        due = now
        while True:
            if even and due == second_at and not (housing.calm or tag.faults or tag.stale):
                # Second by second, as long as each reads like the one before, and nothing else is due.
                rest_at = skin_at if skin_at < battery_at else battery_at
                end = rest_at if rest_at < until else until
                if movement.due < end:
                    end = movement.due
                while due < end:
                    sensors.now = due
                    if sensors.moved or sensors.case_open or sensors.charging or sensors.immersed:
                        break
                    # The strap last: its reading costs current, and a board, whose `moved` always holds, must not make it twice.
                    ohm = sensors.strap_ohm
                    if ohm < low or ohm > high:
                        break
                    due += _SECOND_MS
                if due > second_at:
                    now = due - _SECOND_MS
                    strap_at = second_at = due
                    tag.strap_ohm = ohm
                    if rest_at < due:
                        due = rest_at
                    if due >= until:
                        break
            sensors.now = now = due
            if now >= battery_at:
                battery_at = now + _BATTERY_MS
                tag.feed_faults(now, sensors.faults)
                tag.feed_battery(now, sensors.battery_percent, sensors.battery_mv)
            if now >= strap_at:
                strap_at = now + strap_ms
                ohm = sensors.strap_ohm
                if low <= ohm <= high:
                    tag.strap_ohm = ohm
                else:
                    tag.feed_strap(now, ohm)
                    low = strap.calm_low
                    high = strap.calm_high
            if now >= second_at:
                second_at = now + _SECOND_MS
                if sensors.case_open or sensors.charging or sensors.immersed or housing.calm:
                    tag.feed_housing(now, sensors.case_open, sensors.charging, sensors.immersed)
                samples = self._motion
                count = sensors.read_motion(samples) if sensors.moved else 0
                if count or now >= movement.due or tag.faults:
                    tag.feed_motion(now, samples, count)
            if now >= skin_at:
                skin_at = now + self._config.skin_sample_ms
                tag.feed_skin(now, sensors.skin_centi_c, sensors.ambient_centi_c)
                cell_dbm = sensors.cell_dbm
                if cell_dbm != tag.sky.calm_dbm or now >= tag.sky.due:
                    tag.feed_radio(now, sensors.jam, cell_dbm)
            due = second_at if second_at < strap_at else strap_at
            if skin_at < due:
                due = skin_at
            if battery_at < due:
                due = battery_at
            if due >= until or tag.stale:
                break
        self._strap_at = strap_at
        self._second_at = second_at
        self._skin_at = skin_at
        self._battery_at = battery_at
        self.due = due
        return now
