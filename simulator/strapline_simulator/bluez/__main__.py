"""`python -m strapline_simulator.bluez` is `strapline bluez`."""

import sys

import typer

from strapline_protocol.errors import UserError
from strapline_simulator.bluez.command import bluez

app = typer.Typer(add_completion=False)
app.command()(bluez)


def main() -> None:
    try:
        app()
    except UserError as error:
        typer.echo(f"strapline: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
