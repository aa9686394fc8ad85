"""`strapline run --all`: the catalogue, over processes, with its table, JUnit, JSON and pages."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import typer
from rich.console import Console

from strapline_protocol.errors import UserError
from strapline_simulator.catalogue.junit import junit
from strapline_simulator.catalogue.outcome import Outcome
from strapline_simulator.catalogue.page import render_index
from strapline_simulator.catalogue.progress import CatalogueView, as_json
from strapline_simulator.catalogue.requirement_table import Line, table
from strapline_simulator.catalogue.runner import run_all
from strapline_simulator.simulation import Options

_LOG_WIDTH = 160


class Asked(NamedTuple):
    """What the command line asks of a catalogue run."""

    patterns: Sequence[str]
    jobs: int
    options: Options
    without_stimulus: bool = False
    junit_file: Path | None = None
    json_file: str | None = None


def run_catalogue(asked: Asked) -> None:
    """Run it, print it, write it. Raises `typer.Exit`: 0 where all passed, or without their stimulus all failed; else 1."""
    if asked.junit_file is not None:
        _writable("--junit", asked.junit_file)
    console = Console(stderr=asked.json_file == "-", highlight=False)
    if not console.is_terminal:
        console.width = _LOG_WIDTH
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


def _shower(view: CatalogueView, asked: Asked) -> Callable[[Outcome, float, float], None]:
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


def _writable(option: str, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        raise UserError(f"{option} {path}: {error.strerror}; give a file that can be written") from None


def _write(asked: Asked, outcomes: Sequence[Outcome], lines: Sequence[Line]) -> list[Path]:
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
    if asked.json_file == "-":
        sys.stdout.write(text)
    elif asked.json_file is not None:
        _writable("--json", Path(asked.json_file))
        Path(asked.json_file).write_text(text, encoding="utf-8")
        written.append(Path(asked.json_file))
    return written
