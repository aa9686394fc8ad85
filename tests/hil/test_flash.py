"""`strapline firmware flash` on real MicroPython behind a pty, and on a folder."""

import pytest

from pty_board import FaultyBoard, PtyBoard
from strapline_hil.board_files import BoardError, Folder
from strapline_hil.board_kinds import KINDS, Wanted, WrongBoardError, check_board
from strapline_hil.boards import Board
from strapline_hil.flashing import APP_FILE, START_FILE, flash, flash_board
from strapline_hil.identity import Identity
from strapline_protocol.command import main
from strapline_simulator.firmware import image


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
        options = ("--port", board.port, "--board", "virtual-board", "--unique-id", board.unique_id.hex(":").upper())
        status, out, err = _strapline(capfd, *options)
        own_id = board.unique_id.hex()
    assert (status, err) == (0, "")
    assert "read back and right" in out
    assert f"id {own_id}" in out
    assert (tmp_path / APP_FILE).read_bytes()[:2] == b"M\x06"  # bytecode of MicroPython 1.23 and later
    assert (tmp_path / START_FILE).read_text().endswith("strapline_app.run()\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == [START_FILE, APP_FILE, "strapline_secret"]


@pytest.fixture
def built(monkeypatch):
    """The build, which takes seconds and is not looked at."""
    monkeypatch.setattr(image, "compile_bundle", lambda _bundle: b"the program")
    monkeypatch.setattr(
        "strapline_simulator.firmware.bundle.make_bundle", lambda *_: type("Built", (), {"launcher": "run()"})
    )


@pytest.fixture
def board(tmp_path):
    """What is written on it would be seen in `said`."""
    with FaultyBoard(tmp_path) as made:
        yield made


def on_usb(monkeypatch, *ports):
    boards = [Board(serial, "2E8A:0005", port, "Pico", True) for serial, port in ports]
    monkeypatch.setattr("strapline_hil.boards.find_boards", lambda: boards)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--board", "pico-w"), "--board pico-w means what calls itself 'Raspberry Pi Pico W with RP2040'"),
        (("--board", "esp32-c3"), "--board esp32-c3 means what calls itself '* with ESP32C3'"),
        (("--board", "virtual-board", "--unique-id", "0badcafe"), "and 0badcafe is meant"),
        (
            ("--board", "virtual-board", "--serial-number", "A1"),
            "no serial number of its own on USB, and 'A1' is meant",
        ),
        (("--board", "virtual-board", "--machine", "My Pico with RP2040"), "calls itself 'My Pico with RP2040'"),
    ],
)
def test_the_wrong_board_is_refused_before_anything_is_written(board, built, tmp_path, capfd, options, why):
    status, out, err = _strapline(capfd, board.port, *options)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert why in err
    assert "nothing was written" in err
    assert list(tmp_path.iterdir()) == []
    assert b"open(" not in board.said


def test_a_serial_number_is_held_against_the_port_that_was_opened(board, built, tmp_path, monkeypatch, capfd):
    on_usb(monkeypatch, ("A1", board.port))
    assert _strapline(capfd, board.port, "--board", "virtual-board", "--serial-number", "B2")[0] == 2
    assert list(tmp_path.iterdir()) == []
    assert _strapline(capfd, "A1", "--board", "virtual-board")[0] == 0
    assert (tmp_path / APP_FILE).read_bytes() == b"the program"


def test_a_board_that_was_exchanged_while_its_port_was_looked_up_is_refused(board, tmp_path, monkeypatch):
    on_usb(monkeypatch, ("A1", board.port))
    real = flash_board.__globals__["open_board"]

    def exchanged(name):
        opened = real(name)
        on_usb(monkeypatch, ("B2", board.port))
        return opened

    monkeypatch.setattr("strapline_hil.flashing.open_board", exchanged)
    with pytest.raises(WrongBoardError, match="has serial number 'B2' on USB, and 'A1' is meant"):
        flash_board("A1", Wanted("virtual-board"), b"program", "run()")
    assert list(tmp_path.iterdir()) == []


PICO = Identity((1, 29, 0), "rp2", "Raspberry Pi Pico W with RP2040", "e6614103e7452d2f", 6, 180_000, (), True)
MACHINES = {
    "pico-w": "Raspberry Pi Pico W with RP2040",
    "esp32-c3": "Generic ESP32C3 module with ESP32C3",
    "nrf52840": "PCA10056 with NRF52840",
    "virtual-board": "linux [GCC 14.2.1] version",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_each_kind_fits_itself_and_no_other(kind, other):
    identity = PICO._replace(machine=MACHINES[other])
    if kind == other:
        check_board("port", identity, Wanted(kind), "")
    else:
        with pytest.raises(WrongBoardError):
            check_board("port", identity, Wanted(kind), "")


@pytest.mark.parametrize(
    "machine", ["Raspberry Pi Pico with RP2040", "Raspberry Pi Pico 2 W with RP2350", "Pico W with RP2040"]
)
def test_a_pico_that_is_no_pico_w_is_refused(machine):
    with pytest.raises(WrongBoardError):
        check_board("port", PICO._replace(machine=machine), Wanted("pico-w"), "")


def test_one_board_is_named_and_a_folder_has_no_identity(tmp_path, built, capfd):
    for words in ((), (f"file:{tmp_path}", "--port", f"file:{tmp_path}")):
        status, _, err = _strapline(capfd, *words, "--board", "pico-w")
        assert (status, "name one board" in err) == (2, True)
    status, _, err = _strapline(capfd, f"file:{tmp_path}", "--board", "pico-w", "--unique-id", "00")
    assert (status, "a folder has no id" in err) == (2, True)
    assert list(tmp_path.iterdir()) == []


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
