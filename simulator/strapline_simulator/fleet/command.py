"""`strapline fleet`: many homes of ordinary lives, with tampers sown in; what was missed and what was false."""

import os
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from strapline_protocol.errors import UserError

OUT = Path("out/fleet")
FALSE_ALERTS_LIMIT = 0.01
"""R29, per person-day."""


def fleet(
    tags: Annotated[int, typer.Option("--tags", min=1, help="How many tags.")] = 20,
    hours: Annotated[float, typer.Option("--hours", min=0.1, help="How long they are worn, in simulated time.")] = 24.0,
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, help="Processes; those of all cores unless given.")
    ] = os.cpu_count() or 1,
    dask: Annotated[
        str | None,
        typer.Option(metavar="tcp://HOST:PORT", help="The scheduler of a Dask cluster, which then does the work."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of every choice: places, lives, weather, radio, tampers.")] = 1,
    fold: Annotated[
        bool, typer.Option("--fold", help="Work out quiet stretches instead of building each heartbeat.")
    ] = False,
    tampers: Annotated[float, typer.Option(min=0, max=24, help="Tampers sown for each person-day, on average.")] = 0.02,
    mix: Annotated[str | None, typer.Option(metavar="PROFILE=SHARE,…", help="Shares of the profiles.")] = None,
    start: Annotated[str, typer.Option(help="The local date on which the lives begin.")] = "2026-03-02",
    zone: Annotated[str, typer.Option(help="Time zone of the homes.")] = "Europe/Berlin",
    false_alerts_limit: Annotated[
        float, typer.Option(min=0, help="False alerts per person-day that are borne.")
    ] = FALSE_ALERTS_LIMIT,
    out: Annotated[Path, typer.Option(help="Folder of the results; a run that was stopped goes on from it.")] = OUT,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write fleet.json there too; - for standard output.")
    ] = None,
) -> None:
    """Simulate a fleet and count what was missed and what was false.

    Exit status: 0 where no tamper was missed, no record lost, and false alerts are within the limit; 1 otherwise; 2 for a mistake.
    """
    from strapline_simulator.fleet.outcome import Wanted, work_out
    from strapline_simulator.fleet.question import DEFAULT_MIX, Question, code_fingerprint, data_fingerprint, parse_mix
    from strapline_simulator.fleet.run import Means
    from strapline_simulator.terminal import make_console

    question = Question(
        tags=tags,
        hours=hours,
        seed=seed,
        start=_date(start),
        zone=_zone(zone),
        mix=parse_mix(mix) if mix is not None else DEFAULT_MIX,
        tampers=tampers,
        fold=fold,
        data=data_fingerprint(),
        code=code_fingerprint(),
    )
    console = make_console(json_file)
    try:
        summary = work_out(question, Means(jobs, dask), Wanted(out, false_alerts_limit, json_file), console)
    except KeyboardInterrupt:
        console.print(f"stopped; what is done is in {out}: ask the same again to go on")
        raise typer.Exit(130) from None
    raise typer.Exit(0 if summary.passed else 1)


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise UserError(f"--start {text}: no date; write one such as 2026-03-02") from None


def _zone(name: str) -> str:
    from zoneinfo import available_timezones

    if name not in available_timezones():
        raise UserError(f"--zone {name}: no time zone; write one such as Europe/Berlin")
    return name
