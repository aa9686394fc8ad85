"""Real receivers' bytes through the whole chain on real MicroPython, against GPSD's decode of the same bytes."""

import importlib.util
import os
from pathlib import Path

import pytest

from strapline_simulator.gnss_log import read_gnss_log
from strapline_simulator.scenario import load_scenario
from strapline_simulator.simulation import Options, run_scenario

_SPEC = importlib.util.spec_from_file_location(
    "gnss_agreement_for_the_chain", Path(__file__).parents[1] / "firmware/gnss_agreement.py"
)
agreement = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(agreement)


def _logs():
    folder = os.environ.get("STRAPLINE_DATA")
    return sorted(Path(folder, "gnss").glob("*.log")) if folder else []


needs_data = pytest.mark.skipif(
    not _logs() and os.environ.get("STRAPLINE_REQUIRE_DATA") != "1",
    reason="STRAPLINE_DATA names no folder with recordings",
)


@needs_data
def test_all_the_recordings_are_here_and_at_least_48_can_agree():
    logs = {log.stem for log in _logs()}
    assert len(logs) == 54
    assert set(agreement.EXPLAINED) <= logs
    assert len(logs) - len(agreement.EXPLAINED) >= 48


@needs_data
@pytest.mark.parametrize("log", _logs(), ids=lambda log: log.stem)
def test_the_chain_delivers_the_positions_that_gpsd_reads(log):
    result = run_scenario(load_scenario("gnss-log"), Options(body="micropython", gnss_log=read_gnss_log(log)))
    assert result.passed
    positions = [position.model_dump() for position in result.report.positions]
    verdict = agreement.compare(positions, log.with_suffix(".tpv.jsonl"))
    # The logs that differ are explained sentence by sentence in docs/gnss-logs.md; one that comes to agree must leave that list.
    assert verdict.agrees == (log.stem not in agreement.EXPLAINED), [str(d) for d in verdict.differences]
