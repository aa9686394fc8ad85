"""The worlds about place: errors of position, levels of cells, zones as scenarios write them, and the centre's orders."""

import asyncio
import math
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import get_args

import pytest

from strapline_protocol.commands import CommandSealer
from strapline_protocol.errors import UserError
from strapline_protocol.keys import centre_keys
from strapline_protocol.profiles import PROFILES, settings_of
from strapline_simulator.clock import run_virtual
from strapline_simulator.scenario import load_scenario
from strapline_simulator.scenario.places import ShelterName
from strapline_simulator.simulation import Options, run_scenario
from strapline_simulator.world.cellular import Cellular
from strapline_simulator.world.shelter import NO_CELL_DBM, SHELTERS, Cell
from strapline_simulator.world.sky import SKIES, Receiver
from strapline_simulator.world.wearer import Point, distance_m
from strapline_tag.nmea import NmeaParser

START = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
HERE = Point(53.2487, 10.4078)


def positions(sky, seconds, seed=1):
    """What a receiver that stands still says, each second."""
    parser = NmeaParser()
    found = []

    async def run():
        loop = asyncio.get_running_loop()
        receiver = Receiver(lambda: START + timedelta(seconds=loop.time()), lambda: HERE, parser.feed, Random(seed))
        receiver.sky = sky
        receiver.power(on=True)
        for _ in range(seconds):
            await asyncio.sleep(1)
            while (position := parser.take()) is not None:
                found.append(position)
        receiver.power(on=False)

    run_virtual(run())
    return found


@pytest.mark.parametrize(("sky", "limit_m"), [("open", 10), ("indoors", 30)])
def test_nine_in_ten_positions_lie_within_what_is_asked_for_and_their_accuracy_is_honest(sky, limit_m):
    found = positions(sky, 6000)
    errors = sorted(distance_m(HERE, Point(p.lat_e7 / 1e7, p.lon_e7 / 1e7)) for p in found)
    assert limit_m * 0.6 < errors[len(errors) * 9 // 10] <= limit_m
    root_mean_square = math.sqrt(sum(e * e for e in errors) / len(errors))
    accuracy_m = sum(p.accuracy_dm for p in found) / len(found) / 10
    assert 0.6 < accuracy_m / root_mean_square < 1.6


def test_an_error_stays_for_a_while():
    found = positions("open", 2000)
    steps = [abs(a.lat_e7 - b.lat_e7) / 90 for a, b in pairwise(found)]
    assert sum(steps) / len(steps) < SKIES["open"].error_m / 3


def test_under_no_sky_there_is_no_position():
    assert positions("none", 600) == []


def test_a_cell_fades_into_a_car_park_and_is_gone_at_once_in_foil():
    cell = Cell()
    cell.go(100, SHELTERS["car_park"].cell_dbm, SHELTERS["car_park"].fall_s)
    levels = [cell.dbm(t) for t in range(100, 170, 10)]
    assert levels == sorted(levels, reverse=True)
    assert max(a - b for a, b in pairwise(levels)) < 25
    cell = Cell()
    cell.go(100, SHELTERS["foil"].cell_dbm, SHELTERS["foil"].fall_s)
    assert cell.dbm(100) < NO_CELL_DBM


def test_a_page_waits_for_coverage_and_comes_once():
    async def run():
        rung = []
        loop = asyncio.get_running_loop()
        async with Cellular(
            None,
            on_up=lambda: None,
            on_data=lambda _: None,
            on_down=lambda: None,
            on_ring=lambda: rung.append(loop.time()),
        ) as network:
            network.ring()
            await asyncio.sleep(60)
            assert len(rung) == 1
            network.set_coverage(there=False)
            network.ring()
            await asyncio.sleep(3600)
            assert len(rung) == 1
            network.set_coverage(there=True)
            await asyncio.sleep(60)
            assert len(rung) == 2

    run_virtual(run())


SCENARIO = """title: t
start: 2026-03-03T08:00:00+01:00
duration: 10min
places:
  home: {lat_deg: 53.2487, lon_deg: 10.4078}
steps:
  - {at: 1min, present_key: arm}
  - STEP
expect:
  - {missing: 0}
"""


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("{at: 2min, zones: [{id: 1, rule: stay_in, around: nowhere, radius_m: 50}]}", "'nowhere' names no place"),
        ("{at: 2min, zones: [{id: 1, rule: stay_in, around: home}]}", "`around` (a place) and `radius_m`"),
        ("{at: 2min, zones: [{id: 1, rule: stay_in, corners: [[1, 2], [3, 4]]}]}", "three `corners` or more"),
        ("{at: 2min, zones: [{id: 1, rule: go_away, around: home, radius_m: 50}]}", "'stay_in' or 'stay_out'"),
        (
            "{at: 2min, zones: [{id: 1, rule: stay_in, corners: [[86, 1], [86, 2], [85, 1]]}]}",
            "less than or equal to 85",
        ),
        ("{at: 2min, locate: 20min}", "1s to 10min"),
        ("{at: 2min, spoofer: nowhere}", "'nowhere' names no place"),
        ("{at: 2min, shelter: cave}", "'street', 'indoors'"),
        ("{at: 2min, sky: blue}", "'open', 'indoors' or 'none'"),
    ],
)
def test_a_mistake_in_a_step_is_one_line_with_its_place(tmp_path, step, said):
    path = tmp_path / "wrong.yaml"
    path.write_text(SCENARIO.replace("STEP", step))
    with pytest.raises(UserError, match=re.escape(said)) as error:
        load_scenario(str(path))
    assert f"{path}:8: " in str(error.value)


