"""Where a wearer is: legs between points, straight and even, entered as the life goes on."""

from math import cos, hypot, radians

_METRE_DEG = 1 / 111320


class Path:
    """Times are seconds of the home's time and only go forward."""

    __slots__ = ("_legs", "_pace_m_s", "_scale", "here", "home", "since_s", "until_s")

    def __init__(self, home: tuple[float, float]) -> None:
        self.home = home
        self._scale = cos(radians(home[0]))
        self._legs: list[tuple[float, float, float]] = []
        """What is still to come: when the wearer is where."""
        self._pace_m_s: float | None = None
        """Of the leg that goes on, once it was asked for."""
        self.here = home
        self.since_s = self.until_s = 0.0

    def go(self, now_s: float, to: tuple[float, float], duration_s: float) -> None:
        """Leave now, and be there after so long. What was under way ends here."""
        self.follow(now_s, ((duration_s, *to),))

    def follow(self, now_s: float, track: tuple[tuple[float, float, float], ...]) -> None:
        """A recorded piece: seconds from now, latitude, longitude."""
        self.here = self.at(now_s)
        self.since_s = now_s
        self._legs = [(now_s + t_s, lat, lon) for t_s, lat, lon in track]
        self._pace_m_s = None
        self.until_s = self._legs[-1][0] if self._legs else now_s

    def at(self, now_s: float) -> tuple[float, float]:
        legs = self._legs
        while legs:
            arrives_s, lat, lon = legs[0]
            if now_s < arrives_s:
                share = (now_s - self.since_s) / (arrives_s - self.since_s)
                a_lat, a_lon = self.here
                return a_lat + share * (lat - a_lat), a_lon + share * (lon - a_lon)
            self.here, self.since_s, self._pace_m_s = (lat, lon), arrives_s, None
            del legs[0]
        return self.here

    def is_under_way(self, now_s: float) -> bool:
        return now_s < self.until_s

    def speed_m_s(self, now_s: float) -> float:
        """Of the leg that goes on; none where nobody goes."""
        if self._legs and now_s >= self._legs[0][0]:
            self.at(now_s)
        if not self._legs:
            return 0.0
        if self._pace_m_s is None:
            arrives_s, lat, lon = self._legs[0]
            self._pace_m_s = self._metres(self.here, (lat, lon)) / max(arrives_s - self.since_s, 0.001)
        return self._pace_m_s

    @property
    def leg_until_s(self) -> float:
        """When the wearer is where this leg leads; of the moment that `at` was asked for last."""
        return self._legs[0][0] if self._legs else self.until_s

    def comes_near_s(self, now_s: float, metres: float, step_s: float = 10.0) -> float:
        """The last moment on this leg, to the step, at which the wearer is still sure to be further from home than so many metres."""
        until_s, at_s, legs = self.leg_until_s, now_s, self._legs
        if at_s >= until_s or not legs:
            return until_s
        span_s, to = until_s - self.since_s, legs[0][1:]
        step_m = self._metres(self.here, to) / span_s * step_s
        while at_s < until_s:
            share = (min(at_s + step_s, until_s) - self.since_s) / span_s
            lat = self.here[0] + share * (to[0] - self.here[0])
            lon = self.here[1] + share * (to[1] - self.here[1])
            beyond_m = self._metres((lat, lon), self.home) - metres
            if beyond_m <= 0:
                return at_s
            # So many steps do not lead there, whatever their direction; one fewer, for what is rounded off.
            at_s += max(1, int(beyond_m / step_m) - 1 if step_m else 1) * step_s
        return until_s

    def from_home_m(self, now_s: float) -> float:
        return self._metres(self.at(now_s), self.home)

    def _metres(self, a: tuple[float, float], b: tuple[float, float]) -> float:
        # Flat: of two places in one town that is right to the metre.
        return hypot(a[0] - b[0], (a[1] - b[1]) * self._scale) / _METRE_DEG
