"""The protocol's commands: read frames, and print what is generated from the definitions."""

import re
from pathlib import Path
from typing import Annotated

import typer

from strapline_protocol.errors import UserError

_SECRET = re.compile(r"[0-9a-fA-F]{32}")


def register(app: typer.Typer) -> None:
    """Add `strapline protocol …`."""
    app.add_typer(
        _protocol, name="protocol", help="Read frames, and print what is generated from the protocol's definitions."
    )


_protocol = typer.Typer(no_args_is_help=True)


@_protocol.command()
def decode(
    data: Annotated[str, typer.Argument(metavar="HEX", help="A frame as on the air, or a sealed envelope as in MQTT.")],
    key: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="A file with the tag's secret, 32 hexadecimal digits; or, for test keys, the digits."
        ),
    ] = None,
) -> None:
    """Explain a frame, field by field. With the tag's secret also what it seals."""
    from strapline_protocol.decode import decode as explain
    from strapline_wire.errors import RemoteProtocolError

    octets = _octets(data, "HEX")
    secret = None if key is None else _secret(key)
    try:
        rows = explain(octets, secret)
    except RemoteProtocolError as error:
        told = f"{error.reason} {error.detail}".strip()
        raise UserError(f"no frame of this protocol, or not under this secret: {told}") from None
    width = max(len(row.name) for row in rows)
    for row in rows:
        typer.echo(f"{row.name:<{width}}  {row.value:<24}  {row.meaning}".rstrip())


@_protocol.command()
def dissector() -> None:
    """Print the Wireshark dissector (Lua)."""
    from strapline_protocol.dissector import dissector_source
    from strapline_protocol.generate import MADE

    typer.echo(dissector_source(MADE), nl=False)


@_protocol.command()
def vectors() -> None:
    """Print the golden vectors (JSON)."""
    from strapline_protocol.generate import vectors_source

    typer.echo(vectors_source(), nl=False)


@_protocol.command()
def docs() -> None:
    """Print the frame tables (Markdown)."""
    from strapline_protocol.generate import docs_source

    typer.echo(docs_source(), nl=False)


@_protocol.command()
def check() -> None:
    """Say whether the generated files of this checkout are what the definitions give; exit 1 where not."""
    from strapline_protocol.generate import main

    status = main(["--check"])
    if status == 0:
        typer.echo("the generated files are what the definitions give")
    raise typer.Exit(status)


def _octets(text: str, name: str) -> bytes:
    digits = re.sub(r"[\s:]", "", text)
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise UserError(f"{name}: {text[:40]!r} is not hexadecimal; write pairs of digits, such as 41a0b1") from None


def _secret(given: str) -> bytes:
    digits = given
    if not _SECRET.fullmatch(given):
        try:
            digits = Path(given).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            raise UserError("--key: no such file that can be read; give a file with 32 hexadecimal digits") from None
    if not _SECRET.fullmatch(digits):
        raise UserError("--key: a secret is 32 hexadecimal digits; the file holds something else")
    return bytes.fromhex(digits)
