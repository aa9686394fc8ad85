import json
import os
from pathlib import Path

import pytest

from firmware.gnss_agreement import EXPLAINED, compare, judge_folder, table

DOCUMENT = Path(__file__).parents[2] / "docs" / "gnss-logs.md"


@pytest.fixture(scope="module")
def results():
    data = os.environ.get("STRAPLINE_DATA")
    if not data:
        missing = "STRAPLINE_DATA does not name a folder with recordings (its gnss/ holds GPSD's regression logs)"
        if os.environ.get("STRAPLINE_REQUIRE_DATA") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    return judge_folder(Path(data) / "gnss")


def test_the_tag_agrees_with_gpsd_except_where_it_is_explained(results):
    differing = {
        name: list(map(str, verdict.differences)) for name, (_, verdict) in results.items() if not verdict.agrees
    }
    assert len(results) == 54
    assert differing.keys() == EXPLAINED.keys()
    assert len(results) - len(differing) >= 48


def test_no_position_is_lost_between_parser_and_caller(results):
    assert not any(decoded.dropped for decoded, _ in results.values())


def test_the_document_holds_this_table_and_explains_each_log_that_differs(results):
    document = DOCUMENT.read_text(encoding="utf-8")
    assert table(results) in document
    assert all(f"### {name}\n" in document for name in EXPLAINED)


# The judge itself: what it must notice, and what it must let pass.

REPORTS = [(f"2024-05-01T12:00:0{n}.000Z", 50.0 + n / 1000, 8.0) for n in range(5)]


def verdict_on(folder: Path, positions, reports=None):
    tpv = folder / "log.tpv.jsonl"
    rows = REPORTS if reports is None else reports
    tpv.write_text("".join(json.dumps({"time": t, "mode": 3, "lat": lat, "lon": lon}) + "\n" for t, lat, lon in rows))
    return compare([{"utc": utc, "lat_deg": lat, "lon_deg": lon} for utc, lat, lon in positions], tpv)


def moved(index, **change):
    utc, lat, lon = REPORTS[index]
    altered = change.get("utc", utc), lat + change.get("north", 0), lon + change.get("east", 0)
    return [*REPORTS[:index], altered, *REPORTS[index + 1 :]]


def test_equal_decodings_agree(tmp_path):
    verdict = verdict_on(tmp_path, REPORTS)
    assert verdict.agrees
    assert (verdict.theirs, verdict.ours, verdict.excepted, verdict.notes) == (5, 5, [], [])


@pytest.mark.parametrize(
    "positions",
    [
        pytest.param(REPORTS[:2] + REPORTS[3:], id="lacks one"),
        pytest.param([*REPORTS[:2], ("2024-05-01T12:00:01.500Z", 50.0, 8.0), *REPORTS[2:]], id="one more"),
        pytest.param(moved(2, north=2e-5), id="north"),
        pytest.param(moved(2, east=-2e-5), id="east"),
        pytest.param(moved(2, utc="2024-05-02T12:00:02.000Z"), id="another day"),
        pytest.param(moved(2, utc="2024-05-01T12:00:02.020Z"), id="another time"),
        pytest.param(moved(2, utc=None), id="no time"),
        pytest.param(REPORTS[2:], id="lacks the first two"),
        pytest.param(REPORTS[:3], id="lacks the last two"),
    ],
)
def test_one_epoch_that_differs_is_a_disagreement(tmp_path, positions):
    assert not verdict_on(tmp_path, positions).agrees


@pytest.mark.parametrize("positions", [REPORTS[1:], REPORTS[:-1], REPORTS[1:-1], moved(0, east=1), moved(4, east=1)])
def test_only_the_first_and_the_last_epoch_are_excepted_and_shown(tmp_path, positions):
    verdict = verdict_on(tmp_path, positions)
    assert verdict.agrees
    assert verdict.excepted


def test_an_undated_position_is_paired_by_time_of_day_and_noted(tmp_path):
    verdict = verdict_on(tmp_path, moved(2, utc="12:00:02.000"))
    assert verdict.agrees
    assert verdict.notes == ["1 without a date, compared by time of day"]


def test_dates_may_be_a_rollover_apart_but_all_by_the_same(tmp_path):
    later = [(utc.replace("2024-05-01", "2043-12-16"), lat, lon) for utc, lat, lon in REPORTS]
    verdict = verdict_on(tmp_path, REPORTS, later)
    assert verdict.agrees
    assert verdict.notes == ["GPSD's dates are 7168 days (a multiple of 1024 weeks) later"]
    assert not verdict_on(tmp_path, REPORTS, [*later[:2], *REPORTS[2:]]).agrees


def test_no_fix_on_both_sides_agrees_and_on_one_side_does_not(tmp_path):
    assert verdict_on(tmp_path, [], []).agrees
    assert not verdict_on(tmp_path, [], REPORTS).agrees
    assert not verdict_on(tmp_path, REPORTS, []).agrees
