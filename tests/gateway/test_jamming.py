"""Noise and sudden silence, and what looks like them and is not."""

import pytest

from hand_made_tag import HandMadeTag
from station_home import Home
from strapline_gateway.jamming import NOISE_FOR_S, NOISE_LIMIT_DBM, SILENT_FOR_S
from strapline_protocol.notices import Notice, NoticeCode


def family(count):
    tags = [HandMadeTag(f"7a90000{n}", bytes([n]) * 16) for n in range(1, count + 1)]
    home = Home(*tags)
    for tag in tags:
        home.hear(tag.heartbeat(home.now))
        home.visit(tag)
    return home, tags


def live(home, tags, seconds):
    events = []
    for _ in range(seconds // 5):
        for tag in tags:
            events += home.hear(tag.heartbeat(home.now))
            home.station.call_failed(tag.ident, home.now)
        events += home.wait(5)
    return codes(events)


def codes(events):
    return [event.code for event in events if isinstance(event, Notice)]


def noise(home, dbm, seconds):
    events = []
    for _ in range(seconds // 10):
        home.station.receive_noise(dbm, home.now)
        events += home.take() + home.wait(10)
    return codes(events)


def test_noise_that_lasts_is_told_once_and_its_end_too():
    home, _ = family(1)
    assert noise(home, -98, 600) == []
    assert noise(home, -50, 1200) == [NoticeCode.RADIO_JAMMED]
    assert noise(home, NOISE_LIMIT_DBM - 3, 300) == []  # neither loud nor quiet
    assert noise(home, -98, 600) == [NoticeCode.JAMMING_OVER]
    assert noise(home, -50, 60) == [NoticeCode.RADIO_JAMMED]


def test_bursts_are_no_jamming():
    home, _ = family(1)
    told = []
    for _ in range(40):
        told += noise(home, -50, int(NOISE_FOR_S) - 10)
        told += noise(home, -98, 10)
    assert told == []


def test_several_tags_that_fall_silent_in_one_moment_are_jammed_where_the_radio_works():
    home, tags = family(4)
    assert live(home, tags, 600) == []
    home.station.radio_works(home.now + 1)  # somebody's headphones
    home.now += 1
    assert codes(home.wait(SILENT_FOR_S + 5)) == [NoticeCode.RADIO_JAMMED]
    assert codes(home.wait(3600)) == []
    assert live(home, tags, 60) == [NoticeCode.JAMMING_OVER]


def test_where_nobody_is_heard_the_radio_may_be_dead_and_nothing_is_said_until_it_is_known_to_work():
    home, tags = family(4)
    live(home, tags, 600)
    assert codes(home.wait(150)) == []
    home.station.radio_works(home.now)  # restarted, and well
    assert codes(home.wait(70)) == [NoticeCode.RADIO_JAMMED]


@pytest.mark.parametrize("count", [1, 2])
def test_few_tags_may_leave_together(count):
    home, tags = family(count)
    live(home, tags, 600)
    home.station.radio_works(home.now + 1)
    assert codes(home.wait(3600)) == []


def test_who_leave_one_after_the_other_have_left():
    home, tags = family(5)
    live(home, tags, 600)
    told = []
    for gone in range(1, 6):
        told += live(home, tags[gone:], 120)
    home.station.radio_works(home.now)
    told += codes(home.wait(3600))
    assert told == []


def test_a_gateway_that_stood_still_heard_nobody_and_accuses_nobody():
    home, tags = family(4)
    live(home, tags, 600)
    home.station.radio_works(home.now + 1)
    home.now += 90  # its loop hung; what was heard meanwhile comes now, after the timer
    home.station.handle_timer(home.now)
    assert live(home, tags, 300) == []
