"""The board on a pseudo-terminal, by mpremote's own command line, by `strapline hil board`, without power, unplugged."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from pty_board import PtyBoard, needs_ctrl_c
from strapline_hil.board_files import BoardError
from strapline_hil.identity import ask_identity
from strapline_hil.repl_board import repl_board

COMMAND = "from strapline_protocol.command import main; main()"


@pytest.fixture
def board(tmp_path):
    with PtyBoard(tmp_path) as made:
        yield made


def wait_for(path):
    wait_until(path.exists, f"{path.name} never came")


def wait_until(holds, otherwise):
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.01)


def mpremote(port, *words):
    command = [sys.executable, "-m", "mpremote", "connect", port, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_mpremote_runs_copies_and_resets(board, tmp_path, tmp_path_factory):
    here = tmp_path_factory.mktemp("here")
    (here / "sent").write_bytes(bytes(range(256)) * 20)
    (here / "script.py").write_text("import os\nprint(sorted(os.listdir()))")
    mpremote(board.port, "cp", str(here / "sent"), ":sent", "+", "cp", ":sent", str(here / "back"))
    assert (here / "back").read_bytes() == (here / "sent").read_bytes() == (tmp_path / "sent").read_bytes()
    starts = board.starts
    said = mpremote(board.port, "soft-reset", "exec", "print(6 * 7)", "run", str(here / "script.py"))
    assert said == "42\n['sent']\n"
    assert board.starts == starts + 1
    mpremote(board.port, "reset")
    # Softly first; and it ends 100 ms before the reset, which takes along what has been said to the board until then.
    wait_until(lambda: board.starts == starts + 3, "the board was never reset")
    assert mpremote(board.port, "resume", "eval", "__import__('machine').unique_id()") == f"{board.unique_id!r}\n"


@needs_ctrl_c
def test_ctrl_c_in_mpremote_stops_the_board_and_leaves_it_usable(board):
    command = [sys.executable, "-m", "mpremote", "connect", board.port, "exec", "print('begun')\nwhile True: pass"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as host:
        try:
            assert host.stdout.readline() == b"begun\n"
            host.send_signal(signal.SIGINT)
            assert host.wait(20) == 1
        finally:
            host.kill()
    assert mpremote(board.port, "resume", "exec", "print('still here')") == "still here\n"


@needs_ctrl_c
def test_power_on_runs_boot_and_main_and_ctrl_c_stops_them(board, tmp_path):
    (tmp_path / "boot.py").write_text("booted = 1")
    (tmp_path / "main.py").write_text("mained = 1\nopen('reached', 'w').close()\nwhile True: pass")
    board.power_off()
    (tmp_path / "reached").unlink(missing_ok=True)  # by the start before, where that was slow
    board.power_on()
    wait_for(tmp_path / "reached")  # Ctrl-C any earlier would stop boot.py, as on every board
    with repl_board(board.port) as driver:
        assert driver.tell("print((booted, mained))") == (1, 1)
        driver.soft_reset()
        assert driver.tell("print((booted, 'mained' in globals()))") == (1, False)


def test_a_board_without_power_says_nothing(board, monkeypatch):
    monkeypatch.setattr("strapline_hil.repl_board.PATIENCE_S", 0.3)
    board.power_off()
    with pytest.raises(BoardError, match="no answer within"), repl_board(board.port):
        pass


def test_unplugged_it_goes_on_and_is_found_again(board):
    with repl_board(board.port) as driver:
        driver.run("kept = 5", 5.0)
        board.unplug()
        with pytest.raises(BoardError, match="the board has gone"):
            driver.run("print(1)", 5.0)
    with repl_board(board.plug()) as driver:
        assert driver.tell("print(kept)") == 5


@needs_ctrl_c
def test_what_nobody_reads_keeps_neither_orders_nor_ctrl_c_waiting(board):
    with repl_board(board.port) as driver:
        driver.begin("while True: print('x' * 1000)")
    with repl_board(board.port) as driver:
        assert driver.run("print('here')", 5.0).endswith("here")
        driver.begin("while True: print('x' * 1000)")
    board.power_off()
    board.power_on()
    with repl_board(board.port) as driver:
        assert driver.run("print('here')", 5.0).endswith("here")


def test_two_boards_have_two_ids_and_a_folder_keeps_its_own(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
    with PtyBoard(tmp_path / "a") as first, PtyBoard(tmp_path / "b") as second, PtyBoard(tmp_path / "a") as again:
        assert first.unique_id == again.unique_id != second.unique_id


def test_its_end_is_its_interpreters_end(tmp_path):
    with PtyBoard(tmp_path) as board:
        with repl_board(board.port) as driver:
            driver.begin("import micropython\nmicropython.kbd_intr(-1)\nwhile True: pass")
        process = board._process._process
    assert process.returncode is not None
    board.close()  # twice is once


def test_the_command_prints_the_port_and_serves_until_ctrl_c(tmp_path):
    command = [sys.executable, "-c", COMMAND, "hil", "board", "--folder", str(tmp_path), "--unique-id", "0badcafe"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as served:
        try:
            port = served.stdout.readline().strip()
            held = os.open(port, os.O_RDWR | os.O_NOCTTY)  # so that no other board gets this name
            with repl_board(port) as driver:
                assert ask_identity(driver).unique_id == "0badcafe"
            served.send_signal(signal.SIGINT)
            assert served.wait(20) == 0
        finally:
            served.kill()
        assert served.stderr.read().startswith("id 0badcafe, its flash is ")
    with pytest.raises(BoardError, match="no such port"), repl_board(port):
        pass
    os.close(held)


@needs_ctrl_c
def test_killed_the_command_leaves_no_interpreter_behind(tmp_path):
    command = [sys.executable, "-c", COMMAND, "hil", "board", "--folder", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as served:
        try:
            with repl_board(served.stdout.readline().strip()) as driver:
                driver.run("held = open('held', 'w')", 5.0)  # by the interpreter, for as long as it lives
                driver.begin("import micropython\nmicropython.kbd_intr(-1)\nwhile True: pass")
                assert holders(tmp_path / "held")
                served.kill()
        finally:
            served.kill()
    deadline = time.monotonic() + 20
    while holders(tmp_path / "held"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def holders(file):
    found = []
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if descriptor.readlink() == file:
                found.append(descriptor)
    return found
