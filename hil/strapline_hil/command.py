"""The bench's commands."""

import json
from typing import Annotated

import typer

from strapline_hil.board_command import serve_board
from strapline_hil.boards import Board, find_boards
from strapline_hil.flash_command import flash
from strapline_hil.hil_group import hil
from strapline_hil.provision_command import provision
from strapline_hil.rig import hil_command, soak_command, stand_in_command

__all__ = ["flash", "hil_command", "register", "serve_board", "soak_command", "stand_in_command"]
"""Beside `register`: what hands itself to the groups `firmware` and `hil`."""


def register(app: typer.Typer) -> None:
    """Add the bench's commands to `strapline`."""
    app.command()(boards)
    app.command()(provision)
    app.add_typer(hil, name="hil")


def boards(
    as_json: Annotated[bool, typer.Option("--json", help="For programs: a JSON list of boards.")] = False,
) -> None:
    """List the serial boards on USB, each by its USB serial number."""
    found = find_boards()
    if as_json:
        typer.echo(json.dumps([board._asdict() for board in found], indent=2))
        return
    if not found:
        typer.echo("No serial board on USB: plug one in with a cable that carries data.")
    for board in found:
        typer.echo(describe(board))


def describe(board: Board) -> str:
    """One line about a board, its identity first."""
    identity = board.serial_number or "(no serial number of its own)"
    denied = "" if board.accessible else "  no permission: on Linux `sudo usermod -aG dialout $USER`, then log in again"
    return f"{identity:<32}  {board.usb_id}  {board.port}  {board.name}{denied}"
