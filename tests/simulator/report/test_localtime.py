"""Local time of day, on the days on which clocks change too."""

from datetime import UTC, datetime

import pytest

from strapline_simulator.report.localtime import LocalClock

DAY_S = 86400.0


def test_it_says_the_local_time_of_day() -> None:
    clock = LocalClock(datetime(2026, 1, 12, 21, 15, tzinfo=UTC), "Europe/Amsterdam", DAY_S)
    assert clock.clock(0) == "22:15:00"
    assert clock.stamp(2.5 * 3600) == "Tue 13 Jan 00:45:00"
    assert clock.date(0) == "Monday 12 January 2026"
    assert clock.offsets() == [(0.0, 3600)]


def test_the_date_stands_beside_a_brief_time_only_in_a_longer_run() -> None:
    start = datetime(2026, 1, 12, 21, 15, tzinfo=UTC)
    assert LocalClock(start, "Europe/Amsterdam", DAY_S).brief(60) == "22:16"
    assert LocalClock(start, "Europe/Amsterdam", 3 * DAY_S).brief(60, seconds=True) == "Mon 12 Jan 22:16:00"


@pytest.mark.parametrize(
    ("start", "zone", "change_utc", "offsets"),
    [
        (datetime(2026, 3, 28, 12, tzinfo=UTC), "Europe/Amsterdam", datetime(2026, 3, 29, 1, tzinfo=UTC), (3600, 7200)),
        (
            datetime(2026, 10, 24, 12, tzinfo=UTC),
            "Europe/Amsterdam",
            datetime(2026, 10, 25, 1, tzinfo=UTC),
            (7200, 3600),
        ),
        (
            datetime(2026, 3, 8, 0, 0, 0, 500_000, tzinfo=UTC),
            "America/New_York",
            datetime(2026, 3, 8, 7, tzinfo=UTC),
            (-18000, -14400),
        ),
    ],
)
def test_it_finds_the_second_at_which_the_clocks_change(
    start: datetime, zone: str, change_utc: datetime, offsets: tuple[int, int]
) -> None:
    clock = LocalClock(start, zone, 2 * DAY_S)
    (_, before), (change_s, after) = clock.offsets()
    assert (before, after) == offsets
    assert change_s == pytest.approx((change_utc - start).total_seconds(), abs=1.0)


def test_a_naive_start_and_an_unknown_zone_are_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        LocalClock(datetime(2026, 1, 12), "Europe/Amsterdam", DAY_S)  # noqa: DTZ001 - naive on purpose
    with pytest.raises(KeyError):
        LocalClock(datetime(2026, 1, 12, tzinfo=UTC), "Europe/Nowhere", DAY_S)
