"""A failing mix of faults made small: fewer steps, a shorter run, rounder times, simpler arguments, as long as it fails in the same way.

The reduction of steps is Zeller's and Hildebrandt's ddmin (Simplifying and Isolating Failure-Inducing Input, IEEE TSE 28(2), 2002).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from pydantic import BaseModel

from strapline_simulator.mixes.mix import Unit, with_units
from strapline_simulator.scenario import Scenario, Step

_TAILS_S = (300.0, 1200.0, 2400.0)


class Shrunk(NamedTuple):
    """The smallest that was found, and after how many runs."""

    scenario: Scenario
    runs: int


class _Candidate(NamedTuple):
    units: list[Unit]
    tail_s: float
    end_s: float | None

    def of(self, scenario: Scenario) -> Scenario:
        return with_units(scenario, self.units, self.tail_s, self.end_s)


def shrink(
    scenario: Scenario, units: Sequence[Unit], fails: Callable[[Scenario], bool], tail_s: float, most_runs: int = 120
) -> Shrunk:
    """`fails` says whether a scenario fails in the same way; it is asked at most `most_runs` times."""
    search = _Search(scenario, fails, most_runs)
    best = search.fewer(_Candidate(list(units), tail_s, None))
    best = search.first(best, ([best._replace(end_s=0.0)]))
    best = search.first(best, [best._replace(tail_s=tail) for tail in _TAILS_S if tail < best.tail_s])
    best = search.simpler(best)
    return Shrunk(best.of(scenario), search.runs)


class _Search:
    def __init__(self, scenario: Scenario, fails: Callable[[Scenario], bool], most_runs: int) -> None:
        self._scenario = scenario
        self._fails = fails
        self._left = most_runs
        self.runs = 0

    def _holds(self, candidate: _Candidate) -> bool:
        if not self._left:
            return False
        self._left -= 1
        self.runs += 1
        return self._fails(candidate.of(self._scenario))

    def fewer(self, start: _Candidate) -> _Candidate:
        """ddmin: chunks are left out, ever smaller ones, until no single unit can go."""
        units, pieces = start.units, 2
        while len(units) > 1:
            size = -(-len(units) // pieces)
            chunks = [units[at : at + size] for at in range(0, len(units), size)]
            rests = [[unit for unit in units if unit not in chunk] for chunk in chunks]
            smaller = next((rest for rest in rests if self._holds(start._replace(units=rest))), None)
            if smaller is not None:
                units, pieces = smaller, max(2, pieces - 1)
            elif size == 1:
                break
            else:
                pieces = min(len(units), 2 * pieces)
        return start._replace(units=units)

    def first(self, best: _Candidate, candidates: Sequence[_Candidate]) -> _Candidate:
        """The first that still fails; else the best so far."""
        return next((candidate for candidate in candidates if self._holds(candidate)), best)

    def simpler(self, best: _Candidate) -> _Candidate:
        """Whole minutes and simple arguments, step by step."""
        for index in range(len(best.units)):
            for unit in _simpler(best.units[index], self._scenario):
                candidate = best._replace(units=[*best.units[:index], unit, *best.units[index + 1 :]])
                if self._holds(candidate):
                    best = candidate
        return best


def _simpler(unit: Unit, scenario: Scenario) -> Iterator[Unit]:
    rounded = tuple(step.model_copy(update={"at": _whole_minutes(scenario.seconds_of(step.at))}) for step in unit.steps)
    if rounded != unit.steps:
        yield Unit(rounded)
    for index, step in enumerate(rounded):
        for simple in _plainer(step):
            yield Unit((*rounded[:index], simple, *rounded[index + 1 :]))


def _whole_minutes(at_s: float) -> str:
    return f"{round(at_s / 60)}min"


def _plainer(step: Step) -> Iterator[Step]:
    """With one part of its argument left out."""
    argument = step.argument
    if isinstance(argument, BaseModel) and len(argument.model_fields_set) > 1:
        for name in argument.model_fields_set:
            left = {
                key: value
                for key, value in argument.model_dump(mode="json").items()
                if key in argument.model_fields_set and key != name
            }
            try:
                yield step.model_copy(update={step.verb: type(argument).model_validate(left)})
            except ValueError:
                continue
