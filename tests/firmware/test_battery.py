"""The ladder of the battery: low, critical, the last word; in this order, once each, again only after the charger."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.tag_pair import Memory, TagPair
from strapline_simulator.world.battery import milli_volts

LADDER = ["battery_low", "battery_critical", "battery_last"]
QUIET = {"home_silence_s": 100_000_000, "heartbeat_shortest_ms": 60_000, "heartbeat_longest_ms": 60_000}


class Cell(TagPair):
    """An armed tag; each sample is a minute's."""

    def __init__(self, memory=None, seed="tag"):
        super().__init__(QUIET, memory=memory, seed=seed)
        if not self.tag.armed:
            self.arm()
        self.connect()

    def gauge(self, percent, milli_v=3900):
        self.tag.feed_battery(self.now, percent, milli_v)
        self.run(1)

    def charge(self, on):
        for _ in range(700):
            self.tag.feed_housing(self.now, 0, on, 0)
        self.run(1)

    def told(self):
        records = sorted(self.unique(), key=lambda record: record.sequence)  # the last word is an alarm, and overtakes
        return [record.name for record in records if record.name in LADDER]


@pytest.mark.parametrize("temperature_c", [25, 0, -20])
def test_a_discharge_tells_each_rung_once_in_order_warm_and_cold(temperature_c):
    cell = Cell()
    for tenth in range(1000, -1, -1):
        cell.gauge(tenth // 10, milli_volts(tenth / 10, temperature_c))
    assert cell.told() == LADDER


def test_the_rungs_are_told_with_the_charge_and_the_last_with_the_voltage():
    cell = Cell()
    for percent in range(100, -1, -1):
        cell.gauge(percent, 3500)
    details = {record.name: record.body.detail for record in cell.unique()}
    assert [details[name] for name in LADDER] == [20, 10, 3500]


def test_the_flash_is_written_when_a_rung_is_reached_and_at_no_other_sample():
    cell = Cell()
    written = []
    put = cell.memory.put
    cell.memory.put = lambda name, value: (written.append((name, value)), put(name, value))
    for percent in range(100, -1, -1):
        for _ in range(10):
            cell.gauge(percent)
    assert [value for name, value in written if name == "battery"] == [1, 2, 3]


def test_a_load_that_makes_the_voltage_sag_for_two_minutes_is_no_last_word():
    cell = Cell()
    for _ in range(50):
        cell.gauge(60, 3100)
        cell.gauge(60, 3100)
        cell.gauge(60, 3700)
    assert cell.told() == []


def test_a_voltage_that_stays_at_the_end_tells_the_whole_ladder_whatever_the_gauge_says():
    cell = Cell()
    for _ in range(10):
        cell.gauge(60, 3250)
    assert cell.told() == LADDER


def test_a_gauge_that_wavers_around_a_rung_tells_it_once():
    cell = Cell()
    for _ in range(20):
        cell.gauge(19)
        cell.gauge(22)
        cell.gauge(9)
        cell.gauge(40)
    assert cell.told() == LADDER[:2]


def test_only_charging_above_a_rung_makes_it_told_again():
    cell = Cell()
    cell.gauge(15)
    cell.gauge(80)
    cell.gauge(15)
    assert cell.told() == ["battery_low"]
    cell.charge(1)
    cell.gauge(23)
    cell.charge(0)
    cell.gauge(15)
    assert cell.told() == ["battery_low"]
    cell.charge(1)
    cell.gauge(80)
    cell.charge(0)
    cell.gauge(15)
    assert cell.told() == ["battery_low"] * 2


def test_a_brown_out_does_not_climb_down_the_ladder_again():
    memory = Memory()
    cell = Cell(memory)
    for percent in (20, 10, 2):
        cell.gauge(percent)
    assert cell.told() == LADDER
    again = Cell(memory, seed="again")
    again.gauge(2, 3200)
    assert again.told() == []


def test_a_tag_that_is_armed_with_a_low_battery_says_so():
    pair = TagPair(QUIET)
    pair.tag.feed_battery(0, 15, 3600)
    pair.arm()
    pair.connect()
    assert "battery_low" not in pair.names()
    pair.tag.feed_battery(pair.now, 15, 3600)
    pair.run(5)
    assert pair.names()[-1] == "battery_low"


@given(st.lists(st.tuples(st.integers(-5, 300), st.integers(-100, 6000)), max_size=100))
def test_without_a_charger_any_course_tells_a_beginning_of_the_ladder(course):
    cell = Cell()
    for percent, milli_v in course:
        cell.gauge(percent, milli_v)
    assert cell.told() == LADDER[: len(cell.told())]
