"""The strap, as the whole tag tells of it: openings, manipulations, the latch, and arming."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.tag_pair import OPEN_OHM, WORN_OHM, TagPair
from strapline_protocol.definitions import State

STRAP = {"strap_open", "strap_closed", "strap_altered"}


@pytest.fixture
def pair():
    pair = TagPair()
    pair.arm()
    pair.connect()
    return pair


def told(pair):
    return [(record.name, record.body.detail) for record in pair.unique() if record.name in STRAP]


@pytest.mark.parametrize("phase_ms", [0, 1, 499, 949, 950, 999])
def test_an_opening_of_50_ms_between_two_samples_is_caught_with_both_its_times(phase_ms):
    pair = TagPair(sampling=True)
    pair.run(10)
    pair.arm()
    pair.connect()
    pair.run_to(20_000 + phase_ms)
    pair.strap_ohm = OPEN_OHM
    pair.edge(is_open=True)
    pair.run(0.05)
    pair.strap_ohm = WORN_OHM
    pair.edge(is_open=False)
    pair.run(5)
    assert told(pair) == [("strap_open", 1), ("strap_closed", 50)]
    assert pair.times("strap_open") == [20_000 + phase_ms]
    assert pair.times("strap_closed") == [20_050 + phase_ms]


def test_a_cut_that_the_latch_missed_is_seen_by_the_next_sample(pair):
    pair.strap(WORN_OHM, WORN_OHM)
    cut_at = pair.now
    pair.strap(OPEN_OHM)
    assert told(pair) == [("strap_open", 1)]
    assert pair.times("strap_open") == [cut_at]


def test_edge_and_sample_of_one_cut_are_one_opening(pair):
    pair.edge(is_open=True)
    pair.strap(OPEN_OHM, OPEN_OHM, OPEN_OHM)
    pair.edge(is_open=True)
    assert told(pair) == [("strap_open", 1)]
    assert pair.tag.strap.openings == 1


@pytest.mark.parametrize("ohm", [1201, 5000, 9999, 799, 500, 0], ids=lambda ohm: f"{ohm} ohm")
def test_a_bypass_or_a_longer_loop_alarms_at_the_third_odd_sample(pair, ohm):
    pair.strap(WORN_OHM, ohm, ohm)
    assert told(pair) == []
    third_at = pair.now
    pair.strap(ohm)
    assert told(pair) == [("strap_altered", ohm)]
    assert pair.times("strap_altered") == [third_at]
    pair.strap(*[ohm] * 50)
    assert told(pair) == [("strap_altered", ohm)]


@pytest.mark.parametrize("ohm", [800, 1000, 1200])
def test_the_tolerance_is_20_percent_and_its_edges_belong_to_it(pair, ohm):
    pair.strap(*[ohm] * 100)
    assert told(pair) == []
    assert not pair.tag.strap.latched


def test_two_odd_samples_are_a_connectors_glitch_however_often_they_come(pair):
    for _ in range(30):
        pair.strap(1500, 400, WORN_OHM)
    assert told(pair) == []
    assert not pair.tag.strap.latched


def test_odd_samples_on_both_sides_of_the_band_count_together(pair):
    pair.strap(1500, 400, 1500)
    assert told(pair) == [("strap_altered", 1500)]


def test_the_band_is_around_what_was_measured_when_it_was_armed():
    pair = TagPair()
    pair.strap_ohm = 2000
    pair.arm()
    pair.connect()
    pair.strap(*[2400] * 10, *[1600] * 10)
    assert told(pair) == []
    pair.strap(*[WORN_OHM] * 3)
    assert told(pair) == [("strap_altered", WORN_OHM)]


def test_a_strap_that_is_altered_first_and_then_cut_tells_both(pair):
    pair.strap(500, 500, 500)
    pair.edge(is_open=True)
    pair.strap(OPEN_OHM)
    assert told(pair) == [("strap_altered", 500), ("strap_open", 1)]


def test_every_opening_is_counted_and_the_heartbeat_stays_at_255(pair):
    pair.edge(is_open=True)
    pair.edge(is_open=False)
    pair.run(20)
    assert pair.heard[-1].heartbeat.strap_openings == 1
    for _ in range(299):
        pair.edge(is_open=True)
        pair.edge(is_open=False)
        pair.run(0.02)
    pair.run(20)
    assert pair.tag.strap.openings == 300
    assert pair.heard[-1].heartbeat.strap_openings == 255


def flap(pair, times, every_s):
    """Openings of 50 ms, with the resistance read each second in between."""
    for _ in range(times):
        pair.edge(is_open=True)
        pair.run(0.05)
        pair.edge(is_open=False)
        pair.run_to(pair.now // 1000 * 1000 + 1000)
        pair.strap(*[WORN_OHM] * (every_s - 1))


def test_a_flapping_strap_tells_its_first_openings_and_the_latest_and_the_count_of_all(pair):
    first_at = pair.now
    flap(pair, 2000, 2)
    pair.strap(*[WORN_OHM] * 1000)
    openings = [detail for name, detail in told(pair) if name == "strap_open"]
    assert openings[:32] == list(range(1, 33))
    assert openings[-1] == pair.tag.strap.openings == 2000
    assert pair.times("strap_open")[0] == first_at
    assert pair.times("strap_open")[-1] == first_at + 1999 * 2000
    assert pair.times("strap_closed")[-1] == first_at + 1999 * 2000 + 50
    assert len(told(pair)) <= 84


def test_a_week_of_flapping_leaves_room_in_the_journal():
    pair = TagPair({"home_silence_s": 10_000_000, "heartbeat_shortest_ms": 60_000, "heartbeat_longest_ms": 60_000})
    pair.arm()
    pair.coverage = False
    for _ in range(24):
        flap(pair, 60, 60)
    waiting = pair.waiting().count("strap_open")
    assert 32 < waiting < 32 + 8 + 24 * 4
    assert pair.tag.journal.refused == 0


def test_after_an_hour_of_quiet_an_opening_is_told_at_once_again(pair):
    flap(pair, 100, 2)
    pair.strap(*[WORN_OHM] * 3700)
    before = len(told(pair))
    pair.edge(is_open=True)
    assert told(pair)[before:] == [("strap_open", 101)]


def test_a_strap_that_stays_open_after_flapping_is_told_within_15_minutes(pair):
    flap(pair, 1000, 2)
    pair.edge(is_open=True)
    cut_at = pair.now
    pair.strap(*[OPEN_OHM] * 900)
    assert told(pair)[-1] == ("strap_open", 1001)
    assert pair.times("strap_open")[-1] == cut_at


@pytest.mark.parametrize("latch", [True, False], ids=["by the latch", "by the resistance alone"])
def test_a_cut_at_any_of_a_thousand_random_moments_is_stamped_within_a_second(latch):
    dice = Random(1)
    pair = TagPair(
        {"home_silence_s": 100_000_000, "heartbeat_shortest_ms": 60_000, "heartbeat_longest_ms": 60_000}, sampling=True
    )
    pair.restless = False  # it rests between the cuts
    pair.run(5)
    pair.connect()
    late_ms = []
    for _ in range(600):
        pair.arm()
        pair.run_to(pair.now + dice.randrange(2000, 90_000))
        cut_at, pair.strap_ohm = pair.now, OPEN_OHM
        if latch:
            pair.edge(is_open=True)
        pair.run(1.001)
        late_ms.append(pair.times("strap_open")[-1] - cut_at)
        pair.strap_ohm = WORN_OHM
        pair.edge(is_open=False)
    assert len(pair.times("strap_open")) == 600
    assert max(late_ms) <= (0 if latch else 1000)
    assert min(late_ms) >= 0
    assert latch or max(late_ms) > 900


@pytest.mark.parametrize("open_ms", [50, 999, 60_000, 600_000])
def test_a_closing_tells_for_how_long_the_strap_was_open(pair, open_ms):
    pair.edge(is_open=True)
    pair.run(open_ms / 1000)
    pair.edge(is_open=False)
    assert told(pair) == [("strap_open", 1), ("strap_closed", open_ms)]


def test_openings_that_were_not_told_one_by_one_survive_a_reboot(pair):
    flap(pair, 50, 2)
    again = TagPair(memory=pair.memory, seed="again")
    assert again.tag.strap.openings == 50


def state(pair):
    pair.run(20)
    return State(pair.heard[-1].heartbeat.flags)


def test_an_opening_stays_latched_through_closing_and_time_until_it_is_armed_anew(pair):
    assert State.STRAP_LATCHED not in state(pair)
    pair.edge(is_open=True)
    assert state(pair) & (State.STRAP_OPEN | State.STRAP_LATCHED) == State.STRAP_OPEN | State.STRAP_LATCHED
    pair.edge(is_open=False)
    pair.strap(*[WORN_OHM] * 3600)
    assert state(pair) & (State.STRAP_OPEN | State.STRAP_LATCHED) == State.STRAP_LATCHED
    pair.arm()
    assert State.STRAP_LATCHED not in state(pair)
    assert pair.heard[-1].heartbeat.strap_openings == 0


def test_an_alteration_stays_latched_and_is_told_again_only_after_arming_anew(pair):
    pair.strap(500, 500, 500, *[WORN_OHM] * 60, 500, 500, 500)
    assert told(pair) == [("strap_altered", 500)]
    assert State.STRAP_LATCHED in state(pair)
    pair.strap(WORN_OHM)
    pair.arm()
    assert State.STRAP_LATCHED not in state(pair)
    pair.strap(600, 600, 600)
    assert told(pair) == [("strap_altered", 500), ("strap_altered", 600)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([WORN_OHM, 500, 1500, OPEN_OHM])), max_size=40))
def test_nothing_alarms_while_it_is_not_armed(happenings):
    pair = TagPair()
    pair.connect()
    for is_open, ohm in happenings:
        pair.edge(is_open)
        pair.strap(ohm)
    pair.run(60)
    assert pair.names() == ["started"]
    assert pair.tag.journal.newest_alarm == 0


@settings(deadline=None)
@given(st.lists(st.sampled_from(["edge open", "edge closed", WORN_OHM, OPEN_OHM, 500]), max_size=60))
def test_openings_and_closings_alternate_and_are_counted_whatever_latch_and_samples_say(happenings):
    pair = TagPair()
    pair.arm()
    pair.connect()
    for happening in happenings:
        if isinstance(happening, int):
            pair.strap(happening)
        else:
            pair.edge(happening == "edge open")
    names = [name for name, _ in told(pair) if name != "strap_altered"]
    assert names == (["strap_open", "strap_closed"] * len(names))[: len(names)]
    openings = [detail for name, detail in told(pair) if name == "strap_open"]
    assert openings[:32] == list(range(1, pair.tag.strap.openings + 1))[:32]
    assert openings == sorted(set(openings))
    if pair.tag.strap.openings <= 32:
        assert len(names) == 2 * pair.tag.strap.openings - pair.tag.strap.is_open
    assert pair.tag.strap.latched == bool(told(pair))


def armed(pair):
    return [name for name in pair.names() if name.startswith("arm")]


@pytest.mark.parametrize("by", ["latch", "resistance"])
def test_arm_is_refused_while_the_strap_is_open_and_works_once_it_is_closed(by):
    pair = TagPair()
    pair.connect()
    pair.strap(WORN_OHM)
    if by == "latch":
        pair.edge(is_open=True)
    else:
        pair.strap(OPEN_OHM)
    pair.key(pair.centre.arm())
    assert armed(pair) == ["arm_refused"]
    assert not pair.tag.armed
    pair.edge(is_open=False)
    pair.strap(WORN_OHM)
    pair.key(pair.centre.arm())
    assert armed(pair) == ["arm_refused", "armed"]
    assert pair.tag.armed


def test_arm_is_refused_before_the_first_sample_of_the_strap():
    pair = TagPair()
    pair.connect()
    pair.key(pair.centre.arm())
    assert armed(pair) == ["arm_refused"]


def test_arm_is_refused_on_a_loop_without_resistance():
    pair = TagPair()
    pair.connect()
    pair.strap(0)
    pair.key(pair.centre.arm())
    assert armed(pair) == ["arm_refused"]


def test_a_refused_arm_on_an_armed_tag_keeps_it_armed_and_latched(pair):
    pair.edge(is_open=True)
    pair.key(pair.centre.arm())
    assert pair.names()[-1] == "arm_refused"
    assert state(pair) & (State.ARMED | State.STRAP_LATCHED) == State.ARMED | State.STRAP_LATCHED


@pytest.mark.parametrize("ohm", [-(1 << 40), -1, 1 << 31, 1 << 40])
def test_what_a_broken_converter_reads_stops_nothing(pair, ohm):
    pair.strap(ohm, ohm, ohm, ohm)
    pair.key(pair.centre.arm())
    pair.run(60)
    assert pair.names()[-1] == "arm_refused"
    assert pair.heard[-1].at > pair.now - 10_000
