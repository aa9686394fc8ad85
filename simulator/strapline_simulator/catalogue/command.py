"""`strapline run --all`: the catalogue, over processes, with its table, JUnit, JSON and pages."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

import typer

from strapline_simulator.airs import require_air
from strapline_simulator.bodies import require_body
from strapline_simulator.catalogue.junit import junit
from strapline_simulator.catalogue.outcome import Outcome
from strapline_simulator.catalogue.page import render_index
from strapline_simulator.catalogue.progress import CatalogueView, as_json
from strapline_simulator.catalogue.requirement_table import Line, table
from strapline_simulator.catalogue.runner import run_all
from strapline_simulator.catalogue.selection import choose
from strapline_simulator.destinations import STANDARD_OUTPUT, claim_file, write_json
from strapline_simulator.simulation import Options
from strapline_simulator.terminal import make_console


class CatalogueRun(NamedTuple):
    """What the command line asks of a catalogue run."""

    patterns: Sequence[str]
    jobs: int
    options: Options
    without_stimulus: bool = False
    junit_file: Path | None = None
    json_file: str | None = None


def run_catalogue(asked: CatalogueRun) -> NoReturn:
    """Run it, print it, write it. Raises `typer.Exit`: 0 where all passed, or without their stimulus all failed; else 1."""
    require_body(asked.options.body)
    require_air(asked.options.air)
    choose(asked.patterns)
    if asked.junit_file is not None:
        claim_file("--junit", asked.junit_file)
    if asked.json_file is not None and asked.json_file != STANDARD_OUTPUT:
        claim_file("--json", Path(asked.json_file))
    console = make_console(asked.json_file)
    with CatalogueView(console, time.monotonic) as view:
        outcomes = run_all(
            asked.patterns, asked.jobs, asked.options, bare=asked.without_stimulus, on_outcome=_shower(view, asked)
        )
    if asked.without_stimulus:
        outcomes = [_judged(outcome) for outcome in outcomes]
    lines = table(outcomes)
    view.conclude(outcomes, lines)
    for path in _write(asked, outcomes, lines):
        console.print(f"  {path}", style="dim")
    raise typer.Exit(0 if all(outcome.well for outcome in outcomes) else 1)


def _shower(view: CatalogueView, asked: CatalogueRun) -> Callable[[Outcome, float, float], None]:
    def show(outcome: Outcome, done: float, total: float) -> None:
        view.show(_judged(outcome) if asked.without_stimulus else outcome, done, total)

    return show


def _judged(outcome: Outcome) -> Outcome:
    """Without its stimulus a scenario must fail: that it passes is the failure."""
    if outcome.verdict == "failed":
        return outcome._replace(verdict="passed", failures=())
    if outcome.verdict == "passed":
        return outcome._replace(verdict="failed", failures=("it passes without its stimulus: it shows nothing",))
    return outcome


def _write(asked: CatalogueRun, outcomes: Sequence[Outcome], lines: Sequence[Line]) -> list[Path]:
    written = []
    text = json.dumps(as_json(outcomes, lines), indent=2, ensure_ascii=False) + "\n"
    folder = asked.options.folder
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "index.html").write_text(render_index(outcomes, lines), encoding="utf-8")
        (folder / "catalogue.json").write_text(text, encoding="utf-8")
        written += [folder / "index.html", folder / "catalogue.json"]
    if asked.junit_file is not None:
        asked.junit_file.write_text(junit(outcomes), encoding="utf-8")
        written.append(asked.junit_file)
    write_json(asked.json_file, text)
    if asked.json_file not in (None, STANDARD_OUTPUT):
        written.append(Path(str(asked.json_file)))
    return written
