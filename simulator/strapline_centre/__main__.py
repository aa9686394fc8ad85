"""`python -m strapline_centre …` is `strapline centre …`."""

import sys

import typer

from strapline_centre.command import app
from strapline_protocol.errors import UserError

try:
    app(prog_name="strapline centre")
except UserError as error:
    typer.echo(f"strapline: {error}", err=True)
    sys.exit(2)
