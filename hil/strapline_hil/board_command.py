"""`strapline hil board`: a board on a pseudo-terminal, for whoever has none on the desk."""

import signal
from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from strapline_hil.hil_group import hil
from strapline_protocol.errors import UserError


@hil.command("board")
def serve_board(
    folder: Annotated[Path, typer.Option(metavar="FOLDER", help="Its flash; what is there stays.")],
    unique_id: Annotated[str, typer.Option(metavar="HEX", help="Its id; made of the folder's path unless given.")] = "",
) -> None:
    """Serve a MicroPython board on a pseudo-terminal until Ctrl-C: its port is the first line printed.

    `mpremote connect PORT` works on it, and all that takes a board's port here. It has no pins and no radio.
    """
    from strapline_hil.pty_board import PtyBoard

    if not folder.is_dir():
        raise UserError(f"--folder {folder}: no such folder; make it first")
    try:
        own_id = bytes.fromhex(unique_id)
    except ValueError:
        raise UserError(f"--unique-id {unique_id}: not hexadecimal; write bytes such as e6614103e7452d2f") from None
    with PtyBoard(folder, unique_id=own_id) as served:
        typer.echo(served.port)
        typer.echo(f"id {served.unique_id.hex()}, its flash is {folder}; Ctrl-C ends it", err=True)
        ended = Event()
        for sign in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sign, lambda *_: ended.set())
        ended.wait()
