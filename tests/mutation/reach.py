"""Which scenario executes which statements of the deciding modules, what it costs, and what comes of it without any mutant."""

import hashlib
import importlib
import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mutation.drawing import Mutant
from mutation.forking import Tell, in_children, limit_cpu
from mutation.modules import MODULES, path_of, source_of
from mutation.replacing import Finder, forget_project
from mutation.statements import Places, names_of

_LONGEST_S = 300.0
"""Processor time of one scenario."""

RUN = "strapline_simulator.catalogue.runner"
_PACKAGES = (
    "strapline_tag",
    "strapline_wire",
    "strapline_protocol",
    "strapline_gateway",
    "strapline_simulator",
    "strapline_centre",
)


class Reached(NamedTuple):
    """One scenario of the catalogue, as it runs without a mutant."""

    name: str
    key: str
    """Of all sources and the scenario's own text."""
    cpu_s: float
    digest: str
    passed: bool
    lines: dict[str, list[int]]
    """By module: where the statements begin that it executes."""


def scenario_keys(names: Sequence[str]) -> dict[str, str]:
    """All scenarios that can run here, by name; the key changes with whatever their outcome may depend on."""
    from strapline_simulator.catalogue.selection import choose, lacking

    sources = hashlib.sha256(sys.version.encode())
    for package in _PACKAGES:
        for path in sorted(path_of(package).parent.rglob("*.py")):
            sources.update(path.read_bytes())
    chosen = [one for one in choose(names) if not lacking(one.scenario)]
    return {
        one.path: hashlib.sha256(sources.digest() + one.scenario.model_dump_json().encode()).hexdigest()[:16]
        for one in chosen
    }


def reached_by(
    names: Sequence[str], cache: Path, jobs: int, say: Callable[[str], None] = lambda _text: None
) -> dict[str, Reached]:
    """By scenario; from `cache` what has not changed. Afterwards the project's modules are as good as never imported."""
    keys = scenario_keys(names)
    known = {name: row for name, row in _read(cache).items() if keys.get(name) == row.key}
    finder = Finder()
    for module in MODULES:
        finder.probe(module)
    finder.install()
    importlib.import_module(RUN)
    todo = [name for name in keys if name not in known]
    works = ((name, _look(name, keys[name], finder)) for name in todo)
    try:
        for name, said in in_children(works, jobs):
            if said.lines:
                known[name] = Reached(**said.lines[-1])
                _append(cache, known[name])
            say(f"{len(known)} of {len(keys)}  {name}  {known[name].cpu_s if name in known else 'failed'} s")
    finally:
        sys.meta_path.remove(finder)
        forget_project()
    return {name: known[name] for name in keys if name in known}


def _look(name: str, key: str, finder: Finder) -> Callable[[Tell], None]:
    def work(tell: Tell) -> None:
        limit_cpu(_LONGEST_S)
        for hits in finder.hits.values():
            hits[:] = bytes(len(hits))
        began = time.process_time()
        passed, digest, _ = run(name)
        lines = {module: [n for n, hit in enumerate(hits) if hit] for module, hits in finder.hits.items()}
        cpu_s = round(time.process_time() - began, 2)
        tell(Reached(name, key, cpu_s, digest, passed, lines)._asdict())

    return work


def run(name: str) -> tuple[bool, str, str]:
    """Whether the scenario passes, its report's digest, and what did not come true."""
    runner = importlib.import_module(RUN)
    task = runner.Task(name, runner.Options(body="model", air="frames"))
    outcome = runner.run_task(task)
    wrong = outcome.failures[0] if outcome.failures else ""
    return (
        outcome.verdict == "passed",
        outcome.digest,
        f"crash: {_last(wrong)}" if outcome.verdict == "error" else wrong,
    )


def _last(text: str) -> str:
    return text.strip().splitlines()[-1] if text.strip() else ""


def _read(cache: Path) -> dict[str, Reached]:
    if not cache.exists():
        return {}
    rows = [Reached(**json.loads(row)) for row in cache.read_text(encoding="utf-8").splitlines()]
    return {row.name: row for row in rows}


def _append(cache: Path, row: Reached) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    with cache.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row._asdict()) + "\n")


class Reach:
    """Says for a mutant which scenarios can notice it: those that execute what it changes, the cheapest first."""

    def __init__(self, reached: dict[str, Reached]) -> None:
        self._reached = sorted(reached.values(), key=lambda one: one.cpu_s)
        self._places = {module: Places(source_of(module)) for module in MODULES}
        self._elsewhere = "\n".join(_other_sources())

    def of(self, mutant: Mutant) -> list[Reached]:
        statement = self._places[mutant.module].statement(mutant.line)
        where = self._uses(mutant.module, statement)
        if where is None:
            return self._reached
        return [one for one in self._reached if any(line in one.lines.get(module, ()) for module, line in where)]

    def _uses(self, module: str, statement: Any) -> set[tuple[str, int]] | None:
        """The statements that run with it; None: it may show anywhere."""
        if self._places[module].is_run(statement):
            return {(module, statement.lineno)}
        found: set[tuple[str, int]] = set()
        names, seen = names_of(statement), set[str]()
        while names:
            name = names.pop()
            if name in seen:
                continue
            seen.add(name)
            if re.search(rf"\b{re.escape(name)}\b", self._elsewhere):
                return None
            for other, places in self._places.items():
                for user in places.lines_with(name):
                    if places.is_run(user):
                        found.add((other, user.lineno))
                    else:
                        names += names_of(user)
        return found


def _other_sources() -> Iterator[str]:
    deciding = {path_of(module) for module in MODULES}
    for package in _PACKAGES:
        for path in path_of(package).parent.rglob("*.py"):
            if path not in deciding and path.name != "__init__.py":
                yield path.read_text(encoding="utf-8")
