"""The station: what it believes of tags and strangers, and when it calls."""

import itertools

import pytest

from hand_made_tag import ALARM, OTHER_SECRET, OTHER_TAG, HandMadeTag
from station_home import ADDRESS, Home, connects, facts, known_home
from strapline_gateway.station import (
    ASKED_AFTER_S,
    CONTACT_PERIOD_S,
    IDLE_S,
    LEAVE_AFTER_S,
    REPLAY_TOLERANCE_S,
    Connect,
    HangUp,
    Presence,
    Provisional,
    Record,
    Ring,
    Station,
    Transmit,
)
from strapline_protocol.definitions import State
from strapline_wire import frames

# Heartbeats.


def test_a_heartbeat_is_accepted_once():
    home, tag = known_home()
    data = tag.heartbeat(home.now)
    home.hear(data)
    before = facts(home, tag), home.station.accepted
    home.now = 1.0
    assert home.hear(data) == []
    assert (facts(home, tag), home.station.accepted) == before
    assert home.rejected == {"replayed": 1}


def test_a_heartbeat_older_than_the_replay_window_is_refused():
    home, tag = known_home()
    old = tag.heartbeat(home.now)
    for _ in range(64):
        home.hear(tag.heartbeat(home.now))
    home.hear(old)
    assert home.rejected == {"too_old": 1}


def test_heartbeats_may_overtake_each_other():
    home, tag = known_home()
    first, second = tag.heartbeat(home.now), tag.heartbeat(home.now)
    home.hear(second)
    home.hear(first)
    assert home.rejected == {}


def forged(data):
    return data[:-1] + bytes((data[-1] ^ 1,))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (forged, "forged"),
        (lambda data: data[:9] + bytes((data[9] ^ 0x40,)) + data[10:], "forged"),
        (lambda data: data[:16], "truncated"),
        (lambda data: data[:4], "truncated"),
        (lambda _data: b"", "truncated"),
        (lambda data: bytes((data[0] ^ 0x80,)) + data[1:], "unknown_version"),
        (lambda data: data[:1] + bytes(4) + data[5:], "unknown_tag"),
        (lambda data: bytes((0x40 | frames.RECORD,)) + data[1:], "unexpected"),
    ],
)
def test_what_is_not_genuine_is_counted_and_changes_nothing(change, reason):
    home, tag = known_home()
    good = tag.heartbeat(home.now, ALARM, newest_alarm=3)
    before = facts(home, tag), home.station.accepted
    assert home.hear(change(good)) == []
    assert (facts(home, tag), home.station.accepted) == before
    assert home.rejected == {reason: 1}
    assert Provisional(tag.ident, 3, ALARM) in home.hear(good)


def test_a_tag_of_another_home_is_unknown():
    home, tag = known_home()
    stranger = HandMadeTag(OTHER_TAG, OTHER_SECRET)
    before = facts(home, tag)
    assert home.hear(stranger.heartbeat(home.now)) == []
    assert facts(home, tag) == before
    assert home.rejected == {"unknown_tag": 1}


def test_tags_are_told_apart():
    one, two = HandMadeTag(), HandMadeTag(OTHER_TAG, OTHER_SECRET)
    home = Home(one, two)
    assert Presence(two.ident, True, -71, verified=False) in home.hear(two.heartbeat(0), rssi_dbm=-71)
    assert Presence(one.ident, True, -50, verified=False) in home.hear(one.heartbeat(0), rssi_dbm=-50)


@pytest.mark.parametrize(("age_s", "is_refused"), [(28, False), (34, True), (300, True), (86400, True)])
def test_a_recorded_heartbeat_is_refused_when_its_uptime_is_off(age_s, is_refused):
    home, tag = known_home()
    recorded = tag.heartbeat(home.now, ALARM, newest_alarm=3)
    home.now += age_s
    before = facts(home, tag) | {"in_call": True}
    events = home.hear(recorded)
    if is_refused:
        assert home.rejected == {"delayed_replay": 1}
        assert facts(home, tag) == before
        assert events == [Connect(tag.ident, ADDRESS)]  # a tag that has started again looks the same
    else:
        assert home.rejected == {}
        assert Provisional(tag.ident, 3, ALARM) in events


