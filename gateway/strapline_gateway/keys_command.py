"""`strapline gateway keys`: the key that gateway and centre share, made and changed. No key is ever printed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strapline_gateway.options import Configuration
from strapline_gateway.tag_keys import give_to_owner
from strapline_protocol.durable import replace_private
from strapline_protocol.errors import UserError
from strapline_protocol.link_key import (
    AWAITED,
    is_awaiting,
    new_link_key,
    read_link_keys,
    text_of_keys,
    write_link_keys,
)
from strapline_protocol.local_control import NotRunningError, ask

if TYPE_CHECKING:
    from strapline_gateway.config import Config

keys = typer.Typer(no_args_is_help=True)


@keys.command()
def new(path: Annotated[Path, typer.Argument(metavar="FILE", help="Where it goes; nothing is overwritten.")]) -> None:
    """Make a key for a new gateway and its centre. Both get the same file."""
    try:
        write_link_keys(path, [new_link_key()])
    except FileExistsError:
        raise UserError(f"{path}: is there already; name another, or `strapline gateway keys rotate`") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); name another") from None
    typer.echo(f"{path}: a new key; copy the file to the centre by a way that nobody else sees")


@keys.command()
def rotate(
    config: Configuration,
    finish: Annotated[
        bool, typer.Option("--finish", help="The last step: the old key opens nothing any more.")
    ] = False,
) -> None:
    """Change the key without a gap: run it, give the centre the file that it names, and run it again with --finish.

    Between the two steps both keys open. This gateway seals with the new one as soon as it hears that the centre does.
    """
    from strapline_gateway.config import read_config

    settings = read_config(config)
    path = settings.keys.centre
    held = read_link_keys(path)
    if finish:
        _finish(path, held)
    else:
        _begin(path, held)
    _tell(settings)


def _begin(path: Path, held: tuple[bytes, ...]) -> None:
    share = share_of(path)
    if len(held) > 1:
        if is_awaiting(path):
            raise UserError(f"{path}: a change is under way: the centre has not used the new key yet; give it {share}")
        raise UserError(f"{path}: the last change is not finished; `strapline gateway keys rotate --finish`")
    made = new_link_key()
    _write(share, text_of_keys([made, *held]))
    _write(path, text_of_keys(held, {AWAITED: [made]}))
    typer.echo(
        f"{share}: give the centre this file in place of the one that it has; this gateway opens both from now on"
    )


def _finish(path: Path, held: tuple[bytes, ...]) -> None:
    if len(held) == 1:
        raise UserError(f"{path}: no change is under way; `strapline gateway keys rotate` begins one")
    if is_awaiting(path):
        raise UserError(f"{path}: the centre has not used the new key yet; give it {share_of(path)} first")
    _write(path, text_of_keys(held[:1]))
    share_of(path).unlink(missing_ok=True)
    typer.echo(f"{path}: the old key opens nothing any more; take it out of the centre's file too")


def share_of(path: Path) -> Path:
    """Where the centre's file is laid while a change is under way."""
    return path.with_name(f"{path.name}.for-the-centre")


def _write(path: Path, text: str) -> None:
    try:
        replace_private(path, text)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); make room or free it") from None
    give_to_owner(path)


def _tell(settings: "Config") -> None:
    try:
        ask(settings.gateway.state, "reload")
    except NotRunningError:
        typer.echo("no gateway runs: it will know at its next start")
