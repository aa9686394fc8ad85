"""The command `strapline`: what the parts hand in, under one roof. Knows no part by name.

Each part names a function `register(app: typer.Typer) -> None` in the entry-point group `strapline.commands`.
Exit status: 0 done, 1 the command says no, 2 the user's mistake (one line on stderr). A bug keeps its plain traceback.
"""

import json
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Annotated

import typer
import typer.core
import typer.main

from strapline_protocol import parts
from strapline_protocol.diagnosis import Finding, gather
from strapline_protocol.errors import UserError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; `arguments` are those of the process unless given."""
    try:
        _run(list(sys.argv[1:] if arguments is None else arguments))
    except UserError as error:
        typer.echo(f"strapline: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:  # while parts are still being imported: later each command ends in its own way
        sys.exit(130)


def _run(arguments: list[str]) -> None:
    asked = arguments[0] if arguments else ""
    app = _application()
    owners: dict[str, parts.Part] = {}
    if asked != "--version" and asked not in _names(app):
        owners = _hand_in(app, asked)
    command = typer.main.get_command(app)
    with _missing_library(asked, owners.get(asked)):
        command(arguments, prog_name="strapline")


def _application() -> typer.Typer:
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.callback()(_strapline)
    app.command()(doctor)
    return app


def _hand_in(app: typer.Typer, asked: str) -> dict[str, parts.Part]:
    """Let the installed parts add their commands; gives each command's part."""
    owners: dict[str, parts.Part] = {}
    missing = []
    for part in parts.load("strapline.commands"):
        if part.hands_in is None:
            missing.append(part)
            continue
        before = _names(app)
        part.hands_in(app)
        owners |= dict.fromkeys(_names(app) - before, part)
    if missing and asked and not asked.startswith("-") and asked not in _names(app):
        names = ", ".join(f"{part.name} ({part.reason})" for part in missing)
        mends = " or ".join(part.mend for part in missing)
        raise UserError(f"no command {asked!r} here, and not every part is installed: {names}; {mends}")
    return owners


def _names(app: typer.Typer) -> set[str]:
    group = typer.main.get_command(app)
    return set(group.commands) if isinstance(group, typer.core.TyperGroup) else set()


@contextmanager
def _missing_library(asked: str, owner: parts.Part | None) -> Iterator[None]:
    """A command may import its heavy libraries when it runs; one that is not there is the user's to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        if owner is None or parts.is_ours(error):
            raise
        raise UserError(
            f"{asked} needs the part {owner.name}, which is not complete ({error}): {owner.mend}"
        ) from error


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"strapline {version('strapline')}")
        raise typer.Exit


def _strapline(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    """The whole chain of electronic monitoring, without hardware and with it."""


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="For programs: all of it as one JSON object.")] = False,
) -> None:
    """Say what is on this machine, what is not, and how to get it.

    Always exits with 0: what has to be there depends on what you want to do; a script reads --json.
    """
    about = {
        "strapline": version("strapline"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    findings = gather()
    if as_json:
        typer.echo(json.dumps({**about, "findings": [finding._asdict() for finding in findings]}, indent=2))
        return
    typer.echo(f"strapline {about['strapline']}, Python {about['python']}, {about['system']}")
    _print_table(findings)


def _print_table(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.group, []).append(finding)
    table = Table(box=None, pad_edge=False)
    for heading in ("", "", "found", "how to get it"):
        table.add_column(heading, overflow="fold")
    for group, members in groups.items():
        table.add_row(Text(group, style="bold"))
        for finding in members:
            # `Text`, because rich would read the brackets of `strapline[hil]` as a style.
            mark = Text("yes", style="green") if finding.present else Text("no", style="yellow")
            table.add_row(Text(f"  {finding.name}"), mark, Text(finding.detail), Text(finding.mend))
    Console().print(table)
