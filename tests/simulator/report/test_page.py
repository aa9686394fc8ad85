"""The page as text: what it says, and what it must not hold."""

import re
from datetime import UTC, datetime

import pytest

from strapline_simulator.report import Event, Report, Story, render_html


def test_the_verdict_says_what_ran_and_for_how_long(report: Report, story: Story) -> None:
    page = render_html(report, story).replace("\N{NO-BREAK SPACE}", " ")
    assert "<strong>PASSED</strong>" in page
    assert "All 5 expectations were met." in page
    assert (
        "Run on a simulated device: the tag’s firmware, run by MicroPython. 26 h simulated in 3.42 s of real time"
        in page
    )


def test_a_failure_is_said_first_and_the_missing_record_is_marked(failed_report: Report, story: Story) -> None:
    page = render_html(failed_report, story)
    assert page.index("<strong>FAILED</strong>") < page.index("1 of 5 expectations were not met.")
    assert "✗ not met" in page
    assert '<dd class="number bad">1</dd>' in page


def test_a_scenario_without_expectations_is_not_called_passed(report: Report, story: Story) -> None:
    page = render_html(report.model_copy(update={"expectations": ()}), story)
    assert "NOT JUDGED" in page
    assert "PASSED" not in page


def test_the_parts_come_in_their_order(report: Report, story: Story) -> None:
    page = render_html(report, story)
    parts = [
        "<strong>",
        "What was expected",
        "plot-timeline",
        "plot-curves",
        "plot-sketch",
        "plot-latencies",
        "Was anything lost?",
        "Every event",
    ]
    places = [page.index(part) for part in parts]
    assert places == sorted(places)


def test_no_other_host_is_named_and_the_policy_forbids_every_request(report: Report, story: Story) -> None:
    page = render_html(report, story)
    assert (
        re.findall(r"(?:https?:)?//[a-z0-9-]+\.[a-z]", page.replace(re.findall(r'id="plotly">([^<]+)', page)[0], ""))
        == []
    )
    assert "default-src 'none'" in page


def test_the_page_is_the_same_every_time_and_no_larger_than_3_mb(report: Report, story: Story) -> None:
    page = render_html(report, story)
    assert page == render_html(report, story)
    assert len(page.encode()) < 3_000_000


def test_texts_of_a_scenario_are_only_texts(report: Report, story: Story) -> None:
    hostile = "</script><script>alert(1)</script><img src=x>"
    story.truths.append((1.0, hostile))
    story.places.append((hostile, 52.0, 5.0, 10.0))
    story.alerts.append((2.0, hostile, hostile))
    events = (*report.events, Event(t_s=1, tag=hostile, code=hostile, at_gateway_s=None, at_centre_s=2))
    page = render_html(report.model_copy(update={"title": hostile, "scenario": hostile, "events": events}), story)
    assert "<script>alert" not in page
    assert "<img" not in page
    assert page.count("<script") == page.count("</script>") == 3


def test_a_run_with_nothing_in_it_still_has_a_page(report: Report) -> None:
    bare = report.model_copy(update={"events": (), "positions": (), "title": None, "broker": None, "simulated_s": 0.0})
    page = render_html(bare, Story(datetime(2026, 1, 12, tzinfo=UTC), "Europe/Amsterdam"))
    assert "There was no alarm in this run." in page
    assert "The tag recorded no event." in page
    assert "plot-timeline" not in page


def test_of_very_many_events_the_alarms_stay_and_the_rest_is_counted(report: Report, story: Story) -> None:
    quiet = tuple(Event(t_s=i, tag="tag-1", code="beacon", at_gateway_s=None, at_centre_s=i + 1) for i in range(600))
    page = render_html(report.model_copy(update={"events": (*quiet, *report.events)}), story)
    assert page.count("(alarm)") == 2
    assert f"{600 + len(report.events) - 500} further events are in report.json." in page


def test_an_unknown_time_zone_is_an_error(report: Report) -> None:
    with pytest.raises(KeyError):
        render_html(report, Story(datetime(2026, 1, 12, tzinfo=UTC), "Europe/Nowhere"))


def test_an_alert_says_how_it_stands(report: Report, story: Story) -> None:
    page = render_html(report, story)
    assert re.search(r"<code>strap_open</code><em>2 times, acknowledged \w+ \d+ \w+ 23:52:00</em>", page)
    assert "<code>removed</code></li>" in page
