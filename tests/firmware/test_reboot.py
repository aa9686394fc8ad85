"""What a tag still knows after its power was gone: that it is armed, and that its strap was open."""

import contextlib

import pytest

from firmware.tag_pair import OPEN_OHM, WORN_OHM, Memory, TagPair
from strapline_protocol.definitions import State


def rebooted(pair, seed="again"):
    again = TagPair(memory=Memory(pair.memory.held), flash=pair.flash.copy(), seed=seed)
    again.centre.number = pair.centre.number
    return again


def state(pair):
    pair.run(20)
    return State(pair.heard[-1].heartbeat.flags) & ~(State.PENDING | State.ALARM_PENDING | State.CLOCK_TRUSTED)


@pytest.fixture
def pair():
    pair = TagPair()
    pair.arm()
    pair.visit()
    return pair


def test_a_tag_that_was_never_armed_is_not_armed():
    assert state(rebooted(TagPair())) == State(0)


def test_an_armed_tag_is_armed_again_and_alarms_at_once(pair):
    again = rebooted(pair)
    assert state(again) == State.ARMED
    again.edge(is_open=True)
    again.connect()
    assert again.names() == ["strap_open", "started"]


def test_a_latched_strap_stays_latched_with_its_count(pair):
    for _ in range(3):
        pair.edge(is_open=True)
        pair.edge(is_open=False)
    again = rebooted(pair)
    assert state(again) == State.ARMED | State.STRAP_LATCHED
    assert again.heard[-1].heartbeat.strap_openings == 3
    again.edge(is_open=True)
    again.connect()
    assert [r.body.detail for r in again.unique() if r.name == "strap_open"] == [1, 2, 3, 4]


def test_an_altered_strap_stays_latched_and_is_measured_against_the_same_value(pair):
    pair.strap(500, 500, 500)
    again = rebooted(pair)
    again.strap(*[WORN_OHM] * 10)
    assert state(again) == State.ARMED | State.STRAP_LATCHED
    armed_only = rebooted(TagPair(memory=Memory({"armed_ohm": 2000})))
    armed_only.strap(*[WORN_OHM] * 3)
    armed_only.connect()
    assert "strap_altered" in armed_only.names()


def test_a_strap_that_was_cut_while_it_was_off_is_found_by_the_first_sample(pair):
    again = rebooted(pair)
    again.strap(OPEN_OHM)
    again.connect()
    assert again.names() == ["strap_open", "started"]


def test_arming_anew_unlatches_for_good(pair):
    pair.edge(is_open=True)
    pair.edge(is_open=False)
    pair.strap(500, 500, 500, WORN_OHM)
    pair.arm()
    assert state(rebooted(pair)) == State.ARMED


def test_a_second_reboot_changes_nothing(pair):
    pair.edge(is_open=True)
    pair.edge(is_open=False)
    assert state(rebooted(rebooted(pair), "third")) == State.ARMED | State.STRAP_LATCHED


def test_the_five_minutes_and_the_four_hours_count_from_the_reboot(pair):
    pair.run(200)
    again = rebooted(pair)
    again.run(5 * 3600)
    assert again.times("left_home") == [360_000]
    assert again.times("beacon") == [4 * 3600 * 1000]


def test_a_flapping_strap_does_not_wear_out_the_flash(pair):
    before = pair.memory.writes
    for _ in range(2000):
        pair.edge(is_open=True)
        pair.edge(is_open=False)
    assert pair.memory.writes - before <= 255
    assert rebooted(pair).tag.strap.openings == 255


class PowerGoneError(Exception):
    pass


class Failing(Memory):
    """Power goes just before the write with this number."""

    def __init__(self, held, fails_at):
        super().__init__(held)
        self._fails_at = fails_at

    def put(self, name, value):
        if self.writes == self._fails_at:
            raise PowerGoneError
        super().put(name, value)


@pytest.mark.parametrize("fails_at", range(13))
def test_power_that_goes_at_any_write_disarms_and_unlatches_nothing(fails_at):
    memory = Failing({}, fails_at)
    done = []
    pair = None
    with contextlib.suppress(PowerGoneError):
        pair = TagPair(memory=memory)
        pair.arm()
        done.append("armed")
        pair.edge(is_open=True)
        done.append("opened")
        pair.run(60)
    again = TagPair(memory=Memory(memory.held), seed="again")
    assert again.tag.armed or "armed" not in done
    assert again.tag.strap.latched or "opened" not in done
    again.run(30)
    counters = [h.counter for one in (pair, again) if one is not None for h in one.heard]
    assert len(set(counters)) == len(counters) > 0


def test_the_writes_of_that_test_are_all_that_there_are():
    memory = Memory()
    pair = TagPair(memory=memory)
    pair.arm()
    pair.edge(is_open=True)
    pair.run(60)
    assert memory.writes == 12
