"""What every driver does at a cable that fails, whatever it drives; each over real bytes on a pty."""

import pytest

from instrument_bench import closing, real_port
from strapline_hil.ports import open_port
from strapline_hil.verdict import RigError, SurroundingsError

pytestmark = pytest.mark.usefixtures("no_leaked_threads")


def test_a_well_instrument_has_nothing_to_find_and_closes_twice(driver):
    assert driver.name
    assert driver.check() == []
    driver.close()
    driver.close()


def test_a_real_one_has_nothing_to_find_either(kind):
    with closing(kind.driver(real_port(kind.real))) as real:
        kind.talk(real)
        assert real.check() == []


def test_one_line_names_what_it_cannot_notice(driver):
    for line in driver.blind_spots():
        assert "\n" not in line
        assert driver.name in line or "at /dev/" in line


def test_closed_it_leaves_the_port_to_others(driver, fake):
    driver.close()
    open_port(fake.port).close()


def test_an_open_port_is_ours_alone(kind, driver, fake):
    with pytest.raises(SurroundingsError, match=f"{fake.port}: .*has this port"):
        kind.driver(fake.port)


def test_no_such_port_is_the_rigs_failure(kind, fake):
    fake.faults.add("gone")
    with pytest.raises(RigError, match="no such port"):
        kind.driver(fake.port)


def test_a_cable_that_comes_out_is_the_rigs_failure(kind, driver, fake):
    fake.faults.add("gone")
    with pytest.raises(RigError, match="has gone"):
        kind.talk(driver)
    assert len(driver.check()) == 1
    driver.close()


def test_silence_from_the_beginning_is_the_rigs_failure(kind, fake):
    fake.faults.add("silent")
    with pytest.raises(RigError, match="no answer"):
        kind.driver(fake.port)
    fake.faults.clear()
    open_port(fake.port).close()


def test_silence_in_the_middle_is_the_rigs_failure(kind, driver, fake):
    fake.faults.add("silent")
    with pytest.raises(RigError, match="no answer"):
        kind.talk(driver)


def test_noise_that_passes_is_repeated_and_counted(kind, driver, fake):
    fake.faults.add("garbled", times=1)
    kind.talk(driver)
    assert driver.garbled > 0
    assert driver.check() == []


def test_noise_that_stays_is_the_rigs_failure(kind, driver, fake):
    fake.faults.add("garbled")
    with pytest.raises(RigError):
        kind.talk(driver)
    assert driver.garbled >= 3
