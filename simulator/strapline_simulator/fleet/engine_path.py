"""Where a wearer is: legs between points, straight and even, entered as the life goes on."""

from math import cos, hypot, radians

_METRE_DEG = 1 / 111320


class Path:
    """Times are seconds of the home's time and only go forward."""

    __slots__ = ("_legs", "_scale", "here", "home", "since_s", "until_s")

    def __init__(self, home: tuple[float, float]) -> None:
        self.home = home
        self._scale = cos(radians(home[0]))
        self._legs: list[tuple[float, float, float]] = []
        """What is still to come: when the wearer is where."""
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
        self.until_s = self._legs[-1][0] if self._legs else now_s

    def at(self, now_s: float) -> tuple[float, float]:
        legs = self._legs
        while legs:
            arrives_s, lat, lon = legs[0]
            if now_s < arrives_s:
                share = (now_s - self.since_s) / (arrives_s - self.since_s)
                a_lat, a_lon = self.here
                return a_lat + share * (lat - a_lat), a_lon + share * (lon - a_lon)
            self.here, self.since_s = (lat, lon), arrives_s
            del legs[0]
        return self.here

    def is_under_way(self, now_s: float) -> bool:
        return now_s < self.until_s

    def speed_m_s(self, now_s: float) -> float:
        """Of the leg that goes on; none where nobody goes."""
        here = self.at(now_s)
        if not self._legs:
            return 0.0
        arrives_s, lat, lon = self._legs[0]
        return self._metres(here, (lat, lon)) / max(arrives_s - now_s, 0.001)

    @property
    def leg_until_s(self) -> float:
        """When the wearer is where this leg leads; of the moment that `at` was asked for last."""
        return self._legs[0][0] if self._legs else self.until_s

    def comes_near_s(self, now_s: float, metres: float, step_s: float = 10.0) -> float:
        """The last moment on this leg, to the step, at which the wearer is still sure to be further from home than so many metres."""
        until_s, at_s, legs = self.leg_until_s, now_s, self._legs
        while at_s < until_s:
            span_s, ahead_s = until_s - self.since_s, min(at_s + step_s, until_s) - self.since_s
            share = ahead_s / span_s
            lat = self.here[0] + share * (legs[0][1] - self.here[0])
            lon = self.here[1] + share * (legs[0][2] - self.here[1])
            if self._metres((lat, lon), self.home) <= metres:
                return at_s
            at_s += step_s
        return until_s

    def from_home_m(self, now_s: float) -> float:
        return self._metres(self.at(now_s), self.home)

    def _metres(self, a: tuple[float, float], b: tuple[float, float]) -> float:
        # Flat: of two places in one town that is right to the metre.
        return hypot(a[0] - b[0], (a[1] - b[1]) * self._scale) / _METRE_DEG
