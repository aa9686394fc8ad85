"""Where the wearer is. The tag is told none of this; its receiver is."""

import math
from bisect import bisect_right
from typing import NamedTuple

from strapline_simulator.scenario import Place

EARTH_RADIUS_M = 6371008.8
"""Mean radius, IUGG."""


class Point(NamedTuple):
    """A position, WGS 84, degrees."""

    lat_deg: float
    lon_deg: float


def distance_m(a: Point, b: Point) -> float:
    """Great-circle distance (haversine)."""
    lat_a, lat_b = math.radians(a.lat_deg), math.radians(b.lat_deg)
    half_lat, half_lon = (lat_b - lat_a) / 2, math.radians(b.lon_deg - a.lon_deg) / 2
    chord = math.sin(half_lat) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin(half_lon) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(chord))


class Itinerary:
    """A path of straight, even journeys between places; still in between."""

    def __init__(self, start: Place) -> None:
        here = Point(start.lat_deg, start.lon_deg)
        self._times = [0.0]
        self._points = [here]

    def speed_m_s(self, t_s: float) -> float:
        """How fast the wearer goes then."""
        return distance_m(self.at(t_s), self.at(t_s + 1))

    def go(self, now: float, to: Place, duration_s: float) -> None:
        """Leave for a place now and be there after `duration_s`. A journey that was under way ends here."""
        here = self.at(now)
        keep = bisect_right(self._times, now)
        self._times = [*self._times[:keep], now, now + duration_s]
        self._points = [*self._points[:keep], here, Point(to.lat_deg, to.lon_deg)]

    def under_way(self, t_s: float) -> bool:
        """Whether a journey is going on."""
        i = bisect_right(self._times, t_s)
        return i < len(self._times) and self._points[i] != self._points[i - 1]

    def at(self, t_s: float) -> Point:
        i = bisect_right(self._times, t_s)
        if i >= len(self._times):
            return self._points[-1]
        span = self._times[i] - self._times[i - 1]
        share = (t_s - self._times[i - 1]) / span
        a, b = self._points[i - 1], self._points[i]
        return Point(a.lat_deg + share * (b.lat_deg - a.lat_deg), a.lon_deg + share * (b.lon_deg - a.lon_deg))
