"""Mutants by cosmic-ray's operators, drawn from a seed: a place first, every place alike, then one of what can be done there."""

import difflib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from random import Random
from typing import Any, NamedTuple

from cosmic_ray.ast import Visitor, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

from mutation.modules import source_of
from mutation.statements import Places


class Mutant(NamedTuple):
    """One change at one place."""

    module: str
    operator: str
    """As cosmic-ray names it."""
    occurrence: int
    """Which of the operator's changes of this module it is."""
    line: int
    column: int
    text: str
    """The line that is changed, without its indent."""

    @property
    def ident(self) -> str:
        """The same in every run on the same sources."""
        return f"{self.module}:{self.line}:{self.column} {self.operator} {self.occurrence}"


class _Finder(Visitor):  # type: ignore[misc]
    """Visits as cosmic-ray does when it changes, so that the count is the same."""

    def __init__(self, operator: Any) -> None:
        self.found: list[tuple[int, int]] = []
        self._operator = operator

    def visit(self, node: Any) -> Any:
        self.found += [start for start, _end in self._operator.mutation_positions(node)]
        return node


@cache
def operators() -> dict[str, Any]:
    """By their short names. Those that want to be told a variable's name, and draw at random by themselves, are left out."""
    classes = {name.split("/")[1]: get_operator(name) for name in operator_names()}
    return {name: made() for name, made in sorted(classes.items()) if not made.arguments()}


def mutants_of(module: str, names: Sequence[str] = ()) -> list[Mutant]:
    """All that can be made of a module by the operators of these names (none: by all), but for those in annotations, which do nothing."""
    return list(_mutants_in(module, source_of(module), names or list(operators())))


def _mutants_in(module: str, source: str, names: Sequence[str]) -> Iterator[Mutant]:
    places, rows, tree = Places(source), source.splitlines(), get_ast(source)
    for name in names:
        finder = _Finder(operators()[name])
        finder.walk(tree)
        for occurrence, (line, column) in enumerate(finder.found):
            if not places.is_type(line, column):
                yield Mutant(module, name, occurrence, line, column, rows[line - 1].strip())


def draw(modules: Sequence[str], runs: int, seed: int) -> list[Mutant]:
    """So many different ones (fewer, where there are no more)."""
    by_place: dict[tuple[str, int, int], list[Mutant]] = defaultdict(list)
    for module in modules:
        for mutant in mutants_of(module):
            by_place[mutant.module, mutant.line, mutant.column].append(mutant)
    random, places, drawn = Random(f"mutants/{seed}"), sorted(by_place), []
    while places and len(drawn) < runs:
        at = random.randrange(len(places))
        here = by_place[places[at]]
        mutant = here.pop(random.randrange(len(here)))
        if _compiles(mutated(mutant, source_of(mutant.module))):
            drawn.append(mutant)
        if not here:
            del places[at]
    return drawn


def _compiles(source: str) -> bool:
    """`-1` may become `not 1`, which not every place takes: that is no program."""
    try:
        compile(source, "a mutant", "exec")
    except SyntaxError:
        return False
    return True


def mutated(mutant: Mutant, source: str) -> str:
    """The module's source with the change in it."""
    changed = mutate_code(source, operators()[mutant.operator], mutant.occurrence)
    if changed is None:
        raise LookupError(f"{mutant.ident}: there is no such place")
    return str(changed)


def difference(mutant: Mutant) -> list[str]:
    """The lines that it changes, with - and +."""
    source = source_of(mutant.module)
    rows = difflib.unified_diff(source.splitlines(), mutated(mutant, source).splitlines(), lineterm="", n=0)
    return [row for row in rows if row[:1] in "+-" and row[:3] not in {"+++", "---"}]
