"""The product build, unmodified, on the virtual board: the same tag as the model, and what becomes of faults, cuts and crashes."""

import json
import struct

import pytest

from real_micropython import interpreter
from strapline_protocol.codes import EventCode
from strapline_simulator.board.body import VirtualBoard, compile_product
from strapline_simulator.board.chips.radio import RefusedError
from strapline_simulator.board.process import HARD_RESET, WDT_RESET
from strapline_simulator.board.wiring import Wiring
from strapline_simulator.bodies import make_body
from strapline_simulator.body_error import BodyError
from strapline_simulator.run_notes import RunNotes
from strapline_simulator.scenario import load_scenario
from strapline_simulator.simulation import Options, run_scenario
from strapline_tag import bench, outputs, storage

SECRET = bytes(range(16))


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    interpreter()
    folder = tmp_path_factory.mktemp("program")
    compile_product(folder)
    return folder


@pytest.fixture
def board(program):
    board = VirtualBoard(program)
    yield board
    board.close()


def _ask(body, code, now_ms, content=b""):
    return body.request(struct.pack(">BQ", code, now_ms) + content)


def _boot(body, **config):
    given = {"secret": SECRET.hex(), "seed": bytes(16).hex(), "config": config}
    return _ask(body, bench.BOOT, 0, json.dumps(given).encode())


def _advance(body, until_ms):
    """Everything that a body says until then: (when, kind, content)."""
    said = []
    while True:
        *answers, done = _ask(body, bench.ADVANCE, until_ms)
        said += [(struct.unpack_from(">Q", answer, 1)[0], answer[9], answer[10:]) for answer in answers]
        if not answers and struct.unpack_from(">Q", done, 1)[0] >= until_ms:
            return said


def _heartbeats(said):
    return [(at, content) for at, kind, content in said if kind == outputs.ADVERTISE]


def test_the_strap_is_cut_on_the_product_build_and_the_centre_knows():
    interpreter()
    runs = [run_scenario(load_scenario("strap-cut"), Options(body=body)) for body in ("virtual-board", "model")]
    reports = [run.report for run in runs]
    assert all(run.passed for run in runs), reports[0].expectations
    assert reports[0].frames_digest == reports[1].frames_digest
    assert reports[0].events == reports[1].events


@pytest.mark.slow
def test_away_from_home_the_modem_brings_what_the_model_brings():
    # The modem takes its own time from a dial to a line, so that the frames are others; what they say is the same.
    interpreter()
    runs = [run_scenario(load_scenario("strap-cut-away"), Options(body=body)) for body in ("virtual-board", "model")]
    reports = [run.report for run in runs]
    assert all(run.passed for run in runs), reports[0].expectations
    said = [[(event.t_s, event.code) for event in report.events] for report in reports]
    assert said[0] == said[1]
    assert reports[0].positions == reports[1].positions


def test_it_beats_as_the_model_does_across_the_wrap_of_ticks(board):
    # The board's ticks wrap 30 s after its start.
    model = make_body("model")
    for body in (board, model):
        _boot(body)
    assert _heartbeats(_advance(board, 90_000)) == _heartbeats(_advance(model, 90_000))


def test_a_power_cut_leaves_its_memory(board):
    _boot(board)
    first = _advance(board, 20_000)
    _boot(board)
    second = _advance(board, 20_000)
    held = json.loads((board.flash / storage.MEMORY).read_text())
    assert held["boot"] == 2
    assert {content for _, content in _heartbeats(first)}.isdisjoint(content for _, content in _heartbeats(second))


@pytest.mark.parametrize("bits", [2, 4, 8, 16, 2 | 4 | 8 | 16 | 32])
def test_silent_chips_are_no_crash(board, bits):
    _boot(board)
    _ask(board, bench.SENSOR, 0, struct.pack(">Bi", bench.SENSORS.index("strap_ohm"), 1000))
    board.wiring.sense("faults", bits)
    said = _advance(board, 120_000)
    assert board.resets == []
    assert len(_heartbeats(said)) > 10


@pytest.mark.parametrize("silent, failed", [((), 0), (("skin", "motion", "gnss"), 0b0011010)])
def test_silent_chips_are_told_by_the_check_before_arming(monkeypatch, silent, failed):
    interpreter()
    found, wire, entered = [], Wiring._wire, RunNotes._entered

    def wire_without(self):
        wire(self)
        for name in silent:
            getattr(self, name).present = False

    def noted(self, chain, entry):
        if entry.kind == "event" and entry.fields["code"] == EventCode.CHECKED:
            found.append(entry.fields["detail"])
        entered(self, chain, entry)

    monkeypatch.setattr(Wiring, "_wire", wire_without)
    monkeypatch.setattr(RunNotes, "_entered", noted)
    assert run_scenario(load_scenario("strap-cut"), Options(body="virtual-board")).passed
    assert found == [failed]


def test_without_a_secret_it_is_no_tag_and_says_nothing(board):
    _boot(board)
    (board.flash / storage.SECRET).write_bytes(b"too short")
    board._start(1)
    board.wiring.circuit.outputs.clear()
    assert _heartbeats(_advance(board, 60_000)) == []
    assert board._running().ended
    assert board._running().repl_open  # it waits for its secret


def test_a_product_closes_its_console(board):
    _boot(board)
    assert not board._running().repl_open


def test_a_memory_that_cannot_be_read_is_never_begun_anew(board):
    _boot(board)
    _advance(board, 5000)
    torn = b'{"counter": 40'
    (board.flash / storage.MEMORY).write_bytes(torn)
    with pytest.raises(BodyError, match=r"again and again.*ValueError"):
        _boot(board)
    assert (board.flash / storage.MEMORY).read_bytes() == torn


def test_a_crash_leaves_its_traceback_and_starts_anew(board):
    _boot(board)
    _advance(board, 5000)

    def fails(_size):
        raise RefusedError(5)

    board._running()._entropy = fails
    said = _advance(board, 60_000)
    assert board.resets == [HARD_RESET]
    assert "EIO" in (board.flash / storage.CRASH).read_text()
    assert len(_heartbeats(said)) > 3


def test_a_program_that_hangs_is_reset_by_the_watchdog(board):
    _boot(board)
    _advance(board, 5000)
    board._running().wakes_at = None  # its timers are dead: nothing feeds the dog
    board._go_to(30_000)
    board.wiring.strap_edge(is_open=True)
    board._settle()
    assert board.resets == [WDT_RESET]
    assert len(_heartbeats(_advance(board, 60_000))) > 3


def test_what_the_tag_sends_over_cellular_is_what_the_model_sends(board):
    # Away from home from the start: the modem stands by, and the line stands soon after it is dialled.
    model = make_body("model")
    kinds = []
    for body in (board, model):
        _boot(body, home_silence_s=10)
        kinds.append([kind for _, kind, _ in _advance(body, 30_000) if kind != outputs.GNSS_POWER])
    assert kinds[0] == kinds[1]


def test_a_program_that_does_not_sleep_any_more_is_found(board):
    _boot(board)
    wake = board._processor.wake

    def wake_for_ever():
        wake()
        board._processor.wakes_at = board.wiring.circuit.now

    board._processor.wake = wake_for_ever
    with pytest.raises(BodyError, match="does not sleep any more: 2001 wakes in one millisecond"):
        _advance(board, 60_000)
