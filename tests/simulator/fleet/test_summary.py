"""All homes together: the counts, the verdict, the page and the tables; in any order the same."""

import json
import random
from pathlib import Path

import jsonschema
import pytest

from fleet_stand_in import result_of
from strapline_simulator import fleet
from strapline_simulator.fleet.page import render_page
from strapline_simulator.fleet.parquet import write_tables
from strapline_simulator.fleet.question import DEFAULT_MIX, Question, households
from strapline_simulator.fleet.schema import render_schema
from strapline_simulator.fleet.summary import spread, summarise
from strapline_simulator.fleet.words import share_words

ASKED = Question(30, 48.0, 1, "2026-03-02", "Europe/Berlin", DEFAULT_MIX, 0.02, False, "")
RESULTS = [result_of(ASKED, home) for home in households(ASKED)]
HOMES = len(RESULTS)


def test_homes_may_come_in_any_order():
    shuffled = RESULTS[:]
    random.Random(3).shuffle(shuffled)
    assert summarise(ASKED, shuffled, 0.01).to_json() == summarise(ASKED, RESULTS, 0.01).to_json()


def test_what_is_counted():
    summary = summarise(ASKED, RESULTS, 0.01)
    false = len([number for number in range(HOMES) if number % 7 == 0])
    missed = len([number for number in range(HOMES) if number % 5 == 0])
    assert (summary.homes, summary.tags, summary.person_days) == (HOMES, 30, 60.0)
    assert summary.tag_years == pytest.approx(60 / 365.25, abs=1e-4)
    assert (summary.alerts.false, summary.alerts.total) == (false, HOMES + false)
    assert summary.alerts.by_cause == {"": {"strap_open": false}, "gateway_mains": {"mains_lost": HOMES}}
    assert (summary.missed, summary.tampers["strap_cut"].told) == (missed, HOMES - missed)
    assert summary.heartbeats.sent == 30000
    assert len(summary.false_alerts) == false
    assert {one.home for one in summary.missed_tampers} == set(range(0, HOMES, 5))


@pytest.mark.parametrize(
    ("changes", "limit", "passed"),
    [
        ({"missed": (), "alerts": ()}, 0.0, True),
        ({"missed": ()}, 1.0, True),
        ({"missed": ()}, 0.0, False),
        ({"alerts": ()}, 1.0, False),
        ({"missed": (), "alerts": (), "missing": 1}, 1.0, False),
    ],
)
def test_the_verdict(changes, limit, passed):
    assert summarise(ASKED, [result._replace(**changes) for result in RESULTS], limit).passed is passed


@pytest.mark.parametrize(
    ("share", "words"), [(0.0, "0"), (0.01, "0.01"), (2.7e-05, "0.000027"), (0.078139, "0.078139"), (1.25, "1.25")]
)
def test_a_share_is_told_without_an_exponent(share, words):
    assert share_words(share) == words


def test_ranks():
    assert spread([]).p50 is None
    assert spread(range(1, 101)).model_dump() == {"count": 100, "p50": 50, "p90": 90, "p99": 99, "max": 100}


def test_the_file_keeps_to_its_schema_and_the_schema_is_shipped():
    schema = json.loads(render_schema())
    jsonschema.validate(json.loads(summarise(ASKED, RESULTS, 0.01).to_json()), schema)
    assert Path(fleet.__file__).with_name("fleet.schema.json").read_text() == render_schema()


def test_the_page_says_all_of_it_and_fetches_nothing():
    page = render_page(summarise(ASKED, RESULTS, 0.01))
    for said in ("FAILED", "tampers were missed", "strap_cut", "none (false)", "What is modelled", "gateway mains"):
        assert said.lower() in page.lower()
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page


def test_the_tables_open_in_a_data_tool(tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    written = write_tables(ASKED, RESULTS, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in written)
    alerts, tampers, homes = (
        pq.read_table(tmp_path / f"{name}.parquet").to_pylist() for name in ("alerts", "tampers", "homes")
    )
    assert len(homes) == HOMES
    assert {row["profile"] for row in homes} <= set(DEFAULT_MIX)
    assert sum(row["is_false"] for row in alerts) == len([row for row in alerts if row["cause"] == ""]) > 0
    assert alerts[0]["utc"].isoformat() == "2026-03-02T00:00:00.500000+00:00"  # an hour after midnight in Berlin
    assert [row["after_s"] is None for row in tampers].count(True) == len([n for n in range(HOMES) if n % 5 == 0])