def test_the_uptime_is_compared_across_its_wrap():
    wrap_s = 4 * 65536
    home, tag = known_home(booted_at=-wrap_s + 10.0)
    home.now = 20.0
    home.hear(tag.heartbeat(home.now))
    assert home.rejected == {}
    recorded = tag.heartbeat(home.now)
    home.now += REPLAY_TOLERANCE_S + 5
    home.hear(recorded)
    assert home.rejected == {"delayed_replay": 1}


@pytest.mark.parametrize(("ahead_s", "is_refused"), [(28, False), (34, True)])
def test_a_tag_whose_clock_runs_fast_is_borne_with_as_far(ahead_s, is_refused):
    home, tag = known_home()
    home.now = 1000.0
    home.hear(tag.heartbeat(home.now + ahead_s))
    assert home.rejected == ({"delayed_replay": 1} if is_refused else {})


def test_a_delayed_replay_does_not_keep_the_search_for_the_real_tag_from_starting():
    home, tag = known_home()
    recorded = [tag.heartbeat(home.now) for _ in range(200)]
    tag.slot = 60
    home.now = 36000.0
    for data in recorded:
        home.now += 10.0
        home.hear(data)
    assert home.rejected == {"delayed_replay": 200}
    before = home.station.accepted
    home.hear(tag.heartbeat(home.now))
    assert home.station.accepted == before + 1


def test_after_a_reboot_heartbeats_count_again_once_the_tag_has_proved_itself():
    home, tag = known_home()
    home.now = 500.0
    tag.booted_at, tag.boot = home.now, 2
    assert home.hear(tag.heartbeat(home.now)) == [Connect(tag.ident, ADDRESS)]
    assert home.rejected == {"delayed_replay": 1}
    home.visit(tag)
    home.hear(tag.heartbeat(home.now))
    assert home.rejected == {"delayed_replay": 1}


# Presence.


def test_presence_comes_with_the_first_heartbeat_and_goes_after_the_debounce():
    home, tag = known_home()
    assert home.take() == []
    home.hear(tag.heartbeat(home.now))
    assert home.wait(LEAVE_AFTER_S - 1) == []
    assert home.wait(2) == [Presence(tag.ident, False, None)]
    assert home.wait(10 * LEAVE_AFTER_S) == []
    assert Presence(tag.ident, True, -80) in home.hear(tag.heartbeat(home.now), rssi_dbm=-80)


def test_presence_is_told_once_while_the_tag_is_heard():
    home, tag = known_home()
    events = []
    for _ in range(500):
        events += home.wait(10)
        events += home.hear(tag.heartbeat(home.now))
        home.station.call_failed(tag.ident, home.now)
    assert [e for e in events if isinstance(e, Presence)] == []


def test_after_a_start_recorded_heartbeats_show_presence_for_minutes_and_not_for_days():
    """Nothing tells them from fresh ones before the first session; each is good once, and one in five minutes would do."""
    tag = HandMadeTag()
    recorded = [tag.heartbeat(0.0) for _ in range(200)]
    home = Home(tag, now=0.0)
    told = []
    for data in recorded:
        told += home.hear(data) + home.wait(200)
    assert [event.present for event in told if isinstance(event, Presence)] == [True, False]
    home.visit(tag)
    assert Presence(tag.ident, True, -60) in home.hear(tag.heartbeat(home.now))


def test_an_alarm_is_told_of_even_by_a_tag_that_no_session_has_proved():
    tag = HandMadeTag()
    home = Home(tag)
    for _ in range(10):
        home.hear(tag.heartbeat(home.now))
        home.wait(200)
    assert Provisional(tag.ident, 3, ALARM) in home.hear(tag.heartbeat(home.now, ALARM, newest_alarm=3))


