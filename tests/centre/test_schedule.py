"""May-leave windows in the wearer's own time, on the days when that jumps too."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strapline_centre.schedule import Schedule, Window, window_of

BERLIN = ZoneInfo("Europe/Berlin")
WORK = Schedule(BERLIN, (Window(time(7, 30), time(18, 0)),))


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "allowed"),
    [
        ("2026-03-02T06:29:59", False),
        ("2026-03-02T06:30:00", True),  # winter: 07:30
        ("2026-03-02T16:59:59", True),
        ("2026-03-02T17:00:00", False),
        ("2026-07-02T05:30:00", True),  # summer: 07:30
        ("2026-07-02T05:29:59", False),
        ("2026-07-02T16:00:00", False),
    ],
)
def test_a_window_opens_with_its_first_minute_and_closes_before_its_last(moment, allowed):
    assert WORK.may_be_out(utc(moment)) is allowed


@pytest.mark.parametrize(
    ("day_before", "day_after"),
    [("2026-03-28", "2026-03-29"), ("2026-10-24", "2026-10-25")],
)
def test_the_window_keeps_its_local_time_when_the_clocks_change(day_before, day_after):
    for day in (day_before, day_after):
        opens = datetime.combine(date.fromisoformat(day), time(7, 30), BERLIN)
        assert not WORK.may_be_out(opens.astimezone(UTC) - timedelta(seconds=1))
        assert WORK.may_be_out(opens.astimezone(UTC))
    before, after = (datetime.fromisoformat(day + "T07:30").replace(tzinfo=BERLIN) for day in (day_before, day_after))
    assert abs((after.astimezone(UTC) - before.astimezone(UTC)) - timedelta(days=1)) == timedelta(hours=1)


NIGHT = Schedule(BERLIN, (Window(time(2, 15), time(2, 45)),))


def test_the_hour_that_comes_twice_is_allowed_twice():
    minutes = [utc("2026-10-25T00:00:00") + timedelta(minutes=m) for m in range(180)]
    allowed = [moment for moment in minutes if NIGHT.may_be_out(moment)]
    assert len(allowed) == 60
    assert allowed[0] == utc("2026-10-25T00:15:00")  # 02:15 summer time
    assert allowed[-1] == utc("2026-10-25T01:44:00")  # 02:44 winter time


def test_a_window_in_the_hour_that_is_left_out_does_not_come():
    minutes = [utc("2026-03-29T00:00:00") + timedelta(minutes=m) for m in range(180)]
    assert [moment for moment in minutes if NIGHT.may_be_out(moment)] == []


def test_any_of_several_windows_will_do_and_none_never_will():
    two = Schedule(BERLIN, (Window(time(6, 0), time(7, 0)), Window(time(20, 0), time(21, 0))))
    assert two.may_be_out(utc("2026-03-02T05:30:00"))
    assert two.may_be_out(utc("2026-03-02T19:30:00"))
    assert not two.may_be_out(utc("2026-03-02T12:00:00"))
    assert not Schedule(BERLIN, ()).may_be_out(utc("2026-03-02T12:00:00"))


def last_sunday(year, month):
    last = date(year, month, 31)
    return last - timedelta(days=last.isoweekday() % 7)


@given(st.integers(1_577_836_800, 2_145_916_800), st.sampled_from(["UTC", "Asia/Kathmandu", "America/New_York"]))
def test_what_counts_is_the_moment_and_not_the_zone_in_which_it_is_told(unix_s, zone):
    """Held against the rule of Directive 2000/84/EC: summer time from the last Sunday in March to that in October, 01:00 UTC."""
    told = datetime.fromtimestamp(unix_s, UTC)
    starts, ends = (datetime.combine(last_sunday(told.year, month), time(1), UTC) for month in (3, 10))
    seconds = (unix_s + (7200 if starts <= told < ends else 3600)) % 86400
    assert WORK.may_be_out(told.astimezone(ZoneInfo(zone))) is (7.5 * 3600 <= seconds < 18 * 3600)


def test_a_window_over_midnight_leaves_no_minute_out():
    schedule = Schedule(BERLIN, (window_of("21:00-06:00"),))
    evening = datetime(2026, 3, 2, 20, 30, tzinfo=BERLIN)
    out = [schedule.may_be_out(evening + timedelta(minutes=minute)) for minute in range(24 * 60)]
    assert out == [False] * 30 + [True] * 540 + [False] * 870


def test_a_whole_day_is_a_window_and_an_empty_one_is_a_mistake():
    schedule = Schedule(BERLIN, (window_of("00:00-24:00"),))
    assert all(schedule.may_be_out(datetime(2026, 3, 2, hour, 59, tzinfo=BERLIN)) for hour in range(24))
    for text in ("08:00-08:00", "8", "08:00-09:00-10:00", "08:00+01:00", "07:00-25:00"):
        with pytest.raises(ValueError, match="write two"):
            window_of(text)
