"""report.json: what is in it, in which order, and what is refused."""

import json
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from strapline_simulator.report import AlarmLatency, Event, Report, latency_summary, utc_text

LATENCIES = st.lists(st.floats(0, 1e6), min_size=1, max_size=300)


def test_json_comes_back_as_the_same_report(report: Report) -> None:
    assert Report.model_validate_json(report.to_json()) == report


def test_json_has_the_fields_of_schema_1_in_order_and_ends_in_one_newline(report: Report) -> None:
    text = report.to_json()
    assert list(json.loads(text)) == [
        "schema", "scenario", "title", "seed", "body", "broker", "start_utc", "simulated_s", "wall_s", "expectations", "events",
        "positions", "alerts", "notices", "frames", "frames_digest", "ledger", "alarm_latency_s", "heap",
    ]  # fmt: skip
    assert text.startswith('{\n  "schema": 1,\n')
    assert text.endswith("}\n")


def test_reasons_of_refusal_are_sorted_so_that_equal_runs_give_equal_files(report: Report) -> None:
    backwards = {"stale": 3, "replayed": 1}
    forwards = dict(reversed(backwards.items()))
    texts = {
        report.model_copy(update={"frames": report.frames.model_copy(update={"rejected": reasons})}).to_json()
        for reasons in (backwards, forwards)
    }
    assert len(texts) == 1


def test_only_title_start_broker_and_heap_may_be_left_out(report: Report) -> None:
    bare = report.model_copy(update={"title": None, "start_utc": None, "broker": None, "heap": None})
    fields = json.loads(bare.to_json())
    assert not {"title", "start_utc", "broker", "heap"} & set(fields)
    assert fields["expectations"][-1]["latency_s"] is None
    for name in fields.keys() - {"schema"}:
        with pytest.raises(ValidationError):
            Report.model_validate({key: value for key, value in fields.items() if key != name})


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"surplus": 1},
        {"wall_s": -1},
        {"wall_s": math.nan},
        {"frames_digest": "md5:0"},
        {"start_utc": "today"},
    ],
)
def test_what_the_schema_does_not_allow_is_refused(report: Report, change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Report.model_validate({**json.loads(report.to_json()), **change})


def test_a_report_cannot_be_changed(report: Report) -> None:
    with pytest.raises(ValidationError):
        report.seed = 1


def test_a_report_passes_when_every_expectation_does(report: Report, failed_report: Report) -> None:
    assert report.passed
    assert not failed_report.passed


def test_an_event_that_never_arrived_keeps_its_nulls() -> None:
    event = Event(t_s=1, tag="t", code="armed", at_gateway_s=None, at_centre_s=None)
    assert event.model_dump()["at_centre_s"] is None


def test_no_alarm_has_no_latency() -> None:
    assert latency_summary([]) == AlarmLatency(p50=None, p99=None, max=None)


def test_percentiles_are_by_nearest_rank() -> None:
    assert latency_summary([4.0, 1.0, 3.0, 2.0]) == AlarmLatency(p50=2.0, p99=4.0, max=4.0)
    assert latency_summary([float(i) for i in range(1, 201)]) == AlarmLatency(p50=100.0, p99=198.0, max=200.0)


@given(LATENCIES)
def test_a_percentile_is_the_least_value_that_enough_values_do_not_exceed(values: list[float]) -> None:
    summary = latency_summary(values)
    assert summary.max == max(values)
    for percent, found in ((50, summary.p50), (99, summary.p99)):
        assert found in values
        assert sum(value <= found for value in values) * 100 >= percent * len(values)
        assert sum(value < found for value in values) * 100 < percent * len(values)


def test_utc_is_written_with_a_z_from_any_zone_and_never_from_a_naive_time() -> None:
    assert utc_text(datetime(2026, 1, 12, 21, 15, tzinfo=UTC)) == "2026-01-12T21:15:00Z"
    assert utc_text(datetime(2026, 1, 12, 22, 15, tzinfo=timezone(timedelta(hours=1)))) == "2026-01-12T21:15:00Z"
    with pytest.raises(ValueError, match="time zone"):
        utc_text(datetime(2026, 1, 12, 21, 15))  # noqa: DTZ001 - naive on purpose
