"""Where the wearer truly was: places from the path, and metres from degrees."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from strapline_simulator.report.story import Story

# One degree of a meridian on the WGS 84 ellipsoid's mean sphere (radius 6,371,008.8 m).
METRES_PER_DEGREE = 111_195.08

ON_THE_WAY = "on the way"


class Plane(NamedTuple):
    """Local metres around an origin; good to a few tens of kilometres."""

    lat_deg: float
    lon_deg: float

    def metres(self, lat_deg: float, lon_deg: float) -> tuple[float, float]:
        """(east, north) of the origin."""
        east_deg = (lon_deg - self.lon_deg + 180) % 360 - 180
        return (
            east_deg * METRES_PER_DEGREE * math.cos(math.radians(self.lat_deg)),
            (lat_deg - self.lat_deg) * METRES_PER_DEGREE,
        )


def place_at(story: Story, lat_deg: float, lon_deg: float) -> str:
    """The smallest place that holds the point, or `ON_THE_WAY`."""
    here = Plane(lat_deg, lon_deg)
    inside = [
        (radius_m, name)
        for name, place_lat, place_lon, radius_m in story.places
        if math.hypot(*here.metres(place_lat, place_lon)) <= radius_m
    ]
    return min(inside)[1] if inside else ON_THE_WAY


def true_places(story: Story, end_s: float) -> list[tuple[float, float, str]]:
    """(t0_s, t1_s, place) along the path, up to `end_s`; empty without a path or places."""
    if not story.places:
        return []
    found: list[tuple[float, float, str]] = []
    ends = [*(t_s for t_s, _, _ in story.track[1:]), end_s]
    for (t_s, lat_deg, lon_deg), until_s in zip(story.track, ends, strict=False):
        name = place_at(story, lat_deg, lon_deg)
        if found and found[-1][2] == name:
            found[-1] = found[-1][0], until_s, name
        else:
            found.append((t_s, until_s, name))
    return found


def whereabouts(track: Sequence[tuple[float, float, float]], t_s: float) -> tuple[float, float] | None:
    """(latitude, longitude) on the path at an instant, in a straight line between its points; None without a path."""
    if not track:
        return None
    after = bisect_right(track, t_s, key=lambda point: point[0])
    if after == 0 or after == len(track):
        return track[min(after, len(track) - 1)][1:]
    (t0, lat0, lon0), (t1, lat1, lon1) = track[after - 1], track[after]
    share = (t_s - t0) / (t1 - t0) if t1 > t0 else 0.0
    return lat0 + share * (lat1 - lat0), lon0 + share * (lon1 - lon0)
