"""The MAX17048 and its driver."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from board_bench import Bus, Desk
from strapline_boards import max17048
from strapline_simulator.board.chips.max17048 import Max17048


@given(st.integers(2500, 4400), st.integers(0, 100))
def test_millivolt_and_percent_come_through(milli_v, percent):
    desk = Desk()
    desk.circuit.bus[0x36] = chip = Max17048()
    chip.milli_v, chip.percent = milli_v, percent
    assert max17048.read(Bus(desk.circuit), 0x36) == (percent, milli_v)


def test_registers_of_the_data_sheet():
    class Chip:
        def transfer(self, data, size):
            assert (data, size) == (b"\x02", 4)
            return b"\xc0\x00\x63\x80"  # 49,152 × 78.125 µV, 99.5 %

    desk = Desk()
    desk.circuit.bus[0x36] = Chip()
    assert max17048.read(Bus(desk.circuit), 0x36) == (100, 3840)


def test_a_silent_gauge_is_an_oserror():
    with pytest.raises(OSError, match="19"):
        max17048.read(Bus(Desk().circuit), 0x36)
