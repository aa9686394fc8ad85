"""What scenarios ask of a rig."""

import pytest

from strapline_hil.rig.needs import beyond_any_rig, needs_of, simulated_only
from strapline_hil.rig.soak import template_rig
from strapline_simulator.scenario import load_scenario, shipped_scenarios

MARKED = [name for name in shipped_scenarios() if load_scenario(name).hil]
LONGEST_S = 3 * 3600


def test_enough_scenarios_are_for_rigs():
    assert len(MARKED) >= 25


@pytest.mark.parametrize("name", MARKED)
def test_a_virtual_rig_can_do_what_is_marked(name):
    scenario = load_scenario(name)
    assert scenario.duration_s <= LONGEST_S
    assert beyond_any_rig(scenario) == set()
    assert needs_of(scenario) <= template_rig().drivers
    closed = template_rig().instruments["strap"]
    for step in scenario.steps:
        if step.strap_ohm is not None:
            assert closed.base_ohm <= step.strap_ohm <= closed.base_ohm + sum(closed.steps.values())


def test_needs_follow_from_verbs():
    assert needs_of(load_scenario("strap-cut")) == {"by-hand", "strap-relay", "heater"}
    assert needs_of(load_scenario("r06-case-opened")) == {"by-hand", "contacts"}
    assert {"gnss-injector", "shaker"} <= needs_of(load_scenario("leaves-at-night"))
    assert {"gnss-injector", "shaker"} <= needs_of(load_scenario("track"))


def test_what_no_rig_does_is_named():
    assert beyond_any_rig(load_scenario("r37-update-is-taken")) == {"update"}
    assert beyond_any_rig(load_scenario("r51-sauna")) == {"surroundings: sauna"}


def test_what_only_the_simulation_does_is_named():
    assert "radio_loss" in simulated_only(load_scenario("r02-alarm-on-a-lossy-link"))
    assert simulated_only(load_scenario("strap-cut")) == set()
    assert simulated_only(load_scenario("strap-cut-away")) == {"go"}