# Alarms.


def test_a_provisional_alarm_is_told_once_for_each_alarm():
    home, tag = known_home()
    told = []
    for newest_alarm in (3, 3, 3, 9, 9, 10):
        home.now += 1
        told += home.hear(tag.heartbeat(home.now, ALARM, newest_alarm))
    assert [e for e in told if isinstance(e, Provisional)] == [Provisional(tag.ident, n, ALARM) for n in (3, 9, 10)]


def test_the_256th_record_can_be_an_alarm_too():
    home, tag = known_home()
    assert Provisional(tag.ident, 0, ALARM) in home.hear(tag.heartbeat(home.now, ALARM, newest_alarm=256 & 0xFF))


def test_a_second_alarm_with_the_same_low_byte_is_told():
    home, tag = known_home()
    home.hear(tag.heartbeat(home.now, ALARM, newest_alarm=3))
    home.hear(tag.heartbeat(home.now, State.ARMED, newest_alarm=3))
    assert Provisional(tag.ident, 3, ALARM) in home.hear(tag.heartbeat(home.now, ALARM, newest_alarm=259 & 0xFF))


def test_the_first_alarm_after_a_reboot_is_told_though_it_has_the_number_of_the_last_one_before():
    home, tag = known_home()
    home.hear(tag.heartbeat(home.now, ALARM, newest_alarm=3))
    home.now = 100.0
    tag.booted_at, tag.boot = home.now, 2
    home.visit(tag)
    assert Provisional(tag.ident, 3, ALARM) in home.hear(tag.heartbeat(home.now, ALARM, newest_alarm=3))


# When to call.


@pytest.mark.parametrize("flags", [State.PENDING, State.PENDING | State.ARMED, ALARM])
def test_a_tag_with_something_to_say_is_called_at_once(flags):
    home, tag = known_home()
    home.now = 1.0
    assert connects(home.hear(tag.heartbeat(home.now, flags, newest_alarm=1))) == [Connect(tag.ident, ADDRESS)]


def test_a_quiet_tag_is_called_when_contact_is_overdue():
    home, tag = known_home()
    home.now = CONTACT_PERIOD_S - 1
    assert home.hear(tag.heartbeat(home.now)) == []
    home.now = CONTACT_PERIOD_S
    assert home.hear(tag.heartbeat(home.now)) == [Connect(tag.ident, ADDRESS)]


def test_a_tag_that_has_mail_is_called():
    home, tag = known_home()
    home.now = 1.0
    assert home.station.send_command(tag.ident, b"sealed", home.now)
    assert home.hear(tag.heartbeat(home.now)) == [Connect(tag.ident, ADDRESS)]


def test_a_tag_that_asks_for_a_call_is_called_and_not_again_before_it_can_have_noticed():
    home, tag = known_home()
    home.now = ASKED_AFTER_S - 1
    assert home.hear(tag.heartbeat(home.now, State.ASKS)) == []
    home.now = ASKED_AFTER_S
    assert home.hear(tag.heartbeat(home.now, State.ASKS)) == [Connect(tag.ident, ADDRESS)]


@pytest.mark.parametrize(
    ("kind", "is_urgent"), [(frames.LOCATE, True), (frames.MESSAGE, True), (frames.RECEIPT, False)]
)
def test_an_order_has_a_tag_paged_that_calls_us_and_has_no_line(kind, is_urgent):
    tag = HandMadeTag()
    order = bytes([kind]) + b"sealed"
    ingress = Station(0x6A7E00CE, [tag.gateway_keys], bytes, home=False)
    assert ingress.send_command(tag.ident, order, 0.0)
    assert ingress.next_event() == (Ring(tag.ident) if is_urgent else None)
    assert ingress.next_event() is None
    home, tag = known_home()  # a tag that lives here is called over Bluetooth
    assert home.station.send_command(tag.ident, order, home.now)
    assert home.station.next_event() is None


