"""Case, charger, water and heat, as the tag tells of them."""

import pytest

from firmware.tag_pair import TagPair

QUIET = {"home_silence_s": 100_000_000, "heartbeat_shortest_ms": 60_000, "heartbeat_longest_ms": 60_000}


class Case(TagPair):
    def __init__(self, *, armed=True):
        super().__init__(QUIET, sampling=True)
        self.run(5)
        if armed:
            self.arm()
        self.connect()

    def told(self):
        return [
            (r.name, r.body.detail) for r in self.unique() if r.name not in ("started", "armed", "checked", "beacon")
        ]


@pytest.mark.parametrize(
    ("what", "begins", "ends", "at_least_s"),
    [
        ("case_open", ("case_open", 0), ("case_closed", 0), 1),
        ("charging", ("charging", 100), ("unplugged", 100), 5),
        ("immersed", ("immersed", 0), ("surfaced", 900), 5),
    ],
)
def test_each_begins_and_ends_and_is_told_with_its_detail(what, begins, ends, at_least_s):
    case = Case()
    setattr(case, what, 1)
    began_at = case.now
    case.run(900)
    setattr(case, what, 0)
    case.run(30)
    assert case.told() == [begins, ends]
    assert case.times(begins[0])[0] - began_at <= at_least_s * 1000


@pytest.mark.parametrize("what", ["charging", "immersed"])
def test_a_splash_or_a_loose_plug_is_not_told(what):
    case = Case()
    for _ in range(100):
        setattr(case, what, 1)
        case.run(4)
        setattr(case, what, 0)
        case.run(2)
    assert case.told() == []


def test_what_is_played_with_for_a_day_fills_no_journal():
    case = Case()
    for _ in range(1440):
        case.case_open = case.charging = case.immersed = 1
        case.run(30)
        case.case_open = case.charging = case.immersed = 0
        case.run(30)
    assert case.told()[0][0] == "case_open"
    assert len(case.told()) <= 3 * 2 * 24 * 6


def test_nothing_is_told_before_arming_but_a_case_that_is_open_then_is_told_after():
    case = Case(armed=False)
    case.case_open = case.charging = case.immersed = 1
    case.ambient_centi_c = 9000
    case.run(600)
    assert case.told() == []
    assert case.tag.situation.charging
    assert case.tag.situation.immersed
    case.arm()
    case.run(10)
    assert case.told() == [("case_open", 0)]


def test_too_hot_is_told_once_until_it_has_cooled_by_five_degrees():
    case = Case()
    for centi_c in (5999, 6000, 9000, 5600, 6500, 5500, 6100):
        case.ambient_centi_c = centi_c
        case.run(20)
    assert case.told() == [("too_hot", 6000), ("too_hot", 6100)]


def test_a_case_that_was_opened_again_in_the_quiet_time_is_told_when_it_ends():
    case = Case()
    for opened_s, closed_s in ((2, 60), (300, 600)):
        case.case_open = 1
        case.run(opened_s)
        case.case_open = 0
        case.run(closed_s)
    assert [name for name, _ in case.told()] == ["case_open", "case_closed"] * 2
    case.run(3600)
    assert len(case.told()) == 4
