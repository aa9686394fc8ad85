"""The MAX30205 and its driver: one conversion when asked, and what its numbers mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from board_bench import Bus, Desk
from strapline_boards.max30205 import Thermometer
from strapline_simulator.board.chips.max30205 import CONVERSION_MS, Max30205

_SHUTDOWN = 1


@pytest.fixture
def desk():
    desk = Desk()
    desk.chip = desk.circuit.bus[0x48] = Max30205(desk.circuit, 3333)
    desk.thermometer = Thermometer(Bus(desk.circuit), 0x48)
    return desk


def test_a_conversion_takes_its_time(desk):
    desk.thermometer.start()
    desk.run(CONVERSION_MS - 1)
    early = desk.thermometer.read()
    desk.run(1)
    assert (early, desk.thermometer.read()) == (0, 3333)


def test_it_rests_after_one_conversion(desk):
    desk.thermometer.start()
    desk.run(60_000)
    desk.chip.centi_c = 2000
    desk.run(60_000)
    assert desk.chip.conversions == 1
    assert desk.thermometer.read() == 3333
    assert desk.chip.transfer(b"\x01", 1)[0] & _SHUTDOWN


def test_the_next_conversion_sees_the_new_temperature(desk):
    desk.thermometer.start()
    desk.run(50)
    desk.chip.centi_c = -1234
    desk.thermometer.start()
    desk.run(50)
    assert desk.thermometer.read() == -1234


@given(st.integers(-4000, 12500))
def test_every_hundredth_of_a_degree_comes_through(centi_c):
    desk = Desk()
    desk.circuit.bus[0x49] = Max30205(desk.circuit, centi_c)
    thermometer = Thermometer(Bus(desk.circuit), 0x49)
    thermometer.start()
    desk.run(50)
    assert thermometer.read() == centi_c


@pytest.mark.parametrize(
    "raw, centi_c", [(b"\x25\x00", 3700), (b"\xff\xff", 0), (b"\xff\x00", -100), (b"\x7f\xff", 12800)]
)
def test_registers_of_the_data_sheet(raw, centi_c):
    class Chip:
        def transfer(self, data, size):
            return raw

    desk = Desk()
    desk.circuit.bus[0x48] = Chip()
    assert Thermometer(Bus(desk.circuit), 0x48).read() == centi_c


def test_a_silent_chip_is_an_oserror(desk):
    desk.chip.present = False
    with pytest.raises(OSError, match="19"):
        desk.thermometer.start()
    with pytest.raises(OSError, match="19"):
        desk.thermometer.read()
