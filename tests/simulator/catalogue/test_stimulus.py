"""Every scenario is about something: without it, it fails."""

import os

import pytest

from strapline_protocol.errors import UserError
from strapline_simulator.catalogue import run_all, without_stimulus
from strapline_simulator.scenario import load_scenario, shipped_scenarios
from strapline_simulator.simulation import Options

NAMES = [name for name in shipped_scenarios() if not load_scenario(name).gnss_log]

# Short ones of each kind: a deed on the limb, at the gateway, at the centre, at the broker, and one that must stay quiet.
SAMPLE = ["r03-bypass", "r26-message-unanswered", "r55-silent-gateway", "strap-glitch", "r26-message-answered"]

SHORT = [
    "title: Short",
    "start: 2026-03-02T22:00:00+01:00",
    "duration: 5min",
    "steps:",
    "  - {at: 10s, present_key: arm}",
    "  - {at: 60s, name: first, case: open}",
    "  - {at: 70s, name: second, case: closed}",
    "expect:",
]


def load(folder, *lines):
    path = folder / "short.yaml"
    path.write_text("\n".join([*SHORT, *lines]) + "\n")
    return load_scenario(str(path))


@pytest.mark.parametrize("name", NAMES)
def test_each_shipped_scenario_has_one(name):
    scenario = load_scenario(name)
    assert without_stimulus(scenario).steps != scenario.steps


def test_the_sample_fails_without_it():
    outcomes = run_all(SAMPLE, 1, Options(body="model", air="frames"), bare=True)
    assert [outcome.verdict for outcome in outcomes] == ["failed"] * len(SAMPLE)
    quiet = outcomes[-1]
    assert quiet.alerts == ("strap_open",)
    assert any("quiet" in failure for failure in quiet.failures)


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("STRAPLINE_LONG") != "1", reason="minutes for each: make test-long")
@pytest.mark.parametrize("name", NAMES)
def test_every_scenario_fails_without_it(name):
    outcome = run_all([name], 1, Options(body="model", air="frames"), bare=True)[0]
    if outcome.verdict == "skipped":
        pytest.skip(outcome.reason)
    assert outcome.verdict == "failed", outcome.failures


def test_without_a_mark_it_is_the_last_step_that_an_expectation_names(tmp_path):
    changed = without_stimulus(load(tmp_path, "  - {event: case_open, after: first}", "  - {missing: 0}"))
    assert [step.verb for step in changed.steps] == ["present_key", "note", "case"]
    assert changed.steps[1].label == "first"


def test_a_scenario_whose_expectations_name_no_step_is_told(tmp_path):
    with pytest.raises(UserError, match="stimulus: true"):
        without_stimulus(load(tmp_path, "  - {missing: 0}"))
