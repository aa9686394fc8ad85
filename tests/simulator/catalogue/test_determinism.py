"""The same seed gives the same bytes: a sample of `make determinism`."""

import pytest

from strapline_simulator.catalogue import determinism
from strapline_simulator.catalogue.random_scenario import random_scenario


def test_random_scenarios_are_the_same_in_every_run(capsys):
    assert determinism.main(["--scenarios", "2", "--runs", "1", "--seed", "100"]) == 0
    assert "2 scenarios × 4 runs on model: 0 differ" in capsys.readouterr().out


def test_another_seed_is_another_run():
    assert determinism.run_digest(100, "model") != determinism.run_digest(101, "model")


def test_a_run_that_differs_is_found_out(monkeypatch, capsys):
    told = iter(range(100))
    monkeypatch.setattr(
        determinism, "compare", lambda numbers, runs, body: {n: {str(next(told)), "x"} for n in numbers}
    )
    assert determinism.main(["--scenarios", "3"]) == 1
    assert "3 differ" in capsys.readouterr().out


@pytest.mark.parametrize("seed", range(200))
def test_every_seed_gives_a_scenario_and_always_the_same(seed):
    scenario = random_scenario(seed)
    assert scenario == random_scenario(seed)
    assert len(scenario.steps) >= 5
