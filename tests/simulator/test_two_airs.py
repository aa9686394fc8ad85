"""One scenario on both airs: the frames of the tag are the same to the byte, and so is each verdict."""

import os

import pytest

from strapline_protocol.errors import UserError
from strapline_simulator.scenario import load_scenario, shipped_scenarios
from strapline_simulator.simulation import Options, run_scenario

# A lossy link, and a gateway that starts its radio again; test_row_scenarios.py holds the rest against MicroPython on the whole air.
SAMPLE = ["r02-alarm-on-a-lossy-link", "r16-dead-spot"]
REST = sorted(set(shipped_scenarios()) - {*SAMPLE, "gnss-log"})

needs_time = pytest.mark.skipif(
    os.environ.get("STRAPLINE_LONG") != "1", reason="the whole catalogue on both airs: make test-long"
)


@pytest.mark.parametrize(
    "name", [*SAMPLE, *(pytest.param(name, marks=[needs_time, pytest.mark.slow]) for name in REST)]
)
def test_both_airs_give_the_same_frames_and_verdicts(name):
    scenario = load_scenario(name)
    frames, whole = (run_scenario(scenario, Options(body="model", air=air)).report for air in ("frames", "ble"))
    assert frames.frames_digest == whole.frames_digest
    assert [one.passed for one in frames.expectations] == [one.passed for one in whole.expectations]
    assert frames.frames.sent == whole.frames.sent > 0


def test_an_air_that_there_is_not_is_told_with_those_that_there_are():
    with pytest.raises(UserError, match="'laser' is no air: write --air ble"):
        run_scenario(load_scenario("strap-cut"), Options(body="model", air="laser"))
