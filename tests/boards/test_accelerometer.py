"""The LIS3DH and its driver: samples in order, rest without traffic, and no allocation on the way."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from board_bench import Bus, Desk
from strapline_boards.lis3dh import Accelerometer
from strapline_simulator.board.chips.lis3dh import STILL, WHO_AM_I, Lis3dh

_DIGIT_MG = 4


@pytest.fixture
def desk():
    return _desk()


def _desk():
    desk = Desk()
    desk.chip = desk.circuit.bus[0x18] = Lis3dh(desk.circuit)
    desk.bus = Bus(desk.circuit)
    desk.accelerometer = Accelerometer(desk.bus, 0x18, desk.chip.moved)
    desk.accelerometer.start()
    desk.samples = array("h", bytes(2 * 3 * 32))
    return desk


def _read(desk):
    count = desk.accelerometer.read(desk.samples)
    flat = desk.samples[: 3 * count].tolist()
    return list(zip(flat[::3], flat[1::3], flat[2::3], strict=True))


def test_a_second_of_motion_comes_in_order(desk):
    desk.run(1000)
    _read(desk)
    moved = [(100 * i - 1200, -8000 + 40 * i, 4) for i in range(25)]
    desk.chip.play(25, moved)
    desk.run(1000)
    assert [sample for sample in _read(desk) if sample != STILL] == moved[1:]


@given(st.lists(st.tuples(*[st.integers(-8000, 7900)] * 3), min_size=2, max_size=25))
def test_what_moves_comes_through_to_the_digit(moved):
    desk = _desk()
    desk.run(2000)
    _read(desk)
    desk.chip.play(25, [*moved, (5000, 5000, -5000)])
    desk.run(40 * len(moved) + 40)
    came = _read(desk)
    at = [sample for sample in came if sample != STILL]
    for axis in range(3):
        for sent, got in zip(reversed([*moved, (5000, 5000, -5000)][1:]), reversed(at), strict=False):
            assert abs(sent[axis] - got[axis]) <= _DIGIT_MG // 2 + 1


def test_at_rest_nothing_goes_over_the_bus(desk):
    desk.run(10_000)
    _read(desk)
    before = desk.bus.transfers
    for _ in range(100):
        desk.run(1000)
        assert _read(desk) == []
    assert desk.bus.transfers == before


def test_the_first_shake_after_a_long_rest_is_seen_within_a_sample(desk):
    desk.run(3_600_000)
    _read(desk)
    desk.chip.play(25, [(300, 0, 1000)] * 3)
    desk.run(80)
    assert (300, 0, 1000) in _read(desk)


def test_a_full_fifo_gives_the_newest_thirty_two(desk):
    desk.run(1000)
    _read(desk)
    moved = [(200 * (i % 7), 40 * i, 0) for i in range(100)]
    desk.chip.play(25, moved)
    desk.run(4000)
    assert _read(desk) == [*moved[-31:], STILL]


def test_what_is_beyond_the_scale_stops_at_its_end(desk):
    desk.run(1000)
    _read(desk)
    desk.chip.play(25, [(0, 0, 0), (20_000, -20_000, 1000)])
    desk.run(80)
    assert (2047 * _DIGIT_MG, -2048 * _DIGIT_MG, 1000) in _read(desk)


def test_another_chip_at_its_address_is_refused(desk):
    desk.chip._registers[WHO_AM_I] = 0x44
    with pytest.raises(OSError, match="19"):
        desk.accelerometer.start()


def test_a_silent_chip_is_an_oserror(desk):
    desk.run(1000)
    desk.chip.play(25, [(3000, 0, 0)] * 25)
    desk.run(200)
    assert desk.chip.moved()
    desk.chip.present = False
    with pytest.raises(OSError, match="19"):
        desk.accelerometer.read(desk.samples)
