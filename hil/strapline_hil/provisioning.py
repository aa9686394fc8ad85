"""A tag's secret: drawn here, kept on its board, and handed on only as the keys that each holder needs.

What a cut leaves, and why in this order:

1. the key files' successors are written beside them, so that a full disk shows before a board is touched;
2. the board: old secret away, memory away, new secret written, read back, named. An old secret never meets an empty memory;
3. the centre's file, then the gateway's. Until the last step no gateway hears the tag, which shows as a tag that is missed.
   The other way round a tag would seem present while none of its records could be opened.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

from strapline_hil.board_at import board_at
from strapline_hil.board_files import BoardError, BoardFiles, Folder
from strapline_protocol.errors import UserError
from strapline_protocol.keyring import Keys, is_tag_id, locked, read_centre_keys, read_gateway_keys, successor
from strapline_protocol.keys import CentreKeys, GatewayKeys, centre_keys, gateway_keys
from strapline_tag import storage
from strapline_wire.keys import KEY_SIZE

NEW = "new"


class Request(NamedTuple):
    """What to provision: a tag's id or `new`, the board as `open_board` takes it, and where the keys go."""

    tag: str
    board: str
    gateway_file: Path
    centre_file: Path
    replace: bool = False
    share_end_to_end: bool = False


def provision(request: Request) -> str:
    """Make the tag's secret and hand out its keys; gives the tag's id. UserError says what stands where it stopped."""
    if request.tag != NEW and not is_tag_id(request.tag):
        raise UserError(f"{request.tag[:40]!r} is no tag's id: write eight lower-case hexadecimal digits, or new")
    if request.gateway_file.resolve() == request.centre_file.resolve():
        raise UserError(f"{request.centre_file}: gateway and centre each get their own keys: name two files")
    with locked(request.gateway_file, request.centre_file):
        gateway = read_gateway_keys(request.gateway_file) if request.gateway_file.exists() else []
        centre = read_centre_keys(request.centre_file) if request.centre_file.exists() else []
        tag = (
            _draw({keys.tag for keys in gateway} | {keys.tag for keys in centre}) if request.tag == NEW else request.tag
        )
        if not request.replace:
            _refuse_known(tag, request.gateway_file, gateway)
            _refuse_known(tag, request.centre_file, centre)
        with open_board(request.board) as board:
            if not request.replace and board.has(storage.SECRET):
                raise UserError(
                    f"{board.place}: the board has a secret, so it is a tag already; --replace makes it another"
                )
            _hand_out(tag, board, request, gateway, centre)
    return tag


def open_board(board: str) -> AbstractContextManager[BoardFiles]:
    """A board by its USB serial number, its port (`/dev/ttyACM0`, a pty), `labgrid://ENVIRONMENT.yaml`, or `file:FOLDER`.

    Closed at the end of the `with`.
    """
    kind, colon, folder = board.partition(":")
    if kind == "file" and colon:
        return nullcontext(Folder(folder))
    return board_at(board)


def _hand_out(
    tag: str, board: BoardFiles, request: Request, gateway: list[GatewayKeys], centre: list[CentreKeys]
) -> None:
    secret = secrets.token_bytes(KEY_SIZE)
    for_gateway, for_centre = gateway_keys(tag, secret), centre_keys(tag, secret)
    if request.share_end_to_end:
        for_gateway = for_gateway._replace(end_to_end=for_centre.end_to_end)
    with (
        successor(request.gateway_file, _with(gateway, for_gateway)) as place_gateway,
        successor(request.centre_file, _with(centre, for_centre)) as place_centre,
    ):
        _install(board, secret, tag)
        try:
            place_centre()
            place_gateway()
        except UserError as error:
            raise UserError(
                f"{error}. The board has its new secret, the key files do not agree: {_again(tag)}"
            ) from None


def _install(board: BoardFiles, secret: bytes, tag: str) -> None:
    try:
        board.remove(storage.SECRET)  # from here on the board is no tag
        board.remove(storage.MEMORY)
        board.write(storage.SECRET_WRITTEN, secret)
        if not hmac.compare_digest(board.sha256(storage.SECRET_WRITTEN), hashlib.sha256(secret).digest()):
            board.remove(storage.SECRET_WRITTEN)
            raise BoardError(
                f"{board.place}: the board reads back something else than was written; is its flash worn out?"
            )
        board.rename(storage.SECRET_WRITTEN, storage.SECRET)
    except BoardError as error:
        raise BoardError(
            f"{error}. The key files are as they were, the board may be no tag now: {_again(tag)}"
        ) from None


def _again(tag: str) -> str:
    return f"provision {tag} again with --replace"


def _with(known: Iterable[Keys], new: Keys) -> list[Keys]:
    return [keys for keys in known if keys.tag != new.tag] + [new]


def _refuse_known(tag: str, path: Path, known: Iterable[GatewayKeys] | Iterable[CentreKeys]) -> None:
    if any(keys.tag == tag for keys in known):
        raise UserError(
            f"{path}: tag {tag} has its keys there; --replace makes new ones, and the old tag is no longer heard"
        )


def _draw(taken: set[str]) -> str:
    tag = secrets.token_hex(4)
    return _draw(taken) if tag in taken else tag
