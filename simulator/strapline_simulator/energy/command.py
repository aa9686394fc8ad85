"""`strapline energy`: how long a battery lasts, by board and by what the day is like."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from strapline_protocol.errors import UserError

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
    from rich.console import Console

    from strapline_simulator.energy.activity import count_activities
    from strapline_simulator.energy.boards import figures
    from strapline_simulator.energy.page import render_page
    from strapline_simulator.energy.table import rows_of, show

    given = figures()
    for name, value, known in (("--board", board, given.boards), ("--profile", profile, given.profiles)):
        if value is not None and value not in known:
            raise UserError(f"{name} {value}: not known; choose one of {', '.join(known)}")
    console = Console(stderr=json_file == "-", highlight=False)
    if not console.is_terminal:
        console.width = 160
    with console.status("running the firmware through a day in each state"):
        activities = count_activities(on)
    rows = [row for row in rows_of(activities, given) if board in (None, row.board) and profile in (None, row.profile)]
    show(rows, activities, given, console)
    _write(out, render_page(rows, given))
    console.print(f"drawing: {out}")
    if json_file is not None:
        content: dict[str, Any] = {
            "modelled": True,
            "per_hour": {state: activity._asdict() for state, activity in activities.items()},
            "lives": [row.as_json() for row in rows],
        }
        text = json.dumps(content, indent=2) + "\n"
        if json_file == "-":
            typer.echo(text, nl=False)
        else:
            _write(Path(json_file), text)
    raise typer.Exit(1 if any(row.holds is False for row in rows) else 0)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; give a file that can be written") from None
