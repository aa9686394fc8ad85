"""Files of recorded tracks, CSV and GPX: what stands in them, point by point, and where. Not what becomes of it."""

import csv
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from strapline_protocol.errors import UserError

_TIMES = ("time_utc", "time", "timestamp", "datetime", "date_time", "utc")
_LATITUDES = ("lat_deg", "lat", "latitude")
_LONGITUDES = ("lon_deg", "lon", "lng", "long", "longitude")

_MILLISECONDS_FROM = 1e11
"""Seconds since 1970 reach this in the year 5138; what is larger counts milliseconds."""


class TrackPoint(NamedTuple):
    """One row of the file: `place` says which (`line 7`), `t_s` are seconds since 1970."""

    place: str
    t_s: float
    lat_deg: float
    lon_deg: float


def read_points(path: Path) -> list[TrackPoint]:
    """All points in the file's order. Raises `UserError`: one line with file, line and mend."""
    if path.suffix.lower() not in (".csv", ".gpx"):
        raise UserError(f"{path}: a track is a file ending in .csv or .gpx; convert it")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; give a track as .csv or .gpx") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error.__class__.__name__}); give a text file in UTF-8") from None
    points = list(_of_gpx(path, text) if path.suffix.lower() == ".gpx" else _of_csv(path, text))
    if len(points) < 2:
        raise UserError(f"{path}: {len(points)} points with a time; a track needs two or more")
    return points


def _of_csv(path: Path, text: str) -> Iterator[TrackPoint]:
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    rows = csv.reader(text.splitlines(), delimiter=delimiter)
    names = [name.strip().lower() for name in next(rows, [])]
    columns = [_column(path, names, known) for known in (_TIMES, _LATITUDES, _LONGITUDES)]
    for row in rows:
        if any(cell.strip() for cell in row):
            yield _row(path, f"line {rows.line_num}", [row[at] if at < len(row) else "" for at in columns])


def _column(path: Path, names: list[str], known: tuple[str, ...]) -> int:
    for name in known:
        if name in names:
            return names.index(name)
    raise UserError(f"{path}:1: no column {known[0]}; name one of the columns {', '.join(known)}")


def _row(path: Path, place: str, cells: list[str]) -> TrackPoint:
    time, lat, lon = (cell.strip() for cell in cells)
    try:
        t_s = _instant(time)
    except (ValueError, OverflowError):
        raise UserError(f"{path}: {place}: {time!r} is no time: write 2026-03-02T08:00:00Z") from None
    try:
        return _checked(path, TrackPoint(place, t_s, float(lat), float(lon)))
    except ValueError:
        raise UserError(f"{path}: {place}: {lat!r}, {lon!r} are no degrees: write 53.2487 and 10.4078") from None


def _instant(text: str) -> float:
    """Seconds since 1970. A time without an offset is taken as UTC, as `time_utc` says."""
    try:
        number = float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not math.isfinite(number):
        raise ValueError(text)
    return number / 1000 if number >= _MILLISECONDS_FROM else number


def _checked(path: Path, point: TrackPoint) -> TrackPoint:
    if not (-90 <= point.lat_deg <= 90 and -180 <= point.lon_deg <= 180):
        raise UserError(
            f"{path}: {point.place}: {point.lat_deg:g}, {point.lon_deg:g} is no place on earth:"
            " latitude lies within 90, longitude within 180"
        )
    return point


def _of_gpx(path: Path, text: str) -> Iterator[TrackPoint]:
    # Imported where it is needed: reading GPX is not what most runs do.
    import gpxpy
    from gpxpy.gpx import GPXException

    try:
        found = gpxpy.parse(text)
    except (GPXException, ValueError) as error:
        raise UserError(f"{path}: not GPX: {' '.join(str(error).split())}; mend the file") from None
    number = 0
    for track in found.tracks:
        for segment in track.segments:
            for point in segment.points:
                number += 1
                if point.time is None:
                    raise UserError(f"{path}: point {number} has no time; a wearer needs to know when to be there")
                moment = point.time if point.time.tzinfo else point.time.replace(tzinfo=UTC)
                place = f"point {number}"
                yield _checked(path, TrackPoint(place, moment.timestamp(), point.latitude, point.longitude))
