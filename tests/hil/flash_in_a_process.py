"""`flash_board` in a process that a test can kill: python flash_in_a_process.py PORT IMAGE LAUNCHER."""

import sys
from pathlib import Path

from strapline_hil.board_kinds import Wanted
from strapline_hil.flashing import flash_board

if __name__ == "__main__":
    flash_board(sys.argv[1], Wanted("virtual-board"), Path(sys.argv[2]).read_bytes(), sys.argv[3])
