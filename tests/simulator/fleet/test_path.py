"""Where a wearer is: how fast a leg is gone, and when it comes near home."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strapline_simulator.fleet.engine_path import Path

HOME = (50.1, 8.7)
STEP_S = 10.0

places = st.tuples(st.floats(50.08, 50.12), st.floats(8.67, 8.73))


def walking(since, to, duration_s):
    path = Path(since)
    path.home = HOME
    path.go(0.0, to, duration_s)
    return path


@given(places, places, st.integers(5, 4000), st.integers(0, 3999), st.floats(0.0, 3000.0))
def test_a_leg_comes_near_in_the_first_step_that_leads_there(since, to, duration_s, now_s, metres):
    path = walking(since, to, duration_s)
    now_s %= duration_s
    path.at(now_s)
    comes_s = path.comes_near_s(now_s, metres)
    ahead_s = [now_s + STEP_S * step for step in range(1, ceil((duration_s - now_s) / STEP_S) + 1)]
    far = [walking(since, to, duration_s).from_home_m(at_s) for at_s in ahead_s]
    if all(abs(one - metres) > 1e-3 for one in far):  # closer than that two ways of adding up need not agree
        near_s = next((at_s - STEP_S for at_s, one in zip(ahead_s, far, strict=True) if one <= metres), duration_s)
        assert comes_s == pytest.approx(near_s)


def test_who_goes_straight_home_comes_near_in_time():
    path = walking((HOME[0] + 0.02, HOME[1]), HOME, 1000.0)
    near_m = 0.253 * 0.02 * 111_320  # after 747 s
    assert [path.comes_near_s(now_s, near_m) for now_s in (0.0, 605.0, 741.0)] == [740.0, 745.0, 741.0]


def test_who_stands_comes_no_nearer():
    path = Path(HOME)
    assert path.comes_near_s(100.0, 50.0) == path.until_s
    assert path.speed_m_s(100.0) == 0.0


def test_each_leg_has_its_own_pace():
    path = Path((50.0, 8.0))
    path.follow(100.0, ((100.0, 50.001, 8.0), (110.0, 50.002, 8.0)))
    degree_m = 111_320
    paces = [path.speed_m_s(at_s) for at_s in (100.0, 150.0, 200.0, 205.0, 210.0)]
    assert paces == pytest.approx([0.001 * degree_m / 100] * 2 + [0.001 * degree_m / 10] * 2 + [0.0], rel=1e-6)
    path.go(300.0, (50.003, 8.0), 10.0)
    assert path.speed_m_s(301.0) == pytest.approx(0.001 * degree_m / 10, rel=1e-6)
    path.go(305.0, (50.0035, 8.0), 10.0)  # amid that one
    assert path.speed_m_s(306.0) == pytest.approx(0.001 * degree_m / 10, rel=1e-6)
    path.go(310.0, (50.013, 8.0), 10.0)
    assert path.speed_m_s(311.0) == pytest.approx(0.01 * degree_m / 10, rel=1e-6)
