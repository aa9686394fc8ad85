"""The raw REPL's driver: what is run and collected, what hangs, how a board begins anew, and each kind of line."""

import os
import select
import socket
import threading
from contextlib import contextmanager

import pytest
import serial
from serial.rfc2217 import PortManager

from pty_board import PtyBoard, needs_ctrl_c
from strapline_hil import repl_board as module
from strapline_hil.board_files import BoardError
from strapline_hil.repl_board import ScriptError, repl_board
from strapline_hil.verdict import SurroundingsError, Verdict


@pytest.fixture
def served(tmp_path):
    with PtyBoard(tmp_path) as board:
        yield board


@pytest.fixture
def driver(served):
    with repl_board(served.port) as board:
        yield board


def test_a_script_is_heard_while_it_runs(driver):
    heard = []
    assert driver.run("print('one')\nprint('two')", 5.0, heard.append) == "one\ntwo"
    assert b"".join(heard) == b"one\ntwo\n"


def test_an_error_of_a_script_is_told_with_what_it_had_said(driver):
    with pytest.raises(ScriptError, match="ended with ZeroDivisionError: divide by zero") as ended:
        driver.run("print('before')\n1 // 0", 5.0)
    assert ended.value.output == "before"
    assert "line 2" in ended.value.traceback
    assert driver.run("print(1)", 5.0) == "1"


@needs_ctrl_c
def test_a_script_that_does_not_end_is_interrupted_and_the_board_goes_on(driver, served):
    with pytest.raises(ScriptError, match="did not end within") as ended:
        driver.run("print('begun')\nwhile True: pass", 1.0)
    assert ended.value.output == "begun"
    assert (driver.run("print(2)", 5.0), served.starts) == ("2", 1)


@needs_ctrl_c
def test_a_script_that_swallows_the_first_ctrl_c_is_interrupted_too(driver):
    stubborn = "import time\ntry:\n while True: pass\nexcept KeyboardInterrupt:\n while True: time.sleep(0.01)"
    with pytest.raises(ScriptError, match="was interrupted"):
        driver.run(stubborn, 0.5)
    assert driver.run("print(3)", 5.0) == "3"


