"""The drawings as data: what is in them, and that plotly takes them."""

from datetime import UTC, datetime

import plotly.graph_objects as go
import pytest

from simulator.report.sample_evening import CUT, END_S
from strapline_simulator.report import Report, Story
from strapline_simulator.report.alarms import sort_alarms
from strapline_simulator.report.curves import curves, loop_stretches
from strapline_simulator.report.figure import Figure
from strapline_simulator.report.latency import MAX_ROWS, latencies
from strapline_simulator.report.localtime import LocalClock
from strapline_simulator.report.sketch import sketch
from strapline_simulator.report.timeline import presence_gap_s, timeline


@pytest.fixture
def clock(story: Story) -> LocalClock:
    return LocalClock(story.start_utc, story.tz_name, END_S)


@pytest.fixture
def drawn(report: Report, story: Story, clock: LocalClock) -> dict[str, Figure]:
    alarms = sort_alarms(report, story)
    figures = (
        timeline(report, story, alarms, clock, END_S),
        curves(story, clock, END_S),
        sketch(report, story, alarms, clock),
        latencies(story, clock),
    )
    return {figure.name: figure for figure in figures if figure is not None}


def test_plotly_takes_every_trace_and_layout(drawn: dict[str, Figure]) -> None:
    for figure in drawn.values():
        spec = figure.spec()
        assert len(go.Figure({"data": spec["traces"], "layout": spec["layout"]}).data) == len(figure.traces)


def test_every_legend_entry_switches_a_trace_and_every_shown_trace_has_one(drawn: dict[str, Figure]) -> None:
    for figure in drawn.values():
        assert {trace["legendgroup"] for trace in figure.traces} == {entry.group for entry in figure.legend}


def test_the_timeline_draws_alarms_apart_from_other_events(drawn: dict[str, Figure]) -> None:
    by_group = {trace["legendgroup"]: trace for trace in drawn["timeline"].traces}
    assert by_group["alarm"]["x"] == [CUT + 0.41, CUT + 262.63]
    assert by_group["alarm"]["marker"]["color"] == "var(--alarm)"
    assert CUT + 0.41 not in by_group["other"]["x"]
    assert by_group["lost"]["x"] == [END_S - 0.2]


def test_the_cut_opens_the_strap_to_the_end_of_the_run(drawn: dict[str, Figure]) -> None:
    (opened,) = (trace for trace in drawn["curves"].traces if trace["legendgroup"] == "open")
    assert (opened["base"], opened["x"]) == ([CUT], [END_S - CUT])


def test_the_true_path_of_the_sketch_is_in_kilometres_from_home(drawn: dict[str, Figure]) -> None:
    (path,) = (trace for trace in drawn["sketch"].traces if trace["legendgroup"] == "path")
    assert (path["x"][0], path["y"][0]) == (0.0, 0.0)
    assert max(path["x"]) == pytest.approx(2.77, abs=0.02)
    assert min(path["y"]) == pytest.approx(-2.84, abs=0.02)


def test_a_slow_alarm_is_marked_as_slower_than_the_goal(story: Story, clock: LocalClock) -> None:
    story.alarm_latencies.append(("strap_open", CUT + 600, 4000.0))
    figure = latencies(story, clock)
    assert figure is not None
    by_group = {trace["legendgroup"]: trace for trace in figure.traces}
    assert by_group["beyond"]["x"] == [4000.0]
    assert figure.layout["xaxis"]["type"] == "log"


def test_many_alarms_share_a_row_for_each_kind(story: Story, clock: LocalClock) -> None:
    story.alarm_latencies = [("strap_open", float(i), 0.5) for i in range(MAX_ROWS + 1)] + [("removed", 99.0, 1.0)]
    figure = latencies(story, clock)
    assert figure is not None
    assert len(figure.layout["annotations"]) == 2


def test_nothing_is_drawn_of_nothing(report: Report) -> None:
    story = Story(datetime(2026, 1, 12, tzinfo=UTC), "UTC")
    clock = LocalClock(story.start_utc, "UTC", 60.0)
    bare = report.model_copy(update={"events": (), "positions": ()})
    alarms = sort_alarms(bare, story)
    assert (timeline(bare, story, alarms, clock, 60.0), curves(story, clock, 60.0)) == (None, None)
    assert (sketch(bare, story, alarms, clock), latencies(story, clock)) == (None, None)


def test_loop_stretches_alternate_between_closed_and_open() -> None:
    samples = [(0.0, 1000.0), (1.0, 1001.0), (2.0, None), (3.0, None), (4.0, 999.0)]
    assert loop_stretches(samples, 9.0) == [
        ([(0.0, 1000.0), (1.0, 1001.0)], 0.0, 2.0),
        ([], 2.0, 4.0),
        ([(4.0, 999.0)], 4.0, 9.0),
    ]


def test_a_tag_that_beacons_rarely_is_still_present_between_beacons() -> None:
    assert presence_gap_s([0.0, 10.0, 20.0]) == 300.0
    assert presence_gap_s([0.0, 900.0, 1800.0]) == 4500.0
