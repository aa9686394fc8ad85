"""The shipped scenarios on the whole chain: they pass, on both bodies alike, and they fail where the chain is broken."""

import hashlib
import json
import os
import re
import subprocess
import sys

import pytest

from strapline_gateway.outbox import Outbox
from strapline_simulator.scenario import load_scenario, shipped_scenarios
from strapline_simulator.simulation import Options, run_scenario
from strapline_simulator.trace import read_trace

MODEL = Options(body="model", air="frames")
# Those named after requirements are test_row_scenarios.py's, stories and the like test_stories.py's;
# night-and-day is run below, on every body and broker.
ELSEWHERE = re.compile(r"r\d\d-|(story|attack|alarm|day|quiet-night|track|fault)(-|$)|(gnss-log|a-week|night-and-day)$")
# On real MicroPython and Mosquitto at once only where there is time: make test-long.
IS_LONG_RUN = os.environ.get("STRAPLINE_LONG") == "1"
QUIET = sorted(name for name in shipped_scenarios() if not ELSEWHERE.match(name))


def failed(result):
    return [outcome.text for outcome in result.report.expectations if not outcome.passed]


@pytest.mark.parametrize("name", QUIET)
def test_a_shipped_scenario_holds_on_the_model(name):
    result = run_scenario(load_scenario(name), MODEL)
    assert failed(result) == []
    assert result.report.ledger.missing == 0


@pytest.mark.parametrize("seed", range(20))
def test_strap_cut_gives_the_same_frames_on_both_bodies(seed):
    scenario = load_scenario("strap-cut")
    model = run_scenario(scenario, MODEL._replace(seed=seed))
    micropython = run_scenario(scenario, Options(body="micropython", seed=seed))
    assert failed(model) == failed(micropython) == []
    assert model.report.frames.sent > 100
    assert model.report.frames_digest == micropython.report.frames_digest


def test_seeds_give_different_frames():
    scenario = load_scenario("strap-cut")
    digests = {run_scenario(scenario, MODEL._replace(seed=seed)).report.frames_digest for seed in range(5)}
    assert len(digests) == 5


@pytest.mark.slow
def test_a_night_and_a_day_is_the_same_on_every_body_and_broker(mosquitto, tmp_path):
    """On real MicroPython and whole Bluetooth stacks test_run_command.py runs it, as the demo, and holds it to the model's frames."""
    scenario = load_scenario("night-and-day")
    on_mosquitto = MODEL if not IS_LONG_RUN else Options(body="micropython")
    runs = [
        run_scenario(scenario, on_mosquitto._replace(broker=mosquitto.url, folder=tmp_path)),
        run_scenario(scenario, MODEL._replace(broker="amqtt")),
        run_scenario(scenario, MODEL),
    ]
    assert [failed(run) for run in runs] == [[], [], []]
    assert len({run.report.frames_digest for run in runs}) == 1
    assert runs[0].report.ledger == runs[2].report.ledger
    strap = [event for event in runs[0].report.events if event.code == "strap_open"]
    assert len(strap) == 1
    assert strap[0].at_centre_s - strap[0].t_s <= 2.0
    interfaces = {packet.interface for packet in read_trace(tmp_path / "trace.pcapng")}
    assert interfaces - {"hci"} == {"air", "cellular", "mqtt", "opened", "truth"}


def test_the_report_does_not_depend_on_the_hash_seed():
    code = (
        "from strapline_simulator.scenario import load_scenario\n"
        "from strapline_simulator.simulation import Options, run_scenario\n"
        "import sys\n"
        "report = run_scenario(load_scenario('leaves-at-night'), Options(body='model')).report\n"
        "sys.stdout.write(report.model_copy(update={'wall_s': 0.0}).to_json())\n"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("0", "1", "4711")
    ]
    assert json.loads(outputs[0])["events"]
    assert len({hashlib.sha256(output).digest() for output in outputs}) == 1


def test_a_gateway_that_loses_a_record_is_found_out(monkeypatch):
    keep = Outbox.put

    def lose_the_alarm(self, lane, channel, source, journal, sequence, data, utc_s):
        return lane == 0 or keep(self, lane, channel, source, journal, sequence, data, utc_s)

    monkeypatch.setattr(Outbox, "put", lose_the_alarm)
    result = run_scenario(load_scenario("strap-cut"), MODEL)
    assert not result.passed
    assert (
        result.report.ledger.missing == 0
    )  # the run ends before the record was due; the alarm's own bound is what fails
    assert any(text.startswith("event strap_open within 2 s") for text in failed(result))


def test_a_tag_that_feels_no_strap_is_found_out(monkeypatch):
    from strapline_tag.strap import Strap

    monkeypatch.setattr(Strap, "edge", lambda self, now, is_open: None)
    result = run_scenario(load_scenario("night-and-day"), MODEL)
    assert not result.passed
    codes = {truth.code for truth in result.unmet}
    assert "strap_open" in codes
    assert result.report.ledger.missing == len(result.unmet) >= 1


def test_without_the_cut_the_strap_scenario_fails():
    scenario = load_scenario("strap-cut")
    steps = tuple(step if step.cut_strap is None else step.model_copy(update={"cut_strap": None, "note": "no cut", "name": "cut_strap"})
                  for step in scenario.steps)  # fmt: skip
    result = run_scenario(scenario.model_copy(update={"steps": steps}), MODEL)
    assert any("strap_open" in text for text in failed(result))


def test_a_cut_in_the_quiet_night_makes_it_fail():
    scenario = load_scenario("quiet-night")
    cut = load_scenario("strap-cut").steps[1]
    result = run_scenario(scenario.model_copy(update={"steps": (*scenario.steps, cut)}), MODEL)
    assert "no event strap_open (there are 1)" in failed(result)
    assert "no alert (there are 1)" in failed(result)
