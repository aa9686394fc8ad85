"""`strapline chaos`: prove delivery, seed by seed."""

import json
import os
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from strapline_simulator.destinations import write_json
from strapline_simulator.unlogged import unlogged
from strapline_simulator.workers import worker_pool


@unlogged()
def chaos(
    seed: Annotated[int | None, typer.Option(min=0, help="Only this seed: the run that failed, once more.")] = None,
    runs: Annotated[int, typer.Option(min=0, help="How many seeds.")] = 20,
    first: Annotated[int, typer.Option(min=0, help="The first of them.")] = 0,
    mosquitto: Annotated[
        int, typer.Option(min=0, help="How many runs in real time with a Mosquitto that drops messages.")
    ] = 0,
    outage_days: Annotated[float, typer.Option(min=0, max=365, help="One outage of so many days, then recovery.")] = 0,
    stampede: Annotated[
        bool, typer.Option("--stampede", help="10,000 gateways after a restart of the broker.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0: as many as there are cores.")] = 0,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write the summary there; - for standard output.")
    ] = None,
) -> None:
    """Kill gateways, restart brokers, cut links, fill disks, move clocks; then see whether everything reached the ledger once.

    Exit status: 0 where nothing was lost, doubled, out of order or late; 1 where something was; 2 for a mistake in what was asked.
    """
    seeds = [seed] if seed is not None else list(range(first, first + runs))
    told: dict[str, Any] = {"runs": [], "mosquitto": []}
    quiet = json_file == "-"
    for result in _results(seeds, jobs):
        told["runs"].append(result)
        _tell(result, quiet=quiet)
    for number in range(mosquitto):
        from strapline_simulator.chaos.real_time import run_real

        told["mosquitto"].append(run_real(number).summary())
        _tell(told["mosquitto"][-1], quiet=quiet)
    if outage_days:
        from strapline_simulator.chaos.outage import run_outage

        told["outage"] = run_outage(outage_days).summary()
        _tell(told["outage"], quiet=quiet)
    if stampede:
        from strapline_simulator.chaos.stampede import all_cases

        told["stampede"] = [case.summary() for case in all_cases()]
        for case in told["stampede"]:
            _tell(case, quiet=quiet)
    told["summary"] = summary = _sum_up(told)
    if not quiet:
        typer.echo(json.dumps(summary))
    _write(told, json_file)
    raise typer.Exit(0 if summary["failed"] == [] else 1)


def _results(seeds: Sequence[int], jobs: int) -> Iterator[dict[str, Any]]:
    workers = min(jobs or os.cpu_count() or 1, len(seeds))
    if workers <= 1:
        yield from map(_one, seeds)
        return
    with worker_pool(workers) as pool:
        yield from pool.map(_one, seeds)


def _one(seed: int) -> dict[str, Any]:
    from strapline_simulator.chaos.run import run_seed

    try:
        return run_seed(seed).summary()
    except Exception as error:  # noqa: BLE001 - the top of one run: a run that broke is a run that failed, and the others go on
        reproduce = f"strapline chaos --seed {seed}"
        return {"seed": seed, "passed": False, "wrong": [f"broke: {error!r}"], "reproduce": reproduce}


def _tell(result: dict[str, Any], *, quiet: bool) -> None:
    if "passed" not in result:
        typer.echo(json.dumps(result), err=quiet)
        return
    name = result.get("name") or f"seed {result['seed']}"
    figures = (
        "simulated_s",
        "recorded",
        "missing",
        "tombstoned",
        "copies",
        "alarms",
        "kills",
        "dropped_by_broker",
        "wall_s",
    )
    told = ", ".join(f"{figure} {result[figure]}" for figure in figures if figure in result)
    typer.echo(f"{'pass' if result['passed'] else 'FAIL'}  {name}: {told}", err=quiet)
    if not result["passed"]:
        for line in result["wrong"]:
            typer.echo(f"      {line}", err=quiet)
        typer.echo(f"      again: {result['reproduce']}", err=quiet)


_SUMS = (
    "simulated_s",
    "recorded",
    "missing",
    "tombstoned",
    "duplicates_stored",
    "copies",
    "alarms",
    "alarms_live",
    "kills",
    "kills_at_work",
    "dropped_by_broker",
)


def _sum_up(told: dict[str, Any]) -> dict[str, Any]:
    judged = [*told["runs"], *told["mosquitto"], *([told["outage"]] if "outage" in told else [])]
    faults: dict[str, int] = {}
    for result in judged:
        for name, count in result.get("faults", {}).items():
            faults[name] = faults.get(name, 0) + count
    return {
        "runs": len(told["runs"]),
        "mosquitto_runs": len(told["mosquitto"]),
        "failed": [result["reproduce"] for result in judged if not result["passed"]],
        **{figure: sum(result.get(figure, 0) for result in judged) for figure in _SUMS},
        "worst_live_alarm_s": max((result.get("worst_live_alarm_s", 0.0) for result in judged), default=0.0),
        "faults": dict(sorted(faults.items())),
        "wall_s": round(sum(result.get("wall_s", 0.0) for result in judged), 1),
    }


def _write(told: dict[str, Any], json_file: str | None) -> None:
    write_json(json_file, json.dumps(told, indent=1) + "\n")
