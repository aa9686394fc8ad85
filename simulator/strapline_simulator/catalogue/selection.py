"""Which scenarios a catalogue run takes, and what some of them lack on this machine."""

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from strapline_protocol.errors import UserError
from strapline_simulator.scenario import Scenario, load_scenario, shipped_scenarios
from strapline_simulator.scenario.limb import Replay
from strapline_simulator.tracks import is_recording


class Chosen(NamedTuple):
    """A scenario, and what `strapline run` takes for it."""

    path: str
    scenario: Scenario


def choose(patterns: Sequence[str]) -> list[Chosen]:
    """The shipped ones that a pattern matches (`r18-*`), files, and all of a folder; without patterns, all shipped ones.

    Raises `UserError` for a pattern that chooses nothing and for a scenario that cannot be read.
    """
    shipped = list(shipped_scenarios())
    paths: dict[str, None] = dict.fromkeys(shipped if not patterns else ())
    for pattern in patterns:
        paths.update(dict.fromkeys(_matching(pattern, shipped)))
    chosen = [Chosen(path, load_scenario(path)) for path in paths]
    by_name: dict[str, str] = {}
    for path, scenario in chosen:
        if scenario.name in by_name:
            raise UserError(f"{path}: {by_name[scenario.name]} has the same name; rename one of the two")
        by_name[scenario.name] = path
    return chosen


def _matching(pattern: str, shipped: Sequence[str]) -> list[str]:
    folder = Path(pattern)
    if folder.is_dir():
        found = [str(path) for path in sorted((*folder.rglob("*.yaml"), *folder.rglob("*.yml")))]
        if not found:
            raise UserError(f"{pattern}: no scenario in this folder; scenarios end in .yaml")
        return found
    if folder.suffix in (".yaml", ".yml"):
        return [pattern]
    found = [name for name in shipped if fnmatchcase(name, pattern)]
    if not found:
        raise UserError(f"{pattern}: matches no shipped scenario; `strapline scenarios` lists them, quote a pattern")
    return found


def lacking(scenario: Scenario) -> str:
    """Why it cannot run here; empty where it can."""
    if scenario.gnss_log:
        return "needs a receiver's log: strapline run with --gnss-log FILE"
    data = Path(os.environ.get("STRAPLINE_DATA", ""))
    lacks_motion = needs_recordings(scenario) and not (data / "motion").is_dir()
    lacks_track = is_recording(scenario) and not (data / "tracks").is_dir()
    if lacks_motion or lacks_track:
        return "needs real recordings: set STRAPLINE_DATA to the folder that has them"
    return ""


def needs_recordings(scenario: Scenario) -> bool:
    return any(isinstance(step.motion, Replay) for step in scenario.steps)
