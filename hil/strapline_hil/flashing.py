"""The compiled product onto a board's file system. Which MicroPython is below it, and whether it has a secret, is not looked at."""

import hashlib
import hmac

from strapline_hil.board_files import BoardError, BoardFiles

APP_FILE, START_FILE = "strapline_app.mpy", "main.py"


def flash(board: BoardFiles, image: bytes, launcher: str) -> None:
    """Write the program, read it back, and have it start at the next power-on by the launcher as `main.py`.

    Cut off anywhere, the board has the old program or the new one or none that starts, and its secret and memory are as they were.
    """
    _place(board, APP_FILE, image)
    _place(board, START_FILE, launcher.encode())


def _place(board: BoardFiles, name: str, data: bytes) -> None:
    written = f"{name}.new"
    board.write(written, data)
    if not hmac.compare_digest(board.sha256(written), hashlib.sha256(data).digest()):
        board.remove(written)
        raise BoardError(
            f"{board.place}: the board reads back something else than was written; is its flash worn out or full?"
        )
    board.remove(name)
    board.rename(written, name)
