"""`strapline hil init`, `check` and `schema`: a rig file, the walk through what it describes, and what an editor wants to know of it."""

from collections.abc import Iterator
from contextlib import ExitStack
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strapline_hil.hil_group import hil
from strapline_protocol.errors import UserError
from strapline_protocol.parts import install

if TYPE_CHECKING:
    from strapline_hil.rig.file import RigFile
    from strapline_hil.rig.walk.step import Step

_FILE = typer.Argument(metavar="FILE", help="The rig file.")


@hil.command()
def init(
    file: Annotated[Path, _FILE] = Path("rig.yaml"),
    virtual: Annotated[bool, typer.Option("--virtual", help="A rig that needs no hardware.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write a rig file with comments, to begin with."""
    if file.exists() and not force:
        raise UserError(f"{file} is there already: name another file, or write over it with --force")
    text = (files("strapline_hil.rig") / "templates" / f"{'virtual' if virtual else 'desk'}.yaml").read_text("utf-8")
    if virtual and find_spec("ppk2_api") is None:
        text = text.replace("  meter: {driver: ppk2}", f"  # {install('ppk2')} for:\n  # meter: {{driver: ppk2}}")
    try:
        file.write_text(text.replace("FILE", str(file)) + ("" if virtual else _on_usb()), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}; name a file that can be written") from None
    typer.echo(f"{file} written; now: " + (f"strapline hil check {file}" if virtual else "put your ports into it"))


def _on_usb() -> str:
    from strapline_hil.boards import find_boards

    found = [f"#   {board.serial_number or board.port}: {board.name}\n" for board in find_boards()]
    return "\n# On USB when this was written:\n" + ("".join(found) or "#   nothing\n")


@hil.command()
def schema() -> None:
    """Print the JSON Schema of rig files, for editors."""
    from strapline_hil.rig.schema import render_schema

    typer.echo(render_schema(), nl=False)


@hil.command()
def check(
    file: Annotated[Path, _FILE] = Path("rig.yaml"),
    parts_only: Annotated[bool, typer.Option("--parts", help="The instruments alone; leave the tag in peace.")] = False,
) -> None:
    """Walk through a rig's wiring, a line for each step. It opens the tag's strap and case: do it on a bench.

    Exit status: 0 all is well, 1 something is wrong with the rig, 2 a mistake in the file.
    """
    from strapline_hil.rig.file import load_rig

    rig = load_rig(file)
    kind = "simulated, nothing is asked of you" if rig.is_virtual else "on this desk"
    resources, instruments = _some(len(rig.resources), "resource"), _some(len(rig.instruments), "instrument")
    typer.echo(f"rig {rig.rig}: {resources}, {instruments}, {kind}")
    steps = []
    for step in _steps(rig, parts_only=parts_only):
        steps.append(step)
        typer.echo(_line(len(steps), step))
    notes = [note for step in steps for note in step.notes]
    if notes:
        typer.echo("What this rig cannot notice by itself:")
    for note in notes:
        typer.echo(f"    {note}")
    if wrong := sum(bool(step.wrong) for step in steps):
        typer.echo(f"{wrong} of {len(steps)} steps went wrong: mend the first, then walk again")
        raise typer.Exit(1)
    typer.echo(f"All is well: pytest --rig {file}")


def _some(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def _steps(rig: "RigFile", *, parts_only: bool) -> Iterator["Step"]:
    """The tag is asked only on a rig whose parts are well: else it would be blamed for them."""
    from strapline_hil.rig.walk.steps import part_steps, tag_steps

    with ExitStack() as stack:
        is_well = True
        for step in part_steps(rig, stack):
            is_well = is_well and not step.wrong
            yield step
    if is_well and not parts_only:
        yield from tag_steps(rig)


def _line(number: int, step: "Step") -> str:
    came = f"not tried, {step.skipped}" if step.skipped else "ok"
    lines = [f"{number:2}  {step.where:<9} {step.what}: {'WRONG' if step.wrong else came}"]
    lines += [f"              {wrong}" for wrong in step.wrong]
    return "\n".join(lines)
