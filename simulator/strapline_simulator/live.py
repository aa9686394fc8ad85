"""A run as it goes, in the terminal: what happens in the world, what reaches the centre, and how far simulated time is."""

from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from strapline_simulator.run_notes import Happening
from strapline_simulator.scenario import Scenario
from strapline_simulator.simulation import Result

_STYLES = {"body": "dim", "world": "cyan", "centre": "green", "alert": "bold red"}
_LABELS = {"body": "body", "world": "wearer", "centre": "centre", "alert": "ALERT"}


class LiveView:
    """Use as a context manager around the run; then `conclude` tells how it ended."""

    def __init__(self, scenario: Scenario, body: str, broker: str, console: Console) -> None:
        self._scenario = scenario
        self._console = console
        self._zone = ZoneInfo(scenario.zone)
        self._progress = Progress(
            TextColumn("[dim]{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"), TimeElapsedColumn(),
            console=self._console, transient=True,
        )  # fmt: skip
        self._task: TaskID | None = None
        self._body = body
        self._broker = broker

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._task is not None:
            self._progress.stop()

    def tick(self, t_s: float) -> None:
        """Simulated time has come so far; the first call means that everything stands."""
        if self._task is None:
            self.introduce()
            self._task = self._progress.add_task("", total=self._scenario.duration_s)
            self._progress.start()
        self._progress.update(self._task, completed=t_s, description=self._clock(t_s))

    def introduce(self) -> None:
        """Say what runs, and on what."""
        hours = self._scenario.duration_s / 3600
        self._console.print(Text(self._scenario.title, style="bold"))
        about = f"simulated tag on {self._body}, {hours:.1f} h of virtual time, simulated BLE, broker {_public(self._broker)}"
        self._console.print(Text(about, style="dim"))

    def show(self, happening: Happening) -> None:
        line = Text()
        line.append(self._clock(happening.t_s), style="dim")
        line.append(f"  {_LABELS[happening.place]:<7}", style=_STYLES[happening.place])
        line.append(happening.text, style="bold red" if happening.place == "alert" else "")
        self._console.print(line)

    def _clock(self, t_s: float) -> str:
        moment = (self._scenario.start + timedelta(seconds=t_s)).astimezone(self._zone)
        return moment.strftime("%a %H:%M:%S") + f".{moment.microsecond // 100000}"

    def conclude(self, result: Result, written: list[Path]) -> None:
        """The expectations, the delivery and the files."""
        report = result.report
        table = Table(box=None, show_header=False, pad_edge=False)
        for outcome in report.expectations:
            mark = Text("  ok", style="green") if outcome.passed else Text("FAIL", style="bold red")
            latency = "" if outcome.latency_s is None else _length(outcome.latency_s)
            table.add_row(mark, Text(outcome.text), Text(latency, style="dim", justify="right"))
        self._console.print()
        self._console.print(table)
        for truth in result.unmet:
            self._console.print(f"  missing: {truth.code} ({truth.text}, {self._clock(truth.earliest_s)})", style="red")
        ledger, frames = report.ledger, report.frames
        self._console.print(
            f"\n{frames.sent} frames sent, {ledger.received} records at the centre, {ledger.missing} missing, "
            f"{ledger.duplicates_dropped} duplicates dropped; {report.simulated_s / 3600:.1f} simulated hours in {report.wall_s:.1f} s"
        )
        if (heap := report.heap) is not None:
            self._console.print(
                f"heap: {heap.peak_bytes:,} bytes alive at most, {heap.loaded_bytes:,} of them code; "
                f"the largest free block was never below {heap.least_block_bytes:,}"
            )
        verdict = Text("PASSED", style="bold green") if result.passed else Text("FAILED", style="bold red")
        self._console.print(verdict)
        for path in written:
            self._console.print(Text(f"  {path}", style="dim"))


def _public(broker: str) -> str:
    """A broker's address without its password."""
    return broker.rsplit("@", maxsplit=1)[-1] if "@" in broker else broker


def _length(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"
