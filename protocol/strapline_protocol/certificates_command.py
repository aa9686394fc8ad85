"""`strapline certificates`: a CA for a laboratory, and what it signs."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated

import typer

from strapline_protocol.errors import UserError

_HOST = re.compile(r"(\*\.)?([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?)+")
_LONGEST_HOST = 253
"""RFC 1035, section 2.3.4: 255 octets on the wire; a label has 63."""


def register(app: typer.Typer) -> None:
    """Add `strapline certificates`."""
    app.command()(certificates)


def certificates(
    folder: Annotated[Path, typer.Argument(help="Where certificates (.pem) and keys (.key, for their owner only) go.")],
    gateway: Annotated[
        list[str], typer.Option(metavar="ID", help="A gateway: eight hexadecimal digits; may be repeated.")
    ] = [],  # noqa: B006 - typer copies it
    broker: Annotated[
        list[str], typer.Option(metavar="HOST", help="A name or address of the broker; may be repeated.")
    ] = [],  # noqa: B006
    centre: Annotated[bool, typer.Option(help="Also one for the centre.")] = False,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long they hold.")] = 365,
) -> None:
    """Make a CA for a laboratory, unless the folder has one, and certificates for broker, gateways and centre.

    What is there stays. A service takes its own CA: the certificate's common name is the gateway's id, or centre.
    """
    from strapline_protocol.certificates import AUTHORITY, Issued, files_of, issue, make_authority
    from strapline_protocol.contract import is_ident
    from strapline_protocol.tls import utc_now

    for ident in gateway:
        if not is_ident(ident):
            raise UserError(f"--gateway {ident}: a gateway's id has eight digits of 0-9 and a-f, such as 6a7e0001")
    for host in broker:
        if not _is_host(host):
            raise UserError(
                f"--broker {host!r}: no host's name or address; write one such as broker.example or 127.0.0.1"
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from None
    now = utc_now()
    made: list[Issued] = []
    if not files_of(folder, AUTHORITY).certificate.exists():
        made.append(make_authority(folder, now, 10 * 365))
    clients = [*dict.fromkeys(gateway), *(["centre"] if centre else [])]
    wanted = [(name, ()) for name in clients] + ([("broker", tuple(broker))] if broker else [])
    for name, hosts in wanted:
        if files_of(folder, name).certificate.exists():
            typer.echo(f"{files_of(folder, name).certificate} is there and stays")
        else:
            made.append(issue(folder, name, now, days, hosts=hosts))
    for one in made:
        typer.echo(f"{one.certificate}  {one.key}")


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return len(text) <= _LONGEST_HOST and _HOST.fullmatch(text) is not None
    return True
