# When each sensor is read. The product's main loop and every simulated body share it, so that both read at the same moments.
from strapline_wire.compat import const

_BATTERY_MS = const(60000)


class Sampler:
    # `sensors` has strap_ohm, skin_centi_c, ambient_centi_c and battery_percent as attributes or properties.
    def __init__(self, tag, sensors, config, now: int):
        self._tag = tag
        self._sensors = sensors
        self._strap_ms = config.strap_sample_ms
        self._skin_ms = config.skin_sample_ms
        self._strap_at = self._skin_at = self._battery_at = now

    def next_deadline(self) -> int:
        return min(self._strap_at, self._skin_at, self._battery_at)

    def handle_timer(self, now: int) -> None:
        sensors = self._sensors
        if now >= self._strap_at:
            self._strap_at = now + self._strap_ms
            self._tag.feed_strap(now, sensors.strap_ohm)
        if now >= self._skin_at:
            self._skin_at = now + self._skin_ms
            self._tag.feed_skin(now, sensors.skin_centi_c, sensors.ambient_centi_c)
        if now >= self._battery_at:
            self._battery_at = now + _BATTERY_MS
            self._tag.feed_battery(now, sensors.battery_percent)
