"""One lithium-ion cell: what is left of it, and the voltage that the tag measures. Not its ageing."""

from bisect import bisect_right

_CURVE_MV = (
    (0.0, 3000),
    (3.0, 3380),
    (10.0, 3530),
    (20.0, 3620),
    (40.0, 3710),
    (60.0, 3830),
    (80.0, 3980),
    (100.0, 4180),
)
"""Open-circuit voltage over the state of charge at 25 °C: the usual shape of a lithium-cobalt pouch cell."""

_PERCENTS = tuple(percent for percent, _ in _CURVE_MV)

_LOAD_MA = 30.0
"""Between bursts: receiver or modem idle, processor awake."""

_WARM_C = 25.0
_OHM_WARM = 0.25
_OHM_DOUBLES_EACH_C = 15.0
"""A pouch cell of 1,000 mAh; inner resistance about doubles with each 15 °C below 25 °C."""


def milli_volts(percent: float, temperature_c: float, load_ma: float = _LOAD_MA) -> int:
    """The voltage under load; the cold makes it sag."""
    at = min(max(bisect_right(_PERCENTS, percent), 1), len(_CURVE_MV) - 1)
    (low, low_mv), (high, high_mv) = _CURVE_MV[at - 1], _CURVE_MV[at]
    open_mv = low_mv + (min(max(percent, low), high) - low) / (high - low) * (high_mv - low_mv)
    ohm = _OHM_WARM
    if temperature_c < _WARM_C:
        ohm *= 2 ** ((_WARM_C - temperature_c) / _OHM_DOUBLES_EACH_C)
    return round(open_mv - ohm * load_ma)


def percent_at(milli_v: int, temperature_c: float = 25.0, load_ma: float = _LOAD_MA) -> int:
    """The charge that a gauge reckons from this voltage under load, where it is told how warm the cell is."""
    volts = [milli_volts(percent, temperature_c, load_ma) for percent in range(101)]
    return min(range(101), key=lambda percent: abs(volts[percent] - milli_v))


class Cell:
    """A cell that is drained and charged evenly; `percent` per hour, negative while it is charged."""

    def __init__(self, percent: float = 100.0, drain_per_h: float = 0.0) -> None:
        self._percent = percent
        self._since = 0.0
        self.drain_per_h = drain_per_h

    def set(self, now: float, percent: float | None = None, drain_per_h: float | None = None) -> None:
        """From `now` (s) on: the charge, and how fast it changes."""
        self._percent = self.percent(now) if percent is None else percent
        self._since = now
        if drain_per_h is not None:
            self.drain_per_h = drain_per_h

    def percent(self, now: float) -> float:
        return min(100.0, max(0.0, self._percent - self.drain_per_h * (now - self._since) / 3600))
