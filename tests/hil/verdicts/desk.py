"""A test of a user's that flashes a board on the desk before it goes on. Copied to where it runs as `test_desk.py`."""

from strapline_hil.board_kinds import Wanted
from strapline_hil.flashing import flash_board

IMAGE = bytes(range(256)) * 8


def test_flashed(rig, gateway, desk_board):
    flash_board(desk_board.port, Wanted("virtual-board", unique_id=desk_board.meant), IMAGE, "import strapline_app\n")
    rig.strap.cut()
    assert gateway.wait_for("strap_open", within_s=5)
