"""`strapline bluez`: simulated tags behind a stand-in for BlueZ, for any program that speaks to BlueZ over D-Bus."""

import asyncio
import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer

from strapline_protocol.errors import UserError

FIRST_TAG = 0x7A900001


def bluez(
    program: Annotated[
        list[str] | None,
        typer.Argument(help="A program to run against it, after --; without one it runs until its input ends."),
    ] = None,
    tags: Annotated[int, typer.Option(min=1, max=50, help="How many tags are worn nearby.")] = 1,
    on: Annotated[
        str,
        typer.Option(
            "--on", help="What runs their firmware: micropython (the real interpreter), model, virtual-board."
        ),
    ] = "micropython",
    keys: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Write the tags' keys there, made for this run: gateway.json and centre.json."
        ),
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(metavar='"SECONDS ORDER"', help='What happens when, such as --at "5 deaf scan"; may be repeated.'),
    ] = None,
) -> None:
    """Run simulated tags behind a stand-in for BlueZ, on a D-Bus of its own.

    Without a program it prints the address of the bus, takes orders from its input, a line each (help lists them), and answers each.
    Exit status: the program's; else 0. 2 for a mistake in what was asked.
    """
    if not sys.platform.startswith("linux"):
        raise UserError("strapline bluez needs Linux: BlueZ and its D-Bus are nowhere else")
    from strapline_simulator.bluez.orders import parse_at
    from strapline_simulator.bluez.running import Run

    secret_of = {f"{FIRST_TAG + number:08x}": secrets.token_bytes(16) for number in range(tags)}
    if keys is not None:
        _write_keys(keys, secret_of)
    run = Run(secret_of, on, [parse_at(text) for text in at or ()])
    raise typer.Exit(asyncio.run(run.with_program(program) if program else run.with_orders()))


def _write_keys(folder: Path, secret_of: dict[str, bytes]) -> None:
    from strapline_protocol.keyring import successor
    from strapline_protocol.keys import centre_keys, gateway_keys

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--keys {folder}: {error.strerror}; give a folder that can be written") from None
    gateways = [gateway_keys(tag, secret) for tag, secret in secret_of.items()]
    with successor(folder / "gateway.json", gateways) as put_in_place:
        put_in_place()
    with successor(folder / "centre.json", [centre_keys(tag, secret) for tag, secret in secret_of.items()]) as put:
        put()
