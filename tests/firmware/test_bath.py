"""Silence in water: an iron tub swallows the radio as leaving does, and a wet cloth is no tub."""

import pytest

from firmware.tag_pair import TagPair, nmea
from strapline_wire import frames

SILENCE_S = 300
BEGUN_S = 60 + SILENCE_S
"""Asked a minute after home was heard; the doubt begins where a dry tag's wearer would have left."""
HOUR_S = 3600


def bather(**config):
    """Just heard at home, in water, without a step."""
    pair = TagPair(config)
    pair.arm()
    pair.visit()
    situation = pair.tag.situation
    situation.moving, situation.immersed = False, True
    return pair


def fix(pair, metres_north=0, hdop=0.9):
    """One epoch of a position, by default with an accuracy of a few metres."""
    second = pair.now // 1000
    time = f"{second // 3600:02}{second // 60 % 60:02}{second % 60:02}"
    place = f"53{14.9 + metres_north / 1852:07.4f},N,01024.4680,E"
    pair.gnss(nmea(f"GPRMC,{time},A,{place},0.0,0.0,030326,,,A"))
    pair.gnss(nmea(f"GPGGA,{time},{place},1,08,{hdop},45.4,M,46.9,M,,"))
    pair.run(1)


def left(pair):
    """Seconds."""
    return [at / 1000 for at in pair.times("left_home")]


@pytest.mark.parametrize("mode", [0, 1])
def test_who_lies_in_the_tub_for_half_an_hour_has_not_left(mode):
    pair = bather(mode=mode)
    pair.run(1800)
    assert pair.tag.situation.doubted
    pair.tag.situation.immersed = False
    pair.run(20)
    pair.visit()
    pair.stay_home(600)
    assert not pair.tag.situation.doubted
    assert not {"left_home", "came_home", "no_fix", "fix"} & set(pair.names())
    assert bool(pair.gnss_power) == (mode == 0)
    assert not pair.gnss_power or not pair.gnss_power[-1][1]


def test_who_is_dry_has_left_after_the_silence():
    pair = bather()
    pair.tag.situation.immersed = False
    pair.run(1800)
    assert left(pair) == [BEGUN_S]


def test_in_doubt_the_receiver_is_on_once_a_minute_and_says_nothing_of_home():
    pair = bather()
    pair.run(BEGUN_S)
    for _ in range(10):
        assert pair.gnss_power[-1][1]
        fix(pair)
        assert not pair.gnss_power[-1][1]
        pair.run(60)
    assert pair.gnss_power[0][0] == BEGUN_S * 1000
    assert {later - on for (on, _), (later, _) in zip(pair.gnss_power[:-2:2], pair.gnss_power[2::2], strict=True)} <= {
        60_000,
        61_000,
    }
    assert left(pair) == []
    assert "fix" not in pair.names()
    assert pair.waiting() == []


def test_the_position_that_lies_elsewhere_says_so_at_once_and_is_recorded():
    pair = bather()
    pair.run(BEGUN_S)
    fix(pair)
    pair.run(61)
    fix(pair, metres_north=90)  # within what is set as sure
    pair.run(61)
    assert left(pair) == []
    found_at = pair.now
    fix(pair, metres_north=130)
    pair.run(1)
    assert pair.tag.away
    pair.connect(1)
    [left_at] = pair.times("left_home")
    assert 0 <= left_at - found_at <= 1000
    assert pair.names().count("fix") == 1
    assert not pair.tag.situation.doubted


def test_positions_that_may_be_wrong_by_as_much_say_nothing():
    pair = bather()
    pair.run(BEGUN_S)
    fix(pair)
    pair.run(61)
    fix(pair, metres_north=130, hdop=9.0)
    pair.run(10)
    assert left(pair) == []


def test_each_doubt_begins_where_the_wearer_is_then():
    pair = bather()
    for north in (0, 2000):
        pair.run(BEGUN_S)
        fix(pair, metres_north=north)
        pair.run(10)
        assert pair.tag.situation.doubted
        pair.visit()
    assert left(pair) == []


def test_what_was_found_once_does_not_count_for_the_next_bath():
    pair = bather()
    pair.run(BEGUN_S)
    fix(pair)
    pair.run(61)
    fix(pair, metres_north=500)
    pair.visit()
    pair.run(BEGUN_S + 600)
    assert pair.tag.situation.doubted
    assert len(left(pair)) == 1


def test_steps_are_no_bath_and_what_stood_still_before_them_does_not_help():
    pair = bather()
    pair.run(BEGUN_S + 100)
    pair.tag.situation.moving = True
    pair.run(55)
    pair.tag.situation.moving = False
    pair.run(1200)
    [left_at] = left(pair)
    assert 40 + SILENCE_S <= left_at - BEGUN_S - 100 <= 55 + SILENCE_S


