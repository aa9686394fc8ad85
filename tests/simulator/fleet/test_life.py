"""Lives: the same from the same seed, in the order of time, within their schedules, and told only in verbs that the engine has."""

import json
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strapline_centre.schedule import Schedule
from strapline_protocol.profiles import PROFILES
from strapline_simulator.fleet.engine_verbs import VERBS
from strapline_simulator.fleet.life import home_spec
from strapline_simulator.fleet.person import distance_m
from strapline_simulator.fleet.tampers import CALL_OMITTED, KINDS
from strapline_simulator.scenario.orders import CurfewOrder

ZONE = "Europe/Berlin"
START = datetime(2026, 3, 2, tzinfo=ZoneInfo(ZONE))
REACH_M = 40.0
GRACE_S = 300.0

lives = st.fixed_dictionaries(
    {"number": st.integers(0, 500), "seed": st.integers(0, 500), "profile": st.sampled_from(sorted(PROFILES))}
)


def spec(number, seed, profile, *, days=9, tampers=0.3, start=START):
    return home_spec(number, seed, start, days * 24, profile=profile, tags=1, zone=ZONE, tampers=tampers)


@settings(max_examples=15)
@given(lives)
def test_a_life_is_in_order_of_plain_values_and_known_verbs(drawn):
    made = spec(**drawn)
    for tag in made.tags:
        times = [stimulus.t_s for stimulus in tag.stimuli]
        assert times == sorted(times)
        assert {stimulus.verb for stimulus in tag.stimuli} <= set(VERBS)
        assert min(times) >= 0
        assert max(times) < made.hours * 3600
        assert {sown.kind for sown in tag.sown} <= {*KINDS, CALL_OMITTED}
        json.dumps([stimulus.argument for stimulus in tag.stimuli])
    assert spec(**drawn) == made


def schedule_at(tag):
    """Functions of time: what the centre has sent by then."""
    orders = []
    for stimulus in tag.stimuli:
        if stimulus.verb == "curfew":
            order = CurfewOrder.model_validate(stimulus.argument)
            weekly = tuple(window for one in order.weekly for window in one.windows)
            orders.append((stimulus.t_s, Schedule(ZoneInfo(ZONE), (), weekly, tuple(one.value for one in order.once))))
    return lambda t_s: next((schedule for at, schedule in reversed(orders) if at <= t_s), None)


def absences(made, tag):
    """From leaving until being home again, of the life without what was sown."""
    sown = [(one.t_s - 60, one.t_s + 3 * 3600) for one in tag.sown if one.kind == "left_in_curfew"]
    left = None
    for stimulus in tag.stimuli:
        if stimulus.verb == "track":
            yield stimulus.t_s, stimulus.t_s + stimulus.argument[-1][0]
        elif stimulus.verb == "go" and not any(begin <= stimulus.t_s <= end for begin, end in sown):
            lat, lon, for_s = stimulus.argument
            if distance_m((lat, lon), made.home) > REACH_M:
                left = stimulus.t_s if left is None else left
            elif left is not None:
                yield left, stimulus.t_s + for_s
                left = None


@settings(max_examples=15)
@given(lives.filter(lambda drawn: drawn["profile"] not in ("one-piece", "facility")))
def test_nobody_breaks_a_curfew_unless_it_is_sown(drawn):
    made = spec(**drawn, days=23)
    for tag in made.tags:
        schedule = schedule_at(tag)
        for left, back in absences(made, tag):
            assert schedule(left) is schedule(back) or schedule(left) == schedule(back)
            for t_s in (left, (left + back) / 2, back - GRACE_S + 60):
                moment = datetime.fromtimestamp(START.timestamp() + t_s, ZoneInfo(ZONE))
                assert schedule(t_s).may_be_out(moment), (t_s, moment)


def test_hours_are_those_of_the_wall_over_a_change_of_the_clocks():
    made = spec(3, 1, "home-rf", days=40, tampers=0)
    leaves = [s.t_s for s in made.tags[0].stimuli if s.verb == "go"]
    assert leaves, "this life goes out"
    for left, back in absences(made, made.tags[0]):
        assert schedule_at(made.tags[0])(left).may_be_out(
            datetime.fromtimestamp(START.timestamp() + left, ZoneInfo(ZONE))
        )
        assert left < back


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_tampers_are_as_many_as_asked_and_apart(profile):
    sown = [one for number in range(15) for one in spec(number, 7, profile, days=14, tampers=0.4).tags[0].sown]
    assert 0.6 < len(sown) / (15 * 14 * 0.4) < 1.4
    for number in range(4):
        times = [one.t_s for one in spec(number, 7, profile, days=14, tampers=1.0).tags[0].sown]
        assert all(later - earlier > 900 for earlier, later in pairwise(times))
        assert all(t_s > 3600 for t_s in times)
    assert not spec(1, 7, profile, tampers=0).tags[0].sown


@settings(max_examples=15)
@given(lives)
def test_a_tamper_whose_bound_needs_coverage_is_not_sown_where_there_is_none(drawn):
    for tag in spec(**drawn, tampers=2.0).tags:
        dark, since = [], None
        for stimulus in tag.stimuli:
            if stimulus.verb == "cell":
                if not stimulus.argument:
                    since = stimulus.t_s
                elif since is not None:
                    dark.append((since, stimulus.t_s))
                    since = None
        for sown in tag.sown:
            if sown.kind != "strap_cut_without_coverage":
                assert not any(begin <= sown.t_s <= end for begin, end in dark), sown


def test_recordings_of_a_person_are_lived_where_they_are_to_be_had(monkeypatch):
    recorded = pytest.importorskip("strapline_simulator.fleet.recorded")
    if not recorded.recorded_outings():
        pytest.skip("STRAPLINE_DATA is not set")
    made = [spec(number, 1, "two-piece", days=28, tampers=0) for number in range(6)]
    tracks = [s.argument for one in made for s in one.tags[0].stimuli if s.verb == "track"]
    assert tracks
    for one in made:
        for stimulus in one.tags[0].stimuli:
            if stimulus.verb == "track":
                points = stimulus.argument
                assert distance_m(points[0][1:], one.home) < 1
                assert distance_m(points[-1][1:], one.home) < 1
                for (t, *here), (then, *there) in pairwise(points):
                    assert distance_m(here, there) <= 60.1 * (then - t)
