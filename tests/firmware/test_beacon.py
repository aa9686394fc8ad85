"""The beacon every four hours, and that no alarm ever waits for one."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.tag_pair import TagPair

PERIOD_MS = 4 * 3600 * 1000
SPARSE = {"heartbeat_shortest_ms": 60_000, "heartbeat_longest_ms": 60_000}


def beacons_due(armed_at, until):
    return list(range(armed_at + PERIOD_MS, until + 1, PERIOD_MS))


def test_at_home_a_beacon_comes_exactly_every_4_h_from_arming_over_3_days():
    pair = TagPair(SPARSE)
    pair.run(12.345)
    pair.arm()
    armed_at = pair.now
    pair.stay_home(3 * 86400)
    pair.visit()
    assert not pair.tag.away
    assert pair.times("beacon") == beacons_due(armed_at, pair.now)
    assert len(pair.times("beacon")) == 18
    assert set(pair.names()) == {"started", "armed", "beacon"}


def test_away_a_beacon_comes_exactly_every_4_h_from_arming_over_3_days():
    pair = TagPair(SPARSE)
    pair.run(67.89)
    pair.arm()
    armed_at = pair.now
    pair.run(3 * 86400)
    assert pair.tag.away
    assert pair.times("beacon") == beacons_due(armed_at, pair.now)
    late = [record.at - stamp for record, stamp in zip(_records(pair, "beacon"), pair.times("beacon"), strict=True)]
    assert max(late) == 0  # dialled in the moment in which they are due


def _records(pair, name):
    return [record for record in pair.unique() if record.name == name]


def test_coming_and_going_does_not_move_the_beacons():
    pair = TagPair(SPARSE)
    pair.arm()
    random = Random(4)
    while pair.now < 3 * 86400 * 1000:
        pair.stay_home(random.randrange(60, 20_000))
        pair.run(random.randrange(60, 20_000))
    assert pair.times("beacon") == beacons_due(0, pair.now)
    assert {"left_home", "came_home"} <= set(pair.names())


def test_a_beacon_that_finds_no_line_is_delivered_later_with_its_own_time():
    pair = TagPair(SPARSE)
    pair.coverage = False
    pair.arm()
    pair.run(10 * 3600)
    assert pair.names() == []
    pair.coverage = True
    pair.run(3600)
    assert pair.times("beacon") == [PERIOD_MS, 2 * PERIOD_MS]


def test_no_beacon_before_it_is_armed():
    pair = TagPair(SPARSE)
    pair.connect()
    pair.run(86400)
    assert pair.names() == ["started"]


def test_arming_anew_starts_the_four_hours_anew():
    pair = TagPair(SPARSE)
    pair.arm()
    pair.stay_home(3 * 3600)
    pair.arm()
    again_at = pair.now
    pair.stay_home(9 * 3600)
    assert pair.times("beacon") == beacons_due(again_at, pair.now)


@pytest.mark.parametrize("slept_h", [4, 7, 8, 9, 100])
def test_after_a_sleep_over_several_beacons_one_comes_and_the_rhythm_stays(slept_h):
    pair = TagPair(SPARSE)
    pair.arm()
    pair.connect()
    pair.now = slept_h * 3600 * 1000 + 500
    pair.tag.handle_timer(pair.now)
    pair.drain()
    assert pair.times("beacon") == [pair.now]
    woken_at = pair.now
    pair.run(12 * 3600)
    assert pair.times("beacon")[1:] == [at for at in beacons_due(0, pair.now) if at > woken_at]


@settings(deadline=None, max_examples=60)
@given(
    phase_ms=st.one_of(
        st.integers(0, PERIOD_MS),
        st.integers(0, 3000),  # just after one
        st.integers(PERIOD_MS - 3000, PERIOD_MS),  # just before one, or with it
    ),
    away=st.booleans(),
    line=st.sampled_from([True, False]),
    by=st.sampled_from(["latch", "resistance", "bypass"]),
)
def test_an_alarm_at_any_phase_of_the_period_is_advertised_within_100_ms(phase_ms, away, line, by):
    pair = TagPair(SPARSE)
    pair.coverage = line
    pair.arm()
    (pair.run if away else pair.stay_home)((PERIOD_MS + phase_ms) / 1000)
    if by == "latch":
        pair.edge(is_open=True)
    elif by == "resistance":
        pair.tag.feed_strap(pair.now, 1_000_000)
    else:
        for _ in range(3):
            pair.tag.feed_strap(pair.now, 500)
    alarmed_at, sequence = pair.now, pair.tag.journal.newest_alarm
    pair.run(1)
    told = [heard.at for heard in pair.heard if heard.heartbeat.newest_alarm == sequence & 0xFF]
    assert 0 <= told[0] - alarmed_at <= 100
    assert all(later - sooner <= 100 for sooner, later in pairwise(told))


@settings(deadline=None, max_examples=60)
@given(phase_ms=st.integers(0, PERIOD_MS), away=st.booleans())
def test_an_alarm_at_any_phase_is_at_the_centre_long_before_the_next_beacon(phase_ms, away):
    pair = TagPair(SPARSE)
    pair.arm()
    (pair.run if away else pair.stay_home)((PERIOD_MS + phase_ms) / 1000)
    pair.edge(is_open=True)
    alarmed_at = pair.now
    pair.run(pair.config.alarm_fallback_ms / 1000)
    (alarm,) = _records(pair, "strap_open")
    assert alarm.at - alarmed_at <= (0 if away else pair.config.alarm_fallback_ms)
