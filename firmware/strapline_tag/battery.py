# What is left in the battery, and the ladder: low, critical, the last word. Each rung once and in this order, whatever leads there; again
# only after the charger has lifted the charge above it. By the gauge's charge, because a cold or loaded cell's voltage sags; but a voltage
# that stays near the end is the end, whatever the gauge says.
from strapline_wire import frames
from strapline_wire.compat import const

_HYSTERESIS = const(5)  # %
_SAGS = const(3)  # samples in a row, a minute apart: a modem's burst is over by then


class Battery:
    def __init__(self, config, situation, memory, tell):
        self._config = config
        self._situation = situation
        self._memory = memory
        self._tell = tell
        self.percent = 100
        self._rung = memory.get("battery", 0)  # a brown-out at the end must not climb down again and again
        self._sags = 0

    def sample(self, now: int, percent: int, milli_v: int) -> None:
        # milli_v: 0 where nobody measures it.
        self.percent = percent = max(0, min(percent, 100))
        config = self._config
        before = self._rung
        self._sags = self._sags + 1 if 0 < milli_v <= config.battery_last_mv else 0
        charging = self._situation.charging
        charge = percent - _HYSTERESIS if charging else percent
        rung = (
            3
            if charge <= config.battery_last_percent
            else 2
            if charge <= config.battery_critical_percent
            else int(charge <= config.battery_low_percent)
        )
        if charging:
            self._rung = min(before, rung)
        elif self._situation.armed:
            if self._sags >= _SAGS:
                rung = 3
            while self._rung < rung:
                self._rung += 1
                self._tell(frames.EVENT_BATTERY_LOW - 1 + self._rung, now, percent if self._rung < 3 else milli_v)
        if self._rung != before:
            self._memory.put("battery", self._rung)
