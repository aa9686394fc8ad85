"""The rules of judging, without pytest and without a rig."""

import asyncio
from typing import NamedTuple

import pytest

from strapline_hil.plugin.host import Clocks, Moment, asleep
from strapline_hil.plugin.judgement import Finding, Judgement, first_line, judge, judge_unopened
from strapline_hil.rig.virtual.session import VirtualSession
from strapline_hil.verdict import RigError, SurroundingsError, Verdict
from strapline_protocol.errors import UserError
from strapline_simulator import assessment
from strapline_simulator.body_error import BodyError

AWAKE = Clocks(lambda: 100.0, lambda: 5000.0)
BEFORE = Moment(40.0, 4940.0)
STUCK = RigError("strap relay at /dev/ttyUSB0", "does not open", "change the relay")


class Looked(NamedTuple):
    """A rig as an examination finds it."""

    found: tuple[Finding, ...] = ()
    missed: tuple[str, ...] = ()

    def examine(self):
        return self.found


def raised(action):
    """What an action raises, with its way."""
    with pytest.raises(BaseException) as caught:
        action()
    return caught.value


def fails(error):
    def action():
        raise error

    return raised(action)


WELL = Looked()


def verdict_of(failure, rig=WELL, before=BEFORE, clocks=AWAKE):
    return judge(failure, rig, before, clocks)


def test_a_failure_on_a_rig_that_is_well_is_the_products():
    failure = fails(AssertionError("strap_open came after 9 s\nassert 9 < 3"))
    assert verdict_of(failure) == Judgement(Verdict.PRODUCT, "strap_open came after 9 s")


def test_what_is_found_on_the_rig_goes_before_the_product():
    rig = Looked((Finding(Verdict.RIG, "supply: sags"), Finding(Verdict.ENVIRONMENT, "meter: port is taken")))
    assert verdict_of(fails(AssertionError()), rig) == Judgement(Verdict.RIG, "supply: sags; meter: port is taken")


@pytest.mark.parametrize(
    "failure",
    [
        STUCK,
        ExceptionGroup("a task", [ValueError(), ExceptionGroup("its task", [STUCK])]),
    ],
)
def test_the_benchs_own_error_is_found_wherever_it_is(failure):
    assert verdict_of(fails(failure)) == Judgement(Verdict.RIG, str(STUCK))


def test_an_error_that_came_of_the_benchs_error_is_the_benchs():
    def handled():
        try:
            raise SurroundingsError("/dev/ttyUSB0", "is taken", "end the other program")
        except SurroundingsError:
            raise AssertionError("no strap_open") from None

    def led_to():
        try:
            raise SurroundingsError("/dev/ttyUSB0", "is taken", "end the other program")
        except SurroundingsError as error:
            raise AssertionError("no strap_open") from error

    assert verdict_of(raised(handled)).verdict == Verdict.PRODUCT  # the test says that it has dealt with it
    assert verdict_of(raised(led_to)).verdict == Verdict.ENVIRONMENT


@pytest.mark.parametrize(
    "mistake",
    [lambda: undefined, lambda: {}["x"], lambda: None.at_s, lambda: 1 / 0, lambda: open("/no/such")],  # noqa: F821, SIM115, PTH123
)
def test_the_tests_own_mistake_is_the_tests_even_on_a_broken_rig(mistake):
    failure = raised(mistake)
    broken = Looked((Finding(Verdict.RIG, "supply: sags"),))
    assert verdict_of(failure, broken).verdict == Verdict.TEST
    assert verdict_of(failure, broken).why.startswith(type(failure).__name__)


def test_a_mistake_after_waiting_in_vain_is_what_did_not_come():
    failure = raised(lambda: None.at_s)
    waited = Looked(missed=("no strap_open within 5 s",))
    assert verdict_of(failure, waited) == Judgement(Verdict.PRODUCT, "no strap_open within 5 s")
    assert verdict_of(failure, waited._replace(found=(Finding(Verdict.RIG, "relay stuck"),))).verdict == Verdict.RIG


def test_what_was_asked_wrongly_is_the_tests():
    assert verdict_of(fails(UserError("no such event"))).verdict == Verdict.TEST


def test_a_bug_of_the_bench_is_the_rigs():
    session = VirtualSession.__new__(VirtualSession)
    failure = raised(lambda: session.told)  # AttributeError, deep in the bench
    assert verdict_of(failure).verdict == Verdict.RIG
    assert "strapline_hil.rig.virtual.session" in verdict_of(failure).why


def test_data_that_the_chain_chokes_on_is_the_products_where_the_rig_is_well():
    failure = raised(lambda: assessment.assess(None, None))
    assert verdict_of(failure).verdict == Verdict.RIG  # AttributeError: no data does that
    wrapped = fails(BodyError("the board's program resets again and again: KeyError: 7"))
    assert verdict_of(wrapped).verdict == Verdict.PRODUCT
    assert verdict_of(wrapped).why.startswith("the board's program resets")


@pytest.mark.parametrize(("wall_s", "expected"), [(4999.0, ""), (5001.9, ""), (8600.0, "+3600 s"), (4000.0, "-1000 s")])
def test_a_host_that_slept_or_whose_clock_was_set(wall_s, expected):
    words = asleep(BEFORE, Moment(100.0, wall_s))
    assert (expected in words) if expected else words == ""
    judged = verdict_of(fails(AssertionError()), clocks=Clocks(lambda: 100.0, lambda: wall_s))
    assert judged.verdict == (Verdict.ENVIRONMENT if expected else Verdict.PRODUCT)


def test_a_rig_that_does_not_open_has_asked_nothing_of_the_product():
    assert judge_unopened(fails(STUCK)) == Judgement(Verdict.RIG, str(STUCK))
    assert judge_unopened(fails(UserError("no MicroPython"))) == Judgement(Verdict.RIG, "no MicroPython")
    assert judge_unopened(fails(SurroundingsError("a", "b", "c"))).verdict == Verdict.ENVIRONMENT


@pytest.mark.parametrize(
    ("failure", "line"),
    [
        (AssertionError(), "AssertionError"),
        (AssertionError("one\ntwo"), "one"),
        (ValueError("one\ntwo"), "ValueError: one"),
        (TimeoutError(), "TimeoutError"),
        (asyncio.CancelledError("gone"), "gone"),
    ],
)
def test_a_failure_in_one_line(failure, line):
    assert first_line(failure) == line
