"""`strapline conform`: the same scenarios on two bodies, frame by frame."""

import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from strapline_protocol.errors import UserError
from strapline_simulator.conform.case import Case
from strapline_simulator.destinations import claim_file
from strapline_simulator.unlogged import unlogged
from strapline_simulator.workers import worker_pool

Bodies = Annotated[
    list[str] | None,
    typer.Option("--on", show_default=False, help="A body; give two (model and micropython without)."),
]


@unlogged()
def conform(
    scenario: Annotated[
        list[str] | None,
        typer.Argument(
            show_default=False, help="Shipped scenarios by name or pattern (r18-*), YAML files, folders; none: all."
        ),
    ] = None,
    on: Bodies = None,
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0: as many as there are cores.")] = 0,
    seed: Annotated[int | None, typer.Option(min=0, help="The scenarios' own without it.")] = None,
    air: Annotated[str, typer.Option(help="What carries Bluetooth: ble or frames.")] = "frames",
    junit_file: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML there.")] = None,
) -> None:
    """Run scenarios on two bodies and hold each frame of one against the other's.

    Exit status: 0 where all frames are the same, 1 where one is not, 2 for a mistake in what was asked.
    """
    from strapline_simulator.airs import require_air
    from strapline_simulator.bodies import require_body
    from strapline_simulator.simulation import Options

    asked = tuple(on or ("model", "micropython"))
    if len(asked) != 2:
        raise UserError("conform compares two bodies: give --on twice")
    bodies = asked[0], asked[1]
    require_air(air)
    for body in bodies:
        require_body(body)
    if junit_file is not None:
        claim_file("--junit", junit_file)
    cases = list(_run(scenario or [], bodies, _jobs(jobs, bodies), Options(seed=seed, air=air)))
    if junit_file is not None:
        _write_junit(junit_file, cases, bodies, seed)
    differ = sum(bool(case.failures) for case in cases)
    typer.echo(
        f"{len(cases)} scenarios on {bodies[0]} and {bodies[1]}: {differ} differ"
        if differ
        else _all_well(cases, bodies)
    )
    raise typer.Exit(1 if differ else 0)


def _all_well(cases: Sequence[Case], bodies: Sequence[str]) -> str:
    ran = [case for case in cases if not case.reason]
    return f"{len(ran)} scenarios on {bodies[0]} and {bodies[1]}: the same frames, {len(cases) - len(ran)} not run"


def _jobs(jobs: int, bodies: Sequence[str]) -> int:
    from strapline_simulator.bodies import needs_port

    return 1 if any(map(needs_port, bodies)) else jobs or os.cpu_count() or 1


def _run(names: Sequence[str], bodies: tuple[str, str], jobs: int, options: "object") -> Iterator[Case]:
    from strapline_simulator.catalogue.selection import choose, lacking

    chosen = choose(names)
    missing = {one.path: lacking(one.scenario) for one in chosen}
    paths = [one.path for one in chosen if not missing[one.path]]
    for path, reason in missing.items():
        if reason:
            yield _show(Case(path, reason))
    yield from map(_show, _outcomes(paths, partial(_case, bodies=bodies, options=options), jobs))


def _outcomes(paths: Sequence[str], run: Callable[[str], Case], jobs: int) -> Iterator[Case]:
    if jobs == 1:
        yield from map(run, paths)
        return
    with worker_pool(jobs) as pool:
        waiting: list[Future[Case]] = [pool.submit(run, path) for path in paths]
        for future in as_completed(waiting):
            yield future.result()


def _case(path: str, *, bodies: tuple[str, str], options: "object") -> Case:
    from strapline_simulator.body_error import BodyError
    from strapline_simulator.conform.comparison import compare
    from strapline_simulator.simulation import Options

    assert isinstance(options, Options)
    try:
        found = compare(path, bodies, options)
    except (BodyError, UserError) as error:
        return Case(path, failures=(str(error),))
    except Exception:  # noqa: BLE001 - the top of a worker's task: a fault of ours is one scenario's result
        return Case(path, failures=("the run ended with a fault of its own", *traceback.format_exc().splitlines()))
    return Case(path, failures=found.told, digest=found.digests[0], wall_s=found.wall_s)


def _show(case: Case) -> Case:
    if case.reason:
        typer.echo(f"skip  {case.path}: {case.reason}")
    elif not case.failures:
        typer.echo(f"same  {case.path}")
    else:
        typer.echo(f"DIFF  {case.path}: {case.failures[0]}")
        for line in case.failures[1:]:
            typer.echo(f"      {line}".rstrip())
    return case


def _write_junit(path: Path, cases: Sequence[Case], bodies: Sequence[str], seed: int | None) -> None:
    from strapline_simulator.catalogue.junit import junit
    from strapline_simulator.conform.outcome import conformed

    path.write_text(junit([conformed(case, bodies, seed) for case in cases]), encoding="utf-8")
