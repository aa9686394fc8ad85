import os
import time
from importlib.resources import files
from pathlib import Path

import pytest

from strapline_hil.rig.file import load_rig
from strapline_hil.rig.real.dut import open_real
from strapline_hil.rig.real.run import run_real, why_not
from strapline_simulator.scenario import load_scenario

HERE = Path(__file__).parent
SHIPPED = Path(files("strapline_simulator") / "scenarios")
FULL = """
rig: full
target: {board: pico-w, port: none, keys: keys}
resources:
  relays: {driver: lcus-relay, port: /dev/null}
  bench: {driver: bench-board, port: /dev/null}
instruments:
  strap: {driver: strap-relay, on: relays, channels: {open: 1, bypass: 2}, loops: {closed: 1000, bypass: 180}}
  contacts: {driver: contacts, on: relays, channels: {case_open: 4, charging: 5, immersed: 6, button: 7}}
  heat: {driver: heater, on: bench}
  motion: {driver: shaker, on: bench}
  gnss: {driver: gnss-injector, port: /dev/null}
  supply: {driver: scpi-supply, port: /dev/null}
  hand: {driver: by-hand}
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "full.yaml"
    path.write_text(FULL)
    return load_rig(path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("strap-cut", ""),
        ("r06-case-opened", "it takes 60 min on the wall's clock, more than 30: --rig-minutes allows it"),
        ("story-football", "only a simulation does go"),
        ("alarm-home-rf", "its tag has mode 1, and that of the rig the firmware's own settings"),
        ("r17-heartbeats-at-random", "nobody on a real rig sees each advertisement, as heartbeats would"),
        ("fault-adapter-deaf", "only a simulation does"),
    ],
)
def test_what_keeps_a_scenario_off_a_real_rig_is_said_in_a_line(file, name, reason):
    found = why_not(load_scenario(name), file)
    assert found.startswith(reason) if reason else found == ""


def test_what_the_rig_lacks_is_named(file):
    del file.instruments["heat"]
    assert why_not(load_scenario("strap-cut"), file) == "rig full has no heater"


def test_some_scenarios_for_rigs_run_on_a_real_one(file):
    marked = [path.stem for path in SHIPPED.glob("*.yaml") if "hil: true" in path.read_text("utf-8").splitlines()]
    assert len([name for name in marked if not why_not(load_scenario(name), file, limit_s=10_800)]) >= 10


def test_a_scenario_passes_at_the_walls_pace(desk):
    result = played(desk, "seconds-at-a-desk.yaml")
    assert result.report.wall_s > 9


@pytest.mark.skipif("STRAPLINE_LONG" not in os.environ, reason="takes a minute of the wall's: STRAPLINE_LONG=1")
def test_a_minute_passes_at_the_walls_pace(desk):
    result = played(desk, "a-minute-at-a-desk.yaml")
    assert result.report.wall_s > 55


def played(desk, name):
    scenario, file = load_scenario(str(HERE / name)), load_rig(desk.rig)
    assert why_not(scenario, file) == ""

    def person(text):
        desk.person(text)
        time.sleep(1)  # and then comes back to the terminal: the tag was armed before

    body = open_real(file, person)
    try:
        result = run_real(body, scenario)
    finally:
        body.close()
    assert [outcome.text for outcome in result.report.expectations if not outcome.passed] == []
    assert result.passed
    return result
