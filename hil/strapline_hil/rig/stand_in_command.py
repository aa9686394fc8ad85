"""`strapline hil desk`: a desk without hardware, for whoever wants to see a real rig at work before there is one."""

import signal
import sys
from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from strapline_hil.hil_group import hil
from strapline_protocol.errors import UserError

_LOOK_S = 0.2
_ADDRESS = "DBUS_SYSTEM_BUS_ADDRESS"


@hil.command("desk")
def desk(
    folder: Annotated[
        Path, typer.Argument(help="Takes desk.yaml, the rig file, and the tag's keys, made for this desk.")
    ] = Path("desk"),
) -> None:
    """Put up a desk without hardware until Ctrl-C: real ports, a Bluetooth adapter on a D-Bus of its own, a tag that runs by itself.

    To pytest --rig FOLDER/desk.yaml it is a real rig. All behind the ports is simulated; the electronic key is held to the tag as soon as
    you are asked to. Linux only.
    """
    if not sys.platform.startswith("linux"):
        raise UserError("strapline hil desk needs Linux: BlueZ and its D-Bus are nowhere else")
    from strapline_hil.rig.real.stand_in import StandInDesk

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}; name a folder that can be written") from None
    ended = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with StandInDesk(folder) as there:
        typer.echo(f"export {_ADDRESS}={there.environment[_ADDRESS]}")
        typer.echo(f"pytest --rig {there.rig}")
        sys.stdout.flush()
        there.hold_keys(lambda: ended.wait(_LOOK_S))
