"""A programmable supply: told, read back, measured."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instrument_bench import closing, real_port
from strapline_hil.instruments import scpi_supply
from strapline_hil.instruments.fakes.scpi import IDENTITY, FakeScpi
from strapline_hil.instruments.scpi_supply import ScpiSupply
from strapline_hil.verdict import RigError

QUICK = {"timeout_s": 1.0, "settle_s": 0.0}


@pytest.fixture
def given_power():
    return []


@pytest.fixture
def fake(given_power):
    with FakeScpi(lambda *power: given_power.append(power), micro_a=lambda: 1234.0) as fake:
        yield fake


@pytest.fixture
def supply(fake):
    with closing(ScpiSupply(fake.port, **QUICK)) as supply:
        yield supply


def test_what_is_set_is_given_before_the_call_returns(supply, given_power):
    supply.set_mv(3700)
    assert given_power == []
    supply.on()
    assert given_power == [(3700, True)]
    assert (supply.measured_mv(), supply.measured_ua()) == (3700, 1234)
    supply.set_mv(3100)
    assert given_power[-1] == (3100, True)
    supply.off()
    assert given_power[-1] == (0, False)


def test_it_is_known_by_name(supply):
    assert supply.identity == IDENTITY


def test_at_the_end_it_gives_nothing(supply, given_power):
    supply.set_mv(3700)
    supply.on()
    supply.close()
    assert given_power[-1] == (0, False)


def test_a_sagging_supply_is_the_rigs_failure(supply, fake):
    supply.set_mv(3700)
    supply.on()
    fake.faults.add("sagging")
    with pytest.raises(RigError, match="supply sagging: told 3000 mV, it gives 2400 mV"):
        supply.set_mv(3000)
    assert "supply sagging" in supply.check()[0]
    fake.faults.clear()
    assert supply.check() == []


def test_an_output_that_does_not_switch(supply, fake):
    supply.set_mv(3700)
    fake.faults.add("stuck")
    with pytest.raises(RigError, match="does not switch on"):
        supply.on()


def test_what_the_instrument_refuses_is_said_in_its_words(supply):
    with pytest.raises(RigError, match=r"refuses `VOLT 40\.000`: Data out of range"):
        supply.set_mv(40_000)
    supply.set_mv(3700)
    supply.on()


def test_an_old_error_in_its_queue_is_not_ours(supply, fake):
    fake.call(lambda: fake.received(b"NONSENSE\nNONSENSE\n"))
    supply.set_mv(3700)
    assert supply.garbled == 0


def test_one_of_several_outputs(fake):
    with closing(ScpiSupply(fake.port, output=2, **QUICK)):
        assert fake._output == 2


def test_another_instrument_in_its_place(supply, fake, monkeypatch):
    monkeypatch.setattr("strapline_hil.instruments.fakes.scpi.IDENTITY", "Somebody,ELSE,1,1")
    assert supply.check() == [f"supply at {fake.port}: another instrument answers: Somebody,ELSE,1,1"]


def test_what_says_nothing_of_itself_is_no_supply(fake, monkeypatch):
    monkeypatch.setattr("strapline_hil.instruments.fakes.scpi.IDENTITY", ">>> ")
    with pytest.raises(RigError, match=r"answer to \*IDN\? makes no sense"):
        ScpiSupply(fake.port, **QUICK)


def test_a_real_supply_gives_what_it_is_told():
    with closing(ScpiSupply(real_port("scpi"))) as supply:
        supply.set_mv(3700)
        supply.on()
        supply.set_mv(3300)
        supply.off()


@given(st.binary(max_size=40) | st.sampled_from([b"nan\n", b"inf\n", b"9.91E37\n", b"1e999\n", b"3.7", b"\xb3.7\n"]))
def test_any_answer_is_a_number_or_noise(answer):
    try:
        assert isinstance(scpi_supply._milli(scpi_supply._line(answer)), int)
    except (ValueError, scpi_supply._NoiseError):
        assert answer != b"3.7000\n"


def test_numbers_as_instruments_write_them():
    written = ["3.7", "+3.7000E+00", "3.70"]
    assert [scpi_supply._milli(scpi_supply._line(text.encode() + b"\r\n")) for text in written] == [3700] * 3
