"""Expectations held against findings: each claim, each of its conditions, and what may not be overlooked."""

import pytest

from strapline_simulator.assessment import CentreEvent, Findings, Shown, ToldNotice, assess
from strapline_simulator.scenario import Scenario

NOTHING = Findings((), (), (), (), (), (), 0)
OPEN = [
    CentreEvent(100.0, "t", "strap_open", 100.0, 100.5, {"openings": 1}),
    CentreEvent(200.0, "t", "strap_open", 200.0, 200.5, {"openings": 2}),
]


def told(expectation, found, *, quiet=False):
    """Whether it came true, and its text."""
    scenario = Scenario.model_validate({
        "title": "t", "start": "2026-03-02T22:00:00+01:00", "duration": "10min", "quiet": quiet,
        "steps": [{"at": "90s", "name": "early", "note": "x"}, {"at": "3min", "name": "late", "note": "x"}],
        "expect": [expectation],
    })  # fmt: skip
    outcomes = assess(scenario, found)
    return [outcome.passed for outcome in outcomes], outcomes[-1].text


def holds(expectation, found):
    return told(expectation, found)[0] == [True]


@pytest.mark.parametrize(
    ("expectation", "there"),
    [
        ({"event": "strap_open"}, True),
        ({"event": "strap_open", "count": 2}, True),
        ({"event": "strap_open", "count": 1}, False),
        ({"event": "strap_open", "after": "late", "count": 1}, True),
        ({"event": "strap_open", "after": "early", "within": "11s"}, True),
        ({"event": "strap_open", "after": "early", "within": "10s"}, False),
        ({"event": "strap_open", "detail": {"openings": 2}, "count": 1}, True),
        ({"event": "strap_open", "detail": {"openings": 3}}, False),
        ({"event": "strap_open", "detail": {"openings": {"at_least": 2}}, "count": 1}, True),
        ({"event": "strap_open", "detail": {"openings": {"at_most": 2}}, "count": 2}, True),
        ({"never": "strap_open"}, False),
        ({"never": "strap_open", "after": "early", "within": "10s"}, True),
        ({"never": "strap_open", "after": "early", "within": "11s"}, False),
        ({"never": "strap_open", "detail": {"openings": 3}}, True),
        ({"never": "strap_open", "detail": {"openings": 2}}, False),
    ],
)
def test_events(expectation, there):
    assert holds(expectation, NOTHING._replace(events=OPEN)) is there


def test_a_detail_by_its_word():
    refused = CentreEvent(1.0, "t", "update_refused", 1.0, 1.0, {"reason": 16})
    found = NOTHING._replace(events=[refused])
    assert holds({"event": "update_refused", "detail": {"reason": "unsigned"}}, found)
    assert not holds({"event": "update_refused", "detail": {"reason": "expired"}}, found)


@pytest.mark.parametrize(
    ("expectation", "there"),
    [
        ({"no_alert": "any"}, False),
        ({"no_alert": "removed"}, True),
        ({"no_alert": "strap_open", "after": "late"}, True),
        ({"no_alert": "any", "after": "early", "within": "20s"}, False),
        ({"alert": "strap_open", "after": "early", "within": "20s", "count": 1}, True),
        ({"alert": "strap_open", "after": "late"}, False),
        ({"over": "strap_open", "after": "early"}, True),
        ({"over": "strap_open", "after": "late", "within": "10s"}, False),
        ({"open_alerts": 1}, True),
        ({"open_alerts": 0}, False),
    ],
)
def test_alerts(expectation, there):
    found = NOTHING._replace(alerts=[Shown("strap_open", 101.0, 300.0, is_open=True, times=1)])
    assert holds(expectation, found) is there


@pytest.mark.parametrize(
    ("expectation", "there"),
    [
        ({"notice": "range_test", "detail": {"lowest_dbm": -80}}, True),
        ({"notice": "range_test", "detail": {"lowest_dbm": -81}}, False),
        ({"notice": "range_test", "detail": {"unknown": 1}}, False),
        ({"no_notice": "range_test"}, False),
        ({"no_notice": "range_test", "after": "late"}, True),
    ],
)
def test_notices(expectation, there):
    found = NOTHING._replace(notices=[ToldNotice("range_test", 100.0, "g", {"lowest_dbm": -80})])
    assert holds(expectation, found) is there


@pytest.mark.parametrize(
    ("expectation", "there"),
    [
        ({"positions": 3}, True),
        ({"positions": 4}, False),
        ({"positions": 2, "after": "late"}, True),
        ({"positions_at_most": 1, "after": "late"}, False),
        ({"positions_at_most": 1, "after": "early", "within": "60s"}, True),
    ],
)
def test_positions(expectation, there):
    assert holds(expectation, NOTHING._replace(positions=[100.0, 200.0, 300.0])) is there


def test_a_quiet_scenario_is_judged_by_its_alerts_whatever_it_expects():
    loud = NOTHING._replace(alerts=[Shown("dropping", 1.0, None, is_open=True, times=1)])
    assert told({"missing": 0}, NOTHING, quiet=True) == ([True, True], "quiet: no alert")
    assert told({"missing": 0}, loud, quiet=True) == ([True, False], "quiet: no alert (there are: dropping)")


@pytest.mark.parametrize(
    ("addresses", "there"),
    [
        ([(0, b"a"), (600, b"a"), (601, b"b"), (1200, b"b")], True),
        ([(0, b"a"), (1000, b"a"), (1001, b"b")], False),
        ([(0, b"a"), (600, b"b"), (1200, b"a")], False),
        ([(0, b"a"), (600, b"a")], False),
        ([], False),
    ],
    ids=["changes", "kept too long", "comes back", "never changes", "silent"],
)
def test_an_address_that_is_kept_or_comes_back_is_found(addresses, there):
    assert holds({"same_address": "15min"}, NOTHING._replace(heard=addresses)) is there


@pytest.mark.parametrize(
    ("times", "there"),
    [([0, 2, 9, 12], True), ([0, 2, 13], False), ([0, 0.5, 8], False), ([0, 5, 10, 15], False), ([0], False)],
    ids=["random", "late", "early", "in step", "one"],
)
def test_a_rhythm(times, there):
    heard = [(at, b"a") for at in times]
    assert holds(
        {"heartbeats": {"shortest": "1s", "longest": "10s", "spread": "3s"}}, NOTHING._replace(heard=heard)
    ) is there  # fmt: skip


def test_an_export_that_does_not_read_back_is_told():
    assert not holds({"exported": True}, NOTHING)
    assert holds({"exported": True}, NOTHING._replace(exported=True))
