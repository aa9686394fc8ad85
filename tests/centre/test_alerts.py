"""The alert book: latched, one alert for one alarm, and in doubt one too many."""

from datetime import UTC, datetime, timedelta

import pytest

from strapline_centre.alerts import WORD_LIMIT, AlertBook
from strapline_protocol.definitions import ALARMS, EventCode
from strapline_protocol.errors import UserError
from strapline_protocol.notices import Notice, NoticeCode

TAG, HOME = "7a900001", "6a7e0001"
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


def test_what_recurs_while_nobody_has_looked_is_counted_and_the_first_stays(book):
    for minute in range(3):
        book.event(TAG, 10 + minute, EventCode.STRAP_OPEN, NOW + minute * MINUTE)
    book.event(TAG, 13, EventCode.REMOVED, NOW + 3 * MINUTE)
    assert [(a.code, a.times, a.raised_utc, a.last) for a in book.alerts] == [
        ("strap_open", 3, NOW, NOW + 2 * MINUTE),
        ("removed", 1, NOW + 3 * MINUTE, NOW + 3 * MINUTE),
    ]


def test_what_recurs_after_a_person_has_looked_is_a_new_alert(book):
    book.event(TAG, 1, EventCode.STRAP_OPEN, NOW)
    book.acknowledge(book.alerts[0].id, "called; the strap was caught in a door", "primary", NOW + MINUTE)
    book.event(TAG, 2, EventCode.STRAP_OPEN, NOW + 2 * MINUTE)
    assert [(a.code, a.is_open) for a in book.alerts] == [("strap_open", False), ("strap_open", True)]
    assert [a.raised_utc for a in book.open] == [NOW + 2 * MINUTE]


def test_a_provisional_alarm_joins_what_stands_open_under_its_name(book):
    book.event(TAG, 5, EventCode.STRAP_OPEN, NOW)
    book.provisional(TAG, 6, NOW + MINUTE)
    assert codes(book) == ["strap_open", "alarm"]
    book.event(TAG, 6, EventCode.STRAP_OPEN, NOW + MINUTE)
    assert [(a.code, a.times, a.raised_utc) for a in book.alerts] == [("strap_open", 2, NOW)]


@pytest.mark.parametrize(("note", "by"), [("", "primary"), ("  \n", "primary"), ("seen", ""), ("x" * 2001, "primary")])
def test_nobody_acknowledges_without_a_note_and_a_role(book, note, by):
    book.event(TAG, 5, EventCode.STRAP_OPEN, NOW)
    with pytest.raises(UserError):
        book.acknowledge(book.alerts[0].id, note, by, NOW)
    assert book.alerts[0].is_open


def test_an_alert_is_acknowledged_once(book):
    book.event(TAG, 5, EventCode.STRAP_OPEN, NOW)
    book.acknowledge(book.alerts[0].id, "seen", "primary", NOW)
    with pytest.raises(UserError, match="is not open"):
        book.acknowledge(book.alerts[0].id, "seen again", "secondary", NOW)
    with pytest.raises(UserError, match="is not open"):
        book.acknowledge(99, "seen", "secondary", NOW)
    assert book.alerts[0].acknowledged_by == "primary"


def test_what_is_over_stays_latched_and_says_so(book):
    book.notice(HOME, Notice(NoticeCode.MAINS_LOST), NOW)
    book.notice(HOME, Notice(NoticeCode.MAINS_BACK), NOW + MINUTE)
    (alert,) = book.alerts
    assert (alert.code, alert.over_utc, alert.is_open) == ("mains_lost", NOW + MINUTE, True)
    book.notice(HOME, Notice(NoticeCode.MAINS_LOST), NOW + 2 * MINUTE)
    assert [(a.times, a.over_utc) for a in book.alerts] == [(2, None)]


def test_a_dishonest_gateway_cannot_fill_the_book_nor_hide_what_tags_have_sealed(book):
    for number in range(5000):
        book.notice(HOME, Notice(NoticeCode.CLONE_HEARD, f"7a9{number:05x}"), NOW)
        book.notice(HOME, Notice(f"strange_{'abcdefghij'[number % 10]}{'klmnopqrst'[number // 10 % 10]}"), NOW)
    assert len(book.alerts) <= WORD_LIMIT + 1
    (flood,) = [a for a in book.alerts if a.code == "floods"]
    assert (flood.subject, flood.times > 1000) == (HOME, True)
    book.event(TAG, 5, EventCode.STRAP_OPEN, NOW)
    book.notice("6a7e0002", Notice(NoticeCode.MAINS_LOST), NOW)
    assert codes(book)[-2:] == ["strap_open", "mains_lost"]


def test_a_conflict_is_one_alert_for_each_source(book):
    for _ in range(3):
        book.conflict(TAG, NOW)
    book.conflict(HOME, NOW)
    assert [(alert.subject, alert.code, alert.times) for alert in book.alerts] == [
        (TAG, "conflict", 3),
        (HOME, "conflict", 1),
    ]


def test_nothing_that_happens_takes_an_alert_away(book):
    book.event(TAG, 1, EventCode.STRAP_OPEN, NOW)
    book.event(TAG, 2, EventCode.STRAP_CLOSED, NOW)
    book.event(TAG, 3, EventCode.ARMED, NOW)
    book.event(TAG, 4, EventCode.LEFT_HOME, NOW, allowed=False)
    book.event(TAG, 5, EventCode.CAME_HOME, NOW)
    book.lost("6a7e0001", NOW)
    assert codes(book) == ["strap_open", "left_home", "gateway_lost"]
