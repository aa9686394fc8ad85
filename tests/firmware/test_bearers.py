"""Leaving, coming home, and when the cellular line is dialled, kept and given up."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.tag_pair import TagPair, epoch
from strapline_protocol.definitions import State
from strapline_tag import outputs as out
from strapline_wire import frames

# The receiver never gives up, so that NO_FIX does not mix in.
SPARSE = {"heartbeat_shortest_ms": 60_000, "heartbeat_longest_ms": 60_000, "fix_timeout_s": 1_000_000}


@pytest.fixture
def pair():
    pair = TagPair(SPARSE)
    pair.arm()
    pair.visit()
    return pair


def waits(times):
    return [later - sooner for sooner, later in pairwise(times)]


# Leaving and coming home.


@pytest.mark.parametrize(
    ("moving", "home_hours", "asks_s", "silence_s"),
    [(True, False, 60, 300), (False, False, 120, 300), (True, True, 15, 30), (False, True, 120, 300)],
)
def test_a_tag_asks_for_a_call_and_without_an_answer_for_as_long_as_is_set_the_wearer_has_left(
    pair, moving, home_hours, asks_s, silence_s
):
    pair.tag.situation.resting, pair.tag.situation.home_hours = not moving, home_hours
    pair.run(23.456)
    pair.visit()
    heard_at = pair.now
    asked_at = heard_at + asks_s * 1000
    pair.run_to(asked_at + silence_s * 1000 - 1)
    assert not pair.tag.away
    flags = [(h.at, State.ASKS in State(h.heartbeat.flags)) for h in pair.heard if h.at > heard_at]
    assert all(asks == (at >= asked_at) for at, asks in flags)
    assert (
        len([at for at, asks in flags if asks and at < asked_at + 30_000]) >= 24
    )  # quick ones, for a gateway to come on
    pair.run(10)
    left_at = asked_at + silence_s * 1000
    assert pair.times("left_home") == [left_at]
    assert [r.body.detail for r in pair.unique() if r.name == "left_home"] == [asks_s + silence_s]


@pytest.mark.parametrize("still_s", [1, 29, 31, 200])
def test_in_curfew_hours_the_silence_of_who_lay_still_counts_from_the_first_movement(pair, still_s):
    situation = pair.tag.situation
    situation.resting = situation.home_hours = True
    pair.visit()
    pair.run_to(pair.now + (120 + still_s) * 1000)
    woken_at = pair.now
    situation.resting = False
    pair.run_to(woken_at + 29_000)
    assert not pair.tag.away
    pair.run(31 + 60 + 10)  # movement is seen with the next heartbeat at the latest, here each 60 s
    [left_at] = pair.times("left_home")
    assert woken_at + 30_000 <= left_at <= woken_at + 90_000


def test_an_answer_in_the_last_moment_is_one(pair):
    for _ in range(10):
        pair.run(359)
        pair.visit()
        assert not pair.tag.away
    assert "left_home" not in pair.names()


def test_one_who_gets_up_after_a_still_hour_is_asked_for_at_once(pair):
    pair.tag.situation.resting = True
    pair.visit()
    pair.run(100)
    pair.tag.situation.resting = False
    pair.tag._recorder.event(frames.EVENT_MOVING, pair.now, 0)
    got_up = pair.now
    pair.run(1000)
    assert pair.times("left_home") == [got_up + 300_000]


def test_a_tag_without_a_base_station_is_away_from_the_start_and_stays_so():
    pair = TagPair({**SPARSE, "mode": 2})
    pair.arm()
    assert pair.tag.away
    assert pair.gnss_power == [(0, True)]
    pair.visit()  # somebody's base station, which says that it is home
    pair.run(600)
    assert pair.tag.away
    again = TagPair({**SPARSE, "mode": 2}, memory=pair.memory, seed="again")
    again.run(1)
    assert again.tag.away
    assert not {"left_home", "came_home"} & {*pair.names(), *again.names()}


def test_it_leaves_once_however_long_it_stays_away(pair):
    pair.run(3 * 86400)
    assert len(pair.times("left_home")) == 1


def test_a_sleep_through_the_five_minutes_is_told_as_it_was(pair):
    pair.now = 1_000_000
    pair.tag.handle_timer(pair.now)
    pair.run(400)
    assert [r.body.detail for r in pair.unique() if r.name == "left_home"] == [1300]  # who slept has asked for nothing


def test_nobody_leaves_before_the_tag_is_armed():
    pair = TagPair(SPARSE)
    pair.visit()
    pair.run(86400)
    assert pair.names() == ["started"]
    assert pair.dialled == []


def test_only_the_wearers_own_gateway_is_home(pair):
    for _ in range(10):
        pair.run(60)
        pair.visit(home=False)
    assert "left_home" in pair.names()
    pair.visit(home=False)
    assert "came_home" not in pair.names()


def test_the_cellular_gateway_is_never_home(pair):
    pair.run(400)
    pair.connect(out.CELLULAR)
    pair.lines[out.CELLULAR].home = True
    pair.connect(out.CELLULAR)
    assert pair.tag.away


def test_what_comes_over_cellular_is_not_heard_from_home(pair):
    for _ in range(15):
        pair.run(20)
        pair.connect(out.CELLULAR)
        pair.command(pair.centre.receipt(1), out.CELLULAR)
    pair.run(1)
    pair.run(60)
    assert pair.times("left_home") == [360_000]


def test_a_connection_that_nobody_answers_is_not_home(pair):
    pair.greeting = False
    for _ in range(6):
        pair.run(60)
        pair.visit()
    assert pair.tag.away


def test_home_again_is_told_at_the_first_contact_and_once(pair):
    pair.run(4000)
    pair.visit()
    home_at = pair.now
    pair.stay_home(3600)
    assert pair.times("came_home") == [home_at]
    assert not pair.tag.away


def test_a_long_talk_with_home_is_no_absence(pair):
    # The backlog of an outage takes longer than five minutes: what home says in that time is heard.
    pair.connect()
    for _ in range(100):
        pair.run(30)
        pair.command(pair.centre.receipt(1))
    assert "left_home" not in pair.names()
    pair.run(359)
    assert not pair.tag.away


def test_a_long_silence_on_a_line_to_home_is_one(pair):
    pair.connect()
    pair.run(361)
    assert pair.tag.away


def test_a_strangers_bytes_on_the_line_to_home_do_not_keep_the_wearer_there(pair):
    pair.connect()
    for _ in range(40):
        pair.run(10)
        pair.line_data(b"\x00\x05\x11\x22\x33\x44\x00")
    assert pair.tag.away


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 1000)), max_size=30))
def test_leaving_and_coming_alternate_and_each_leaving_is_true(course):
    pair = TagPair(SPARSE)
    pair.arm()
    visits = [0]
    for contact, seconds in course:
        if contact:
            pair.visit()
            visits.append(pair.now)
        pair.run(seconds)
    pair.connect(home=False)
    names = [name for name in pair.names() if name.endswith("_home")]
    assert names == ["left_home", "came_home"] * (len(names) // 2) + ["left_home"] * (len(names) % 2)
    for at in pair.times("left_home"):
        assert at - max(v for v in visits if v < at) == 360_000
    assert set(pair.times("came_home")) <= set(visits)


# The cellular line.


def test_leaving_dials_at_once_and_hangs_up_a_second_after_the_last_receipt(pair):
    pair.run(400)
    assert pair.dialled == [360_000]
    assert pair.hung_up == [(361_000, out.CELLULAR)]
    assert [(r.name, r.at, r.bearer) for r in pair.unique()][-1] == ("left_home", 360_000, out.CELLULAR)


def test_an_alarm_away_dials_at_once(pair):
    pair.run(1000)
    pair.edge(is_open=True)
    assert pair.dialled[-1] == pair.now
    assert (pair.unique()[-1].name, pair.unique()[-1].at) == ("strap_open", pair.now)


def test_positions_wait_for_the_next_event(pair):
    pair.run(370)
    for _ in range(100):
        pair.gnss(epoch(pair.now // 1000))
        pair.run(60)
    assert pair.dialled == [360_000]
    assert pair.waiting().count("fix") > 20
    pair.run(3 * 3600)
    assert len(pair.dialled) == 2  # the beacon, after 4 h
    assert pair.names().count("fix") > 20
    assert pair.waiting() == []


def test_in_violation_the_line_stays_and_each_position_is_at_the_centre_at_once(pair):
    pair.run(370)
    pair.edge(is_open=True)
    calls = len(pair.dialled)
    for _ in range(200):
        pair.gnss(epoch(pair.now // 1000))
        pair.run(15)
    assert len(pair.dialled) == calls
    fixes = [record for record in pair.unique() if record.name == "fix"]
    assert len(fixes) >= 195
    assert all(record.at // 1000 - record.body.uptime_s <= 0 for record in fixes)


def test_at_home_an_alarm_without_a_receipt_dials_after_20_s(pair):
    pair.stay_home(600)
    pair.edge(is_open=True)
    opened_at = pair.now
    pair.run(19.999)
    assert pair.dialled == []
    pair.run(60)
    assert pair.dialled == [opened_at + 20_000]
    assert "strap_open" in pair.names()
    assert not pair.tag.away


def test_at_home_an_alarm_whose_receipt_has_come_dials_nobody(pair):
    pair.edge(is_open=True)
    pair.run(19)
    pair.visit()
    pair.run(200)
    assert pair.dialled == []


def test_an_alarm_that_is_delivered_and_has_no_receipt_dials_all_the_same(pair):
    pair.receipting = False
    pair.edge(is_open=True)
    pair.visit()
    assert "strap_open" in pair.names()
    pair.run(21)
    assert len(pair.dialled) == 1


def test_at_home_nothing_but_an_alarm_dials(pair):
    pair.receipting = False
    pair.edge(is_open=False)
    for sample in range(62):
        pair.tag.feed_skin(pair.now + sample * 10_000, 2200, 2200)
    pair.stay_home(5 * 3600)
    assert pair.dialled == []
    assert {"skin_lost", "beacon"} <= set(pair.names())


BACK_OFF = [10_000 * 2**n for n in range(6)] + [600_000] * 20
"""R07: what waits is at the centre within 15 min after the line is back."""


def test_a_failed_call_is_repeated_after_10_s_20_s_and_so_on_up_to_10_min(pair):
    pair.coverage = False
    pair.run(360 + 3 * 3600)
    assert waits(pair.dialled) == BACK_OFF[: len(pair.dialled) - 1]
    assert len(pair.dialled) > 20
    pair.run(3 * 3600)
    assert max(waits(pair.dialled)) == 600_000


@pytest.mark.parametrize("how", ["hung up at once", "no welcome", "no receipts", "a modem that says nothing"])
def test_a_line_that_brings_nothing_is_backed_off_from_as_well(pair, how):
    if how == "hung up at once":
        connect = pair.connect
        pair.connect = lambda bearer: (connect(bearer), pair.disconnect(bearer))
        pair.greeting = False
    elif how == "no welcome":
        pair.greeting = False
    elif how == "no receipts":
        pair.receipting = False
    else:
        pair.coverage = None
    pair.run(360 + 3 * 3600)
    lasted = {"hung up at once": 0, "a modem that says nothing": 300_000}.get(how, 30_000)
    expected = [wait + lasted for wait in BACK_OFF]
    assert waits(pair.dialled)[:7] == expected[:7]
    assert len(pair.dialled) < 25


def test_a_receipt_ends_the_back_off(pair):
    pair.coverage = False
    pair.run(7200)
    pair.visit(home=False)
    pair.edge(is_open=True)
    calls = len(pair.dialled)
    pair.run(100)
    assert waits(pair.dialled[calls - 1 :]) == [10_000, 20_000, 40_000]


def test_an_alarm_does_not_wait_for_a_backed_off_call(pair):
    pair.coverage = False
    pair.run(10 * 3600)
    assert pair.dialled[-1] < pair.now - 300_000
    pair.coverage = True
    pair.edge(is_open=True)
    opened_at = pair.now
    pair.run(60)
    (alarm,) = [r for r in pair.unique() if r.name == "strap_open"]
    assert alarm.at - opened_at <= 10_000


def test_who_is_looked_for_is_dialled_for_every_five_minutes_at_least(pair):
    pair.coverage = False
    pair.run(400)
    pair.edge(is_open=True)
    calls = len(pair.dialled)
    pair.run(6 * 3600)
    assert max(waits(pair.dialled[calls:])) == 300_000


def test_a_strap_that_flaps_without_coverage_does_not_dial_all_the_time(pair):
    pair.coverage = False
    pair.run(1000)
    calls = len(pair.dialled)
    for _ in range(600):
        pair.edge(is_open=True)
        pair.edge(is_open=False)
        pair.run(1)
    assert len(pair.dialled) - calls <= 61


def test_one_call_at_a_time_and_none_while_a_line_stands(pair):
    pair.coverage = None
    pair.run(400)
    for _ in range(10):
        pair.edge(is_open=True)
        pair.edge(is_open=False)
        pair.run(1)
    assert len(pair.dialled) == 1
    pair.receipting = False
    pair.connect(out.CELLULAR)
    for _ in range(10):
        pair.edge(is_open=True)
        pair.edge(is_open=False)
        pair.run(1)
    assert len(pair.dialled) == 1


def test_receipts_keep_the_line_and_the_last_one_ends_it(pair):
    pair.run(370)
    pair.coverage = None
    for second in range(60):
        pair.gnss(epoch(second))
        pair.run(181)
    pair.receipting = False
    pair.connect(out.CELLULAR)
    connected_at = pair.now
    journal = pair.tag.journal
    while pair.waiting():
        pair.run(25)
        held = pair.held()
        assert pair.hung_up[-1][0] < connected_at
        pair.command(pair.centre.receipt_of(journal.ident, held[min(8, len(held) - 1)] + 1), out.CELLULAR)
    last_at = pair.now
    assert last_at - connected_at > 60_000
    pair.run(5)
    assert pair.hung_up[-1] == (last_at + 1000, out.CELLULAR)


def test_a_line_without_receipts_is_hung_up_after_30_s(pair):
    pair.receipting = False
    pair.run(400)
    assert pair.hung_up == [(390_000, out.CELLULAR)]


def test_a_lost_line_is_dialled_again_while_something_waits(pair):
    pair.receipting = False
    pair.run(365)
    pair.disconnect(out.CELLULAR)
    pair.receipting = True
    pair.run(20)
    assert pair.dialled == [360_000, 375_000]
    assert pair.waiting() == []


def test_coming_home_ends_the_calling(pair):
    pair.coverage = False
    pair.run(400)
    pair.visit()
    calls = len(pair.dialled)
    pair.stay_home(3 * 3600)
    assert len(pair.dialled) == calls


def test_both_bearers_at_once_deliver_and_a_receipt_on_one_counts_for_both(pair):
    pair.receipting = False
    pair.run(365)
    assert out.CELLULAR in pair.lines
    pair.connect(home=False)
    assert {r.bearer for r in pair.arrived if r.name == "left_home"} == {out.BLE, out.CELLULAR}
    pair.command(pair.centre.receipt(pair.tag.journal.ident), out.BLE)
    assert pair.waiting() == []
    before = len(pair.arrived)
    pair.run(5)
    assert len(pair.arrived) == before
    assert out.CELLULAR not in pair.lines


# Whoever connects to the tag.


def test_a_stranger_who_connects_and_does_not_know_the_link_key_is_thrown_out_after_10_s(pair):
    pair.greeting = False
    pair.connect()
    connected_at = pair.now
    pair.run(8)
    pair.line_data(b"\x00\x01\x02\x03\x00")
    pair.run(60)
    assert pair.hung_up == [(connected_at + 10_000, out.BLE)]
    pair.greeting = True
    pair.visit()
    assert pair.waiting() == []


def test_a_gateway_that_has_greeted_is_not_thrown_out(pair):
    pair.connect()
    pair.run(120)
    assert pair.hung_up == []


def test_a_stranger_who_leaves_and_a_gateway_that_comes_are_told_apart(pair):
    pair.greeting = False
    pair.connect()
    pair.run(9)
    pair.disconnect()
    pair.greeting = True
    pair.connect()
    pair.run(60)
    assert pair.hung_up == []
