"""The gateway's commands."""

from pathlib import Path
from typing import Annotated

import typer

from strapline_gateway.keys_command import keys
from strapline_gateway.options import Configuration
from strapline_gateway.range_command import range_test
from strapline_gateway.status_command import status
from strapline_gateway.tags_command import enrol, withdraw

app = typer.Typer(no_args_is_help=True)


def register(strapline: typer.Typer) -> None:
    """Add `strapline gateway …`."""
    strapline.add_typer(app, name="gateway", help="Run a gateway, and look after one that runs.")


@app.command()
def run(config: Configuration) -> None:
    """Run a gateway until SIGTERM or Ctrl-C.

    Exit status: 0 ended as it was told, 1 a fault of ours, 2 a mistake in the configuration, which a new start does not mend.
    """
    from strapline_gateway.service import run as run_service

    run_service(config)


@app.command("config")
def print_config(
    check: Annotated[
        Path | None, typer.Option("--check", metavar="FILE", help="Check a configuration instead, all of it.")
    ] = None,
) -> None:
    """Print a configuration to fill in, with every key and its default."""
    from strapline_gateway.config import config_template, read_config

    if check is None:
        typer.echo(config_template(), nl=False)
        return
    config = read_config(check)
    typer.echo(f"{check}: gateway {config.gateway.id}, nothing wrong")


app.command()(enrol)
app.command()(withdraw)
app.command()(status)
app.command("range-test")(range_test)
app.add_typer(keys, name="keys", help="The key that this gateway and its centre share.")
