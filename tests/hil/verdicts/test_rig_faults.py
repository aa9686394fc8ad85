import os

import pytest

from hil.verdicts.rig_faults import RIG_FAULTS, draw_moment, healthy, try_fault
from hil.verdicts.verdicts import OF_NOBODY, OF_THE_PRODUCT, OF_THE_RIG, Row, table

LONG = bool(os.environ.get("STRAPLINE_LONG"))
SAMPLE = {"relay-stuck": "rig", "host-asleep": "environment", "port-taken": "environment"}
NAMED = {fault.name: fault for fault in RIG_FAULTS}


@pytest.mark.parametrize("name", SAMPLE)
def test_a_fault_of_the_rig_is_never_the_products(name, tmp_path):
    trial = try_fault(NAMED[name], 1, tmp_path)
    assert trial.judged.verdict == SAMPLE[name], trial.judged


needs_minutes = pytest.mark.skipif(not LONG, reason="takes minutes: STRAPLINE_LONG=1, or make verdicts")


@needs_minutes
@pytest.mark.parametrize("fault", RIG_FAULTS, ids=NAMED)
def test_every_fault_is_the_rigs_or_the_surroundings(fault, tmp_path):
    assert try_fault(fault, 2, tmp_path).is_right


@needs_minutes
@pytest.mark.parametrize("test", ["rounds", "desk"])
def test_the_same_test_passes_on_a_rig_that_is_well(test, tmp_path):
    assert healthy(tmp_path, test).verdict == "passed"


def test_moments_are_drawn_from_the_seed():
    moments = [draw_moment(NAMED["cable-out"], seed) for seed in range(30)]
    assert moments == [draw_moment(NAMED["cable-out"], seed) for seed in range(30)]
    assert 0.0 in moments
    assert len(set(moments)) > 10


def test_the_table_counts_what_was_put_down_to_whom():
    rows = [
        Row(OF_THE_PRODUCT, "a", "product", ""),
        Row(OF_THE_PRODUCT, "b", "rig", ""),
        Row(OF_THE_RIG, "c", "product", ""),
        Row(OF_NOBODY, "d", "passed", ""),
    ]
    assert [row.is_right for row in rows] == [True, False, False, True]
    assert table(rows).splitlines()[2:] == [
        "| defect in the product | 1 | 1 | 0 | 0 | 0 |",
        "| fault of rig or surroundings | 1 | 0 | 0 | 0 | 0 |",
        "| nothing wrong | 0 | 0 | 0 | 0 | 1 |",
    ]
