"""Where the wearer is. The tag is told none of this; its receiver is."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Literal, NamedTuple

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


_STANDS_BELOW_M_S = 0.4
_RUNS_FROM_M_S = 2.2
"""Where people change from walking to running, about 2 m/s (F. J. Diedrich, W. H. Warren, "Why change gaits?", 1995)."""

_RIDES_FROM_M_S = 5.0
"""Faster than people run for long."""

Manner = Literal["foot", "ride", "track"]


class Itinerary:
    """A path of straight, even journeys between places and of recorded tracks; still in between."""

    def __init__(self, start: Place) -> None:
        here = Point(start.lat_deg, start.lon_deg)
        self._times = [0.0]
        self._points = [here]
        self._manners: list[Manner] = ["foot"]

    def speed_m_s(self, t_s: float) -> float:
        """How fast the wearer goes then."""
        return distance_m(self.at(t_s), self.at(t_s + 1))

    def go(self, now: float, to: Place, duration_s: float, manner: Manner = "foot") -> None:
        """Leave for a place now and be there after `duration_s`. A journey that was under way ends here."""
        self._go_on(now, [(duration_s, Point(to.lat_deg, to.lon_deg))], manner)

    def follow(self, now: float, points: Sequence[tuple[float, Point]]) -> None:
        """Be where a track was: its points are seconds from now on, rising. A journey that was under way ends here."""
        self._go_on(now, points, "track")

    def _go_on(self, now: float, points: Sequence[tuple[float, Point]], manner: Manner) -> None:
        here = self.at(now)
        keep = bisect_right(self._times, now)
        self._times = [*self._times[:keep], now, *(now + t_s for t_s, _ in points)]
        self._points = [*self._points[:keep], here, *(point for _, point in points)]
        self._manners = [*self._manners[:keep], manner, *(manner for _ in points)]

    def under_way(self, t_s: float) -> bool:
        """Whether a journey is going on."""
        return self.gait(t_s) is not None

    def gait(self, t_s: float) -> Literal["walk", "run", "ride"] | None:
        """How the wearer moves then: as the journey says, and on a track by its speed."""
        i = bisect_right(self._times, t_s)
        if i >= len(self._times) or self._points[i] == self._points[i - 1]:
            return None
        if self._manners[i] != "track":
            return "walk" if self._manners[i] == "foot" else "ride"
        speed = self.speed_m_s(t_s)
        if speed < _STANDS_BELOW_M_S:
            return None
        return "walk" if speed < _RUNS_FROM_M_S else "run" if speed < _RIDES_FROM_M_S else "ride"

    def at(self, t_s: float) -> Point:
        i = bisect_right(self._times, t_s)
        if i >= len(self._times):
            return self._points[-1]
        span = self._times[i] - self._times[i - 1]
        share = (t_s - self._times[i - 1]) / span
        a, b = self._points[i - 1], self._points[i]
        return Point(a.lat_deg + share * (b.lat_deg - a.lat_deg), a.lon_deg + share * (b.lon_deg - a.lon_deg))
