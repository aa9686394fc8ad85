"""Sequences that cross the tag's parts: what one of them remembers when another has begun anew, or power was gone."""

from firmware.tag_pair import UTC_AT_START_S, Memory, TagPair, epoch
from strapline_wire import documents, frames

SPARSE = {"heartbeat_shortest_ms": 60_000, "heartbeat_longest_ms": 60_000}
ALWAYS_HOME = documents.pack_curfew((7, ((0, 0),), (), ()))
ELSEWHERE = documents.pack_zones((1, [(5, 0, 0, 500, ((400_000_000, 0),))]))


def disarm(pair):
    pair.key(pair.centre.seal(frames.DISARM, frames.pack_disarm((1, UTC_AT_START_S))))


def rebooted(pair):
    again = TagPair(memory=Memory(pair.memory.held), flash=pair.flash.copy(), config=SPARSE, seed="again")
    again.centre = pair.centre
    return again


def test_nobody_is_located_after_disarming():
    pair = TagPair({**SPARSE, "locate_at_home": 1})
    pair.arm()
    pair.visit()
    pair.key(pair.centre.seal(frames.LOCATE, frames.pack_locate((7, 180))))
    assert pair.gnss_power[-1][1]
    disarm(pair)
    assert not pair.gnss_power[-1][1]
    pair.run(5)
    pair.gnss(epoch(1))
    pair.run(300)
    pair.visit()
    assert "fix" not in pair.names()
    assert pair.names().count("located") == 1


def jammed_for(pair, seconds):
    """Away and jammed: no position."""
    end = pair.now + seconds * 1000
    while pair.now < end:
        pair.tag.feed_radio(pair.now, 200, -85)
        pair.run(10)


def test_each_way_under_a_jammer_is_an_alarm():
    pair = TagPair(SPARSE)
    pair.armed_away()
    for way in (1, 2, 3):
        jammed_for(pair, 400)
        pair.visit()
        assert pair.names().count("jammed") == way
        pair.stay_home(600)
        pair.leave()


def test_a_broken_zone_is_told_anew_after_arming_anew():
    pair = TagPair({**SPARSE, "zone_points": 1})
    pair.arm()
    pair.key(pair.centre.seal(frames.ZONES, ELSEWHERE))
    for times in (1, 2):
        pair.leave()
        pair.run(5)
        pair.gnss(epoch(pair.now // 1000))
        pair.run(5)
        assert pair.tag.situation.zone_broken
        pair.visit(home=False)
        assert pair.names().count("zone_broken") == times
        disarm(pair)
        pair.arm()
        assert not pair.tag.situation.zone_broken


def test_a_reboot_away_from_home_brings_nobody_home():
    pair = TagPair(SPARSE)
    pair.arm()
    pair.edge(is_open=True)
    pair.edge(is_open=False)
    pair.leave()
    pair.visit(home=False)
    again = rebooted(pair)
    again.run(61)
    assert again.tag.situation.violation
    assert again.gnss_power[0][1]
    again.visit()
    assert "left_home" not in again.names()
    assert again.names().count("came_home") == 1
    at_home = rebooted(again)
    at_home.run(61)
    assert not at_home.tag.away
    assert at_home.gnss_power == []


def test_a_broken_curfew_stays_broken_over_a_reboot_and_is_told_once():
    pair = TagPair(SPARSE)
    pair.arm()
    pair.visit()
    pair.key(pair.centre.seal(frames.CURFEW, ALWAYS_HOME))
    pair.leave()
    pair.run(1)
    pair.visit(home=False)
    assert pair.names().count("curfew_broken") == 1
    again = rebooted(pair)
    again.telling_time = False
    again.run(61)
    assert again.tag.situation.violation  # whatever the time is
    again.telling_time = True
    again.visit(home=False)
    assert again.tag.situation.curfew_broken
    assert "curfew_broken" not in again.names()
    again.visit()
    assert again.names().count("curfew_kept") == 1


def test_a_reboot_does_not_take_a_disarmed_tag_away():
    pair = TagPair(SPARSE)
    pair.armed_away()
    disarm(pair)
    again = rebooted(pair)
    again.run(61)
    again.arm()
    assert not again.tag.away


def test_who_gets_up_is_asked_for_at_once_and_not_with_the_next_heartbeat():
    pair = TagPair({"heartbeat_shortest_ms": 30_000, "heartbeat_longest_ms": 30_000}, sampling=True)
    pair.arm()
    pair.restless = False
    pair.stay_home(700)
    resting_told = pair.names().count("resting")
    pair.restless = True
    pair.run(20)
    pair.restless = False
    pair.stay_home(700)  # rests again, and this is not told
    assert pair.tag.situation.resting
    pair.visit()
    assert pair.names().count("resting") == resting_told == 1
    heard_at = pair.now
    pair.run(65)
    assert pair.tag._presence.asked is None
    pair.restless = True
    pair.run_to(pair.now - pair.now % 1000 + 1000)
    assert pair.tag._presence.asked is not None
    assert pair.now - heard_at < 70_000


def test_a_shorter_grace_counts_from_its_setting():
    pair = TagPair({**SPARSE, "curfew_grace_s": 3600})
    pair.arm()
    pair.visit()
    leave_s = 600
    once = ((documents.WINDOW_MAY_LEAVE, UTC_AT_START_S - 7200, UTC_AT_START_S + leave_s),)
    pair.key(pair.centre.seal(frames.CURFEW, documents.pack_curfew((7, ((0, 0),), (), once))))
    pair.leave()
    pair.run_to(leave_s * 1000 + 60_000)
    assert pair.tag.away
    assert not pair.tag.situation.curfew_broken
    settings = ((documents.SETTING_CURFEW_GRACE_S, 120),)
    pair.key(pair.centre.seal(frames.CONFIG, documents.pack_config((1, (), settings))))
    pair.run_to(leave_s * 1000 + 119_999)
    assert not pair.tag.situation.curfew_broken
    pair.run_to(leave_s * 1000 + 120_000)
    assert pair.tag.situation.curfew_broken
