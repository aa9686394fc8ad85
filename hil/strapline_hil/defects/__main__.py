"""`python -m strapline_hil.defects`: puts defects into the firmware, one at a time: the bench must find each and blame the product.

Exits 1 where one was not found, or was put down to something else.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

from strapline_hil.defects.book import Defect, defects, draw, find
from strapline_hil.defects.trial import Trial, try_defect
from strapline_protocol.errors import UserError


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Which; all unless named.", show_default=False)] = None,
    drawn: Annotated[int, typer.Option("--draw", help="So many at random instead.", min=0)] = 0,
    seed: Annotated[int, typer.Option(help="Which ones are drawn.")] = 1,
    jobs: Annotated[int, typer.Option(help="How many at once.", min=1)] = 1,
    out: Annotated[Path, typer.Option(help="Where each leaves what it saw.")] = Path("out/verdicts/defects"),
    listed: Annotated[bool, typer.Option("--list", help="List them and try none.")] = False,
) -> None:
    """Try defects of the firmware on a virtual rig."""
    if drawn and names:
        raise UserError("--draw draws at random: name no defect, or leave it out")
    chosen = draw(drawn, seed) if drawn else find(names or [])
    if listed:
        for defect in chosen:
            typer.echo(f"{defect.name:<32}  {defect.scenario:<34}  {defect.seen}")
        return
    if drawn:
        typer.echo(f"{drawn} of {len(defects())} defects, drawn with --seed {seed}")
    trials = [_told(trial) for trial in _trials(chosen, jobs, out.absolute())]
    typer.echo(json.dumps(_head(trials)))
    raise typer.Exit(0 if all(trial.is_right for trial in trials) else 1)


def _trials(chosen: Sequence[Defect], jobs: int, out: Path) -> Iterator[Trial]:
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda defect: try_defect(defect, out), chosen)


def _told(trial: Trial) -> Trial:
    defect, judged = trial.defect, trial.judged
    typer.echo(f"{judged.verdict:<12} {defect.name:<32} {trial.wall_s:6.1f} s  {judged.why[:120]}")
    return trial


def _head(trials: Sequence[Trial]) -> dict[str, object]:
    wrong = [trial.defect.name for trial in trials if not trial.is_right]
    return {"defects": len(trials), "product": len(trials) - len(wrong), "wrong": wrong}


if __name__ == "__main__":
    try:
        typer.run(main)
    except UserError as error:
        typer.echo(f"strapline: {error}", err=True)
        sys.exit(2)
