"""The bench program on a board behind a serial line: real MicroPython on a pty, and an emulated board that is too small."""

import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from pty_board import PtyBoard
from strapline_hil import serial_body as module
from strapline_hil.board_files import BoardError
from strapline_hil.identity import Identity
from strapline_hil.qemu_body import qemu_body
from strapline_hil.repl_board import repl_board
from strapline_hil.serial_body import SerialBody
from strapline_hil.verdict import Verdict
from strapline_protocol.diagnosis import find_program
from strapline_protocol.errors import UserError
from strapline_simulator.bodies import BODIES
from strapline_simulator.body_error import BodyError
from strapline_simulator.scenario import load_scenario
from strapline_simulator.simulation import Options, run_scenario
from strapline_tag import bench
from strapline_wire import link

MICROBIT = Path("/usr/share/firmware-microbit-micropython/firmware.hex")


@pytest.fixture
def board(tmp_path):
    with PtyBoard(tmp_path) as made:
        yield made


def answers_again(port):
    """Whether the raw REPL is there for whoever comes next."""
    with repl_board(port) as files:
        return files.tell("print(40 + 2)") == 42


def boot(body):
    given = {"secret": "00" * 16, "seed": "11" * 16, "config": {}, "memory": {}}
    return body.request(struct.pack(">BQ", bench.BOOT, 0) + json.dumps(given).encode())


def test_a_board_sends_the_same_frames_as_the_model_and_keeps_its_flash_as_it_was(board, tmp_path, monkeypatch):
    (tmp_path / "main.py").write_text("the product")
    monkeypatch.setitem(BODIES, "board", lambda: SerialBody(board.port))
    scenario = load_scenario("strap-cut")
    said = []
    on_board = run_scenario(scenario, Options(body="board", watch=said.append))
    model = run_scenario(scenario, Options(body="model"))
    assert on_board.passed
    assert on_board.report.frames_digest == model.report.frames_digest
    assert said[0].place == "body"
    assert said[0].text.startswith("MicroPython 1.")
    assert on_board.report.heap.peak_bytes > on_board.report.heap.loaded_bytes > 0
    assert [path.name for path in tmp_path.iterdir()] == ["main.py"]
    assert answers_again(board.port)


@pytest.mark.parametrize("left", [b"", link.encode(b"half a line, and then its host was killed")[:20]])
def test_a_run_that_was_killed_leaves_a_board_that_the_next_one_takes(board, left):
    body = SerialBody(board.port)
    boot(body)
    descriptor = os.open(board.port, os.O_WRONLY | os.O_NOCTTY)
    os.write(descriptor, left)
    os.close(descriptor)
    body._line.close()  # no goodbye
    again = SerialBody(board.port)
    assert boot(again)[-1][0] == bench.DONE
    again.close()


def test_a_run_that_is_interrupted_leaves_a_board_that_answers(board):
    program = "from strapline_protocol.command import main; main()"
    command = [
        sys.executable,
        "-c",
        program,
        "run",
        "a-week",
        "--on",
        f"serial:{board.port}",
        "--air",
        "frames",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        try:
            said = run.stdout.readline()
            while said and b"armed" not in said:
                said = run.stdout.readline()
            run.send_signal(signal.SIGINT)  # it would go on for an hour
            run.stdout.read()
            assert run.wait(20) != 0
        finally:
            run.kill()
    assert b"armed" in said
    assert answers_again(board.port)


def test_a_board_begins_with_an_empty_heap(board):
    body = SerialBody(board.port)
    assert board.starts == 2
    assert boot(body)[-1][0] == bench.DONE
    body.close()
    assert answers_again(board.port)


def test_a_firmware_that_ends_on_the_board_is_told_with_its_last_words(board):
    body = SerialBody(board.port)
    with pytest.raises(BodyError, match=r"the bench program has ended: \w*Error"):
        body.request(struct.pack(">BQ", bench.ADVANCE, 1000))  # before its start
    body.close()
    assert answers_again(board.port)


def test_a_message_that_comes_before_the_program_is_quite_there_does_not_end_it(board, monkeypatch):
    slowly = module.load_script(len(module.compiled_firmware(module.BENCH_SERIAL))).replace(
        "O.write(b'\\5')\n", "O.write(b'\\5')\nimport time\ntime.sleep(0.3)\n"
    )
    assert "time.sleep" in slowly
    monkeypatch.setattr(module, "load_script", lambda _size: slowly)
    body = SerialBody(board.port)
    with pytest.raises(BodyError, match=r"the bench program has ended: \w*Error"):
        body.request(struct.pack(">BQ", bench.ADVANCE, 3))  # before its start; the time holds the byte of Ctrl-C
    body.close()
    assert answers_again(board.port)


def test_a_board_that_goes_is_told(tmp_path):
    with PtyBoard(tmp_path) as board:
        body = SerialBody(board.port)
        boot(body)
    with pytest.raises(BodyError, match="the board has gone") as told:
        body.request(struct.pack(">BQ", bench.ADVANCE, 1000))
    assert told.value.verdict is Verdict.RIG
    body.close()


def test_a_program_that_does_not_fit_is_told_with_what_the_board_says(board, monkeypatch):
    monkeypatch.setattr(module, "compiled_firmware", lambda _root: b"M\x05\x00\x1f" + bytes(600))
    with pytest.raises(BoardError, match=r"cannot load the bench program: \w+"):
        SerialBody(board.port)
    monkeypatch.undo()
    assert answers_again(board.port)


def test_a_board_names_itself():
    pico = Identity((1, 28, 0), "rp2", "Raspberry Pi Pico W with RP2040", "e6614103e7452d2f", 6, 180_000, (), True)
    assert str(pico) == "MicroPython 1.28.0 on Raspberry Pi Pico W with RP2040, id e6614103e7452d2f"
    assert pico.resets_softly


def test_an_emulated_board_that_is_too_old_says_all_that_it_lacks():
    if find_program("qemu-system-arm") is None or not MICROBIT.exists():
        pytest.skip("needs qemu-system-arm and firmware-microbit-micropython")
    with pytest.raises(UserError) as refused:
        qemu_body(str(MICROBIT))
    for word in ("MicroPython 1.9.2 on microbit", ".mpy version 6", "cryptolib, hashlib", "bytes of heap are free"):
        assert word in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_image_that_is_none_is_told_in_one_line(tmp_path):
    if find_program("qemu-system-arm") is None:
        pytest.skip("needs qemu-system-arm")
    image = tmp_path / "image.elf"
    with pytest.raises(UserError, match="there is no file"):
        qemu_body(str(image))
    image.write_bytes(b"no program")
    with pytest.raises(UserError, match="QEMU does not start") as refused:
        qemu_body(f"{image}@no-such-machine")
    assert "\n" not in str(refused.value)
