"""`strapline firmware keygen | sign | verify`: the words around `signing`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from strapline_protocol.errors import UserError
from strapline_protocol.updates import Manifest, SignedImage
from strapline_wire.errors import LocalProtocolError

Ledger = Annotated[
    Path | None,
    typer.Option(
        "--ledger", metavar="FILE", help="The list of signatures made; best on another disk. KEY.ledger without it."
    ),
]


def register(group: typer.Typer) -> None:
    """Add the verbs of signing to `strapline firmware`."""
    group.command()(keygen)
    group.command()(sign)
    group.command()(verify)


def keygen(
    key: Annotated[Path, typer.Argument(metavar="KEY", help="The file to make; KEY.pub beside it is for the boards.")],
    ledger: Ledger = None,
) -> None:
    """Make a key that signs firmware, 1,024 times.

    Make two, and put both .pub into every board: cat one.pub two.pub > strapline_update_keys. The second waits for the first one's end.
    """
    from strapline_simulator.firmware import signing

    ledger = ledger or signing.default_ledger(key)
    public = signing.make_key(key, ledger)
    typer.echo(f"{key}: signs {signing.LEAVES:,} images; keep it off the network, and never restore it from a backup")
    typer.echo(f"{ledger}: has a line for each signature; keep it on another disk")
    typer.echo(f"{signing.public_file(key)}: {public.hex()}")


def sign(
    image: Annotated[
        Path, typer.Argument(metavar="IMAGE", help="The application, as `strapline firmware build` makes it.")
    ],
    key: Annotated[Path, typer.Option(metavar="KEY", help="The file that keygen made.")],
    board: Annotated[str, typer.Option(help="The class of boards that may run it, such as esp32-c3.")],
    sequence: Annotated[int, typer.Option(help="Of the image; a tag takes only a higher one than it runs.")],
    valid_days: Annotated[
        int, typer.Option(min=0, help="A tag that knows the time takes it so long; 0: for ever.")
    ] = 180,
    ledger: Ledger = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="IMAGE.signed without it.")] = None,
    from_leaf: Annotated[
        int | None,
        typer.Option(metavar="N", help="Go on at this leaf: where key and ledger disagree, and you know better."),
    ] = None,
) -> None:
    """Sign an image for one class of boards."""
    from strapline_simulator.firmware import signing

    out = out or image.with_name(image.name + ".signed")
    if out.exists():
        raise UserError(f"{out}: there is a file already; name another with --out, or remove it")
    content = _read(image)
    expires = None
    if valid_days:
        expires = (datetime.now(UTC) + timedelta(days=valid_days)).replace(microsecond=0)
    try:
        about = Manifest.of(content, board, sequence, expires)
    except LocalProtocolError as error:
        raise UserError(str(error.args[0])) from None
    signed, left = signing.sign(key, ledger or signing.default_ledger(key), content, about, from_leaf=from_leaf)
    try:
        out.write_bytes(signed.stream)
    except OSError as error:
        raise UserError(
            f"{out}: cannot be written ({error.strerror}); name another place with --out and sign again"
        ) from None
    typer.echo(f"{out}: {len(signed.stream):,} bytes, {_told(about)}")
    typer.echo(f"{left:,} signatures left in {key}")


def verify(
    signed: Annotated[Path, typer.Argument(metavar="SIGNED", help="What `strapline firmware sign` made.")],
    key: Annotated[Path, typer.Option(metavar="FILE", help="A .pub file, or the strapline_update_keys of a board.")],
) -> None:
    """Say what a signed image is, and whether this key signed it; exit 1 where not."""
    from strapline_simulator.firmware import signing

    keys = signing.read_public(key)
    try:
        parsed = SignedImage.parse(_read(signed))
    except LocalProtocolError as error:
        raise UserError(f"{signed}: {error.args[0]}") from None
    genuine = signing.verify(parsed, keys)
    typer.echo(f"{signed}: {_told(parsed.manifest)}")
    typer.echo("the signature holds" if genuine else "NOT SIGNED by this key")
    raise typer.Exit(0 if genuine else 1)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def _told(about: Manifest) -> str:
    until = "for ever" if about.expires is None else f"until {about.expires:%Y-%m-%d %H:%M} UTC"
    return f"sequence {about.sequence} for {about.board}, {about.size:,} bytes of image, to be taken {until}"
