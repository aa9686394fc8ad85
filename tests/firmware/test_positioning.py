"""When the receiver is on, and which of its positions are kept."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.tag_pair import WORN_OHM, TagPair, epoch
from strapline_wire import documents, frames

SPARSE = {"heartbeat_shortest_ms": 60_000, "heartbeat_longest_ms": 60_000}


@pytest.fixture
def away():
    pair = TagPair(SPARSE)
    pair.armed_away()
    return pair


def on_times(pair):
    return [at for at, on in pair.gnss_power if on]


def with_sky(pair, seconds, first_fix_s=30):
    """Let time pass with a receiver that has a position so long after it was switched on, each second."""
    end = pair.now + seconds * 1000
    while pair.now < end:
        on_since = pair.gnss_power[-1][0] if pair.gnss_power and pair.gnss_power[-1][1] else None
        if on_since is not None and pair.now - on_since >= first_fix_s * 1000:
            pair.gnss(epoch(pair.now // 1000))
        pair.run_to(min(end, pair.now + 1000))


def fixes(pair):
    """Uptimes in s, delivered or not."""
    pair.coverage = True
    pair.connect()
    return [record.body.uptime_s for record in pair.unique() if record.name == "fix"]


def test_at_home_the_receiver_stays_off_and_nothing_of_it_is_recorded():
    pair = TagPair(SPARSE)
    pair.arm()
    for minute in range(600):
        pair.stay_home(60)
        pair.gnss(epoch(60 * minute))
        if minute == 300:
            pair.edge(is_open=True)  # not even in violation
    assert pair.gnss_power == []
    assert fixes(pair) == []


def test_a_tag_that_is_not_armed_records_no_positions_wherever_it_is():
    pair = TagPair(SPARSE)
    pair.run(86400)
    pair.gnss(epoch(1))
    assert pair.gnss_power == []


def test_away_there_is_a_position_every_3_min(away):
    left_at = away.now
    with_sky(away, 3600)
    assert on_times(away) == [left_at + 180_000 * n for n in range(20 + 1)]
    assert len(fixes(away)) == 20
    assert all(on <= 180_000 for on in on_durations(away))


def on_durations(pair):
    pairs = zip(pair.gnss_power[::2], pair.gnss_power[1::2], strict=False)
    return [off - on for (on, _), (off, _) in pairs]


def test_the_receiver_goes_off_with_its_first_position(away):
    with_sky(away, 1800, first_fix_s=7)
    assert len(on_durations(away)) == 10
    assert all(7_000 <= on <= 9_000 for on in on_durations(away))


def test_power_on_and_off_alternate(away):
    with_sky(away, 7200, first_fix_s=45)
    switched = [on for _, on in away.gnss_power]
    assert len(switched) >= 80
    assert switched == [n % 2 == 0 for n in range(len(switched))]


def test_without_sky_it_gives_up_after_2_min_tries_again_and_says_so_once(away):
    left_at = away.now
    away.run(3600)
    assert on_times(away) == [left_at + 180_000 * n for n in range(20 + 1)]
    assert set(on_durations(away)) == {120_000}
    assert away.times("no_fix") == [left_at + 120_000]
    assert [r.body.detail for r in away.unique() if r.name == "no_fix"] == [120]


def test_a_position_in_between_makes_the_next_failure_worth_telling(away):
    away.run(1800)
    with_sky(away, 600)
    away.run(1800)
    assert len(away.times("no_fix")) == 2


def test_coming_home_makes_the_next_failure_worth_telling(away):
    away.run(600)
    away.stay_home(600)
    away.run(1800)
    assert len(away.times("no_fix")) == 2


def test_failed_positions_do_not_keep_the_cellular_line_busy(away):
    away.run(3600 * 3)
    assert len(away.dialled) <= 3


def test_coming_home_switches_the_receiver_off_at_once(away):
    away.run(30)
    assert away.gnss_power[-1][1]
    away.visit()
    assert away.gnss_power[-1] == (away.now, False)
    away.gnss(epoch(3))
    away.stay_home(3600)
    assert fixes(away) == []


def test_what_the_receiver_said_before_it_was_switched_off_is_forgotten(away):
    away.gnss(epoch(10)[:-20])
    away.visit()
    away.run(400)
    assert away.tag.away
    away.gnss(epoch(10)[-20:])
    away.run(1)
    assert fixes(away) == []


@pytest.mark.parametrize("how", ["before leaving", "while away"])
def test_in_violation_there_is_a_position_every_15_s(how):
    pair = TagPair(SPARSE)
    pair.arm()
    if how == "before leaving":
        pair.edge(is_open=True)
    pair.leave()
    if how == "while away":
        with_sky(pair, 400)
        pair.edge(is_open=True)
    violated_at = pair.now
    with_sky(pair, 15 * 60, first_fix_s=3)
    times = [at for at in on_times(pair) if at >= violated_at]
    assert len(times) >= 58
    gaps = [later - sooner for sooner, later in pairwise(times[1:])]
    assert set(gaps) == {15_000}


def test_violation_does_not_wait_for_the_three_minutes_to_end(away):
    with_sky(away, 60)
    assert not away.gnss_power[-1][1]
    away.edge(is_open=True)
    violated_at = away.now
    away.run(16)
    assert violated_at < on_times(away)[-1] <= violated_at + 15_000


def test_in_violation_without_sky_the_receiver_rests_a_second_in_two_minutes(away):
    away.edge(is_open=True)
    away.run(3600)
    assert set(on_durations(away)) == {120_000}
    off = [on - off for (off, _), (on, _) in zip(away.gnss_power[1::2], away.gnss_power[2::2], strict=False)]
    assert set(off) == {1000}


def test_arming_anew_ends_the_violation(away):
    away.edge(is_open=True)
    with_sky(away, 300, first_fix_s=3)
    away.edge(is_open=False)
    away.tag.feed_strap(away.now, WORN_OHM)
    away.arm()
    with_sky(away, 20, first_fix_s=3)
    armed_at = away.now
    with_sky(away, 3600, first_fix_s=3)
    assert len([at for at in on_times(away) if at > armed_at]) == 20


def test_a_sentence_cut_by_the_last_byte_is_completed_by_silence(away):
    away.gnss(epoch(77))
    assert "fix" not in away.waiting() + away.names()
    away.run(0.5)
    assert fixes(away) == [away.now // 1000]


def test_what_a_fix_says(away):
    away.visit(home=False)  # for the time
    away.run(180)
    away.gnss(epoch(540))
    away.run(0.3)
    (fix,) = [r.body for r in (fixes(away), away.unique())[1] if r.name == "fix"]
    assert (fix.boot, fix.uptime_s) == (1, 540)
    assert fix.utc_s % 86400 == 540
    assert (fix.lat_e7, fix.lon_e7) == (480090000, 115166667)
    assert (fix.accuracy_dm, fix.speed_dm_s) == (45, 5)
    assert fix.flags == 0b011


# LOCATE: R08.


def locate(pair, request=7, within_s=180):
    pair.key(pair.centre.seal(frames.LOCATE, frames.pack_locate((request, within_s))))
    return pair.now


def answers(pair):
    """What was told after the departure, in the journal's order, and the requests that were answered."""
    pair.coverage = True
    pair.visit(home=False)
    names = [r.name for r in sorted(pair.unique(), key=lambda r: r.sequence) if "clock" not in r.name]
    details = [r.body.detail for r in pair.unique() if r.name == "located"]
    return names[names.index("armed") + 1 :], details


