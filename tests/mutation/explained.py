"""Why a mutant that nothing noticed may stay: kept as data, and held against what is really there."""

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from mutation.drawing import Mutant, difference, mutants_of, operators
from mutation.modules import MODULES

FILE = Path(__file__).with_name("explained.toml")
KINDS = {
    "equivalent": "does the same in every case that there can be",
    "tolerance": "one step of a number whose exact size nobody is promised",
}


class Change(NamedTuple):
    """What is known of a mutant without its place, which moves with every edit."""

    module: str
    operator: str
    line: str
    becomes: str


class Explanation(NamedTuple):
    change: Change
    kind: str
    why: str


def change_of(mutant: Mutant) -> Change:
    rows = difference(mutant)
    new = " ".join(row[1:].strip() for row in rows if row[0] == "+")
    return Change(mutant.module, mutant.operator, mutant.text, " ".join(new.split()))


def explanations(file: Path = FILE) -> dict[Change, Explanation]:
    """Raises ValueError for a kind that there is not, and for two explanations of one mutant."""
    found: dict[Change, Explanation] = {}
    for row in tomllib.loads(file.read_text(encoding="utf-8")).get("mutant", []):
        change = Change(row["module"], row["operator"], row["line"], row["becomes"])
        if row["kind"] not in KINDS:
            raise ValueError(f"{change.line}: no such kind: {row['kind']}")
        if change in found:
            raise ValueError(f"{change.line}: explained twice")
        found[change] = Explanation(change, row["kind"], row["why"])
    return found


def stale(known: Sequence[Change]) -> list[Change]:
    """Those that no mutant of today's sources makes."""
    return [change for change in known if change.module not in MODULES or change not in _changes(*change[:3])]


@cache
def _changes(module: str, operator: str, line: str) -> frozenset[Change]:
    return frozenset(change_of(mutant) for mutant in _made(module, operator) if mutant.text == line)


@cache
def _made(module: str, operator: str) -> tuple[Mutant, ...]:
    return tuple(mutants_of(module, (operator,)) if operator in operators() else ())
