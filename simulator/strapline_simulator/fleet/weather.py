"""How warm it is outside: a sine over the year and one over the day, and each day's own deviation.

Germany 1991-2020: 0.9 °C in January, 18.3 °C in July, 9.3 °C in the mean (Deutscher Wetterdienst, long-term means). The day's swing and
the deviation of days are assumptions.
"""

import math
from random import Random

_MEAN_C, _YEAR_C, _DAY_C, _SPREAD_C = 9.3, 8.7, 4.0, 4.0
_COLDEST_DAY = 16
"""Of the year."""


def outside_c(day_of_year: float, hour: float, random: Random) -> float:
    """One draw each time: call it once for a stay outside."""
    year = -math.cos(2 * math.pi * (day_of_year - _COLDEST_DAY) / 365.25)
    day = -math.cos(2 * math.pi * (hour - 4) / 24)
    return round(_MEAN_C + _YEAR_C * year + _DAY_C * day + random.gauss(0, _SPREAD_C), 1)