def test_a_tag_is_never_called_twice_at_once():
    home, tag = known_home()
    home.now = 200.0
    assert len(connects(home.hear(tag.heartbeat(home.now, ALARM, 1)))) == 1
    for _ in range(20):
        home.now += 0.1
        assert connects(home.hear(tag.heartbeat(home.now, ALARM, 1))) == []
    number = home.station.open_link(home.now, tag.ident)
    assert connects(home.hear(tag.heartbeat(home.now, ALARM, 1))) == []
    home.greet(number, tag)
    assert connects(home.hear(tag.heartbeat(home.now, ALARM, 1))) == []
    home.say(number, tag.reply(home.now))
    assert connects(home.hear(tag.heartbeat(home.now, ALARM, 1))) == []
    home.close(number)
    assert len(connects(home.hear(tag.heartbeat(home.now, ALARM, 1)))) == 1


def test_a_tag_that_has_called_us_is_not_called():
    home, tag = known_home()
    number = home.open(tag, called=False)
    assert connects(home.hear(tag.heartbeat(home.now, ALARM, 1))) == []
    home.close(number)
    assert len(connects(home.hear(tag.heartbeat(home.now, ALARM, 1)))) == 1


def calls_in(home, tag, seconds, flags, *, outcome):
    """When the tag was called while it advertised every second; `outcome(home, tag)` is what came of each call."""
    at = []
    for _ in range(seconds):
        home.wait(1)
        if connects(home.hear(tag.heartbeat(home.now, flags, 1))):
            at.append(home.now)
            outcome(home, tag)
    return [b - a for a, b in itertools.pairwise(at)]


def test_calls_that_fail_are_repeated_ever_more_slowly():
    home, tag = known_home()
    pauses = calls_in(home, tag, 400, State.PENDING, outcome=lambda h, t: h.station.call_failed(t.ident, h.now))
    assert pauses == [5, 10, 20, 40, 60, 60, 60, 60, 60]


def test_a_device_that_answers_and_proves_nothing_is_called_ever_more_slowly_too():
    def answer_and_hang_up(home, tag):
        home.close(home.station.open_link(home.now, tag.ident))

    home, tag = known_home()
    assert calls_in(home, tag, 400, State.PENDING, outcome=answer_and_hang_up)[:6] == [5, 10, 20, 40, 60, 60]


def test_two_days_of_failed_calls_do_not_end_the_gateway():
    home, tag = known_home()
    for _ in range(2 * 24 * 60):
        home.now += 60
        assert len(connects(home.hear(tag.heartbeat(home.now, State.PENDING)))) == 1
        home.station.call_failed(tag.ident, home.now)


def test_a_new_alarm_does_not_wait_for_the_pause_after_failures():
    home, tag = known_home()
    calls_in(home, tag, 200, State.PENDING, outcome=lambda h, t: h.station.call_failed(t.ident, h.now))
    assert connects(home.hear(tag.heartbeat(home.now, State.PENDING))) == []
    assert len(connects(home.hear(tag.heartbeat(home.now, ALARM, 7)))) == 1
    home.station.call_failed(tag.ident, home.now)
    assert connects(home.hear(tag.heartbeat(home.now, ALARM, 7))) == []


def test_a_proof_ends_the_pauses():
    home, tag = known_home()
    calls_in(home, tag, 200, State.PENDING, outcome=lambda h, t: h.station.call_failed(t.ident, h.now))
    home.visit(tag)
    assert len(connects(home.hear(tag.heartbeat(home.now, State.PENDING)))) == 1


def deliver(home, tag, *, answer):
    number = home.open(tag)
    home.say(number, tag.send(tag.event(sequence=1)))
    if answer:
        home.station.send_command(tag.ident, b"receipt", home.now)
    home.wait(IDLE_S)
    home.close(number)


