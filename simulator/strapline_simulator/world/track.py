"""A recorded track made fit for a wearer to follow: in order, without leaps, its gaps held; and where its nights were spent."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from strapline_protocol.errors import UserError
from strapline_simulator.world.track_file import TrackPoint, read_points
from strapline_simulator.world.wearer import Point, distance_m

FASTEST_M_S = 300.0
"""No airliner is faster over ground: Mach 0.85 is some 250 m/s, and a jet stream adds up to 50."""

LEAPS_IN_A_ROW = 20
"""More points than these that nobody can have reached are no slip of a receiver: the file is two tracks, or the first point is wrong."""

GAP_S = 120.0
"""Recorders that stand still or see no sky write nothing. Over a longer silence the wearer stays, and then goes on at `CATCH_UP_M_S`."""

CATCH_UP_M_S = 10.0
STEP_S = 5.0
"""Points closer together than this are thinned: faster than the tag's own positions, slower than a receiver's noise."""

NIGHT_H = (22, 6)
_CELL_DEG = 0.001
"""About 110 m from south to north: dwelling places are told apart as finely as this."""

_NEAR_M = 100.0


class Track(NamedTuple):
    """Where somebody was: `points` are seconds since the first one, rising, and `mended` is what had to be done to have them."""

    name: str
    first_utc: datetime
    points: tuple[tuple[float, Point], ...]
    mended: tuple[str, ...]

    @property
    def duration_s(self) -> float:
        return self.points[-1][0]


def read_track(path: Path) -> Track:
    """Read and mend a file. Raises `UserError` for what cannot be mended, with the line."""
    raw = read_points(path)
    mended: list[str] = []
    told = [*_in_order(raw, mended)]
    told = _without_leaps(path, told, mended)
    points = _held(told, mended)
    thinned = tuple(_thinned(points))
    if len(thinned) < 2:
        raise UserError(f"{path}: all its points lie within {STEP_S:g} s; a track lasts longer")
    return Track(path.stem, datetime.fromtimestamp(told[0].t_s, UTC), thinned, tuple(mended))


def _in_order(raw: Sequence[TrackPoint], mended: list[str]) -> Iterator[TrackPoint]:
    late = [b for a, b in pairwise(raw) if b.t_s < a.t_s]
    if late:
        mended.append(f"sorted by time: {len(late)} points are older than the one before, first {late[0].place}")
    twice: list[TrackPoint] = []
    last_s = float("-inf")
    for point in sorted(raw, key=lambda p: p.t_s):
        if point.t_s > last_s:
            last_s = point.t_s
            yield point
        else:
            twice.append(point)
    if twice:
        mended.append(f"left out: {len(twice)} points of a second that had one already, first {twice[0].place}")


def _without_leaps(path: Path, points: Sequence[TrackPoint], mended: list[str]) -> list[TrackPoint]:
    kept = [points[0]]
    leaps: list[TrackPoint] = []
    row = 0
    for point in points[1:]:
        metres = _apart_m(kept[-1], point)
        if metres <= FASTEST_M_S * (point.t_s - kept[-1].t_s):
            kept.append(point)
            row = 0
            continue
        leaps.append(point)
        row += 1
        if row > LEAPS_IN_A_ROW:
            raise UserError(
                f"{path}: {leaps[-row].place}: {_apart_m(kept[-1], leaps[-row]) / 1000:.0f} km from {kept[-1].place}"
                f" faster than {FASTEST_M_S:.0f} m/s, and it goes on there; cut the file in two, or mend that point"
            )
    if leaps:
        mended.append(f"left out: {len(leaps)} leaps faster than {FASTEST_M_S:.0f} m/s, first {leaps[0].place}")
    return kept


def _apart_m(a: TrackPoint, b: TrackPoint) -> float:
    return distance_m(Point(a.lat_deg, a.lon_deg), Point(b.lat_deg, b.lon_deg))


def _held(points: Sequence[TrackPoint], mended: list[str]) -> list[tuple[float, Point]]:
    """Seconds since the first; where a gap is, a point that stays until the wearer must go on."""
    first_s = points[0].t_s
    held = [(0.0, Point(points[0].lat_deg, points[0].lon_deg))]
    gaps: list[tuple[float, TrackPoint]] = []
    for before, point in pairwise(points):
        there = Point(point.lat_deg, point.lon_deg)
        gap_s = point.t_s - before.t_s
        if gap_s > GAP_S:
            gaps.append((gap_s, before))
            last = held[-1][1]
            stay_s = gap_s - max(1.0, distance_m(last, there) / CATCH_UP_M_S)
            if stay_s > 0:
                held.append((held[-1][0] + stay_s, last))
        held.append((point.t_s - first_s, there))
    if gaps:
        longest_s, where = max(gaps, key=lambda gap: gap[0])
        mended.append(f"held: {len(gaps)} gaps of over {GAP_S:g} s, the longest {longest_s:.0f} s after {where.place}")
    return held


def _thinned(points: Sequence[tuple[float, Point]]) -> Iterator[tuple[float, Point]]:
    last_s = float("-inf")
    for n, (t_s, point) in enumerate(points):
        if t_s - last_s >= STEP_S or n == len(points) - 1:
            last_s = t_s
            yield t_s, point


# Home.


def home_of(track: Track, zone: str) -> tuple[Point, str]:
    """Where it spends its nights by that zone's clock, and how that was found: where no night is in it, where it stays longest."""
    stays = list(_stays(track, ZoneInfo(zone)))
    nights = [(seconds, point) for seconds, point, at_night in stays if at_night]
    by = "where it spends its nights" if nights else "where it stays longest, for no night is in it"
    return _heaviest(nights or [(seconds, point) for seconds, point, _ in stays]), by


