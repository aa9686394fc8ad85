"""`strapline energy`: how long a battery lasts, by board and by what the day is like."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from strapline_protocol.errors import UserError
from strapline_simulator.destinations import write_file, write_json

OUT = Path("out/energy.html")


def energy(
    board: Annotated[str | None, typer.Option(help="Only this board, such as nrf52840.")] = None,
    profile: Annotated[str | None, typer.Option(help="Only this kind of device, such as home-rf.")] = None,
    on: Annotated[
        str, typer.Option("--on", help="What runs the firmware that is counted: model or micropython.")
    ] = "model",
    out: Annotated[Path, typer.Option(help="The page with the drawing.")] = OUT,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write the figures there; - for standard output.")
    ] = None,
) -> None:
    """Reckon mAh a day and the life of a 1,000 mAh cell: modelled from data sheets and a simulated run, not measured.

    Exit status: 0 where every profile with a goal reaches it, 1 where one does not, 2 for a mistake in what was asked.
    """
    from strapline_simulator.energy.activity import count_activities
    from strapline_simulator.energy.boards import figures
    from strapline_simulator.energy.page import render_page
    from strapline_simulator.energy.table import rows_of, show
    from strapline_simulator.terminal import make_console

    given = figures()
    for name, value, known in (("--board", board, given.boards), ("--profile", profile, given.profiles)):
        if value is not None and value not in known:
            raise UserError(f"{name} {value}: not known; choose one of {', '.join(known)}")
    console = make_console(json_file)
    with console.status("running the firmware through a day in each state"):
        activities = count_activities(on)
    rows = [row for row in rows_of(activities, given) if board in (None, row.board) and profile in (None, row.profile)]
    show(rows, activities, given, console)
    write_file("--out", out, render_page(rows, given))
    console.print(f"drawing: {out}")
    if json_file is not None:
        content: dict[str, Any] = {
            "modelled": True,
            "per_hour": {state: activity._asdict() for state, activity in activities.items()},
            "lives": [row.as_json() for row in rows],
        }
        write_json(json_file, json.dumps(content, indent=2) + "\n")
    raise typer.Exit(1 if any(row.holds is False for row in rows) else 0)
