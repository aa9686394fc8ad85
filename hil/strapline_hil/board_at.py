"""The board that an address means: a port, a USB serial number, a URL of pyserial, or a place of labgrid."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from strapline_hil.boards import serial_port
from strapline_hil.labgrid import SCHEME, place_at
from strapline_hil.repl_board import ReplBoard, repl_board


def board_at(address: str) -> AbstractContextManager[ReplBoard]:
    """Its program interrupted; BoardError or RigError where nothing speaks MicroPython there in time."""
    return _board_in(address) if address.startswith(SCHEME) else repl_board(serial_port(address))


@contextmanager
def _board_in(address: str) -> Iterator[ReplBoard]:
    with place_at(address) as place, place.board() as board:
        yield board
