"""The strap's loop behind relays: which loop is closed, and that a relay which sticks is not taken for a tag that sleeps."""

import math

import pytest

from instrument_bench import closing
from strapline_hil.instruments.fakes.lcus import FakeLcus
from strapline_hil.instruments.lcus_relay import LcusRelay
from strapline_hil.instruments.strap import StrapDecade, StrapRelay
from strapline_hil.verdict import RigError


class Loop:
    """1000 Ω; 220 Ω across it make 180; 1500 Ω in series make 2500."""

    def __init__(self):
        self.on = {1: False, 2: False, 3: False}
        self.seen_ohm = []

    def change(self, channel, on):
        self.on[channel] = on
        self.seen_ohm.append(round(self.ohm()))

    def ohm(self):
        if self.on[1]:
            return 1e6
        ohm = 1000 + 1500 * self.on[3]
        return ohm * 220 / (ohm + 220) if self.on[2] else ohm


@pytest.fixture
def loop():
    return Loop()


@pytest.fixture
def fake(loop):
    with FakeLcus(loop.change) as fake:
        yield fake


@pytest.fixture
def strap(fake, loop):
    with closing(LcusRelay(fake.port, timeout_s=1.0, settle_s=0.0)) as relays:
        with closing(StrapRelay(relays, sense=loop.ohm, settle_s=0.0)) as strap:
            yield strap
        assert loop.ohm() == 1000, "closed is the state of rest"


def test_each_move_has_happened_when_the_call_returns(strap, loop):
    strap.cut()
    assert (strap.state, strap.ohm, loop.ohm()) == ("open", math.inf, 1e6)
    strap.mend()
    assert (strap.state, strap.ohm, loop.ohm()) == ("closed", 1000, 1000)


@pytest.mark.parametrize(("asked", "state"), [(180, "bypass"), (165, "bypass"), (1090, "closed"), (2400, "lengthen")])
def test_the_loop_that_is_within_a_tenth(strap, loop, asked, state):
    strap.set_ohm(asked)
    assert strap.state == state
    assert abs(loop.ohm() - asked) <= asked / 10


@pytest.mark.parametrize("asked", [480, 0, 9999])
def test_a_loop_that_this_rig_has_not(strap, asked):
    with pytest.raises(RigError, match=r"no loop of .* Ω \(it has 1000 Ω, 180 Ω, 2500 Ω\)"):
        strap.set_ohm(asked)


def test_from_one_loop_to_another_the_tag_sees_no_third_resistor(strap, loop):
    strap.set_ohm(180)
    strap.set_ohm(2500)
    strap.set_ohm(180)
    assert set(loop.seen_ohm) == {180, 1000, 2500}


def test_mended_with_the_resistance_that_it_had(strap, loop):
    strap.set_ohm(180)
    strap.cut()
    strap.mend()
    assert strap.state == "bypass"
    assert round(loop.ohm()) == 180


def test_a_stuck_relay_is_found_by_measuring(strap, fake):
    fake.faults.add("stuck")
    with pytest.raises(RigError, match="told open, and the loop measures 1000 Ω; a relay is stuck"):
        strap.cut()
    assert "a relay is stuck" in strap.check()[0]


def test_trying_out_goes_through_all_and_leaves_it_as_it_was(strap, loop, fake):
    strap.set_ohm(180)
    strap.cut()
    assert strap.try_out() == []
    assert strap.state == "open"
    assert {180, 1000, 2500, 10**6} <= set(loop.seen_ohm)
    fake.faults.add("stuck")
    assert strap.try_out()
    fake.faults.clear()


def test_without_a_measurement_it_says_what_it_cannot_see(fake):
    with closing(LcusRelay(fake.port, timeout_s=1.0, settle_s=0.0)) as relays:
        strap = StrapRelay(relays, channels={"open": 1})
        fake.faults.add("stuck")
        strap.cut()
        assert strap.check() == []
        assert "a stuck relay looks like a tag that does not notice" in strap.blind_spots()[0]


def test_a_rig_that_cannot_open_the_loop_is_refused(fake):
    with closing(LcusRelay(fake.port, timeout_s=1.0, settle_s=0.0)) as relays:
        with pytest.raises(RigError, match="cannot open and close"):
            StrapRelay(relays, channels={"bypass": 2})
        assert "no relay channel 9" in StrapRelay(relays, channels={"open": 9}).check()[0]


def test_a_decade_makes_any_loop(fake):
    ohms = []
    with closing(LcusRelay(fake.port, timeout_s=1.0, settle_s=0.0)) as relays:
        loop = {"sense": lambda: 1e6 if fake.contacts[1] else ohms[-1], "settle_s": 0.0}
        strap = StrapDecade(relays, ohms.append, tries_ohm=(250, 2000), **loop)
        strap.set_ohm(480)
        strap.cut()
        strap.mend()
        assert (strap.state, strap.ohm) == ("closed", 480)
        assert strap.try_out() == []
        strap.close()
    assert ohms == [480, 1000, 250, 2000, 480, 1000]