def test_a_profile_is_a_set_of_settings_that_the_scenarios_own_go_before(tmp_path):
    path = tmp_path / "profile.yaml"
    text = SCENARIO.replace("STEP", "{at: 2min, note: x}")
    path.write_text(text + "profile: facility\ntag: {home_silence_s: 90}\n")
    assert load_scenario(str(path)).settings == {"mode": 1, "home_silence_s": 90, "heartbeat_longest_ms": 3000}
    path.write_text(text + "profile: none-such\n")
    with pytest.raises(UserError, match="choose one of home-rf, two-piece, one-piece, call-in, facility"):
        load_scenario(str(path))


@pytest.mark.parametrize("profile", PROFILES)
def test_a_centre_can_send_each_profile(profile):
    sealer = CommandSealer(centre_keys("7a900001", bytes(16)), 1)
    (sealed,) = sealer.config(1, settings=settings_of(profile))
    assert sealed


BREAKS = [
    ("r08-locate-a-sleeping-tag", "locate", "located"),
    ("r10-zones-with-a-real-error", "zones", "zone_broken"),
    ("r14-moving-without-fix", "sky", "moving_without_fix"),
    ("r18-jammer", "jammer", "jammed"),
    ("r19-foil", "shelter", "shielded"),
    ("r46-false-signals", "spoofer", "spoofed"),
]


@pytest.mark.parametrize(("name", "verb", "code"), BREAKS)
def test_without_its_cause_the_scenario_fails(name, verb, code):
    scenario = load_scenario(name)
    steps = tuple(
        step
        if getattr(step, verb) is None
        else step.model_copy(update={verb: None, "note": "nothing", "name": step.label})
        for step in scenario.steps
    )
    result = run_scenario(scenario.model_copy(update={"steps": steps}), Options(body="model", air="frames"))
    assert any(code in outcome.text for outcome in result.report.expectations if not outcome.passed)


def test_every_shelter_that_a_scenario_may_name_has_its_figures():
    assert set(get_args(ShelterName)) == set(SHELTERS)
    assert {shelter.sky for shelter in SHELTERS.values()} <= set(SKIES)
