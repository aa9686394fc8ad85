"""How the limb moves: what the accelerometer on it measures, as vectors in mg at 25 Hz. Not where the wearer goes."""

import csv
import math
import os
from array import array
from bisect import bisect_right
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from strapline_protocol.errors import UserError

RATE_HZ = 25
GRAVITY_MG = (0, 0, 1000)
"""What is added to recordings from which gravity has been removed."""

_STANDARD_GRAVITY = 9.80665
_LIMIT_MG = 8000
"""The accelerometer's range, ±8 g."""

_SWING_MG, _SWING_HZ = 1500, 0.9
_HEEL_MG, _HEEL_HZ = 700, 2.7
_RUN = 2.2

Vector = tuple[int, int, int]


class Activity(NamedTuple):
    """So many seconds of movement in each period; `effort` scales it."""

    moves_s: float
    period_s: float
    effort: float = 1.0


ACTIVITIES = {
    "still": Activity(0, 60),
    "asleep": Activity(6, 1500),
    "awake": Activity(6, 300),
    "walk": Activity(10, 10),
    "run": Activity(10, 10, _RUN),
    "sport": Activity(10, 10, _RUN),
    "ride": Activity(10, 10),
}
"""Made up, to wake and to rest a tag; what people do is in recordings."""

SPORT = ("wrist-activities-10hz", "badminton")
"""The recordings that `sport` plays over and over, where there are any."""

_BLOW_MG = 6000
_BLOW_EACH_S = 1.7
"""A made-up game: a blow of 6 g for a twelfth of each such time."""

_SHAKE_MG, _SHAKE_HZ = 42, 2.0
"""A seat on a good road or on rails: 0.3 m/s² (r.m.s.), the most that ISO 2631-1 calls not uncomfortable."""


def movement(start_s: float, duration_s: float, effort: float = 1.0) -> list[Vector]:
    """A limb that swings, from `start_s` on."""
    return [_swing(start_s + n / RATE_HZ, effort) for n in range(round(duration_s * RATE_HZ))]


def made_up(name: str, start_s: float, duration_s: float) -> list[Vector]:
    """What the limb does in an activity, from `start_s` on."""
    if name == "ride":
        return [_shaken(start_s + n / RATE_HZ) for n in range(round(duration_s * RATE_HZ))]
    vectors = movement(start_s, duration_s, ACTIVITIES[name].effort)
    return [_hit(start_s + n / RATE_HZ, v) for n, v in enumerate(vectors)] if name == "sport" else vectors


def _shaken(t: float) -> Vector:
    return 0, 0, 1000 + round(_SHAKE_MG * math.sin(2 * math.pi * _SHAKE_HZ * t))


def _hit(t: float, vector: Vector) -> Vector:
    if t % _BLOW_EACH_S >= _BLOW_EACH_S / 12:
        return vector
    return min(_LIMIT_MG, vector[0] + _BLOW_MG), vector[1], vector[2]


def _swing(t: float, effort: float) -> Vector:
    swing = math.sin(2 * math.pi * _SWING_HZ * t)
    heel = math.sin(2 * math.pi * _HEEL_HZ * t)
    return round(effort * _SWING_MG * swing), round(effort * _HEEL_MG * heel), 1000 + round(effort * _HEEL_MG * swing)


def packed(vectors: list[Vector]) -> bytes:
    """As the bench's MOTION has them."""
    flat = array("h", (value for vector in vectors for value in vector))
    flat.byteswap()
    return flat.tobytes()


class Recording(NamedTuple):
    """A stretch of one recording, resampled to 25 Hz; `activity` as whoever recorded it named it."""

    activity: str
    vectors: list[Vector]


def data_folder() -> Path | None:
    """Where real recordings are: STRAPLINE_DATA."""
    folder = os.environ.get("STRAPLINE_DATA")
    return Path(folder) if folder and Path(folder, "motion").is_dir() else None


def sport_vectors() -> list[Vector]:
    """The recordings of `SPORT`, one after the other; none where STRAPLINE_DATA names no folder."""
    if data_folder() is None:
        return []
    name, activity = SPORT
    return [vector for part in read_recordings(name) if part.activity == activity for vector in part.vectors]


def read_recordings(name: str) -> list[Recording]:
    """The recordings of a file of STRAPLINE_DATA/motion. Raises `UserError` where they are not to be had."""
    folder = data_folder()
    if folder is None:
        raise UserError(
            "STRAPLINE_DATA names no folder with recordings (motion/NAME.csv); set it, or run another scenario"
        )
    path = folder / "motion" / f"{name}.csv"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.csv")))
        raise UserError(f"{name}: no such recording in {path.parent}; choose one of {known}")
    with path.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    if "forward_mg" in rows[0]:
        times = [float(row["t_s"]) for row in rows]
        raw = [tuple(float(row[axis]) for axis in ("forward_mg", "vertical_mg", "lateral_mg")) for row in rows]
        return [Recording(name.split("-")[1], _resampled(times, raw))]
    recordings = []
    for _, group in groupby(rows, key=lambda row: row["recording"]):
        part = list(group)
        times = [float(row["t_s"]) for row in part]
        raw = [
            tuple(
                float(row[axis]) / _STANDARD_GRAVITY * 1000 + gravity
                for axis, gravity in zip(("x_ms2", "y_ms2", "z_ms2"), GRAVITY_MG, strict=True)
            )
            for row in part
        ]
        recordings.append(Recording(part[0]["activity"].lower(), _resampled(times, raw)))
    return recordings


def _resampled(times: list[float], raw: list[tuple[float, ...]]) -> list[Vector]:
    """Straight lines between what was measured; the last period is held."""
    period_s = times[1] - times[0]
    count = round((times[-1] - times[0] + period_s) * RATE_HZ)
    return [_between(times, raw, times[0] + n / RATE_HZ) for n in range(count)]


def _between(times: list[float], raw: list[tuple[float, ...]], t: float) -> Vector:
    at = min(bisect_right(times, t), len(times) - 1)
    share = min(1.0, (t - times[at - 1]) / (times[at] - times[at - 1]))
    x, y, z = (
        max(-_LIMIT_MG, min(_LIMIT_MG, round(a + share * (b - a)))) for a, b in zip(raw[at - 1], raw[at], strict=True)
    )
    return x, y, z
