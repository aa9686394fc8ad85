"""How far a fleet's run is: a bar on a terminal, a plain line now and then in a file or a pipe."""

from collections.abc import Callable
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from strapline_simulator.report.wording import duration_words

_LINE_EVERY_S = 10.0


class FleetProgress:
    """Counts simulated tag-days. `clock` is real time in seconds; the rate is of this run, not of what a former one did."""

    def __init__(self, console: Console, total_days: float, done_days: float, clock: Callable[[], float]) -> None:
        self._console = console
        self._total, self._done, self._former = total_days, done_days, done_days
        self._clock = clock
        self._began = self._told_at = clock()
        self._bar = _bar(console) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._former:
            self._console.print(f"goes on: {self._former:,.1f} of {self._total:,.1f} tag-days are done")
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task("fleet", total=self._total, rate="")
            self._bar.update(self._task, completed=self._done)
        return self

    def __exit__(self, *_error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, days: float) -> None:
        """So many simulated tag-days more are done and kept."""
        self._done += days
        now = self._clock()
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, rate=self._rate_words(now))
        elif now - self._told_at >= _LINE_EVERY_S:
            self._told_at = now
            self._console.print(self.line(now))

    def line(self, now: float) -> str:
        """Such as `12.5 of 100.0 tag-days (12 %), 3.1 tag-days/s, 28.2 s left`."""
        share = self._done / self._total if self._total else 1.0
        left = self._left_s(now)
        remaining = "" if left is None else f", {duration_words(left)} left"
        return f"{self._done:,.1f} of {self._total:,.1f} tag-days ({share:.0%}), {self._rate_words(now)}{remaining}"

    def _rate(self, now: float) -> float:
        return (self._done - self._former) / max(now - self._began, 1e-9)

    def _rate_words(self, now: float) -> str:
        rate = self._rate(now)
        return f"{rate:,.1f} tag-days/s" if rate >= 1 else f"{rate * 60:,.1f} tag-days/min"

    def _left_s(self, now: float) -> float | None:
        rate = self._rate(now)
        return (self._total - self._done) / rate if rate > 0 else None


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TextColumn("{task.completed:,.1f}/{task.total:,.1f} tag-days"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
    )
