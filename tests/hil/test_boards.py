"""Boards are known by their USB serial number, and a number that tells nothing apart is no identity."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from serial.tools.list_ports_common import ListPortInfo

from strapline_hil.boards import KNOWN, find_boards
from strapline_hil.command import describe

STRAPLINE = Path(sys.executable).with_name("strapline")
PICO = (0x2E8A, 0x0005)


def port(
    device: str, usb: tuple[int, int] | None, serial: str | None = None, location: str | None = None
) -> ListPortInfo:
    made = ListPortInfo(device)
    made.vid, made.pid = usb or (None, None)
    made.serial_number, made.location, made.product = serial, location, "Toy board"
    return made


def test_a_board_is_described_by_its_serial_number_first() -> None:
    (board,) = find_boards([port("/dev/ttyACM0", PICO, "e6614103e7452d2f", "1-2:1.0")])
    assert board == ("e6614103e7452d2f", "2E8A:0005", "/dev/ttyACM0", KNOWN[PICO], False)
    assert describe(board).startswith("e6614103e7452d2f ")


def test_ports_that_are_not_usb_are_no_boards() -> None:
    assert find_boards([port("/dev/ttyS0", None)]) == []


def test_an_unknown_board_is_called_what_it_calls_itself() -> None:
    (board,) = find_boards([port("/dev/ttyACM0", (0x1209, 0x0001), "A1")])
    assert board.name == "Toy board"


@pytest.mark.parametrize("serial", [None, "", "0", "000000000000", "0001"])
def test_a_makers_default_serial_number_is_no_identity(serial: str | None) -> None:
    (board,) = find_boards([port("/dev/ttyUSB0", (0x10C4, 0xEA60), serial)])
    assert board.serial_number == ""
    assert "no serial number" in describe(board)


def test_two_boards_with_one_serial_number_have_no_identity() -> None:
    boards = find_boards([port("/dev/ttyACM0", PICO, "A1", "1-2:1.0"), port("/dev/ttyACM1", PICO, "A1", "1-3:1.0")])
    assert [board.serial_number for board in boards] == ["", ""]


def test_one_board_with_two_ports_keeps_its_identity() -> None:
    boards = find_boards([port("/dev/ttyACM1", PICO, "A1", "1-2:1.2"), port("/dev/ttyACM0", PICO, "A1", "1-2:1.0")])
    assert [(board.serial_number, board.port) for board in boards] == [("A1", "/dev/ttyACM0"), ("A1", "/dev/ttyACM1")]


def test_the_order_follows_serial_numbers_and_not_ports() -> None:
    plugged = [port("/dev/ttyACM0", PICO, "B2"), port("/dev/ttyACM1", PICO, "A1"), port("/dev/ttyACM2", PICO)]
    assert [board.serial_number for board in find_boards(plugged)] == ["A1", "B2", ""]


def test_a_port_that_may_not_be_opened_says_how_to_mend_it(tmp_path: Path) -> None:
    mine = tmp_path / "ttyACM0"
    mine.touch()
    (board,) = find_boards([port(str(mine), PICO, "A1")])
    assert board.accessible
    assert "dialout" not in describe(board)
    assert "dialout" in describe(board._replace(accessible=False))


def test_the_command_answers_on_a_machine_with_any_number_of_boards() -> None:
    plain = subprocess.run([STRAPLINE, "boards"], capture_output=True, text=True, timeout=60, check=False)
    assert (plain.returncode, plain.stderr) == (0, "")
    as_json = subprocess.run([STRAPLINE, "boards", "--json"], capture_output=True, text=True, timeout=60, check=False)
    listed = json.loads(as_json.stdout)
    assert len(plain.stdout.splitlines()) == max(1, len(listed))
    assert all({"serial_number", "usb_id", "port", "name", "accessible"} == set(board) for board in listed)
