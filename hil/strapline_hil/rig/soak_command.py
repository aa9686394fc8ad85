"""`strapline hil soak`: hours of scenarios on a virtual rig, and what they leave behind."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strapline_hil.hil_group import hil
from strapline_protocol.errors import UserError

if TYPE_CHECKING:
    from strapline_hil.rig.soak import Played


@hil.command("soak")
def soak_rig(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A virtual rig; the one of `init --virtual` unless given.")
    ] = None,
    hours: Annotated[float, typer.Option(help="So many simulated hours.", min=0.0)] = 24.0,
) -> None:
    """Run scenarios on a virtual rig in one process, and count what stays open: processes, threads, ports, files. Prints JSON.

    Exit status: 0 nothing was left behind and all passed, 1 something was or did not, 2 a mistake in what was asked.
    """
    from strapline_hil.rig.file import load_rig
    from strapline_hil.rig.soak import soak, template_rig

    rig = template_rig() if file is None else load_rig(file)
    if not rig.is_virtual:
        raise UserError(f"{file}: its hours would be real ones; name a virtual rig")
    came = soak(rig, hours, _tell)
    typer.echo(json.dumps(came.as_json(), indent=2))
    raise typer.Exit(0 if came.well else 1)


def _tell(played: "Played") -> None:
    word = "ok" if played.passed else "FAILED"
    counts = ", ".join(f"{count} {name}" for name, count in played.holding._asdict().items())
    sys.stderr.write(f"{played.name} ({played.duration_s / 3600:.1f} h): {word}; {counts}\n")