def test_what_hears_no_ctrl_c_is_told_as_one_that_only_its_power_frees(driver, served, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_S", 0.6)
    with pytest.raises(BoardError, match="the board hangs; switch its power off and on") as hangs:
        driver.run("import micropython\nmicropython.kbd_intr(-1)\nwhile True: pass", 1.0)
    assert hangs.value.verdict is Verdict.RIG
    served.power_off()
    served.power_on()
    monkeypatch.undo()
    driver.enter()
    assert driver.run("print(4)", 5.0) == "4"


def test_a_soft_reset_empties_the_heap_and_runs_no_main(driver, served, tmp_path):
    (tmp_path / "main.py").write_text("open('ran', 'w').close()")
    driver.run("kept = 1", 5.0)
    driver.soft_reset()
    assert driver.tell("print('kept' in globals())") is False
    assert (served.starts, (tmp_path / "ran").exists()) == (2, False)


@needs_ctrl_c
def test_a_hard_reset_runs_main_and_comes_back(driver, served, tmp_path):
    (tmp_path / "main.py").write_text("open('ran', 'w').close()\nwhile True: pass")
    driver.run("kept = 1", 5.0)
    driver.hard_reset()
    assert driver.tell("print('kept' in globals())") is False
    assert (served.starts, (tmp_path / "ran").exists()) == (2, True)


def test_a_reset_that_begins_nothing_anew_is_told(driver):
    driver.run("import sys\nclass machine:\n reset = lambda: None\nsys.modules['machine'] = machine", 5.0)
    with pytest.raises(BoardError, match=r"machine.reset\(\) does not reset this board"):
        driver.hard_reset()


def test_a_port_without_dtr_says_which_reset_there_is(driver):
    with pytest.raises(BoardError, match=r"no DTR and RTS; reset the board by machine.reset\(\)"):
        driver.pulse_reset()


def test_a_file_of_many_portions_may_take_longer_than_one_request(driver, tmp_path, monkeypatch):
    served_by = [1000.0]

    def slow_clock():
        served_by[0] += 0.002
        return served_by[0]

    monkeypatch.setattr("strapline_hil.board_line.monotonic", slow_clock)
    data = os.urandom(60_000)
    began = served_by[0]
    driver.write("large", data)
    assert served_by[0] - began > module.PATIENCE_S
    assert (tmp_path / "large").read_bytes() == data


# Lines.


class Plain:
    """A TCP port that carries bytes alone."""

    def __init__(self, board, caller):
        self.filter = self.escape = lambda data: [data]


class WithLines:
    """RFC 2217: DTR and RTS too, which reset the board as an ESP32's circuit does."""

    def __init__(self, board, caller):
        self._board = board
        self.write = caller.sendall  # what the manager says by itself
        self._lines = serial.serial_for_url("loop://")
        self._manager = PortManager(self._lines, self)
        self.escape = self._manager.escape

    def filter(self, data):
        parts = list(self._manager.filter(data))
        (self._board.power_off if self._lines.rts and not self._lines.dtr else self._board.power_on)()
        return parts


@contextmanager
def over_tcp(board, kind=Plain):
    """A terminal server: the board's port as a TCP port, for one caller."""
    line = os.open(board.port, os.O_RDWR | os.O_NOCTTY)
    server = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def carry():
        caller, _ = server.accept()
        with caller:
            between = kind(board, caller)
            while not over.is_set():
                for end in select.select([caller, line], [], [], 0.02)[0]:
                    data = caller.recv(4096) if end is caller else os.read(line, 4096)
                    if not data:
                        return
                    if end is line:
                        caller.sendall(b"".join(between.escape(data)))
                    else:
                        os.write(line, b"".join(between.filter(data)))

    thread = threading.Thread(target=carry)
    thread.start()
    try:
        yield f"{'socket' if kind is Plain else 'rfc2217'}://127.0.0.1:{server.getsockname()[1]}"
    finally:
        over.set()
        thread.join()
        server.close()
        os.close(line)


@pytest.mark.filterwarnings("ignore:set.* is deprecated:DeprecationWarning")  # pyserial's own
def test_dtr_and_rts_reset_a_board_that_has_them(served, tmp_path):
    (tmp_path / "main.py").write_text("open('ran', 'w').close()")
    with over_tcp(served, WithLines) as url, repl_board(url) as board:
        board.run("kept = 1", 5.0)
        board.pulse_reset()
        assert board.tell("print('kept' in globals())") is False
    assert (served.starts, (tmp_path / "ran").exists()) == (2, True)


def test_a_board_behind_a_tcp_port_is_a_board(served, tmp_path):
    with over_tcp(served) as url, repl_board(url) as board:
        board.write("file", b"\x00\x01\x02\x03\x04" * 100)
        assert board.run("print('over tcp')", 5.0) == "over tcp"
        board.soft_reset()
        assert board.run("print('again')", 5.0) == "again"
    assert (tmp_path / "file").read_bytes() == b"\x00\x01\x02\x03\x04" * 100
    assert served.starts == 2


def test_a_tcp_port_that_closes_in_the_middle_is_told(served):
    with over_tcp(served) as url:
        board = repl_board(url)
        files = board.__enter__()
        files.run("print(1)", 5.0)
    with pytest.raises(BoardError, match="the board has gone"):
        files.run("print(2)", 5.0)
    board.__exit__(None, None, None)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.parametrize(
    ("url", "mend"),
    [
        ("socket://127.0.0.1:FREE", "nobody answers there"),
        ("socket://nonsense", "write socket://HOST:PORT"),
        ("rfc2217://127.0.0.1:99999", "write socket://HOST:PORT"),
        ("telnet://127.0.0.1:1", "write socket://HOST:PORT"),
    ],
)
def test_a_url_that_leads_nowhere_is_told_in_one_line(url, mend):
    url = url.replace("FREE", str(free_port()))
    with pytest.raises(BoardError, match=mend) as refused, repl_board(url):
        pass
    assert "\n" not in str(refused.value)
    assert refused.value.place == url


def test_a_port_that_another_program_has_is_the_surroundings_fault(driver, served):
    with pytest.raises(SurroundingsError) as refused, repl_board(served.port):
        pass
    assert refused.value.verdict is Verdict.ENVIRONMENT
