"""What explains an alert, and what does not."""

from datetime import UTC, datetime

import pytest

from strapline_simulator.fleet.spec import HomeSpec, Sown, Stimulus, TagSpec, Told
from strapline_simulator.fleet.tampers import CALL_OMITTED, KINDS
from strapline_simulator.fleet.truth import _CONSEQUENCES, _outages, cause_of

TAG, OTHER, GATEWAY = "00000101", "00000102", "6a000001"
CUT = Sown(5000.0, "strap_cut", ("strap_open",), 180.0)


def home(*stimuli, sown=()):
    tags = (TagSpec(TAG, "home-rf", {}, stimuli, sown), TagSpec(OTHER, "home-rf", {}, (), ()))
    return HomeSpec(1, 1, datetime(2026, 3, 2, tzinfo=UTC), 24.0, "Europe/Berlin", (53.0, 10.0), tags)


def cause(spec, tag, t_s, code):
    return cause_of(
        Told(tag, t_s, code, "what the engine thinks"), {one.ident: one for one in spec.tags}, list(_outages(spec))
    )


@pytest.mark.parametrize(
    ("tag", "t_s", "code", "expected"),
    [
        (TAG, 5001.0, "strap_open", "strap_cut"),
        (TAG, 5001.0, "alarm", "strap_cut"),
        (TAG, 5600.0, "removed", "strap_cut"),
        (TAG, 4000.0, "strap_open", ""),
        (TAG, 9000.0, "strap_open", ""),
        (TAG, 5001.0, "curfew_broken", ""),
        (OTHER, 5001.0, "strap_open", ""),
    ],
)
def test_a_tamper_explains_its_own_alarms_of_its_own_tag(tag, t_s, code, expected):
    assert cause(home(sown=(CUT,)), tag, t_s, code) == expected


def test_going_out_explains_nothing():
    spec = home(Stimulus(100.0, "go", (53.1, 10.1, 600.0)), Stimulus(100.0, "shelter", "metro"))
    for code in ("curfew_broken", "left_home", "moving_without_fix", "shielded", "call_in_missed", "removed"):
        assert cause(spec, TAG, 900.0, code) == ""


@pytest.mark.parametrize(
    ("verb", "t_s", "code", "expected"),
    [
        ("gateway_mains", 1001.0, "mains_lost", "gateway_mains"),
        ("gateway_mains", 900.0, "mains_lost", ""),
        ("gateway_line", 1031.0, "gateway_lost", "gateway_line"),
        ("gateway_line", 9000.0, "gateway_lost", ""),
        ("gateway_line", 1031.0, "mains_lost", ""),
        ("gateway_line", 1031.0, "strap_open", ""),
        ("broker", 1200.0, "cut_off", "broker"),
        ("cell", 1500.0, "tag_silent", ""),
    ],
)
def test_what_befell_the_house_explains_what_the_house_tells(verb, t_s, code, expected):
    spec = home(Stimulus(1000.0, verb, False), Stimulus(2000.0, verb, True))
    assert cause(spec, GATEWAY, t_s, code) == expected


def test_a_long_time_without_any_line_explains_a_silent_tag():
    spec = home(Stimulus(1000.0, "cell", False), Stimulus(20000.0, "cell", True))
    assert cause(spec, TAG, 19000.0, "tag_silent") == "cell"


def test_each_kind_of_tamper_has_its_consequences():
    assert set(_CONSEQUENCES) == {*KINDS, CALL_OMITTED}
