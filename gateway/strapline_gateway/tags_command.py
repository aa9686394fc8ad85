"""`strapline gateway enrol` and `withdraw`: whose tags they are, on the disk and in the gateway that runs."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strapline_gateway.options import Configuration
from strapline_gateway.tag_keys import read_enrolled, write_enrolled
from strapline_protocol.errors import UserError
from strapline_protocol.keyring import is_tag_id, locked, read_gateway_keys
from strapline_protocol.keys import GatewayKeys
from strapline_protocol.local_control import NotRunningError, ask

if TYPE_CHECKING:
    from strapline_gateway.config import Config


def enrol(
    share: Annotated[
        Path, typer.Argument(metavar="FILE", help="The gateway's key file that `strapline provision` hands out.")
    ],
    config: Configuration,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", metavar="TAG", help="Only this tag of the file; may be given again.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="A tag may come under other keys than before.")] = False,
) -> None:
    """Take tags in: their keys go into the gateway's key file, and a gateway that runs takes them at once."""
    from strapline_gateway.config import read_config

    settings = read_config(config)
    wanted = _wanted(share, tag or [])
    with _writing(settings):
        enrolled = read_enrolled(settings.tags_file)
        changed = [keys for keys in wanted if keys.tag in enrolled and enrolled[keys.tag] != keys]
        if changed and not replace:
            raise UserError(
                f"{share}: tag {changed[0].tag} is enrolled under other keys; --replace where it was provisioned anew"
            )
        write_enrolled(settings.tags_file, enrolled | {keys.tag: keys for keys in wanted})
    for keys in wanted:
        typer.echo(f"{keys.tag} enrolled")
    _tell(settings)


def withdraw(
    tag: Annotated[str, typer.Argument(metavar="TAG", help="Eight hexadecimal digits.")], config: Configuration
) -> None:
    """Let a tag go: its keys leave the gateway, and what is open with it is closed."""
    from strapline_gateway.config import read_config

    settings = read_config(config)
    with _writing(settings):
        enrolled = read_enrolled(settings.tags_file)
        if enrolled.pop(tag, None) is None:
            known = ", ".join(sorted(enrolled)[:8]) or "none"
            raise UserError(f"{settings.tags_file}: no tag {tag[:40]!r} is enrolled; enrolled: {known}")
        write_enrolled(settings.tags_file, enrolled)
    typer.echo(f"{tag} withdrawn")
    _tell(settings)


def _wanted(share: Path, tags: list[str]) -> list[GatewayKeys]:
    held = {keys.tag: keys for keys in read_gateway_keys(share)}
    for tag in tags:
        if not is_tag_id(tag) or tag not in held:
            raise UserError(f"{share}: no tag {tag[:40]!r} there; it holds {', '.join(sorted(held)[:8]) or 'none'}")
    wanted = [held[tag] for tag in dict.fromkeys(tags)] if tags else list(held.values())
    if not wanted:
        raise UserError(f"{share}: holds no tag; name the file that `strapline provision` wrote for gateways")
    return wanted


def _writing(settings: "Config") -> AbstractContextManager[None]:
    folder = settings.tags_file.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be made ({error.strerror}); name another folder as gateway.state") from None
    return locked(settings.tags_file)


def _tell(settings: "Config") -> None:
    try:
        ask(settings.gateway.state, "reload")
    except NotRunningError:
        typer.echo("no gateway runs: it will know at its next start")
    else:
        typer.echo("the gateway knows it")
