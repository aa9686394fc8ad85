"""Who is here: range classes, hysteresis, debounce; and R15's figures, false leaves a day against how soon a leaving is noticed."""

import math
from random import Random

import pytest

from hand_made_tag import ALARM, OTHER_SECRET, OTHER_TAG, HandMadeTag
from station_home import ADDRESS, Home, connects
from strapline_gateway.deadlines import Deadlines
from strapline_gateway.enrolment import Enrolled
from strapline_gateway.presence import (
    BEYOND,
    CLASSES,
    CURFEW_SILENT_S,
    TELL_EVERY_S,
    PresenceLimits,
    PresenceWatch,
    class_of,
    path_loss_dbm,
)
from strapline_gateway.station import LEAVE_AFTER_S, Presence, Station

DAY_S = 86_400.0


class LimitedHome(Home):
    def __init__(self, *tags, **options):
        super().__init__(*tags)
        self.station = Station(
            0x6A7E0001, [tag.gateway_keys for tag in tags], self._draw.randbytes, home=True, **options
        )


def home_with(limits, **options):
    tag = HandMadeTag()
    home = LimitedHome(tag, limits=limits, **options)
    home.hear(tag.heartbeat(home.now))
    home.visit(tag)
    return home, tag


def hear_for(home, tag, seconds, rssi_dbm):
    events = []
    for _ in range(round(seconds / 5)):
        events += home.hear(tag.heartbeat(home.now), rssi_dbm=rssi_dbm) + home.wait(5)
        home.station.call_failed(tag.ident, home.now)
    return [event for event in events if isinstance(event, Presence)]


# Range classes.


def test_the_classes_lie_where_the_path_loss_puts_them():
    limits = PresenceLimits()
    for one in CLASSES:
        inside, outside = path_loss_dbm(one.metres * 0.9), path_loss_dbm(one.metres * 1.1)
        assert class_of(inside, limits) == one.name
        assert class_of(outside, limits) != one.name
    assert class_of(path_loss_dbm(400), limits) == BEYOND


@pytest.mark.parametrize("name", ["11m", "23m", "46m"])
def test_who_is_further_off_than_the_class_is_away_after_the_debounce(name):
    limits = PresenceLimits.of_class(name)
    metres = dict(CLASSES)[name]
    home, tag = home_with(limits)
    hear_for(home, tag, 120, round(path_loss_dbm(metres * 0.6)))
    far = round(path_loss_dbm(metres * 1.6))
    assert hear_for(home, tag, LEAVE_AFTER_S - 30, far) == []
    assert hear_for(home, tag, 120, far) == [Presence(tag.ident, False, None)]
    assert hear_for(home, tag, 3600, far) == []
    (back,) = hear_for(home, tag, 120, round(path_loss_dbm(metres * 0.6)))
    assert back.present


def test_a_tag_beyond_the_class_is_served_and_not_told_that_it_is_at_home():
    home, tag = home_with(PresenceLimits.of_class("23m"))
    assert tag.welcome.flags & 1 == 1
    hear_for(home, tag, 600, -96)
    number = home.open(tag)
    assert tag.welcome.flags & 1 == 0
    assert home.say(number, tag.send(tag.event(sequence=1)))
    home.close(number)
    hear_for(home, tag, 120, -70)
    home.visit(tag)
    assert tag.welcome.flags & 1 == 1


def test_along_the_limit_presence_does_not_flap():
    limits = PresenceLimits.of_class("23m")
    home, tag = home_with(limits)
    draw = Random(3)
    told = []
    for _ in range(2000):
        told += hear_for(home, tag, 5, round(limits.reach_dbm + draw.gauss(0, 2)))
    assert told == []


def test_readers_are_compared_by_signals_told_on_a_change_and_not_oftener_than_each_half_minute():
    home, tag = home_with(PresenceLimits(tell_changes=True))
    home.take()
    hear_for(home, tag, 60, -60)
    assert hear_for(home, tag, 600, -61) == []
    draw = Random(5)
    told = []
    for _ in range(400):
        told += hear_for(home, tag, 10, draw.choice((-60, -95)))
    assert 10 < len(told) <= 4000 / TELL_EVERY_S
    assert {one.range_class for one in told} > {"11m"}


def test_presence_is_unverified_until_a_session_proves_the_uptime():
    tag = HandMadeTag()
    home = Home(tag)
    assert Presence(tag.ident, True, -60, verified=False) in home.hear(tag.heartbeat(home.now))
    assert not home.station.status(home.now)[0].verified
    number = home.station.open_link(home.now, tag.ident)
    home.greet(number, tag)
    assert Presence(tag.ident, True, -60, verified=True) in home.say(number, tag.reply(home.now))
    assert home.station.status(home.now)[0].verified


