"""The alert book: latched, one alert for one alarm, and in doubt one too many."""

from datetime import UTC, datetime, timedelta

import pytest

from strapline_centre.alerts import AlertBook
from strapline_protocol.definitions import ALARMS, EventCode

TAG = "7a900001"
NOW = datetime(2026, 3, 2, 23, 40, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def book():
    return AlertBook()


def codes(book):
    return [alert.code for alert in book.alerts]


@pytest.mark.parametrize("code", sorted(EventCode))
def test_exactly_the_alarms_raise_an_alert(book, code):
    book.event(TAG, 5, code, NOW)
    assert codes(book) == ([code.name.lower()] if code in ALARMS else [])


def test_a_code_from_the_future_is_no_alert_and_no_error(book):
    book.event(TAG, 5, 200, NOW)
    assert book.alerts == []


def test_leaving_raises_an_alert_only_outside_a_window(book):
    book.event(TAG, 5, EventCode.LEFT_HOME, NOW, allowed=True)
    assert codes(book) == []
    book.event(TAG, 6, EventCode.LEFT_HOME, NOW, allowed=False)
    assert codes(book) == ["left_home"]


def test_a_provisional_alarm_and_its_record_are_one_alert_since_the_first_word(book):
    book.provisional(TAG, 261 & 0xFF, NOW)
    assert codes(book) == ["alarm"]
    book.event(TAG, 261, EventCode.STRAP_OPEN, NOW + MINUTE)
    assert [(alert.code, alert.raised_utc) for alert in book.alerts] == [("strap_open", NOW)]


def test_a_provisional_alarm_that_comes_after_its_record_adds_nothing(book):
    book.event(TAG, 5, EventCode.STRAP_OPEN, NOW)
    book.provisional(TAG, 5, NOW + 5 * MINUTE)
    assert codes(book) == ["strap_open"]


def test_a_provisional_alarm_that_was_held_up_for_days_still_belongs_to_its_record(book):
    book.event(TAG, 5, EventCode.STRAP_OPEN, NOW, heard=NOW)
    book.provisional(TAG, 5, NOW + timedelta(days=3), heard=NOW - MINUTE)
    assert codes(book) == ["strap_open"]


def test_a_provisional_alarm_that_is_repeated_is_one_alert(book):
    for _ in range(5):
        book.provisional(TAG, 5, NOW)
    assert codes(book) == ["alarm"]


def test_tags_and_sequences_are_told_apart(book):
    book.provisional(TAG, 5, NOW)
    book.provisional(TAG, 6, NOW)
    book.provisional("7a900002", 5, NOW)
    book.event(TAG, 6, EventCode.REMOVED, NOW)
    assert [(alert.subject, alert.code) for alert in book.alerts] == [
        (TAG, "alarm"),
        (TAG, "removed"),
        ("7a900002", "alarm"),
    ]


@pytest.mark.parametrize("later", [timedelta(minutes=16), timedelta(hours=1), timedelta(days=30)])
def test_an_alarm_that_only_has_the_number_of_an_old_one_is_not_missed(book, later):
    """After a reboot the journal begins anew, and after 256 records the low byte does: its record may never come."""
    book.provisional(TAG, 3, NOW)
    book.event(TAG, 3, EventCode.STRAP_OPEN, NOW)
    book.provisional(TAG, 3, NOW + later)
    assert codes(book) == ["strap_open", "alarm"]
    book.event(TAG, 259, EventCode.REMOVED, NOW + later)
    assert codes(book) == ["strap_open", "removed"]


def test_a_conflict_is_told_once_for_each_pair_of_contents(book):
    for which in ("1-a", "1-a", "1-b", "1-a"):
        book.conflict(TAG, NOW, which)
    book.conflict("6a7e0001", NOW, "1-a")
    assert [alert.subject for alert in book.alerts] == [TAG, TAG, "6a7e0001"]
    assert set(codes(book)) == {"conflict"}


def test_nothing_that_happens_takes_an_alert_away(book):
    book.event(TAG, 1, EventCode.STRAP_OPEN, NOW)
    book.event(TAG, 2, EventCode.STRAP_CLOSED, NOW)
    book.event(TAG, 3, EventCode.ARMED, NOW)
    book.event(TAG, 4, EventCode.LEFT_HOME, NOW, allowed=False)
    book.event(TAG, 5, EventCode.CAME_HOME, NOW)
    book.silent("6a7e0001", NOW)
    assert codes(book) == ["strap_open", "left_home", "gateway_lost"]
