"""The scenarios of parts that fail: they hold, and each fails without what it is about."""

import os

import pytest

from strapline_protocol.errors import UserError
from strapline_simulator.catalogue.stimulus import without_stimulus
from strapline_simulator.scenario import load_scenario, shipped_scenarios
from strapline_simulator.simulation import Options, run_scenario

FAULTS = sorted(name for name in shipped_scenarios() if name.startswith("fault-"))
QUICK = {
    "fault-adapter-deaf", "fault-adapter-gone", "fault-adapter-hangs", "fault-adapter-in-progress", "fault-adapter-stuck",
    "fault-brown-out", "fault-broker-forgets", "fault-gateway-damaged", "fault-gateway-disk-full", "fault-gateway-restart",
    "fault-gateway-restored", "fault-late-reports", "fault-receiver-frozen",
}  # fmt: skip
OPTIONS = Options(body="model", air="frames")
needs_time = pytest.mark.skipif(os.environ.get("STRAPLINE_LONG") != "1", reason="half a minute in all: make test-long")


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in QUICK else [needs_time]) for n in FAULTS])
def test_it_holds(name):
    result = run_scenario(load_scenario(name), OPTIONS)
    assert [outcome.text for outcome in result.report.expectations if not outcome.passed] == []


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=[] if n in ("fault-gateway-disk-full", "fault-brown-out") else [needs_time])
        for n in FAULTS
    ],
)
def test_without_what_it_is_about_it_fails(name):
    assert not run_scenario(without_stimulus(load_scenario(name)), OPTIONS).passed


@needs_time
@pytest.mark.parametrize("name", ["fault-flash-block-dead", "fault-brown-out", "fault-skin-sensor-drift"])
def test_both_bodies_send_the_same_frames(name):
    digests = {
        run_scenario(load_scenario(name), OPTIONS._replace(body=body)).report.frames_digest
        for body in ("model", "micropython")
    }
    assert len(digests) == 1


def test_a_flash_fault_on_the_virtual_board_is_refused_with_a_reason():
    with pytest.raises(UserError, match="model and micropython"):
        run_scenario(load_scenario("fault-brown-out"), OPTIONS._replace(body="virtual-board"))
