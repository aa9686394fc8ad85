"""Figures that a rig's limits are held against."""

import pytest

from strapline_hil.instruments.protocols import Heard, Sample
from strapline_hil.limits.reckoning import heartbeat_intervals, longest_gap_s, mean_micro_a


def heard(t_s, data):
    return Heard(t_s, "00:00:00:00:00:01", -60, data)


def test_a_heartbeat_counts_when_it_is_heard_first():
    found = heartbeat_intervals(
        [heard(10.0, b"a"), heard(10.1, b"a"), heard(12.0, b"b"), heard(12.2, b"b"), heard(20.0, b"c")]
    )
    assert found == pytest.approx((2.6, 5.0, 7.4, 2))


def test_two_heartbeats_have_no_spread():
    assert heartbeat_intervals([heard(1.0, b"a"), heard(1.1, b"a"), heard(3.0, b"b")]) is None
    assert heartbeat_intervals([]) is None


def test_current_and_gaps():
    assert mean_micro_a([Sample(0.0, 10.0), Sample(0.001, 30.0)]) == 20.0
    assert longest_gap_s([0.0, 4.0, 9.5, 10.0]) == pytest.approx(5.5)
