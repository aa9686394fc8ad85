"""Body heat, the second vote: alone it is told and does not alarm, together with the strap it does."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.tag_pair import OPEN_OHM, TagPair
from strapline_protocol.definitions import ALARMS, EventCode, State

BODY, ROOM = 3300, 2200


class Limb:
    """An armed tag, never away from home, whose sensors read what the test says."""

    def __init__(self, config=None):
        self.pair = TagPair({"home_silence_s": 100_000_000} | (config or {}), sampling=True)
        self.pair.run(30)
        self.pair.arm()
        self.pair.connect()

    def feel(self, skin, ambient, seconds):
        self.pair.skin_centi_c, self.pair.ambient_centi_c = skin, ambient
        self.pair.run(seconds)

    def cut(self):
        self.pair.strap_ohm = OPEN_OHM
        self.pair.edge(is_open=True)

    def told(self):
        return [name for name in self.pair.names() if name not in ("started", "armed", "beacon")]

    def alarms(self):
        return [name for name in self.told() if EventCode[name.upper()] in ALARMS]


@pytest.mark.parametrize(
    ("skin", "ambient", "minutes", "told"),
    [
        (BODY, ROOM, 600, []),
        (2340, ROOM, 30, ["skin_lost"]),
        (3500, 3520, 30, ["skin_lost"]),
        (4200, 10000, 30, []),
        (1700, 1500, 15, []),
        (1560, 1500, 15, ["skin_lost"]),
        (-500, -2000, 120, []),
    ],
    ids=[
        "worn",
        "a cold limb",
        "a bath at body heat",
        "a sauna at 100 °C",
        "15 min in 5 m of water",
        "the same with a limb as cold",
        "a winter's day",
    ],
)
def test_heat_alone_never_alarms_whatever_the_surroundings(skin, ambient, minutes, told):
    limb = Limb()
    limb.feel(skin, ambient, minutes * 60)
    assert limb.told() == told
    assert limb.alarms() == []


@pytest.mark.parametrize(
    ("opened", "alike", "alarms"),
    [
        (False, False, []),
        (False, True, []),
        (True, False, ["strap_open"]),
        (True, True, ["strap_open", "removed"]),
    ],
    ids=["neither", "heat", "strap", "both"],
)
def test_the_tag_is_removed_where_both_votes_agree(opened, alike, alarms):
    limb = Limb()
    if opened:
        limb.cut()
    limb.feel(ROOM if alike else BODY, ROOM, 3600)
    assert limb.alarms() == alarms


def test_a_strap_that_was_opened_and_closed_again_still_votes():
    limb = Limb()
    limb.pair.edge(is_open=True)
    limb.pair.edge(is_open=False)
    limb.feel(ROOM, ROOM, 600)
    assert limb.alarms() == ["strap_open", "removed"]


def test_a_bypassed_strap_votes_too():
    limb = Limb()
    limb.pair.strap_ohm = 500
    limb.feel(ROOM, ROOM, 600)
    assert limb.alarms() == ["strap_altered", "removed"]


def test_removal_is_told_two_minutes_after_the_heat_has_gone_and_once():
    limb = Limb()
    limb.cut()
    gone_at = limb.pair.now
    limb.feel(ROOM, ROOM, 7200)
    assert limb.alarms() == ["strap_open", "removed"]
    (removed_at,) = limb.pair.times("removed")
    assert 120_000 <= removed_at - gone_at <= 130_000


def test_a_cut_on_a_limb_that_has_long_been_cold_is_a_removal_within_two_minutes():
    limb = Limb()
    limb.feel(ROOM, ROOM, 3600)
    limb.cut()
    cut_at = limb.pair.now
    limb.feel(ROOM, ROOM, 600)
    assert limb.alarms() == ["strap_open", "removed"]
    assert limb.pair.times("removed")[0] - cut_at <= 130_000


def test_warmth_in_between_starts_the_two_minutes_anew():
    limb = Limb()
    limb.cut()
    for _ in range(20):
        limb.feel(ROOM, ROOM, 110)
        limb.feel(BODY, ROOM, 20)
    assert limb.alarms() == ["strap_open"]


def test_lost_needs_ten_minutes_and_back_comes_with_the_first_warm_sample():
    limb = Limb()
    limb.feel(ROOM, ROOM, 595)
    assert limb.told() == []
    limb.feel(ROOM, ROOM, 20)
    assert limb.told() == ["skin_lost"]
    limb.feel(BODY, ROOM, 10)
    assert limb.told() == ["skin_lost", "skin_back"]


def test_the_margin_of_one_and_a_half_degrees_is_alike_and_a_hundredth_more_is_not():
    limb = Limb()
    limb.feel(ROOM + 151, ROOM, 3600)
    assert limb.told() == []
    limb.feel(ROOM - 151, ROOM, 3600)
    assert limb.told() == []
    limb.feel(ROOM + 150, ROOM, 620)
    assert limb.told() == ["skin_lost"]


def test_a_tag_that_is_armed_off_the_body_says_so():
    pair = TagPair({"home_silence_s": 100_000_000}, sampling=True)
    pair.skin_centi_c = ROOM
    pair.run(3600)
    pair.arm()
    pair.connect()
    pair.run(630)
    assert pair.names() == ["started", "armed", "skin_lost"]
    assert State.SKIN_LOST in State(pair.heard[-1].heartbeat.flags)


def test_arming_anew_starts_the_second_vote_anew():
    limb = Limb()
    limb.cut()
    limb.feel(ROOM, ROOM, 300)
    assert limb.alarms() == ["strap_open", "removed"]
    limb.pair.edge(is_open=False)
    limb.pair.strap_ohm = 1000
    limb.feel(ROOM, ROOM, 10)
    limb.pair.arm()
    limb.feel(ROOM, ROOM, 3600)
    assert limb.alarms() == ["strap_open", "removed"]
    limb.cut()
    limb.feel(ROOM, ROOM, 600)
    assert limb.alarms() == ["strap_open", "removed"] * 2


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-4000, 12000), st.integers(-4000, 12000)), max_size=60))
def test_no_course_of_temperatures_alarms_alone_and_lost_and_back_alternate(course):
    limb = Limb({"heartbeat_shortest_ms": 60_000, "heartbeat_longest_ms": 60_000, "strap_sample_ms": 10_000})
    for skin, ambient in course:
        limb.feel(skin, ambient, 130)
    told = limb.told()
    assert told == ["skin_lost", "skin_back"] * (len(told) // 2) + ["skin_lost"] * (len(told) % 2)
