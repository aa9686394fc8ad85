"""`strapline firmware flash` on real MicroPython behind a pty, and on a folder."""

import pytest

from pty_board import PtyBoard
from strapline_hil.board_files import BoardError, Folder
from strapline_hil.flashing import APP_FILE, START_FILE, flash
from strapline_protocol.command import main


def _strapline(capfd, *arguments):
    try:
        main(["firmware", "flash", *arguments])
    except SystemExit as left:
        return (left.code or 0, *capfd.readouterr())
    return (0, *capfd.readouterr())


def test_a_board_gets_its_program_and_keeps_its_secret(tmp_path, capfd):
    (tmp_path / "strapline_secret").write_bytes(bytes(16))
    (tmp_path / APP_FILE).write_bytes(b"an older program")
    with PtyBoard(tmp_path) as board:
        status, out, err = _strapline(capfd, board.port, "--board", "pico-w")
    assert (status, err) == (0, "")
    assert "read back and right" in out
    assert (tmp_path / APP_FILE).read_bytes()[:2] == b"M\x06"  # bytecode of MicroPython 1.23 and later
    assert (tmp_path / START_FILE).read_text().endswith("strapline_app.run()\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == [START_FILE, APP_FILE, "strapline_secret"]


def test_an_unknown_kind_is_refused_before_anything_is_written(tmp_path, capfd):
    status, _, err = _strapline(capfd, f"file:{tmp_path}", "--board", "abacus")
    assert status == 2
    assert "esp32-c3, nrf52840, pico-w" in err
    assert list(tmp_path.iterdir()) == []


class _Worn(Folder):
    def write(self, name, data):
        super().write(name, data[:-1] + bytes([data[-1] ^ 1]))


def test_what_reads_back_otherwise_replaces_nothing(tmp_path):
    (tmp_path / APP_FILE).write_bytes(b"what runs")
    with pytest.raises(BoardError, match="reads back something else"):
        flash(_Worn(f"{tmp_path}"), b"new program", "import strapline_app")
    assert (tmp_path / APP_FILE).read_bytes() == b"what runs"
    assert [path.name for path in tmp_path.iterdir()] == [APP_FILE]
