from pathlib import Path

import pytest

from strapline_hil.plugin.examination import examine, unwell
from strapline_hil.rig.file import load_rig
from strapline_hil.rig.virtual.rig import open_virtual
from strapline_hil.verdict import Verdict

RIG = Path(__file__).with_name("rig.yaml")


@pytest.fixture(scope="module")
def body():
    body = open_virtual(load_rig(RIG))
    yield body
    body.close()


def test_a_relay_that_sticks_is_found_by_moving_it_after_a_failure(body):
    faults = body.rig.virtual.fakes["relays"].faults
    faults.add("stuck")
    assert unwell(body) == []
    found = examine(body)
    assert [finding.verdict for finding in found] == [Verdict.RIG] * len(found)
    assert found[0].words.startswith("strap: strap: it was told open, and the loop measures 1000")
    faults.clear()


def test_on_a_rig_that_is_well_nothing_is_found_and_the_strap_is_as_it_was(body):
    assert examine(body) == []
    assert body.rig.strap.state == "closed"
