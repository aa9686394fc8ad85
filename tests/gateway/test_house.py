"""The gateway's own senses: what is told, how often, and what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strapline_gateway.house import NEAR_CHANGE_S, STEADY_S, STILL_AGAIN_S, HouseWatch
from strapline_protocol.notices import NoticeCode

ON, OFF = True, False
BUMP = (600, 40)
CARRY = (300, 450, 380, 280, 410, 350, 300, 420)


class Bench:
    """A house on a clock that a test moves."""

    def __init__(self):
        self.watch = HouseWatch()
        self.now = 0.0

    def take(self):
        told = []
        while (notice := self.watch.next_event()) is not None:
            told.append(notice)
        return told

    def codes(self):
        return [notice.code for notice in self.take()]

    def wait(self, seconds):
        end = self.now + seconds
        while (due := self.watch.next_deadline()) is not None and due <= end:
            self.now = due
            self.watch.handle_timer(due)
        self.now = end

    def handle(self, deviations):
        for deviation_mg in deviations:
            self.watch.feed_motion(self.now, deviation_mg)
            self.wait(1)


@pytest.fixture
def bench():
    return Bench()


def test_mains_are_lost_at_once_and_back_once_they_stay(bench):
    bench.watch.feed_mains(bench.now, OFF)
    assert bench.codes() == [NoticeCode.MAINS_LOST]
    bench.wait(3600)
    bench.watch.feed_mains(bench.now, ON)
    assert bench.codes() == []
    bench.wait(STEADY_S)
    (back,) = bench.take()
    assert back.code == NoticeCode.MAINS_BACK
    assert back.detail["for_s"] == 3605


def test_mains_that_flicker_are_lost_once_and_back_once(bench):
    for _ in range(20):
        bench.watch.feed_mains(bench.now, OFF)
        bench.wait(2)
        bench.watch.feed_mains(bench.now, ON)
        bench.wait(2)
    bench.wait(STEADY_S)
    lost, back = bench.take()
    assert (lost.code, back.code) == (NoticeCode.MAINS_LOST, NoticeCode.MAINS_BACK)
    assert back.detail["flickers"] == 19


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 20)), max_size=60))
def test_lost_and_back_take_turns_whatever_mains_do(readings):
    bench = Bench()
    told = []
    for there, pause_s in readings:
        bench.watch.feed_mains(bench.now, there)
        told += bench.codes()
        bench.wait(pause_s)
        told += bench.codes()
    assert told == [NoticeCode.MAINS_LOST, NoticeCode.MAINS_BACK] * (len(told) // 2) + told[len(told) // 2 * 2 :]
    if readings and not readings[-1][0]:
        assert told[-1] == NoticeCode.MAINS_LOST


def test_the_battery_tells_each_rung_once_and_in_order(bench):
    for percent in (100, 21, 20, 19, 20, 12, 10, 11, 9, 4, 3, 3, 0):
        bench.watch.feed_battery(bench.now, percent)
    assert bench.codes() == [NoticeCode.BATTERY_LOW, NoticeCode.BATTERY_CRITICAL, NoticeCode.LAST_GASP]
    for percent in (60, 20):
        bench.watch.feed_battery(bench.now, percent)
    assert bench.codes() == [NoticeCode.BATTERY_LOW]


def test_a_gauge_that_falls_at_once_tells_all_rungs_in_order(bench):
    bench.watch.feed_battery(bench.now, 2)
    assert bench.codes() == [NoticeCode.BATTERY_LOW, NoticeCode.BATTERY_CRITICAL, NoticeCode.LAST_GASP]


@given(st.lists(st.integers(0, 100), max_size=80))
def test_no_rung_is_told_before_the_one_above_it(percents):
    watch = HouseWatch()
    told = []
    for percent in percents:
        watch.feed_battery(0.0, percent)
        while (notice := watch.next_event()) is not None:
            told.append(notice.code)
    for code, before in (
        (NoticeCode.BATTERY_CRITICAL, NoticeCode.BATTERY_LOW),
        (NoticeCode.LAST_GASP, NoticeCode.BATTERY_CRITICAL),
    ):
        for at, one in enumerate(told):
            assert one != code or before in told[:at]


@pytest.mark.parametrize("change", ["feed_mains", "feed_line"])
@pytest.mark.parametrize("pause_s", [0, 30, NEAR_CHANGE_S - 10])
@pytest.mark.parametrize("motion_first", [True, False])
def test_carried_within_two_minutes_of_a_change_is_moved(bench, change, pause_s, motion_first):
    if motion_first:
        bench.handle(CARRY)
        bench.wait(pause_s)
        assert bench.codes() == []
        getattr(bench.watch, change)(bench.now, OFF)
    else:
        getattr(bench.watch, change)(bench.now, OFF)
        bench.wait(pause_s)
        bench.handle(CARRY)
    assert bench.codes().count(NoticeCode.MOVED) == 1


@pytest.mark.parametrize("motion_first", [True, False])
def test_later_than_that_it_is_not(bench, motion_first):
    if motion_first:
        bench.handle(CARRY)
        bench.wait(NEAR_CHANGE_S + 1)
        bench.watch.feed_mains(bench.now, OFF)
    else:
        bench.watch.feed_mains(bench.now, OFF)
        bench.wait(NEAR_CHANGE_S + 1)
        bench.handle(CARRY)
    assert NoticeCode.MOVED not in bench.codes()


def test_bumps_are_nothing_even_in_a_power_cut(bench):
    for _ in range(30):
        bench.watch.feed_mains(bench.now, OFF)
        bench.handle(BUMP)
        bench.watch.feed_mains(bench.now, ON)
        bench.wait(30)
    assert NoticeCode.MOVED not in bench.codes()


def test_long_motion_alone_is_moved_and_told_once_while_it_lasts(bench):
    for _ in range(40):
        bench.handle(CARRY)
    assert bench.codes() == [NoticeCode.MOVED]
    bench.wait(STILL_AGAIN_S + 1)
    bench.handle(CARRY * 4)
    assert bench.codes() == [NoticeCode.MOVED]


def test_case_and_line_are_told_and_a_line_that_flaps_is_one_loss(bench):
    bench.watch.feed_case(bench.now, True)
    assert bench.codes() == [NoticeCode.CASE_OPENED]
    bench.watch.feed_case(bench.now, False)
    bench.wait(STEADY_S)
    assert bench.codes() == [NoticeCode.CASE_CLOSED]
    for _ in range(10):
        bench.watch.feed_line(bench.now, OFF)
        bench.wait(1)
        bench.watch.feed_line(bench.now, ON)
        bench.wait(1)
    bench.wait(STEADY_S)
    assert bench.codes() == [NoticeCode.LINE_LOST, NoticeCode.LINE_BACK]


def test_readings_that_repeat_say_nothing(bench):
    for _ in range(100):
        bench.watch.feed_mains(bench.now, ON)
        bench.watch.feed_line(bench.now, ON)
        bench.watch.feed_case(bench.now, False)
        bench.watch.feed_battery(bench.now, 80)
        bench.watch.feed_motion(bench.now, 10)
        bench.wait(10)
    assert bench.take() == []
