"""A strap loop of any resistance, made of a bench board's relays and measured by its ADC."""

import math

import pytest

from strapline_hil.instruments.bench_board import BenchBoard
from strapline_hil.instruments.bench_wiring import PICO
from strapline_hil.instruments.fakes.bench_board import FakeBenchBoard
from strapline_hil.instruments.resistor_ladder import ResistorLadder
from strapline_hil.instruments.strap import StrapDecade
from strapline_hil.verdict import RigError

pytestmark = pytest.mark.usefixtures("no_leaked_threads")

STEPS = {2: 100, 3: 220, 4: 470, 5: 1000, 6: 2200}


@pytest.fixture
def bench():
    def ohm():
        return None if fake.relay(1) else 100 + sum(step for channel, step in STEPS.items() if fake.relay(channel))

    with FakeBenchBoard(ohm={"strap": ohm}) as fake:
        board = BenchBoard(fake.port, PICO)
        ladder = ResistorLadder(board, STEPS, base_ohm=100)
        ladder(1000)
        strap = StrapDecade(board, ladder, sense=lambda: board.ohm("strap"), settle_s=0.0)
        yield fake, board, strap
        strap.close()
        board.close()


@pytest.mark.parametrize("ohm", [100, 330, 1000, 1800, 2500, 4000])
def test_any_resistance_is_made_and_measured(bench, ohm):
    _fake, board, strap = bench
    strap.set_ohm(ohm)
    assert board.ohm("strap") == pytest.approx(ohm, rel=0.11)
    assert strap.check() == []


def test_cut_and_mended_it_has_the_resistance_of_before(bench):
    _fake, board, strap = bench
    strap.set_ohm(2500)
    before = board.ohm("strap")
    strap.cut()
    assert board.ohm("strap") == math.inf
    strap.mend()
    assert board.ohm("strap") == before


def test_what_it_cannot_make_is_told_with_what_it_can(bench):
    with pytest.raises(RigError, match=r"cannot make 9000 Ω \(from 100 to 4090 Ω\)"):
        bench[2].set_ohm(9000)


def test_a_wire_that_is_off_is_found_by_the_measurement(bench):
    fake, _board, strap = bench
    fake._ohm["strap"] = lambda: None
    with pytest.raises(RigError, match="the loop measures open"):
        strap.set_ohm(330)


def test_a_stuck_relay_is_found(bench):
    fake, _board, strap = bench
    fake.faults.add("stuck")
    with pytest.raises(RigError, match="relay 1 was switched on and its pin is off"):
        strap.cut()
