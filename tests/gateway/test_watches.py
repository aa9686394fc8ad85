"""Clock, centre, pace: what each tells by what it was fed."""

from random import Random

import pytest

from strapline_gateway import timeservice
from strapline_gateway.centrewatch import CentreWatch
from strapline_gateway.clockwatch import SET_FOR_S, ClockWatch
from strapline_gateway.pace import AT_ONCE, SPREAD_S, Pace
from strapline_protocol import contract

WALL = 1_772_480_000.0


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0, 2.5, -86400.0 * 365])
def test_a_clock_that_is_set_is_told_once_with_its_size(jump_s):
    watch = ClockWatch(lambda: True)
    assert watch.look(WALL, 50.0) is None
    assert watch.look(WALL + 10, 60.0) is None
    assert watch.look(WALL + 20 + jump_s, 70.0) == pytest.approx(jump_s)
    assert watch.look(WALL + 30 + jump_s, 80.0) is None


def test_a_clock_that_is_slewed_is_not_a_clock_that_is_set():
    watch, random = ClockWatch(lambda: True), Random(3)
    wall, steady = WALL, 0.0
    for _ in range(2000):
        pause = random.uniform(0.01, 120)
        steady += pause
        wall += pause * 1.0005  # adjtimex(2): at most 500 ppm
        assert watch.look(wall, steady) is None


@pytest.mark.parametrize(("known", "quality"), [(True, "synchronised"), (False, "unsure"), (None, "unsure")])
def test_a_times_worth_is_what_the_platform_says_and_less_after_a_jump(known, quality):
    watch = ClockWatch(lambda: known)
    watch.look(WALL, 0.0)
    assert watch.quality(0.0) == quality
    watch.look(WALL + 100, 10.0)
    assert watch.quality(10.0) == watch.quality(10.0 + SET_FOR_S - 1) == "set"
    assert watch.quality(10.0 + SET_FOR_S) == quality


def test_the_platform_is_asked_now_and_then_and_believed_at_once_when_it_changes():
    answers = []
    watch = ClockWatch(lambda: answers.append(1) or len(answers) > 1)
    assert [watch.quality(float(second)) for second in range(12)] == ["unsure"] * 10 + ["synchronised"] * 2
    assert len(answers) == 2


def test_this_machine_can_be_asked():
    assert timeservice.is_synchronised() in (True, False, None)


def test_on_another_platform_nobody_knows(monkeypatch):
    monkeypatch.setattr(timeservice.sys, "platform", "darwin")
    assert timeservice.is_synchronised() is None


# The centre.


def codes(watch, now):
    notice = watch.look(now)
    return notice and (str(notice.code), dict(notice.detail))


def test_a_centre_that_stops_beating_is_silent_after_its_time_and_back_with_a_beat():
    watch = CentreWatch(expects_beats=False)
    watch.connected(0.0)
    assert watch.beat(100, 1, 10.0)
    limit = 10.0 + contract.SILENT_AFTER_S
    assert watch.next_deadline() == limit
    assert codes(watch, limit - 0.1) is None
    assert codes(watch, limit) == ("centre_silent", {"silent_s": 300})
    assert codes(watch, limit + 1000) is None
    assert watch.is_silent
    assert watch.beat(100, 2, limit + 100)
    assert codes(watch, limit + 100) == ("centre_back", {"silent_s": 400})
    assert codes(watch, limit + 100) is None
    assert watch.next_deadline() == limit + 100 + contract.SILENT_AFTER_S


def test_of_a_centre_that_has_never_beaten_nothing_is_expected():
    watch = CentreWatch(expects_beats=False)
    watch.connected(0.0)
    watch.receipt(5.0)
    assert watch.next_deadline() is None
    assert codes(watch, 1e6) is None


def test_one_that_is_known_to_beat_must_do_so_from_the_start():
    watch = CentreWatch(expects_beats=True)
    assert watch.next_deadline() is None
    watch.connected(7.0)
    assert codes(watch, 7.0 + contract.SILENT_AFTER_S) == ("centre_silent", {"silent_s": 300})


def test_without_a_broker_nobody_can_be_heard_and_nobody_is_blamed():
    watch = CentreWatch(expects_beats=True)
    watch.connected(0.0)
    watch.disconnected()
    assert codes(watch, 1e6) is None
    watch.connected(1e6)
    assert codes(watch, 1e6 + contract.SILENT_AFTER_S - 1) is None
    assert codes(watch, 1e6 + contract.SILENT_AFTER_S) is not None


def test_a_beat_that_is_repeated_is_no_sign_of_life():
    watch = CentreWatch(expects_beats=False)
    watch.connected(0.0)
    assert watch.beat(100, 5, 1.0)
    for epoch, number in ((100, 5), (100, 4), (99, 9)):
        assert not watch.beat(epoch, number, 200.0)
    assert codes(watch, 1.0 + contract.SILENT_AFTER_S) is not None
    assert watch.beat(101, 0, 400.0)  # it has started again


def test_receipts_put_silence_off_and_only_a_beat_ends_it():
    watch = CentreWatch(expects_beats=True)
    watch.connected(0.0)
    for second in range(0, 3000, 200):
        watch.receipt(float(second))
        assert codes(watch, float(second)) is None
    assert codes(watch, 2800.0 + contract.SILENT_AFTER_S) is not None
    for second in range(3200, 9000, 200):
        watch.receipt(float(second))
        assert codes(watch, float(second)) is None
    assert watch.beat(7, 1, 9000.0)
    assert codes(watch, 9000.0) == ("centre_back", {"silent_s": 6200})


# The pace.


def test_a_short_backlog_goes_at_once_and_a_long_one_somewhere_within_the_spread():
    froms = []
    for n in range(2000):
        pace = Pace(f"6a7e{n:04x}/1")
        pace.connected(100.0, AT_ONCE)
        assert pace.history_from_s == 100.0
        pace.connected(100.0, AT_ONCE + 1)
        froms.append(pace.history_from_s)
    assert all(100.0 <= at < 100.0 + SPREAD_S for at in froms)
    per_second = [sum(100 + s <= at < 101 + s for at in froms) for s in range(int(SPREAD_S))]
    assert max(per_second) < 2 * len(froms) / SPREAD_S


def test_each_connection_of_one_gateway_has_its_own_place_in_the_spread():
    pace, froms = Pace("6a7e0001/1"), set()
    for _ in range(50):
        pace.connected(0.0, 1000)
        froms.add(pace.history_from_s)
    assert len(froms) == 50


def test_more_goes_as_receipts_come_and_less_as_they_do_not():
    pace = Pace("6a7e0001/1")
    pace.connected(0.0, 0)
    first = pace.most_open
    pace.receipted(first)
    assert pace.most_open == 2 * first
    pace.receipted(10**6)
    most = pace.most_open
    pace.timed_out()
    assert pace.most_open == most // 2
    for _ in range(20):
        pace.timed_out()
    assert 0 < pace.most_open < first
    pace.connected(0.0, 0)
    assert pace.most_open == first
