"""The same seed gives the same bytes: a sample of `make determinism`."""

import pytest

from strapline_simulator.catalogue import determinism
from strapline_simulator.catalogue.random_scenario import random_scenario


def test_random_scenarios_are_the_same_in_another_interpreter_with_another_hash_seed():
    numbers = [100, 101]
    there = determinism.compare(numbers, 1, "model", "frames", hash_seeds=["4711"], side_by_side=[1])
    here = {number: {determinism.run_digest(number, "model", "frames")} for number in numbers}
    assert there == here
    assert here[100] != here[101]


def test_a_run_that_differs_is_found_out(monkeypatch, capsys):
    told = iter(range(100))
    monkeypatch.setattr(determinism, "compare", lambda numbers, *_: {n: {str(next(told)), "x"} for n in numbers})
    assert determinism.main(["--scenarios", "3"]) == 1
    assert "3 differ" in capsys.readouterr().out


@pytest.mark.parametrize("seed", range(50))
def test_every_seed_gives_a_scenario_and_always_the_same(seed):
    scenario = random_scenario(seed)
    assert scenario == random_scenario(seed)
    assert len(scenario.steps) >= 5
