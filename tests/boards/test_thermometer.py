"""The MAX30205 and its driver: one conversion when asked, and what its numbers mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from board_bench import Bus, Desk
from strapline_boards import max30205
from strapline_simulator.board.chips.max30205 import CONVERSION_MS, Max30205

_SHUTDOWN = 1


@pytest.fixture
def desk():
    desk = Desk()
    desk.chip = desk.circuit.bus[0x48] = Max30205(desk.circuit, 3333)
    desk.i2c = Bus(desk.circuit)
    return desk


def test_a_conversion_takes_its_time(desk):
    max30205.start(desk.i2c, 0x48)
    desk.run(CONVERSION_MS - 1)
    early = max30205.read(desk.i2c, 0x48)
    desk.run(1)
    assert (early, max30205.read(desk.i2c, 0x48)) == (0, 3333)


def test_it_rests_after_one_conversion(desk):
    max30205.start(desk.i2c, 0x48)
    desk.run(60_000)
    desk.chip.centi_c = 2000
    desk.run(60_000)
    assert desk.chip.conversions == 1
    assert max30205.read(desk.i2c, 0x48) == 3333
    assert desk.chip.transfer(b"\x01", 1)[0] & _SHUTDOWN


def test_the_next_conversion_sees_the_new_temperature(desk):
    max30205.start(desk.i2c, 0x48)
    desk.run(50)
    desk.chip.centi_c = -1234
    max30205.start(desk.i2c, 0x48)
    desk.run(50)
    assert max30205.read(desk.i2c, 0x48) == -1234


@given(st.integers(-4000, 12500))
def test_every_hundredth_of_a_degree_comes_through(centi_c):
    desk = Desk()
    desk.circuit.bus[0x49] = Max30205(desk.circuit, centi_c)
    i2c = Bus(desk.circuit)
    max30205.start(i2c, 0x49)
    desk.run(50)
    assert max30205.read(i2c, 0x49) == centi_c


@pytest.mark.parametrize(
    "raw, centi_c", [(b"\x25\x00", 3700), (b"\xff\xff", 0), (b"\xff\x00", -100), (b"\x7f\xff", 12800)]
)
def test_registers_of_the_data_sheet(raw, centi_c):
    class Chip:
        def transfer(self, data, size):
            return raw

    desk = Desk()
    desk.circuit.bus[0x48] = Chip()
    assert max30205.read(Bus(desk.circuit), 0x48) == centi_c


def test_a_silent_chip_is_an_oserror(desk):
    desk.chip.present = False
    with pytest.raises(OSError, match="19"):
        max30205.start(desk.i2c, 0x48)
    with pytest.raises(OSError, match="19"):
        max30205.read(desk.i2c, 0x48)
