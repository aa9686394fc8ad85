"""Heartbeats: their rhythm, what they say, and that neither counter nor pseudonym ever comes twice."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.tag_pair import BROADCAST, HEADER, SECRET, Memory, TagPair, frame_of, open_heartbeat
from strapline_protocol.definitions import State
from strapline_wire import seal
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.keys import Slot, derive
from strapline_wire.replay import ReplayWindow

FLASH_BLOCK = 4096


def gaps(pair, since=0):
    return [later - sooner for (sooner, *_), (later, *_) in pairwise(a for a in pair.advertised if a[0] >= since)]


def quiet_pair(hours):
    """All receipted, nothing to say."""
    pair = TagPair()
    pair.visit()
    pair.run(10)
    pair.advertised.clear()
    pair.run(hours * 3600)
    return pair


def test_the_period_is_drawn_anew_each_time_evenly_between_1_and_10_s():
    drawn = gaps(quiet_pair(24))
    assert 1000 <= min(drawn) < 1010
    assert 9990 < max(drawn) <= 10_000
    ninths = [0] * 9
    for gap in drawn:
        ninths[min((gap - 1000) // 1000, 8)] += 1
    assert all(0.095 < count / len(drawn) < 0.135 for count in ninths)


def test_two_tags_do_not_keep_in_step():
    one, other = TagPair(seed="one"), TagPair(seed="other")
    for pair in (one, other):
        pair.visit()
        pair.run(3600)
    assert gaps(one)[5:50] != gaps(other)[5:50]


@settings(deadline=None)
@given(phase_ms=st.integers(0, 60_000))
def test_an_alarm_is_on_the_air_at_once_and_ten_times_more_at_100_ms(phase_ms):
    pair = TagPair()
    pair.arm()
    pair.visit()
    pair.run_to(20_000 + phase_ms)
    before = len(pair.heard)  # one of them may be of this very moment
    pair.edge(is_open=True)
    opened_at = pair.now
    pair.run(2)
    burst = pair.heard[before:][:11]
    assert [heard.at - opened_at for heard in burst] == list(range(0, 1001, 100))
    for heard in burst:
        assert heard.heartbeat.newest_alarm == pair.tag.journal.newest_alarm
        assert State(heard.heartbeat.flags) & ~State.ASKS == (
            State.ARMED
            | State.STRAP_OPEN
            | State.STRAP_LATCHED
            | State.PENDING
            | State.ALARM_PENDING
            | State.CLOCK_TRUSTED
        )


def test_after_the_burst_it_advertises_about_each_second_until_the_alarms_receipt_is_here():
    pair = TagPair({"home_silence_s": 100_000})
    pair.coverage = False
    pair.arm()
    pair.visit()
    pair.edge(is_open=True)
    pair.run(1.5)
    pair.run(3600)
    pending = gaps(pair, since=pair.now - 3_400_000)
    assert 500 <= min(pending) < 510
    assert 980 < sum(pending) / len(pending) < 1020
    longer = [gap for gap in pending if gap >= 1500]  # a new pseudonym begins a rhythm of its own
    assert 3 <= len(longer) <= 12
    assert max(longer) < 5000
    pair.visit()
    pair.advertised.clear()
    pair.run(3600)
    assert sorted(gaps(pair))[26] >= 1000  # but those with which it asks for home
    assert sum(gaps(pair)) / len(gaps(pair)) > 5000
    assert State.ALARM_PENDING not in State(pair.heard[-1].heartbeat.flags)


def test_a_record_that_is_no_alarm_makes_the_next_heartbeats_quick():
    pair = TagPair({"heartbeat_shortest_ms": 10_000, "home_silence_s": 100_000})
    pair.arm()
    pair.visit()
    pair.run_to(200_000)
    pair.arm()
    pair.run(30)
    after = [at - 200_000 for at, *_ in pair.advertised if at >= 200_000]
    assert after[0] <= 1000
    *quick, slow = [b - a for a, b in pairwise(after)][:6]
    assert all(500 <= gap < 1500 for gap in quick)
    assert slow == 10_000


def test_a_beacon_does_not_show_in_the_rhythm():
    pair = TagPair({"beacon_period_s": 600, "heartbeat_shortest_ms": 10_000, "home_silence_s": 100_000})
    pair.arm()
    pair.visit()
    pair.run_to(590_000)
    pair.run(60)
    assert min(gaps(pair, since=580_000)) >= 10_000
    assert State.PENDING in State(pair.heard[-1].heartbeat.flags)


def test_the_newest_alarm_is_the_low_byte_of_its_sequence():
    pair = TagPair({"strap_told_openings": 1000})
    pair.arm()
    assert open_heartbeat_now(pair).newest_alarm == 0
    expected = []
    for _ in range(300):
        pair.edge(is_open=True)
        expected.append(pair.tag.journal.newest)
        assert open_heartbeat_now(pair).newest_alarm == expected[-1] & 0xFF
        pair.edge(is_open=False)
    assert expected[-1] > 512


def open_heartbeat_now(pair):
    pair.run(10)
    return open_heartbeat(*pair.advertised[-1]).heartbeat


FLAG_CASES = {
    "not armed": (lambda _pair: None, State(0)),
    "armed": (lambda pair: pair.arm(), State.ARMED),
    "open, not armed": (lambda pair: pair.edge(is_open=True), State.STRAP_OPEN),
    "bypassed": (
        lambda pair: (pair.arm(), pair.strap(500, 500, 500)),
        State.ARMED | State.STRAP_LATCHED,
    ),
    "away": (lambda pair: pair.armed_away(), State.ARMED | State.AWAY | State.GNSS_ON),
    "off the body": (
        lambda pair: (pair.arm(), [pair.tag.feed_skin(pair.now, 2200, 2200) for _ in range(62)]),
        State.ARMED | State.SKIN_LOST,
    ),
}


@pytest.mark.parametrize("case", FLAG_CASES)
def test_the_flags_say_how_things_stand(case):
    do, expected = FLAG_CASES[case]
    pair = TagPair()
    do(pair)
    pair.connect(home=False)
    flags = State(open_heartbeat_now(pair).flags)
    assert flags & ~State.CLOCK_TRUSTED == expected


def test_the_clock_flag_is_there_with_trusted_time_and_goes_a_day_after_the_last_answer():
    pair = TagPair()
    assert State.CLOCK_TRUSTED not in State(open_heartbeat_now(pair).flags)
    pair.visit()
    told_at = pair.now
    assert State.CLOCK_TRUSTED in State(open_heartbeat_now(pair).flags)
    pair.run_to(told_at + 86_400_000)
    heard = pair.heard
    trusted = [State.CLOCK_TRUSTED in State(h.heartbeat.flags) for h in heard if h.at > told_at]
    assert all(trusted)
    assert State.CLOCK_TRUSTED not in State(open_heartbeat_now(pair).flags)


@pytest.mark.parametrize(("read", "told"), [(-1, 0), (0, 0), (37, 37), (100, 100), (101, 100), (255, 100)])
def test_the_battery_is_told_in_percent_whatever_the_gauge_reads(read, told):
    pair = TagPair()
    pair.tag.feed_battery(pair.now, read, 3900)
    assert open_heartbeat_now(pair).battery_percent == told


# Counters.


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 40_000), min_size=2, max_size=6))
def test_no_counter_comes_twice_however_often_and_whenever_it_reboots(lives_s):
    memory = Memory()
    counters = []
    for life, seconds in enumerate(lives_s):
        pair = TagPair(memory=memory, seed=f"life {life}")
        pair.run(seconds)
        counters += [heard.counter for heard in pair.heard]
    assert len(set(counters)) == len(counters)
    assert counters == sorted(counters)


def test_flash_is_written_once_for_4096_heartbeats_and_before_the_first_of_them_is_sent():
    pair = TagPair()
    pair.visit()
    pair.run(1)
    assert pair.memory.held["counter"] == FLASH_BLOCK
    writes = {}
    for _ in range(5):
        pair.run(3600)
        for heard in pair.heard:
            writes.setdefault(heard.counter // FLASH_BLOCK, pair.memory.held["counter"])
        pair.advertised.clear()
    assert pair.memory.held["counter"] == FLASH_BLOCK * len(writes)
    assert pair.memory.writes < 20


def test_a_recorded_heartbeat_is_refused_by_who_keeps_a_window():
    pair = TagPair()
    pair.run(60)
    window = ReplayWindow()
    for _, _, frame in pair.advertised:
        seal.open_frame(frame, BROADCAST, HEADER, seal.UP, window)
    for _, _, frame in pair.advertised:
        with pytest.raises(RemoteProtocolError):
            seal.open_frame(frame, BROADCAST, HEADER, seal.UP, window)


@pytest.mark.parametrize("left", [0, 1, 5, FLASH_BLOCK, FLASH_BLOCK + 1])
def test_when_its_counters_are_used_up_it_falls_silent_and_everything_else_goes_on(left):
    pair = TagPair(memory=Memory({"counter": 2**32 - left}))
    pair.arm()
    pair.run(6 * 3600 * (1 + left // 2000))
    assert len(pair.advertised) == left
    pair.edge(is_open=True)
    pair.run(600)
    assert [heard.counter for heard in pair.heard] == list(range(2**32 - left, 2**32))
    assert "strap_open" in pair.names()
    assert pair.tag.away


def test_the_last_counters_survive_a_reboot_without_starting_over():
    memory = Memory({"counter": 2**32 - 10})
    first = TagPair(memory=memory)
    first.run(20)
    second = TagPair(memory=memory, seed="second")
    second.run(600)
    assert 0 < len(first.advertised) <= 10
    assert second.advertised == []


# Pseudonyms.


def slots_of(pair):
    slots = []
    for heard in pair.heard:
        if not slots or slots[-1][0] != (heard.pseudonym, heard.address):
            slots.append(((heard.pseudonym, heard.address), heard.at))
    return slots


def test_pseudonym_and_address_change_together_every_5_to_15_min():
    pair = quiet_pair(48)
    slots = slots_of(pair)
    assert len(slots) > 48 * 4
    assert len({pseudonym for (pseudonym, _), _ in slots}) == len(slots)
    assert len({address for (_, address), _ in slots}) == len(slots)
    lengths = [later - sooner for (_, sooner), (_, later) in pairwise(slots)]
    slack = 10_000  # a heartbeat apart
    assert all(300_000 - slack <= length <= 900_000 + slack for length in lengths)
    assert max(lengths) - min(lengths) > 400_000


def test_a_holder_of_the_header_key_computes_every_pseudonym_address_and_length():
    pair = quiet_pair(24)
    header = type(HEADER)(derive(SECRET, "header"))
    ends = 0
    for index, (identity, since) in enumerate(slots_of(pair)):
        slot = Slot(header, index)
        assert identity == (slot.pseudonym, slot.address)
        assert index == 0 or 0 <= since - ends <= 10_000
        ends += slot.length_s * 1000


def test_every_address_is_a_random_static_one():
    assert all(heard.address[0] >= 0xC0 for heard in quiet_pair(12).heard)


def test_no_pseudonym_comes_back_after_a_reboot():
    memory = Memory()
    seen = []
    for life, hours in enumerate([3, 3, 24, 3, 24, 3]):  # shorter and longer than what is reserved at once
        pair = TagPair(memory=memory, seed=f"life {life}")
        pair.run(hours * 3600)
        seen += [identity for identity, _ in slots_of(pair)]
    assert len(set(seen)) == len(seen) > 60


def test_a_connection_is_made_under_the_pseudonym_that_is_on_the_air():
    pair = TagPair()
    for _ in range(20):
        pair.run(400)
        pair.connect()
        hello = next(frame for _, _, data in reversed(pair.sent) if (frame := frame_of(data)).startswith(b"\x42"))
        pair.disconnect()
        assert int.from_bytes(hello[1:5], "big") == pair.heard[-1].pseudonym