# Enrolment while it runs.


def test_a_tag_that_is_enrolled_is_known_and_one_that_is_withdrawn_is_not():
    one, two = HandMadeTag(), HandMadeTag(OTHER_TAG, OTHER_SECRET)
    home = Home(one)
    home.hear(two.heartbeat(home.now))
    assert home.rejected == {"unknown_tag": 1}
    assert home.station.enrol(two.gateway_keys, home.now)
    assert not home.station.enrol(two.gateway_keys, home.now)
    home._tags = (one, two)
    home.hear(two.heartbeat(home.now))
    number = home.open(two)
    assert [status.tag for status in home.station.status(home.now) if status.connected] == [two.ident]
    assert home.station.withdraw(two.ident)
    assert not home.station.withdraw(two.ident)
    home.close(number)
    home.hear(two.heartbeat(home.now))
    assert home.rejected == {"unknown_tag": 2}
    assert not home.station.send_command(two.ident, b"sealed", home.now)
    home.wait(3600)
    assert [status.tag for status in home.station.status(home.now)] == [one.ident]


def test_a_link_that_a_withdrawn_tag_has_open_is_closed_and_brings_nothing_more():
    tag = HandMadeTag()
    home = Home(tag)
    number = home.open(tag)
    assert home.station.withdraw(tag.ident)
    (hang_up,) = home.take()
    assert hang_up.link == number
    assert home.say(number, tag.send(tag.event(sequence=1))) == []
    home.station.call_failed(tag.ident, home.now)
    home.station.call_abandoned(tag.ident)
    home.close(number)


def test_a_tag_made_anew_takes_the_place_of_the_old_one():
    old, new = HandMadeTag(), HandMadeTag(secret=OTHER_SECRET)
    home = Home(old)
    home.visit(old)
    assert home.station.enrol(new.gateway_keys, home.now)
    home.hear(old.heartbeat(home.now))
    assert home.rejected == {"unknown_tag": 1}
    assert Presence(new.ident, True, -60, verified=False) in home.hear(new.heartbeat(home.now))


# Several readers.


def readers(tag, count):
    made = [LimitedHome(tag, shared=True) for _ in range(count)]
    for home in made:
        home.hear(tag.heartbeat(home.now))
        home.visit(tag)
        home.take()
    return made


def test_the_nearest_of_several_readers_calls_and_the_others_need_not():
    tag = HandMadeTag()
    made = readers(tag, 4)
    calls = dict.fromkeys(range(4), 0)
    signals = (-84, -62, -75, -90)
    now = 0.0
    asked_at = 0.0
    while now < 7200:
        now += 5
        flags = 0x20 if now - asked_at >= 600 else 0  # a record waits, until somebody has fetched it
        data = tag.heartbeat(now, flags)
        for reader, home in enumerate(made):
            home.now = now
            if connects(home.hear(data, rssi_dbm=signals[reader])):
                calls[reader] += 1
                home.visit(tag)
                asked_at = now
                break  # whoever is connected advertises nothing
    assert calls[1] > sum(calls.values()) / 2
    assert (
        sum(calls.values()) < 7200 / 120 * 1.5
    )  # four that know nothing of each other would make four calls in two minutes


def test_an_alarm_makes_a_weak_reader_wait_less_than_a_second():
    tag = HandMadeTag()
    (home,) = readers(tag, 1)
    for _ in range(40):
        home.now += 1
        home.hear(tag.heartbeat(home.now), rssi_dbm=-90)
    began, called = home.now, False
    while not called and home.now < began + 10:
        called = bool(connects(home.hear(tag.heartbeat(home.now, ALARM, 5), rssi_dbm=-90)))
        home.now += 0.1
    assert called
    assert home.now - began < 1.0


# R15 over a fading world.


def fading(draw, shadow_db, over_s):
    """Shadowing that stays for a while, as bodies and doors make it: Gudmundson's model in time."""
    level, at = 0.0, 0.0

    def now_db(t):
        nonlocal level, at
        keep = math.exp(-(t - at) / over_s)
        level = keep * level + math.sqrt(1 - keep * keep) * draw.gauss(0, shadow_db)
        at = t
        return level

    return now_db


def test_after_a_start_heartbeats_alone_show_nobody_for_longer_than_a_leaving_takes():
    """Recorded ones look the same; whoever is there is called within minutes."""
    enrolled = Enrolled(HandMadeTag().gateway_keys)
    began = 50_000.0
    assert enrolled.is_believed(began, LEAVE_AFTER_S)
    assert enrolled.is_believed(began + LEAVE_AFTER_S - 1, LEAVE_AFTER_S)
    assert not enrolled.is_believed(began + LEAVE_AFTER_S, LEAVE_AFTER_S)
    enrolled.offset_s = 0.0  # a session has proved who it is
    assert enrolled.is_believed(began + 2 * LEAVE_AFTER_S, LEAVE_AFTER_S)


