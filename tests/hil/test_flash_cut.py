"""Flashing, cut off at random points: `kill -9` of the host, a cable taken out, a board without power. The next one succeeds."""

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pty_board import PtyBoard
from strapline_hil import repl_board
from strapline_hil.board_files import BoardError
from strapline_hil.board_kinds import Wanted
from strapline_hil.flashing import APP_FILE, START_FILE, flash_board
from strapline_simulator.firmware import image, sources
from strapline_simulator.firmware.bundle import make_bundle
from strapline_tag import storage

IS_LONG = os.environ.get("STRAPLINE_LONG") == "1"
CUTS = 100 if IS_LONG else 10
"""`STRAPLINE_LONG=1`: a hundred, with the product in place of some bytes."""

LAUNCHER = "import strapline_app\nstrapline_app.run()\n"
SECRET = bytes(range(16))
OLD_PROGRAM, OLD_START = b"the program before", b"the start before"


class CutBoard(PtyBoard):
    """At byte number `cut_at` from the host `cut` happens, and what the host says after that is not heard."""

    def __init__(self, folder):
        self.count, self.cut_at, self.cut = 0, None, None
        self.is_cut = threading.Event()
        super().__init__(folder)

    def arm(self, cut_at, cut):
        self.count, self.cut, self.cut_at = 0, cut, cut_at

    def disarm(self):
        self.cut_at = None
        self.is_cut.clear()

    def _receive(self, data):
        if self.is_cut.is_set():
            return
        left = len(data) if self.cut_at is None else self.cut_at - self.count
        self.count += len(data)
        super()._receive(data[:left])
        if left < len(data):
            self.is_cut.set()
            getattr(self, f"_cut_{self.cut}")()

    def _cut_host(self):
        """The test kills it."""

    def _cut_cable(self):
        self._unplug()

    def _cut_power(self):
        self._stop()
        self._start()


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A file with what is flashed."""
    path = tmp_path_factory.mktemp("program") / "image.mpy"
    if IS_LONG:
        texts = sources.firmware_sources()
        root = sources.find_root(texts, "pico-w", None)
        path.write_bytes(image.compile_bundle(make_bundle(texts, root, image.name_of(root))))
    else:
        path.write_bytes(random.Random(1).randbytes(3_000))
    return path


@pytest.fixture(scope="module")
def said(program, tmp_path_factory):
    """How many bytes the host says in a whole flashing."""
    with CutBoard(tmp_path_factory.mktemp("whole")) as board:
        flash_board(board.port, Wanted("virtual-board"), program.read_bytes(), LAUNCHER)
        return board.count


def flash_until_cut(board, program, monkeypatch):
    with monkeypatch.context() as hasty:
        hasty.setattr(repl_board, "PATIENCE_S", 3.0)
        with pytest.raises(BoardError) as refused:
            flash_board(board.port, Wanted("virtual-board"), program.read_bytes(), LAUNCHER)
    assert "\n" not in str(refused.value)


def flash_until_killed(board, program, _monkeypatch):
    with subprocess.Popen(flashing(board.port, program)) as host:
        try:
            assert board.is_cut.wait(300)
        finally:
            host.kill()
    assert host.returncode == -signal.SIGKILL


def flashing(port, program):
    """The command itself builds the product first, which takes seconds."""
    if IS_LONG:
        strapline = "from strapline_protocol.command import main; main()"
        return [sys.executable, "-c", strapline, "firmware", "flash", "--port", port, "--board", "virtual-board"]
    script = Path(__file__).with_name("flash_in_a_process.py")
    return [sys.executable, script, port, program, LAUNCHER]


@pytest.mark.parametrize("seed", range(CUTS))
def test_the_next_flashing_succeeds(seed, program, said, tmp_path, monkeypatch):
    (tmp_path / storage.SECRET).write_bytes(SECRET)
    (tmp_path / APP_FILE).write_bytes(OLD_PROGRAM)
    (tmp_path / START_FILE).write_bytes(OLD_START)
    drawn = random.Random(seed)
    what = ("cable", "power", "cable", "host", "power")[seed % 5]
    with CutBoard(tmp_path) as board:
        board.arm(drawn.randrange(1, said), what)
        (flash_until_killed if what == "host" else flash_until_cut)(board, program, monkeypatch)
        assert board.is_cut.is_set()
        nothing_is_lost(tmp_path, program)
        board.disarm()
        flash_board(board.plug(), Wanted("virtual-board"), program.read_bytes(), LAUNCHER)
    assert (tmp_path / APP_FILE).read_bytes() == program.read_bytes()
    assert (tmp_path / START_FILE).read_text() == LAUNCHER
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([START_FILE, APP_FILE, storage.SECRET])


def nothing_is_lost(folder, program):
    """Each file is the old one, or the new one, or none: never a half."""
    assert (folder / storage.SECRET).read_bytes() == SECRET
    for name, contents in (
        (APP_FILE, {OLD_PROGRAM, program.read_bytes()}),
        (START_FILE, {OLD_START, LAUNCHER.encode()}),
    ):
        if (folder / name).exists():
            assert (folder / name).read_bytes() in contents