def test_a_splash_now_and_then_is_no_walk():
    pair = bather()
    for _ in range(20):
        pair.run(80)
        pair.tag.situation.moving = True
        pair.run(10)
        pair.tag.situation.moving = False
    assert left(pair) == []
    assert pair.tag.situation.doubted


def test_who_walks_a_third_of_the_time_has_left():
    pair = bather()
    pair.run(BEGUN_S + 10)
    for _ in range(10):
        pair.tag.situation.moving = True
        pair.run(10)
        pair.tag.situation.moving = False
        pair.run(20)
    pair.run(SILENCE_S)
    [left_at] = left(pair)
    assert left_at <= BEGUN_S + 300 + SILENCE_S


def test_steps_at_home_are_none_on_the_way_out():
    pair = bather()
    pair.tag.situation.moving, pair.tag.situation.immersed = True, False
    pair.stay_home(600)
    pair.visit()
    pair.tag.situation.moving, pair.tag.situation.immersed = False, True
    pair.run(1800)
    assert left(pair) == []


def test_who_walks_through_the_silence_has_left_without_any_doubt():
    pair = bather()
    pair.tag.situation.moving = True
    pair.run(BEGUN_S + 1)
    assert left(pair) == [BEGUN_S]


def test_an_hour_without_home_is_no_bath():
    pair = bather()
    pair.run(HOUR_S - 1)
    assert left(pair) == []
    pair.run(2)
    assert left(pair) == [HOUR_S]
    fix(pair)
    pair.connect(1)
    assert pair.names().count("fix") == 1  # away as everybody who is


def test_an_hour_is_an_hour_for_who_woke_up_meanwhile():
    pair = bather()
    pair.tag.situation.resting = True
    pair.run(600)
    assert pair.tag.situation.doubted
    pair.tag.situation.resting = False
    pair.run(HOUR_S - 600 + 1)
    assert left(pair) == [HOUR_S]


def test_armed_anew_in_doubt_all_begins_anew():
    pair = bather()
    pair.run(BEGUN_S + 10)
    pair.arm()
    armed_at = pair.now // 1000
    assert not pair.tag.situation.doubted
    pair.tag.situation.immersed = False
    pair.run(BEGUN_S + 1)
    assert left(pair) == [armed_at + BEGUN_S]


def test_who_surfaces_and_stays_silent_has_left_a_silence_later():
    pair = bather()
    pair.run(1000)
    pair.tag.situation.immersed = False
    pair.run(SILENCE_S + 20)
    [left_at] = left(pair)
    assert 1000 + SILENCE_S <= left_at <= 1010 + SILENCE_S
    assert any(heard.heartbeat.flags & frames.STATE_ASKS for heard in pair.heard if heard.at > 1_000_000)


def test_water_that_comes_and_goes_buys_no_second_hour():
    pair = bather()
    for _ in range(30):
        pair.tag.situation.immersed = True
        pair.run(200)
        pair.tag.situation.immersed = False
        pair.run(20)
    [left_at] = left(pair)
    assert left_at <= HOUR_S + SILENCE_S + 20


def test_no_tub_takes_the_network_away():
    pair = TagPair({}, sampling=True)
    pair.arm()
    pair.restless = False
    pair.immersed = 1
    pair.stay_home(60)
    pair.coverage, pair.cell_dbm = False, -140
    pair.run(1200)
    pair.coverage = True
    pair.connect(1)
    assert "shielded" in pair.names()
    [left_at] = left(pair)
    assert left_at < 60 + 120 + BEGUN_S + 180


def test_whoever_is_disarmed_or_heard_in_doubt_is_in_doubt_no_more():
    pair = bather()
    pair.run(BEGUN_S + 10)
    assert pair.tag.situation.doubted
    pair.visit()
    assert not pair.tag.situation.doubted
    assert not pair.gnss_power[-1][1]
    pair.run(BEGUN_S + 10)
    assert pair.tag.situation.doubted
    pair.key(pair.centre.seal(frames.DISARM, frames.pack_disarm((1, 0))))
    pair.run(20)
    assert not pair.tag.situation.doubted
    assert not pair.gnss_power[-1][1]


def test_an_order_that_may_ask_at_home_is_answered_in_doubt_too():
    pair = bather(locate_at_home=1)
    pair.run(BEGUN_S + 10)
    pair.connect()
    pair.disconnect()
    pair.run(BEGUN_S + 10)
    assert pair.tag.situation.doubted
    pair.key(pair.centre.seal(frames.LOCATE, (77).to_bytes(4, "big") + (60).to_bytes(2, "big")))
    fix(pair)
    pair.run(61)
    pair.key(pair.centre.seal(frames.LOCATE, (78).to_bytes(4, "big") + (60).to_bytes(2, "big")))
    fix(pair, metres_north=500)  # it says that the wearer has left, too, and is one position all the same
    pair.visit()
    assert pair.names().count("located") == 2
    assert pair.names().count("fix") == 2
    assert len(left(pair)) == 1
