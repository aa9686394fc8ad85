"""The step of a walk that is about the tag's own board: whether it answers, and is the one that the rig file means."""

from contextlib import suppress
from pathlib import Path

from strapline_hil.board_at import board_at
from strapline_hil.board_files import BoardError
from strapline_hil.board_kinds import Wanted, check_board
from strapline_hil.identity import ask_identity
from strapline_hil.labgrid import address_from
from strapline_hil.rig.file import RigFile
from strapline_hil.rig.walk.step import Step
from strapline_protocol.errors import UserError

_ANEW = "import machine\nmachine.reset()"


def look_at_board(file: RigFile) -> Step:
    """Interrupts its program, asks, and starts it anew."""
    target = file.target
    what = f"MicroPython answers at {target.port}, and it is the {target.board} that is meant"
    try:
        with board_at(address_from(Path(file.path).parent, target.port)) as board:
            identity = ask_identity(board)
            check_board(target.port, identity, Wanted(target.board, unique_id=target.unique_id), "")
            with suppress(BoardError):  # where it cannot, the tag's own steps will tell
                board.begin(_ANEW)
    except UserError as error:
        return Step("board", what, (str(error),))
    return Step("board", f"{what} ({identity})")
