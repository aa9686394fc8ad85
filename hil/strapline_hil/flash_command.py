"""`strapline firmware flash`: the words around `flashing`."""

from typing import Annotated

import typer

from strapline_simulator.firmware.command import firmware


@firmware.command()
def flash(
    board: Annotated[
        str, typer.Argument(metavar="BOARD", help="Its USB serial number or port; or file:FOLDER for the files of one.")
    ],
    kind: Annotated[str, typer.Option("--board", metavar="KIND", help="What it is: pico-w, esp32-c3 or nrf52840.")],
) -> None:
    """Compile the product of a kind of board and write it to one that has MicroPython. Untried on hardware.

    A board's running program is interrupted, where it lets itself be: a product has no console.
    """
    from strapline_hil.flashing import APP_FILE
    from strapline_hil.flashing import flash as write
    from strapline_hil.provisioning import open_board
    from strapline_simulator.firmware import image, sources
    from strapline_simulator.firmware.bundle import make_bundle

    texts = sources.firmware_sources()
    root = sources.find_root(texts, kind, None)
    bundle = make_bundle(texts, root, image.name_of(root))
    compiled = image.compile_bundle(bundle)
    with open_board(board) as files:
        write(files, compiled, bundle.launcher)
    typer.echo(f"{APP_FILE} ({len(compiled):,} bytes) is on the board at {board}, read back and right")
    typer.echo("It starts at the next power-on, where the board has its secret: strapline provision.")