def days_at_home(limits, metres, *, curfew, days, seed, shadow_db=4.0):
    """(leaves told while nobody left, seconds until a real leaving is told) over so many days."""
    draw = Random(seed)
    told = []
    watch = PresenceWatch(told.append, limits)
    enrolled = Enrolled(HandMadeTag().gateway_keys)
    enrolled.offset_s = 0.0
    enrolled.curfew_hours = curfew
    shadow = fading(draw, shadow_db, 20.0)
    t, missed = 0.0, 0
    while t < days * DAY_S:
        t += draw.uniform(1, 10)
        while (due := watch.next_deadline()) is not None and due <= t:
            watch.handle_timer(due)
        rssi = round(path_loss_dbm(metres) + shadow(t) + draw.gauss(0, 2))
        if rssi < -96 or draw.random() < 0.05:
            missed += 1
            continue
        watch.hear(enrolled, rssi, missed, t)
        missed = 0
    false = sum(not event.present for event in told)
    left_at, due = t, watch.next_deadline()
    return false, (due or left_at) - left_at


def silences(metres, *, days, seed, shadow_db):
    """How long nothing was heard of a tag at home, each time."""
    draw = Random(seed)
    shadow = fading(draw, shadow_db, 20.0)
    t = heard_at = 0.0
    found = []
    while t < days * DAY_S:
        t += draw.uniform(1, 10)
        if path_loss_dbm(metres) + shadow(t) + draw.gauss(0, 2) >= -96 and draw.random() >= 0.05:
            found.append(t - heard_at)
            heard_at = t
    return found


def test_a_gateway_that_judges_a_schedule_raises_no_false_alarm_at_the_edge_of_its_reach(capsys):
    """R29: 0.01 a day."""
    rows = [(metres, silences(metres, days=3, seed=1, shadow_db=6.0)) for metres in (15, 25)]
    with capsys.disabled():
        for metres, found in rows:
            much, alarms = sum(s > 45 for s in found) / 3, sum(s > CURFEW_SILENT_S for s in found) / 3
            print(f"\n{metres} m, 6 dB: {much:.1f} silences of 45 s a day, {alarms:.2f} false curfew alarms", end="")
    assert sum(silence > 45 for silence in rows[1][1]) > 10
    assert all(max(found) < CURFEW_SILENT_S for _, found in rows)


def test_false_leaves_a_day_and_the_delay_of_a_real_one(capsys):
    rows = []
    for metres in (8, 15, 25):
        for curfew in (False, True):
            false, delay_s = days_at_home(PresenceLimits(), metres, curfew=curfew, days=2, seed=metres)
            rows.append((metres, curfew, false / 2, delay_s))
    with capsys.disabled():
        for metres, curfew, per_day, delay_s in rows:
            where = "inside curfew" if curfew else "outside curfew"
            print(f"\n{metres} m, {where}: {per_day:.2f} false leaves a day, a real one after {delay_s:.0f} s", end="")
    for metres, curfew, per_day, delay_s in rows:
        assert delay_s <= (300 if not curfew else 60 if metres <= 15 else 300)
        # Half a minute at the edge of reach is what a person who stands in the way takes: those figures are printed for the installer.
        assert per_day == 0 or (curfew and metres > 8)


# The heap.


def test_what_is_due_comes_in_order_however_often_it_was_moved():
    draw = Random(1)
    deadlines, plain = Deadlines(), {}
    now = 0.0
    for _ in range(5000):
        key, kind = draw.randrange(40), draw.random()
        if kind < 0.7:
            plain[key] = now + draw.uniform(0, 50)
            deadlines.set(key, plain[key])
        elif kind < 0.8:
            plain.pop(key, None)
            deadlines.set(key, None)
        else:
            now += draw.uniform(0, 3)
            expected = sorted((k for k, at in plain.items() if at <= now), key=plain.get)
            assert deadlines.due(now) == expected
            for k in expected:
                del plain[k]
        assert deadlines.soonest() == min(plain.values(), default=None)


def test_moving_a_deadline_on_keeps_the_heap_as_large_as_its_keys():
    deadlines = Deadlines()
    for n in range(10_000):
        deadlines.set(n % 10, float(n))
        deadlines.soonest()
    assert len(deadlines._heap) <= 10


def test_an_address_is_only_a_name():
    home, tag = home_with(PresenceLimits())
    home.hear(tag.heartbeat(home.now), address=ADDRESS[:-1] + "9")
    assert home.station.status(home.now)[0].present
