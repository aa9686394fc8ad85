"""The requirements R01–R55, the scenarios that show each, and what came of them."""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from strapline_simulator.catalogue.outcome import Outcome


class Requirement(NamedTuple):
    """A row of docs/requirements.md."""

    row: str
    text: str
    number: str
    built: bool = True
    elsewhere: str = ""
    """What shows it where no scenario can."""
    whole: bool = False
    """Whether the catalogue as a whole shows it."""


class Line(NamedTuple):
    """A row of the table: `verdict` is `passed`, `failed`, `skipped`, `not run`, `not built` or `elsewhere`."""

    requirement: Requirement
    verdict: str
    scenarios: tuple[Outcome, ...]

    @property
    def words(self) -> str:
        """The verdict, for people."""
        if self.verdict == "elsewhere":
            return f"by {self.requirement.elsewhere}"
        if self.requirement.whole and self.verdict in ("passed", "failed"):
            return f"{self.verdict}: the catalogue as a whole"
        if self.scenarios:
            told = [outcome.verdict for outcome in self.scenarios]
            ran, skipped = len(told) - told.count("skipped"), told.count("skipped")
            return f"{self.verdict}: {told.count('passed')} of {ran}" + (f", {skipped} skipped" if skipped else "")
        return self.verdict

    def as_json(self) -> dict[str, Any]:
        names = [outcome.name for outcome in self.scenarios]
        return {"row": self.requirement.row, "text": self.requirement.text, "verdict": self.verdict, "scenarios": names}


@cache
def requirements() -> tuple[Requirement, ...]:
    """All of them, in their order."""
    text = files(__package__).joinpath("requirements.json").read_text(encoding="utf-8")
    return tuple(Requirement(**fields) for fields in json.loads(text))


def table(outcomes: Sequence[Outcome]) -> list[Line]:
    """A line for each requirement."""
    return [_line(requirement, outcomes) for requirement in requirements()]


def _line(requirement: Requirement, outcomes: Sequence[Outcome]) -> Line:
    mine = tuple(outcome for outcome in outcomes if requirement.row in outcome.rows)
    if mine or requirement.whole:
        return Line(requirement, _verdict(mine or outcomes), mine)
    if not requirement.built:
        return Line(requirement, "not built", ())
    return Line(requirement, "elsewhere" if requirement.elsewhere else "not run", ())


def _verdict(outcomes: Iterable[Outcome]) -> str:
    verdicts = {outcome.verdict for outcome in outcomes}
    if verdicts & {"failed", "error"}:
        return "failed"
    return "passed" if "passed" in verdicts else "skipped"
