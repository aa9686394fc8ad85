"""The driver on a board that is not ours: Debian's MicroPython 1.9.2 on an emulated micro:bit, with 9 KB of heap and no raw paste."""

import os
from pathlib import Path

import pytest

from strapline_hil.board_files import BoardError
from strapline_hil.board_kinds import Wanted, WrongBoardError
from strapline_hil.flashing import flash_board
from strapline_hil.identity import ask_identity
from strapline_hil.qemu_body import emulated_board
from strapline_hil.repl_board import ScriptError, repl_board
from strapline_protocol.diagnosis import find_program

MICROBIT = Path("/usr/share/firmware-microbit-micropython/firmware.hex")


@pytest.fixture(scope="module")
def port():
    if find_program("qemu-system-arm") is None or not MICROBIT.exists():
        assert not os.environ.get("STRAPLINE_REQUIRE_MICROBIT"), "this machine has an emulated micro:bit"
        pytest.skip("needs qemu-system-arm and firmware-microbit-micropython")
    with emulated_board(MICROBIT, "microbit") as line:
        yield line


def test_it_runs_a_script_and_says_what_it_is(port):
    with repl_board(port) as board:
        assert board.run("import microbit\nprint(sum(range(10)))", 5.0) == "45"
        identity = ask_identity(board)
    assert (identity.version, identity.platform) == ((1, 9, 2), "microbit")


def test_ctrl_c_stops_what_runs(port):
    with repl_board(port) as board:
        with pytest.raises(ScriptError, match="was interrupted"):
            board.run("while True: pass", 0.3)
        assert board.run("print('here')", 5.0) == "here"


def test_a_soft_reset_empties_it(port):
    with repl_board(port) as board:
        board.run("kept = 1", 5.0)
        board.soft_reset()
        assert board.tell("print('kept' in globals())") is False


def test_the_product_is_refused_before_a_byte_is_written(port):
    with pytest.raises(WrongBoardError, match="nothing was written") as refused:
        flash_board(port, Wanted("pico-w"), b"program", "launcher")
    assert "'microbit'" in str(refused.value)
    with pytest.raises(WrongBoardError, match=r"does not load .mpy version 6, nothing was written") as refused:
        flash_board(port, Wanted("pico-w", machine="microbit"), b"program", "launcher")
    assert "\n" not in str(refused.value)
    with repl_board(port) as board:
        assert board.tell("import os\nprint(os.listdir())") == []


def test_what_it_cannot_be_asked_is_refused_in_one_line(port):
    with repl_board(port) as board, pytest.raises(BoardError, match="the board refuses") as refused:
        board.has("main.py")  # no os.stat there
    assert "\n" not in str(refused.value)


def test_machine_reset_is_a_hard_reset(port):
    with repl_board(port) as board:
        board.run("kept = 1", 5.0)
        board.hard_reset()
        assert board.tell("print('kept' in globals())") is False