def _stays(track: Track, zone: ZoneInfo) -> Iterator[tuple[float, Point, bool]]:
    for (t_s, point), (until_s, _) in pairwise(track.points):
        hour = (track.first_utc + timedelta(seconds=t_s)).astimezone(zone).hour
        yield until_s - t_s, point, hour >= NIGHT_H[0] or hour < NIGHT_H[1]


def _heaviest(stays: Sequence[tuple[float, Point]]) -> Point:
    weights: dict[tuple[int, int], float] = {}
    for seconds, point in stays:
        cell = round(point.lat_deg / _CELL_DEG), round(point.lon_deg / _CELL_DEG)
        weights[cell] = weights.get(cell, 0.0) + seconds
    north, east = max(weights, key=lambda cell: (weights[cell], cell))
    middle = Point(north * _CELL_DEG, east * _CELL_DEG)
    near = [(seconds, point) for seconds, point in stays if distance_m(point, middle) <= _NEAR_M]
    whole = sum(seconds for seconds, _ in near)
    return Point(
        sum(seconds * point.lat_deg for seconds, point in near) / whole,
        sum(seconds * point.lon_deg for seconds, point in near) / whole,
    )


def at_home(track: Track, home: Point, radius_m: float) -> Track:
    """The same, with what lies within `radius_m` of home at home: a recorder indoors drifts further than a base station hears."""
    points = tuple((t_s, home if distance_m(point, home) <= radius_m else point) for t_s, point in track.points)
    count = sum(point == home for _, point in points)
    return track._replace(points=points, mended=(*track.mended, f"at home: {count} points within {radius_m:g} m of it"))


def cut(track: Track, from_s: float, until_s: float | None) -> Track:
    """A piece of it, which begins at 0 again. Raises `UserError` where nothing is left."""
    kept = [(t, p) for t, p in track.points if t >= from_s and (until_s is None or t <= until_s)]
    if len(kept) < 2:
        raise UserError(
            f"track {track.name}: it lasts {track.duration_s:.0f} s, and that piece holds {len(kept)} points"
        )
    first_s = kept[0][0]
    points = tuple((t_s - first_s, point) for t_s, point in kept)
    return track._replace(first_utc=track.first_utc + timedelta(seconds=first_s), points=points)
