"""What the system is known to tell falsely: each of these must come to hold one day, and this file says so when it does."""

from pathlib import Path

import pytest

from strapline_simulator.scenario import load_scenario
from strapline_simulator.simulation import Options, run_scenario

ASIDE = Path(__file__).parent / "aside"


@pytest.mark.xfail(
    strict=True,
    reason="a tag that nobody calls for 30 s in curfew hours says that it has left, whatever the reason (docs/worlds.md)",
)
@pytest.mark.parametrize("name", sorted(path.stem for path in ASIDE.glob("*.yaml")))
def test_an_innocent_wearer_is_not_accused(name):
    result = run_scenario(load_scenario(str(ASIDE / f"{name}.yaml")), Options(body="model", air="frames"))
    assert [outcome.text for outcome in result.report.expectations if not outcome.passed] == []
