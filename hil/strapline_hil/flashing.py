"""The compiled product onto a board's file system. Whether the board has a secret is not looked at."""

import hashlib
import hmac
import os

from strapline_hil import boards
from strapline_hil.board_files import BoardError, BoardFiles
from strapline_hil.board_kinds import Wanted, WrongBoardError, check_board, machine_of
from strapline_hil.identity import Identity, ask_identity
from strapline_hil.provisioning import open_board
from strapline_hil.repl_board import ReplBoard

APP_FILE, START_FILE = "strapline_app.mpy", "main.py"


def flash_board(board: str, wanted: Wanted, image: bytes, launcher: str) -> Identity | None:
    """Open a board, make sure that it is the one that is meant, and flash it.

    `board` is its USB serial number, its port or a URL, or `file:FOLDER`, which has no identity to be held against what is wanted: None.
    WrongBoardError before a byte is written; what `flash` says of a cut holds here too.
    """
    machine_of(wanted)
    with open_board(board) as files:
        identity = _identify(files, board, wanted)
        flash(files, image, launcher)
    return identity


def _identify(files: BoardFiles, board: str, wanted: Wanted) -> Identity | None:
    if not isinstance(files, ReplBoard):
        if wanted.serial_number or wanted.unique_id:
            raise WrongBoardError(
                f"{files.place}: a folder has no id and no serial number; leave them out, or name a board's port"
            )
        return None
    # The port is ours by now: what is plugged in there stays until we are done.
    named = "" if files.place == board or "://" in board else board  # by its serial number
    wanted = wanted._replace(serial_number=wanted.serial_number or named)
    identity = ask_identity(files)
    check_board(files.place, identity, wanted, _usb_serial_number(files.place))
    return identity


def _usb_serial_number(port: str) -> str:
    real = os.path.realpath(port)
    return next((found.serial_number for found in boards.find_boards() if os.path.realpath(found.port) == real), "")


def flash(board: BoardFiles, image: bytes, launcher: str) -> None:
    """Write the program, read it back, and have it start at the next power-on by the launcher as `main.py`.

    Cut off anywhere, the board has the old program or the new one or none that starts, and its secret and memory are as they were.
    """
    _place(board, APP_FILE, image)
    _place(board, START_FILE, launcher.encode())


def _place(board: BoardFiles, name: str, data: bytes) -> None:
    written = f"{name}.new"
    board.write(written, data)
    _read_back(board, written, data)
    board.remove(name)
    board.rename(written, name)
    _read_back(board, name, data)


def _read_back(board: BoardFiles, name: str, data: bytes) -> None:
    if not hmac.compare_digest(board.sha256(name), hashlib.sha256(data).digest()):
        board.remove(name)
        raise BoardError(
            f"{board.place}: the board reads back something else than was written; is its flash worn out or full?"
        )
