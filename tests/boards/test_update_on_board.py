"""The boot program before the product build on the virtual board: what is not signed never runs, and a new image that fails goes back."""

import json
import struct

import pytest

from real_micropython import interpreter
from strapline_boot.files import IMAGE, Files
from strapline_boot.slots import Slots
from strapline_simulator.board.body import ROOT, VirtualBoard, compile_product
from strapline_simulator.board.process import HARD_RESET
from strapline_simulator.firmware import APP, firmware_sources
from strapline_simulator.firmware.bundle import make_bundle
from strapline_simulator.firmware.image import compile_bundle
from strapline_simulator.quick_key import QuickKey
from strapline_tag import bench, outputs
from update_bench import signed

BOARD, CAPACITY = "pico-w", 65536
KEY = QuickKey("board")
_BOOT_PY = f"import strapline_boot\nstrapline_boot.slots = strapline_boot.boot(b'{BOARD}', {CAPACITY}, '')\n"
_MAIN_PY = "import strapline_boot\nif strapline_boot.slots:\n    import strapline_app\n    strapline_app.run()\n"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """(the folder of the stand-ins, the product, the boot program)"""
    interpreter()
    folder = tmp_path_factory.mktemp("program")
    compile_product(folder)
    product = (folder / f"{APP}.mpy").read_bytes()
    for name in (f"{APP}.mpy", "main.py"):
        (folder / name).unlink()  # only what lies in a slot may run
    texts = firmware_sources()
    boot = compile_bundle(make_bundle(texts, "strapline_boot.boot", "strapline_boot"))
    assert ROOT in texts
    return folder, product, boot


@pytest.fixture
def board(program, monkeypatch):
    folder, product, boot = program
    board = VirtualBoard(folder)
    for name, content in (
        ("boot.py", _BOOT_PY.encode()),
        ("main.py", _MAIN_PY.encode()),
        ("strapline_boot.mpy", boot),
        ("strapline_update_keys", KEY.public),
    ):
        (board.flash / name).write_bytes(content)
    monkeypatch.chdir(board.flash)
    _install(0, signed(KEY, product, 5, board=BOARD))
    yield board
    board.close()


def _install(slot, stream):
    store = Files("", CAPACITY)
    for at in range(0, len(stream), 256):
        store.write(slot, at, stream[at : at + 256])


def _slots():
    """The record as it lies on the flash, after a start of our own."""
    store = Files("", CAPACITY)
    slots = Slots(store, [KEY.public], BOARD.encode())
    slots.start()
    store._close()
    return slots


def _ask(board, code, now_ms, content=b""):
    return board.request(struct.pack(">BQ", code, now_ms) + content)


def _heartbeats_until(board, until_ms):
    count = 0
    while True:
        *answers, done = _ask(board, bench.ADVANCE, until_ms)
        count += sum(answer[9] == outputs.ADVERTISE for answer in answers)
        if not answers and struct.unpack_from(">Q", done, 1)[0] >= until_ms:
            return count


def _boot(board, **config):
    given = {"secret": bytes(range(16)).hex(), "seed": bytes(16).hex(), "config": config}
    _ask(board, bench.BOOT, 0, json.dumps(given).encode())


def test_a_signed_image_runs(board):
    _boot(board)
    assert _heartbeats_until(board, 30_000) > 3


@pytest.mark.parametrize("where", [f"slot0/{IMAGE}", "slot0/head"])
def test_one_flipped_bit_and_nothing_runs(board, where):
    file = board.flash / where
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    _boot(board)
    assert _heartbeats_until(board, 30_000) == 0
    assert board._running().ended


def test_a_new_image_that_nobody_answers_goes_back_to_the_old_one(board, program):
    _, product, _ = program
    _install(1, signed(KEY, product, 6, board=BOARD))
    _slots().ready()
    _boot(board, update_confirm_s=60)
    assert _heartbeats_until(board, 50_000) > 3
    assert board.resets == []
    assert _heartbeats_until(board, 120_000) > 3
    assert board.resets == [HARD_RESET]
    after = _slots()
    assert (after.running, after.sequence, after.trial) == (0, 5, False)
