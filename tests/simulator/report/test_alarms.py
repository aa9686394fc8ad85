"""Which events are alarms."""

from datetime import UTC, datetime

from strapline_simulator.report import Event, Report, Story
from strapline_simulator.report.alarms import sort_alarms


def run(
    report: Report, alerts: list[tuple[float, str, str]], timed: list[tuple[str, float, float]] | None = None
) -> object:
    events = (
        Event(t_s=10, tag="t", code="left_home", at_gateway_s=None, at_centre_s=12),
        Event(t_s=50, tag="t", code="left_home", at_gateway_s=None, at_centre_s=80),
        Event(t_s=90, tag="t", code="STRAP_OPEN", at_gateway_s=None, at_centre_s=None),
    )
    story = Story(datetime(2026, 1, 12, tzinfo=UTC), "UTC", alerts=alerts, alarm_latencies=timed or [])
    return sort_alarms(report.model_copy(update={"events": events}), story)


def test_only_the_occurrence_that_raised_an_alert_is_an_alarm(report: Report) -> None:
    assert run(report, [(80.2, "left_home", "outside a window")]) == ({1: "outside a window"}, [])


def test_an_alert_may_come_before_its_record(report: Report) -> None:
    assert run(report, [(55.0, "left_home", "x"), (91.0, "strap_open", "y")]) == ({1: "x", 2: "y"}, [])


def test_an_alert_without_an_event_is_the_centres_own(report: Report) -> None:
    alert = (70.0, "gateway_lost", "gone without a word")
    assert run(report, [alert]) == ({}, [alert])


def test_what_was_timed_as_an_alarm_is_one(report: Report) -> None:
    assert run(report, [], [("strap_open", 90.0, 1.0)]) == ({2: ""}, [])
