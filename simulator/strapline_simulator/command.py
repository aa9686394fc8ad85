"""The simulator's commands: `run`, `demo`, `scenarios`, `energy`, `chaos`, `fleet`, and the group `firmware`."""

from typing import Annotated

import typer

from strapline_simulator.bluez.command import bluez
from strapline_simulator.chaos.command import chaos
from strapline_simulator.conform.command import conform
from strapline_simulator.energy.command import energy
from strapline_simulator.firmware import signing_command
from strapline_simulator.firmware.command import firmware
from strapline_simulator.fleet.command import fleet
from strapline_simulator.run.command import demo, run
from strapline_simulator.simulate.command import simulate
from strapline_simulator.traces.command import trace


def register(app: typer.Typer) -> None:
    """Add the simulator's commands to `strapline`."""
    app.command()(demo)
    app.command()(run)
    app.command()(scenarios)
    app.command()(energy)
    app.command()(chaos)
    app.command()(bluez)
    app.command()(conform)
    app.command()(fleet)
    app.command()(simulate)
    signing_command.register(firmware)
    app.add_typer(firmware, name="firmware")
    app.add_typer(trace, name="trace")


def scenarios(
    row: Annotated[
        str | None, typer.Option(metavar="ROW", help="Only those that show this requirement, such as R05.")
    ] = None,
    hil: Annotated[bool, typer.Option("--hil", help="Only those that run on a rig too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="The JSON Schema of scenario files, for editors.")] = False,
) -> None:
    """List the shipped scenarios: the requirements that each shows, how long it is, and whether it must stay quiet."""
    if schema:
        from strapline_simulator.scenario.schema import render_schema

        typer.echo(render_schema(), nl=False)
        return
    from strapline_simulator.catalogue.listing import list_scenarios

    for line in list_scenarios(row, as_json=as_json, hil=hil):
        typer.echo(line)
