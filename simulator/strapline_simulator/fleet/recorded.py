"""Days that a real person recorded, moved to where a wearer lives: STRAPLINE_DATA/tracks, as docs/fleets.md says."""

import csv
import math
import os
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

from strapline_protocol.errors import UserError
from strapline_simulator.fleet.person import METRE_DEG, Point

_THIN_S = 30.0
_GAP_S = 3600.0
"""A receiver that was off for so long tells of another outing."""

_FASTEST_M_S = 60.0
"""Faster than a car: the receiver's mistake."""

_WALK_M_S = 1.2


class Recorded(NamedTuple):
    """One outing: seconds since it began, metres north and east of where it began."""

    name: str
    points: tuple[tuple[float, float, float], ...]

    @property
    def length_s(self) -> float:
        return self.points[-1][0]

    def around(self, home: Point) -> tuple[tuple[float, float, float], ...]:
        """As the verb `track` takes it: it begins and ends at this home."""
        east_deg = METRE_DEG / math.cos(math.radians(home[0]))
        return tuple((t, home[0] + north * METRE_DEG, home[1] + east * east_deg) for t, north, east in self.points)


@cache
def recorded_outings() -> tuple[Recorded, ...]:
    """None where STRAPLINE_DATA is not set. Raises `UserError` for a file that cannot be read."""
    folder = os.environ.get("STRAPLINE_DATA")
    paths = sorted(Path(folder, "tracks").glob("*.csv")) if folder else []
    return tuple(_read(path) for path in paths)


def _read(path: Path) -> Recorded:
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            rows = [
                (datetime.fromisoformat(row["time_utc"]).timestamp(), float(row["lat_deg"]), float(row["lon_deg"]))
                for row in csv.DictReader(lines)
            ]
        first = rows[0]
    except (KeyError, ValueError, IndexError) as error:
        raise UserError(f"{path}: no track ({error!r}); it needs the columns time_utc, lat_deg, lon_deg") from None
    scale = math.cos(math.radians(first[1])) / METRE_DEG
    points = [(0.0, 0.0, 0.0)]
    newest = first[0]
    for at, lat, lon in rows:
        if at - newest > _GAP_S:
            break
        newest = at
        then, north, east = points[-1]
        t_s, here = at - first[0], ((lat - first[1]) / METRE_DEG, (lon - first[2]) * scale)
        step_s = t_s - then
        if step_s >= _THIN_S and math.hypot(here[0] - north, here[1] - east) <= _FASTEST_M_S * step_s:
            points.append((t_s, *here))
    then, north, east = points[-1]
    return Recorded(path.stem, (*points, (then + math.hypot(north, east) / _WALK_M_S + 60, 0.0, 0.0)))