def test_records_that_nobody_answers_are_collected_ever_more_slowly():
    home, tag = known_home()
    pauses = calls_in(home, tag, 600, State.PENDING, outcome=lambda h, t: deliver(h, t, answer=False))
    assert pauses[:4] == sorted(pauses[:4])
    assert pauses[0] <= 10
    assert pauses[-1] >= CONTACT_PERIOD_S
    assert len(pauses) < 12


def test_records_that_are_answered_are_collected_at_once():
    home, tag = known_home()
    pauses = calls_in(home, tag, 60, State.PENDING, outcome=lambda h, t: deliver(h, t, answer=True))
    assert set(pauses) == {IDLE_S + 1}


def test_an_answer_that_comes_late_and_a_new_alarm_both_end_the_waiting():
    home, tag = known_home()
    calls_in(home, tag, 100, State.PENDING, outcome=lambda h, t: deliver(h, t, answer=False))
    assert connects(home.hear(tag.heartbeat(home.now, State.PENDING))) == []
    home.station.send_command(tag.ident, b"receipt", home.now)
    assert len(connects(home.hear(tag.heartbeat(home.now, State.PENDING)))) == 1
    home.visit(tag)
    calls_in(home, tag, 100, State.PENDING, outcome=lambda h, t: deliver(h, t, answer=False))
    assert len(connects(home.hear(tag.heartbeat(home.now, ALARM, 4)))) == 1


# Every event in every state of a tag's connection.

STATES = ("away", "near", "calling", "called", "greeted", "proved", "closing")


def in_state(state):
    tag = HandMadeTag()
    home = Home(tag)
    home.number = None
    if state == "away":
        return home, tag
    home.hear(tag.heartbeat(home.now))
    home.visit(tag)
    if state == "near":
        return home, tag
    home.now = CONTACT_PERIOD_S
    home.hear(tag.heartbeat(home.now))
    if state == "calling":
        return home, tag
    home.number = home.station.open_link(home.now, tag.ident)
    if state == "called":
        return home, tag
    home.greet(home.number, tag)
    if state == "greeted":
        return home, tag
    home.say(home.number, tag.reply(home.now))
    if state == "closing":
        home.wait(IDLE_S)
    return home, tag


def pending_heartbeat(home, tag):
    return home.hear(tag.heartbeat(home.now, State.PENDING))


def a_command(home, tag):
    home.station.send_command(tag.ident, b"sealed", home.now)
    return home.take()


def a_record(home, tag):
    if home.number is None or tag.session is None:
        return None
    return home.say(home.number, tag.send(tag.event()))


def ten_seconds(home, tag):
    return home.wait(10.0)


def ten_minutes(home, tag):
    return home.wait(600.0)


TABLE = {
    pending_heartbeat: {
        "away": [Presence, Connect],
        "near": [Connect],
        "calling": [],
        "called": [],
        "greeted": [],
        "proved": [],
        "closing": [],
    },
    a_command: {key: [] for key in STATES} | {"proved": [Transmit]},
    a_record: {"called": [], "greeted": [Record], "proved": [Record], "closing": [Record]},
    ten_seconds: {key: [] for key in STATES} | {"called": [HangUp], "greeted": [HangUp], "proved": [HangUp]},
    ten_minutes: {
        "away": [],
        "near": [Presence],
        "calling": [Presence],
        "called": [HangUp, Presence],
        "greeted": [HangUp, Presence],
        "proved": [HangUp, Presence],
        "closing": [Presence],
    },
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("event", TABLE, ids=lambda event: event.__name__)
def test_every_event_in_every_state(event, state):
    home, tag = in_state(state)
    events = event(home, tag)
    assert events is None or [type(e) for e in events] == TABLE[event][state]
    assert (events is None) == (state not in TABLE[event])
    deadline = home.station.next_deadline()
    assert deadline is None or deadline > home.now
