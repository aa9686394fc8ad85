"""Changes the deciding modules at random places, and sees whether a scenario of the catalogue notices (`make mutants`).

Each mutant runs in a process of its own, in memory, with the scenarios that execute what it changes, the cheapest first, until one fails.
What no scenario notices and no explanation covers goes before the tests of its part. Writes out/mutants/mutants.json and prints its head as
the last line. Exits 1 where more than a tenth is neither noticed nor explained, or an explanation explains nothing.
"""

import argparse
import importlib
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])  # `mutation` is this folder

from mutation.book import Book
from mutation.drawing import Mutant, draw
from mutation.elsewhere import noticing
from mutation.explained import change_of, explanations, stale
from mutation.forking import Tell, in_children
from mutation.modules import MODULES
from mutation.page import Fate, as_json, markdown, rows_as_json, survivor, table
from mutation.reach import RUN, Reach, Reached, reached_by
from mutation.replacing import forget_project
from mutation.trial import Verdict, trial, verdict

ROOT = Path(__file__).resolve().parents[2]
MOST_UNEXPLAINED = 0.1
RUNS = 200


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    if asked.markdown:
        print(markdown(explanations().values()))
        return 0
    reached = reached_by(asked.scenario, asked.out / "reach.jsonl", asked.jobs, _say)
    failing = [one.name for one in reached.values() if not one.passed]
    if failing:
        _say(f"{len(failing)} scenarios fail without any mutant and are left out: {', '.join(failing)}")
    reach = Reach({name: one for name, one in reached.items() if one.passed and one.cpu_s <= asked.longest})
    mutants = draw(asked.module or MODULES, asked.runs, asked.seed)
    verdicts = judge(mutants, reach, Book(asked.out / "verdicts.jsonl"), asked.jobs)
    known = explanations()
    left = [one for one in mutants if not verdicts[one.ident].killed and change_of(one) not in known]
    tests = noticing(left, asked.out / "elsewhere.jsonl", asked.jobs, _say)
    fates = [
        Fate(
            mutant, change := change_of(mutant), verdicts[mutant.ident], known.get(change), tests.get(mutant.ident, "")
        )
        for mutant in mutants
    ]
    return _conclude(fates, asked, stale(list(known)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help="how many mutants")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--module", action="append", help="only this one; may be repeated")
    parser.add_argument("--scenario", action="append", default=[], help="only those that match; may be repeated")
    parser.add_argument(
        "--longest", type=float, default=math.inf, help="leave out scenarios that take more seconds of processor time"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "mutants")
    parser.add_argument("--markdown", action="store_true", help="print explained.toml as a table for docs/mutants.md")
    return parser


def judge(mutants: Sequence[Mutant], reach: Reach, book: Book, jobs: int) -> dict[str, Verdict]:
    """Each mutant's verdict, from the book where it still holds."""
    by_ident = {mutant.ident: mutant for mutant in mutants}
    scenarios = {mutant.ident: reach.of(mutant) for mutant in mutants}
    found = {ident: book.known(mutant, scenarios[ident]) for ident, mutant in by_ident.items()}
    left = {ident: book.left(by_ident[ident], scenarios[ident]) for ident, known in found.items() if known is None}
    verdicts = {ident: known for ident, known in found.items() if known is not None}
    noticing = Noticing()
    for ident, known in verdicts.items():
        noticing.note(by_ident[ident], known)
    importlib.import_module(RUN)  # everything that is not ours is imported once
    forget_project()
    began = time.monotonic()
    for ident, said in in_children(_works(by_ident, left, noticing), jobs):
        new = verdict(by_ident[ident], left[ident], said)
        verdicts[ident] = book.note(by_ident[ident], new, scenarios[ident])
        noticing.note(by_ident[ident], new)
        _say(f"{len(verdicts)} of {len(mutants)}, {time.monotonic() - began:.0f} s: {_line(verdicts[ident])}")
    return verdicts


class Noticing:
    """Which scenarios have noticed mutants of which module: they are asked first about the next one."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def note(self, mutant: Mutant, verdict: Verdict) -> None:
        self._counts[mutant.module, verdict.by] += 1

    def first(self, mutant: Mutant, scenarios: Sequence[Reached]) -> list[Reached]:
        return sorted(scenarios, key=lambda one: one.cpu_s / (1 + self._counts[mutant.module, one.name]))


def _works(
    mutants: dict[str, Mutant], left: dict[str, list[Reached]], noticing: Noticing
) -> Iterator[tuple[str, Callable[[Tell], None]]]:
    for ident, scenarios in left.items():
        yield ident, trial(mutants[ident], noticing.first(mutants[ident], scenarios))


def _line(verdict: Verdict) -> str:
    if verdict.killed:
        return f"killed by {verdict.by or 'its import'}  {verdict.ident}  {verdict.how[:100]}"
    return f"SURVIVED {len(verdict.passed)} scenarios, {len(verdict.differs)} differ  {verdict.ident}"


def _conclude(fates: list[Fate], asked: argparse.Namespace, explains_nothing: Sequence[object]) -> int:
    from rich.console import Console

    for fate in fates:
        if not fate.verdict.killed:
            print(survivor(fate))
    Console().print(table(fates))
    for change in explains_nothing:
        print(f"explained.toml: no mutant is like this any more: {change}")
    noticed = [fate.change for fate in fates if fate.verdict.killed and fate.explanation]
    for one in noticed:
        print(f"explained.toml: a scenario notices this one, it needs no explanation: {one}")
    head = as_json(fates, asked.seed)
    asked.out.mkdir(parents=True, exist_ok=True)
    whole = {**head, "each": rows_as_json(fates)}
    (asked.out / "mutants.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(head))
    too_many = head["unexplained"] > MOST_UNEXPLAINED * len(fates)
    return int(too_many or bool(explains_nothing) or bool(noticed))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
