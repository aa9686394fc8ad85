"""Scenarios over processes. Each run is whole and alone: how many go at once changes nothing in what comes of them."""

import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

from strapline_protocol.errors import UserError
from strapline_simulator.catalogue.digest import report_digest
from strapline_simulator.catalogue.outcome import Outcome, Verdict, outcome_of
from strapline_simulator.catalogue.selection import Chosen, choose, lacking
from strapline_simulator.catalogue.stimulus import without_stimulus
from strapline_simulator.report.folder import write_report
from strapline_simulator.scenario import load_scenario
from strapline_simulator.simulation import Options, Result, run_scenario
from strapline_simulator.workers import worker_pool

_START_S = 900.0
"""Starting a chain costs about as much as so many simulated seconds."""


class Task(NamedTuple):
    """One scenario to run, in any process."""

    path: str
    options: Options
    without_stimulus: bool = False


def run_all(
    names: Sequence[str],
    jobs: int,
    options: Options,
    *,
    bare: bool = False,
    on_outcome: Callable[[Outcome, float, float], None] | None = None,
) -> list[Outcome]:
    """Run the scenarios that `names` choose (none: all shipped ones), in as many processes as `jobs` says (0: one for each core).

    `bare` takes each scenario's stimulus away. `on_outcome` hears of each one, of the work that is done and of all work (simulated
    seconds). Of `options`, `folder` is where each gets a folder of its own, and `watch`, `tick` and `meter` do not count. The outcomes
    are in the order of the choice.
    """
    chosen = choose(names)
    plain = options._replace(watch=None, tick=None, meter=None)
    tasks = {one.path: _task(one, plain, bare=bare) for one in chosen if not lacking(one.scenario)}
    found = {one.path: _skipped(one, options) for one in chosen if one.path not in tasks}
    weights = {one.path: one.scenario.duration_s + _START_S for one in chosen if one.path in tasks}
    done, total = 0.0, sum(weights.values())
    for outcome in found.values():
        if on_outcome is not None:
            on_outcome(outcome, done, total)
    longest_first = sorted(tasks.values(), key=lambda task: -weights[task.path])
    for path, outcome in _outcomes(longest_first, jobs or os.cpu_count() or 1):
        found[path] = outcome
        done += weights[path]
        if on_outcome is not None:
            on_outcome(outcome, done, total)
    return [found[one.path] for one in chosen]


def _task(one: Chosen, options: Options, *, bare: bool) -> Task:
    if bare:
        without_stimulus(one.scenario)  # a scenario without any is told before hours of work
    folder = None if options.folder is None else options.folder / one.scenario.name
    return Task(one.path, options._replace(folder=folder), bare)


def _skipped(one: Chosen, options: Options) -> Outcome:
    return outcome_of(one.scenario, one.path, options, "skipped", reason=lacking(one.scenario))


def _outcomes(tasks: Sequence[Task], jobs: int) -> Iterator[tuple[str, Outcome]]:
    if jobs == 1:
        yield from ((task.path, run_task(task)) for task in tasks)
        return
    # So many at a time and no more in the queue: a process that dies takes along only what ran beside it.
    waiting = list(tasks)
    lost: list[Task] = []
    while waiting or lost:
        together, batch = (jobs, waiting) if waiting else (1, [lost.pop(0)])
        with worker_pool(together) as pool:
            yield from _through(pool, batch, together, lost if together > 1 else None)


def _through(
    pool: ProcessPoolExecutor, waiting: list[Task], jobs: int, lost: list[Task] | None
) -> Iterator[tuple[str, Outcome]]:
    """Until all of `waiting` have gone through, or the pool is broken: what ran then goes to `lost`, to be tried alone."""
    running: dict[Future[Outcome], Task] = {}
    broken = False
    while running or (waiting and not broken):
        while waiting and not broken and len(running) < jobs:
            try:
                running[pool.submit(run_task, waiting[0])] = waiting[0]
                del waiting[0]
            except BrokenProcessPool:
                broken = True
        finished, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in finished:
            task = running.pop(future)
            broken = broken or isinstance(future.exception(), BrokenProcessPool)
            if not broken:
                yield task.path, future.result()
            elif lost is not None:
                lost.append(task)
            else:
                yield task.path, _unfinished(task, "error", ("the process that ran it was ended from outside",))


def run_task(task: Task) -> Outcome:
    """Run one. Whatever goes wrong is its outcome: the others go on."""
    try:
        return _run(task)
    except UserError as error:
        return _unfinished(task, "failed", (str(error),))
    except Exception:  # noqa: BLE001 - the top of a worker's task: a fault of ours is one scenario's result
        return _unfinished(task, "error", (traceback.format_exc(),))


def _unfinished(task: Task, verdict: Verdict, failures: tuple[str, ...]) -> Outcome:
    scenario, bare = load_scenario(task.path), task.without_stimulus
    return outcome_of(scenario, task.path, task.options, verdict, failures=failures, without_stimulus=bare)


def _run(task: Task) -> Outcome:
    scenario, options = load_scenario(task.path), task.options
    if task.without_stimulus:
        scenario = without_stimulus(scenario)
    if options.folder is not None:
        options.folder.mkdir(parents=True, exist_ok=True)
    result = run_scenario(scenario, options)
    report = result.report
    return outcome_of(
        scenario,
        task.path,
        options,
        "passed" if result.passed else "failed",
        wall_s=report.wall_s,
        digest=report_digest(report),
        frames_digest=report.frames_digest,
        expectations=len(report.expectations),
        failures=tuple(outcome.text for outcome in report.expectations if not outcome.passed),
        alerts=tuple(alert.code for alert in report.alerts),
        page=_write(options.folder, result),
        without_stimulus=task.without_stimulus,
    )


def _write(folder: Path | None, result: Result) -> str:
    if folder is None:
        return ""
    page, _ = write_report(folder, result.report, result.story)
    return f"{folder.name}/{page.name}"
