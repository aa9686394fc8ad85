"""What stands beside an alert that says a tag is away: it is told with it, and takes nothing from it."""

import asyncio
import json
import sys
from datetime import timedelta

import pytest

from centre.test_alerts import HOME, NOW, TAG
from strapline_centre.alert_rows import StepRow
from strapline_centre.alerts import AlertBook
from strapline_centre.beside import beside
from strapline_centre.hook import tell
from strapline_centre.sentry import Notification
from strapline_protocol.codes import EventCode
from strapline_protocol.notices import Notice, NoticeCode

MINUTE = timedelta(minutes=1)


@pytest.fixture
def book():
    """The tag has broken its curfew at `NOW`."""
    book = AlertBook()
    book.event(TAG, 5, EventCode.CURFEW_BROKEN, NOW)
    return book


def others(book, code="curfew_broken"):
    (alert,) = [one for one in book.alerts if one.code == code]
    return [one.code for one in beside(alert, book.alerts, [HOME])]


@pytest.mark.parametrize(
    ("told", "tag", "minutes", "expected"),
    [
        (NoticeCode.RADIO_JAMMED, None, -1, True),
        (NoticeCode.RADIO_JAMMED, None, -600, True),  # it goes on: nobody has told of its end
        (NoticeCode.RADIO_JAMMED, None, 31, False),
        (NoticeCode.CLONE_HEARD, TAG, 21, True),
        (NoticeCode.CLONE_HEARD, TAG, -11, False),
        (NoticeCode.CLONE_HEARD, "7a900002", -1, False),
        (NoticeCode.MAINS_LOST, None, -1, False),  # it runs on its battery
    ],
)
def test_what_was_told_near_by_stands_beside_it(book, told, tag, minutes, expected):
    book.notice(HOME, Notice(told, tag or "", {}), NOW + minutes * MINUTE)
    assert others(book) == ([told.value] if expected else [])


def test_noise_that_ended_long_before_and_noise_of_another_house_do_not(book):
    book.notice(HOME, Notice(NoticeCode.RADIO_JAMMED, "", {}), NOW - 40 * MINUTE)
    assert others(book) == ["radio_jammed"]
    book.notice(HOME, Notice(NoticeCode.JAMMING_OVER, "", {}), NOW - 30 * MINUTE)
    book.notice("6a7e0002", Notice(NoticeCode.RADIO_JAMMED, "", {}), NOW)
    assert others(book) == []


def test_a_cut_strap_has_nothing_beside_it(book):
    book.event(TAG, 6, EventCode.STRAP_OPEN, NOW)
    book.notice(HOME, Notice(NoticeCode.RADIO_JAMMED, "", {}), NOW)
    assert others(book, "strap_open") == []


def test_the_hook_and_the_log_are_told_of_it(book, tmp_path, caplog):
    book.notice(HOME, Notice(NoticeCode.RADIO_JAMMED, "", {}), NOW)
    away, noise = book.alerts
    program = [sys.executable, "-c", f"import sys; open({str(tmp_path / 'told')!r}, 'w').write(sys.stdin.read())"]
    notification = Notification(away, StepRow(away.id, 0, "primary", NOW))
    assert asyncio.run(tell(notification, program, 60.0, [noise])) == "told"
    told = json.loads((tmp_path / "told").read_text())["alert"]["beside"]
    assert told == [{"id": noise.id, "code": "radio_jammed", "subject": HOME}]
    assert f"told beside it: radio_jammed of {HOME}" in caplog.text
