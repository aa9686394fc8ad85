"""Which track a run's wearer follows: found, read, shifted to the scenario's start; and where its home is."""

import os
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

from strapline_protocol.errors import UserError
from strapline_simulator.scenario import Place, Scenario
from strapline_simulator.scenario.world import TrackSpec
from strapline_simulator.world.track import Track, at_home, cut, home_of, read_track
from strapline_simulator.world.wearer import Point, distance_m

_ELSEWHERE_M = 50_000.0
"""Farther from home than anybody lives who may leave for a day."""


def tracked(scenario: Scenario, given: Path | None) -> tuple[Scenario, Track | None]:
    """The scenario with its home, and the track that its wearer follows from the start, if there is one.

    `given` goes before the scenario's own, and by its path alone.
    """
    spec = scenario.wearer.track
    if given is not None:
        spec = (spec or TrackSpec(file=str(given))).model_copy(update={"file": str(given.resolve())})
    if spec is None:
        return scenario, None
    track = _piece(scenario, spec)
    place = scenario.places.get("home")
    if place is None:
        found, by = home_of(track, scenario.zone)
        place = Place(lat_deg=found.lat_deg, lon_deg=found.lon_deg)
        track = track._replace(mended=(*track.mended, f"home: {by}"))
        scenario = scenario.model_copy(update={"places": {**scenario.places, "home": place}})
    home = Point(place.lat_deg, place.lon_deg)
    nearest_m = min(distance_m(point, home) for _, point in track.points)
    if nearest_m > _ELSEWHERE_M:
        raise UserError(
            f"track {track.name}: it never comes nearer to the scenario's home than {nearest_m / 1000:.0f} km;"
            " use a scenario without `places: home`, such as track, and home is where the track spends its nights"
        )
    return scenario, _shifted(scenario, spec, at_home(track, home, spec.home_radius_m))


def track_of(scenario: Scenario, spec: TrackSpec) -> Track:
    """A track that a step names, with the scenario's home."""
    home = scenario.places["home"]
    return at_home(_piece(scenario, spec), Point(home.lat_deg, home.lon_deg), spec.home_radius_m)


def is_recording(scenario: Scenario) -> bool:
    """Whether the wearer of a shipped scenario follows a track that is not shipped with it, for it is somebody's."""
    spec, shipped = scenario.wearer.track, Path(str(files("strapline_simulator")))
    return (
        spec is not None
        and Path(scenario.folder) == shipped / "scenarios"
        and not (shipped / "tracks" / spec.file).is_file()
    )


def _piece(scenario: Scenario, spec: TrackSpec) -> Track:
    track = read_track(_find(scenario, spec.file))
    return cut(track, spec.begin, spec.end) if spec.begin or spec.end is not None else track


def _shifted(scenario: Scenario, spec: TrackSpec, track: Track) -> Track:
    """`start`: its first point is where the scenario begins. `clock`: at its own time of day, on the first day that still has it."""
    if spec.shift == "start":
        return track
    zone = ZoneInfo(scenario.zone)
    here, there = scenario.start.astimezone(zone), track.first_utc.astimezone(zone)
    wait = timedelta(
        hours=there.hour - here.hour, minutes=there.minute - here.minute, seconds=there.second - here.second
    )
    wait_s = wait / timedelta(seconds=1) % 86400
    first = track.points[0][1]
    return track._replace(points=((0.0, first), *((wait_s + t_s, point) for t_s, point in track.points)))


def _find(scenario: Scenario, name: str) -> Path:
    """Beside the scenario, among the shipped ones, or in STRAPLINE_DATA/tracks."""
    data = os.environ.get("STRAPLINE_DATA")
    folders = [Path(scenario.folder), Path(str(files("strapline_simulator"))) / "tracks"]
    if data:
        folders.append(Path(data) / "tracks")
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    where = "beside the scenario, among the shipped ones" + (f" or in {data}/tracks" if data else "")
    mend = "" if data else "; set STRAPLINE_DATA where it is one of the recordings"
    raise UserError(f"track {name}: no such file {where}{mend}")