def test_an_order_brings_a_position_now_and_its_answer_comes_after_it(away):
    with_sky(away, 100)
    assert not away.gnss_power[-1][1]
    asked_at = locate(away)
    assert away.gnss_power[-1] == (asked_at, True)
    with_sky(away, 40)
    assert answers(away) == (["left_home", "fix", "fix", "located"], [7])
    assert asked_at + 30_000 <= away.times("located")[0] <= asked_at + 32_000
    with_sky(away, 600)
    assert answers(away)[1] == [7]


def test_an_order_without_sky_is_answered_when_its_time_is_over(away):
    away.run(130)
    asked_at = locate(away, within_s=150)
    away.run(200)
    assert answers(away)[0] == ["left_home", "no_fix", "located"]
    assert away.times("located") == [asked_at + 150_000]


def test_an_order_takes_the_position_that_is_under_way(away):
    away.run(10)
    locate(away)
    away.gnss(epoch(away.now // 1000))
    away.run(1)
    assert answers(away) == (["left_home", "fix", "located"], [7])
    assert away.gnss_power[-1] == (away.now - 1000 + 300, False)


@pytest.mark.parametrize(("allowed", "names"), [(0, ["located"]), (1, ["fix", "located"])])
def test_at_home_there_is_a_position_only_where_the_deployment_allows_it(allowed, names):
    pair = TagPair({**SPARSE, "locate_at_home": allowed})
    pair.arm()
    pair.visit()
    locate(pair)
    assert pair.gnss_power == ([(pair.now, True)] if allowed else [])
    with_sky(pair, 60, first_fix_s=3)
    assert answers(pair) == (names, [7])
    assert not pair.gnss_power or not pair.gnss_power[-1][1]
    pair.stay_home(3600)
    assert answers(pair) == (names, [7])


def test_whoever_comes_home_meanwhile_is_not_measured_there(away):
    away.run(130)
    locate(away)
    away.run(10)
    away.visit()
    assert away.gnss_power[-1] == (away.now, False)
    away.stay_home(600)
    assert answers(away)[0] == ["left_home", "no_fix", "came_home", "located"]


def test_a_tag_without_a_receiver_says_at_once_that_there_is_none():
    pair = TagPair({**SPARSE, "mode": 1})
    pair.armed_away()
    asked_at = locate(pair)
    assert answers(pair) == (["left_home", "located"], [7])
    assert pair.times("located") == [asked_at]
    pair.run(3600)
    assert pair.gnss_power == []


def test_a_second_order_waits_its_turn_and_one_before_arming_is_refused(away):
    away.run(130)
    locate(away, 7)
    locate(away, 8)
    away.run(400)
    assert answers(away)[1] == [7]
    refused = [r.body.detail for r in away.unique() if r.name == "command_refused"]
    assert refused == [frames.LOCATE << 8 | frames.REFUSAL_NOT_NOW]
    pair = TagPair(SPARSE)
    locate(pair)
    pair.visit()
    assert "command_refused" in pair.names()
    assert pair.gnss_power == []


# Zones.


def test_a_zone_in_doubt_is_looked_at_each_minute_and_a_broken_one_each_15_s():
    pair = TagPair({**SPARSE, "zone_sure_m": 10_000})
    zone = (7, 0, 0, 1000, ((480_090_000, 115_166_667),))
    pair.key(pair.centre.seal(frames.ZONES, documents.pack_zones((1, (zone,)))))
    pair.armed_away()
    with_sky(pair, 2400, first_fix_s=3)
    waits = [later - sooner for sooner, later in pairwise(on_times(pair))]
    calm = next(n for n, wait in enumerate(waits) if wait < 180_000)
    assert calm >= 3
    assert all(60_000 <= wait < 65_000 for wait in waits[calm : calm + 4])
    assert set(waits[calm + 5 :]) == {15_000}
    assert [r.body.detail for r in pair.unique() if r.name == "zone_broken"] == [7]
    assert fixes(pair)[-1] > 2300


def test_the_network_pages_a_sleeping_tag_and_it_calls(away):
    away.run(600)
    dialled = len(away.dialled)
    away.tag.feed_ring(away.now)
    away.drain()
    assert len(away.dialled) == dialled + 1
    for _ in range(5):  # anybody may page
        away.run(10)
        away.tag.feed_ring(away.now)
        away.drain()
    assert len(away.dialled) == dialled + 1
    away.run(60)
    away.tag.feed_ring(away.now)
    away.drain()
    assert len(away.dialled) == dialled + 2


@settings(deadline=None)
@given(st.lists(st.binary(max_size=300) | st.integers(0, 80_000).map(epoch), max_size=20), st.integers(1, 130_000))
def test_no_bytes_of_the_receiver_stop_the_tag(chunks, gap_ms):
    pair = TagPair(SPARSE)
    pair.armed_away()
    for chunk in chunks:
        pair.gnss(chunk)
        pair.run(gap_ms / 1000)
    pair.run(400)
    pair.edge(is_open=True)
    assert "strap_open" in pair.names()
