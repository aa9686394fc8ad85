"""R42: ten thousand gateways, one broker."""

import math

from strapline_gateway.relay import WILL_DELAY_S
from strapline_protocol.paho_link import FIRST_PAUSE_S, KEEPALIVE_S
from strapline_simulator.chaos.stampede import GATEWAYS, PEAK_LIMIT, all_cases, power_failure, restart


def test_no_event_brings_more_than_a_few_times_an_even_load():
    for case in all_cases():
        assert sum(case.connected) == GATEWAYS
        assert case.peak_ratio <= PEAK_LIMIT, case.summary()


def test_all_are_back_within_a_minute_and_a_half_of_the_broker():
    assert all(case.last_s - case.back_at_s < 90 for case in all_cases())


def test_who_only_loses_the_line_is_back_before_its_will_is_told():
    assert FIRST_PAUSE_S + 5.0 < WILL_DELAY_S


def test_a_city_that_goes_dark_is_not_told_of_in_one_second():
    dark = power_failure(600.0)
    assert sum(dark.wills) == GATEWAYS
    assert max(dark.wills) <= 2 * GATEWAYS / KEEPALIVE_S


def test_pauses_with_a_part_in_common_would_be_a_stampede():
    def half_jittered_from_2_s(failures, fraction):
        return min(60.0, math.ldexp(1.0, min(failures, 10))) * (0.5 + 0.5 * fraction)

    assert restart(1.0, half_jittered_from_2_s).peak_ratio > 20
    assert power_failure(60.0, first_pause_s=lambda _up_s, _fraction: 0.0).peak_ratio > 10
