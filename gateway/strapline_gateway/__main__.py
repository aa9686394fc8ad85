"""`python -m strapline_gateway …` is `strapline gateway …`, also where the package was not installed by pip."""

import sys

import typer

from strapline_gateway.command import app
from strapline_protocol.errors import UserError


def main() -> None:
    """Run one command of the gateway's."""
    try:
        app(prog_name="strapline gateway")
    except UserError as error:
        typer.echo(f"strapline: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
