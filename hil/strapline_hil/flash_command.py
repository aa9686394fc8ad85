"""`strapline firmware flash`: the words around `flashing`."""

from typing import Annotated

import typer

from strapline_protocol.errors import UserError
from strapline_simulator.firmware.command import firmware


@firmware.command()
def flash(
    kind: Annotated[
        str, typer.Option("--board", metavar="KIND", help="What it is: pico-w, esp32-c3, nrf52840 or virtual-board.")
    ],
    board: Annotated[
        str,
        typer.Argument(
            metavar="BOARD", help="Its USB serial number, port or URL; or file:FOLDER for the files of one."
        ),
    ] = "",
    port: Annotated[str, typer.Option(metavar="BOARD", help="The same, as an option.")] = "",
    serial_number: Annotated[
        str, typer.Option(metavar="S", help="Flash only what has this serial number on USB.")
    ] = "",
    unique_id: Annotated[
        str, typer.Option(metavar="U", help="Flash only the board whose `machine.unique_id()` is this, in hexadecimal.")
    ] = "",
    machine: Annotated[
        str, typer.Option(metavar="NAME", help="What its MicroPython calls itself, where that is not its kind's name.")
    ] = "",
) -> None:
    """Compile the product of a kind of board and write it to one that has MicroPython. Untried on hardware.

    The wrong board is refused before a byte is written. A board's running program is interrupted, where it lets itself be: a product has no
    console.
    """
    from strapline_hil.board_kinds import Wanted, machine_of
    from strapline_hil.flashing import APP_FILE, flash_board
    from strapline_simulator.firmware import image, sources
    from strapline_simulator.firmware.bundle import make_bundle

    if bool(board) == bool(port):
        raise UserError("firmware flash: name one board: its USB serial number, its port, or file:FOLDER")
    wanted = Wanted(kind, machine, serial_number, unique_id)
    machine_of(wanted)  # a mistake in the words is told before the build
    texts = sources.firmware_sources()
    root = sources.find_root(texts, wanted.product, None)
    bundle = make_bundle(texts, root, image.name_of(root))
    compiled = image.compile_bundle(bundle)
    identity = flash_board(board or port, wanted, compiled, bundle.launcher)
    typer.echo(f"{APP_FILE} ({len(compiled):,} bytes) is on the board at {board or port}, read back and right")
    if identity:
        typer.echo(f"The board: {identity}")
    typer.echo("It starts at the next power-on, where the board has its secret: strapline provision.")
