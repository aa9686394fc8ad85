"""A catalogue run in the terminal: a line for each result, how long it still takes, and the table of requirements at the end."""

from collections.abc import Callable, Sequence
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from strapline_simulator.catalogue.outcome import Outcome
from strapline_simulator.catalogue.requirement_table import Line

STYLES = {"passed": "green", "failed": "bold red", "error": "bold red", "skipped": "yellow"}
_SHOWN_NAMES = 3
_TEXT_WIDTH = 56
_GAP = 2


class CatalogueView:
    """Use as a context manager around the run; `clock` gives seconds."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self._console = console
        self._clock = clock
        self._started_s = clock()
        self._progress = Progress(
            TextColumn("[dim]{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"),
            console=console, transient=True,
        )  # fmt: skip
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._console.is_terminal:
            self._progress.stop()

    def show(self, outcome: Outcome, done: float, total: float) -> None:
        """One has ended; so much of the work is done."""
        self._console.print(_result_line(outcome))
        for failure in outcome.failures:
            self._console.print(Text(f"             {failure}", style="red"))
        if outcome.failures:
            self._console.print(Text(f"             {outcome.command}", style="dim"))
        self._progress.update(self._task, completed=done, total=total, description=self._remaining(done, total))

    def _remaining(self, done: float, total: float) -> str:
        if not done:
            return ""
        left_s = (self._clock() - self._started_s) * (total - done) / done
        return f"about {_length(left_s)} remain"

    def conclude(self, outcomes: Sequence[Outcome], lines: Sequence[Line]) -> None:
        """The table of requirements, and all in one line."""
        self._console.print()
        self._console.print(_table(lines, self._console.width))
        self._console.print(Text(summary_words(outcomes), style="bold"))
        self._console.print(
            Text(
                f"{_length(sum(o.simulated_s for o in outcomes if o.wall_s))} simulated in {_length(self._clock() - self._started_s)}",
                style="dim",
            )
        )


def _result_line(outcome: Outcome) -> Text:
    line = Text()
    line.append(f"{outcome.verdict.upper():<8} ", style=STYLES[outcome.verdict])
    line.append(f"{outcome.name:<44} ")
    line.append(outcome.reason or f"{outcome.wall_s:6.1f} s", style="dim")
    return line


def _table(lines: Sequence[Line], width: int) -> Table:
    verdicts = [_short_verdict(line) for line in lines]
    widest = max(map(len, verdicts), default=0)
    left = max(width - len("R01") - widest - 3 * _GAP, 2)
    text_width = min(_TEXT_WIDTH, left // 2)
    # Widths are said here: where rich shares out too little room, whole columns go.
    shown = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    shown.add_column("row", no_wrap=True, width=len("R01"))
    shown.add_column("requirement", no_wrap=True, overflow="ellipsis", width=text_width)
    shown.add_column("verdict", no_wrap=True, width=widest)
    shown.add_column("scenarios", no_wrap=True, overflow="ellipsis", max_width=left - text_width)
    for line, verdict in zip(lines, verdicts, strict=True):
        style = {"passed": "green", "failed": "bold red"}.get(line.verdict, "yellow")
        shown.add_row(line.requirement.row, line.requirement.text, Text(verdict, style=style), _names(line))
    return shown


def _short_verdict(line: Line) -> str:
    return line.words if line.scenarios and not line.requirement.whole else line.verdict


def _names(line: Line) -> str:
    if line.verdict == "elsewhere":
        return f"by {line.requirement.elsewhere}"
    if line.requirement.whole:
        return "the catalogue as a whole"
    bad = [outcome.name for outcome in line.scenarios if not outcome.well]
    names = bad or [outcome.name for outcome in line.scenarios]
    more = len(names) - _SHOWN_NAMES
    return ", ".join(names[:_SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")


def summary_words(outcomes: Sequence[Outcome]) -> str:
    """How many of each verdict."""
    told = {verdict: sum(outcome.verdict == verdict for outcome in outcomes) for verdict in STYLES}
    words = [f"{count} {verdict}" for verdict, count in told.items() if count]
    quiet = sum(outcome.quiet and outcome.verdict == "passed" for outcome in outcomes)
    return f"{len(outcomes)} scenarios: {', '.join(words)}; {quiet} quiet ones without an alert"


def _length(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def as_json(outcomes: Sequence[Outcome], lines: Sequence[Line]) -> dict[str, Any]:
    """The whole run, for machines."""
    return {
        "schema": 1,
        "scenarios": [outcome.as_json() for outcome in outcomes],
        "requirements": [line.as_json() for line in lines],
        "passed": all(outcome.well for outcome in outcomes),
    }
