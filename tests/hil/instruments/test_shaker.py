"""Shaker and motor: what reaches the tag is what was given, sample by sample."""

import struct
import threading

import pytest

from strapline_hil.instruments.bench_board import BenchBoard
from strapline_hil.instruments.bench_wiring import PICO
from strapline_hil.instruments.fakes.bench_board import FakeBenchBoard
from strapline_hil.instruments.shaker import Shaker, VibrationMotor
from strapline_hil.verdict import RigError

pytestmark = pytest.mark.usefixtures("no_leaked_threads")

REST = 32768


def duty(milli_g):
    return REST + max(-4000, min(milli_g, 4000)) * 32767 // 4000


@pytest.fixture
def played():
    return []


@pytest.fixture
def board(played):
    with FakeBenchBoard(on_motion=lambda *values: played.append(values), on_motor=played.append) as fake:
        made = BenchBoard(fake.port, PICO)
        yield made
        made.close()


@pytest.mark.parametrize("count", [1, 200, 201, 5000])
def test_all_samples_have_arrived_when_it_returns(board, played, count):
    vectors = struct.pack(f">{count * 3}h", *(value % 8001 - 4000 for value in range(count * 3)))
    Shaker(board).play(25, vectors)
    assert played == [(25, vectors)]


def test_what_comes_next_takes_the_place_of_what_plays(board, played):
    shaker = Shaker(board)
    shaker.play(25, bytes(6))
    shaker.play(50, bytes(12))
    shaker.still()
    shaker.close()
    assert played == [(25, bytes(6)), (0, b""), (50, bytes(12)), (0, b"")]
    assert shaker.check() == []


def test_more_than_the_board_holds_is_refused_before_anything_moves(board, played):
    with pytest.raises(RigError, match=r"100000 samples do not fit, \d+ do"):
        Shaker(board).play(25, bytes(600_000))
    assert played == []


@pytest.mark.parametrize(("rate_hz", "vectors"), [(0, bytes(6)), (256, bytes(6)), (25, bytes(5))])
def test_what_is_no_motion_is_the_callers_mistake(board, rate_hz, vectors):
    with pytest.raises(ValueError, match="whole vectors"):
        Shaker(board).play(rate_hz, vectors)


def test_a_board_without_a_converter_plays_by_pwm_and_then_rests():
    duties, rests = {0: [], 1: [], 2: []}, threading.Event()

    def note(axis, value):
        duties[axis].append(value)
        if axis == 2 and len(duties[2]) == 6:
            rests.set()

    vectors = [(0, 1000, -1000), (4000, -4000, 1), (5000, -32768, 32767), (-1, 0, 250)]
    with FakeBenchBoard(on_axis=note, has_pwm_shaker=True) as fake:
        board = BenchBoard(fake.port, PICO)
        Shaker(board).play(200, b"".join(struct.pack(">3h", *vector) for vector in vectors))
        assert rests.wait(10)
        assert board.samples_left() == 0
        board.close()
    for axis in range(3):
        wanted = [duty(vector[axis]) for vector in vectors]
        assert [value for value in duties[axis] if value != REST] == [value for value in wanted if value != REST]
        assert duties[axis][-1] == REST


def test_a_motor_is_on_or_off_and_plays_nothing(board, played):
    motor = VibrationMotor(board)
    motor.on()
    motor.still()
    motor.on()
    motor.close()
    assert played == [True, False, True, False]
    with pytest.raises(RigError, match="plays no samples; put a shaker into the rig"):
        motor.play(25, bytes(6))
    assert motor.check() == []
