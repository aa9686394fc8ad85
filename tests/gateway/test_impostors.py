"""Replays, delayed replays and clones are told apart; an ordinary life, however rough, is none of them."""

from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hand_made_tag import HandMadeTag
from station_home import Home, connects, known_home
from strapline_gateway.station import HangUp
from strapline_protocol.notices import Notice, NoticeCode

ACCUSATIONS = {NoticeCode.REPLAY_HEARD, NoticeCode.DELAYED_REPLAY_HEARD, NoticeCode.CLONE_HEARD}
BLOCK = 4096
"""A tag that starts again goes on behind the counters that it had reserved."""


def accusations(events):
    return [event.code for event in events if isinstance(event, Notice) and event.code in ACCUSATIONS]


def play(home, frames, *, every_s=5.0):
    events = []
    for data in frames:
        events += home.hear(data)
        events += home.wait(every_s)
    return events


def told_on_a_visit(home, device):
    number = home.station.open_link(home.now, device.ident)
    home.greet(number, device)
    return home.say(number, device.reply(home.now)) + home.close(number)


# Recordings.


def test_frames_that_are_sent_again_are_one_replay():
    home, tag = known_home()
    recorded = [tag.heartbeat(home.now + n) for n in range(12)]
    play(home, recorded, every_s=1.0)
    home.wait(600)
    (notice,) = [e for e in play(home, recorded) if isinstance(e, Notice)]
    assert notice.code == NoticeCode.REPLAY_HEARD
    assert notice.tag == tag.ident
    assert notice.detail["frames"] >= 3
    assert notice.detail["age_s"] == pytest.approx(610, abs=60)


def test_one_frame_again_and_again_is_a_replay_too():
    home, tag = known_home()
    recorded = tag.heartbeat(home.now)
    home.hear(recorded)
    home.wait(300)
    assert accusations(play(home, [recorded] * 60)) == [NoticeCode.REPLAY_HEARD]


@pytest.mark.parametrize(
    ("frames", "every_s"), [(12, 0.1), (2, 30.0)], ids=["all in one moment", "two, half a minute apart"]
)
def test_what_a_scanner_may_have_kept_is_no_replay_yet(frames, every_s):
    home, tag = known_home()
    recorded = [tag.heartbeat(home.now + n) for n in range(12)]
    play(home, recorded, every_s=1.0)
    home.wait(600)
    assert accusations(play(home, recorded[:frames], every_s=every_s)) == []


def test_the_next_replay_is_told_once_the_first_has_long_been_over():
    home, tag = known_home()
    recorded = [tag.heartbeat(home.now) for _ in range(8)]
    play(home, recorded, every_s=0.1)
    told = []
    for pause_s in (600, 300, 3600):
        home.wait(pause_s)
        told += accusations(play(home, recorded))
    assert told == [NoticeCode.REPLAY_HEARD] * 2


def test_frames_recorded_elsewhere_and_sent_here_later_are_a_delayed_replay():
    home, tag = known_home(booted_at=-90_000.0)
    recorded = [tag.heartbeat(home.now + 900 + 5 * n) for n in range(12)]  # on the way; nobody hears them here
    home.wait(3000)
    assert accusations(play(home, recorded)) == [NoticeCode.DELAYED_REPLAY_HEARD]
    home.visit(tag)
    home.hear(tag.heartbeat(home.now))
    assert home.station.status(home.now)[0].present


def test_what_a_stranger_makes_up_is_no_evidence():
    home, tag = known_home()
    recorded = [tag.heartbeat(home.now) for _ in range(12)]
    play(home, recorded, every_s=0.1)
    home.wait(600)
    draw = Random(4)
    forged = [data[: n % 20 + 4] + draw.randbytes(24)[: 20 - n % 20] for n, data in enumerate(recorded * 20)]
    assert accusations(play(home, forged, every_s=1.0)) == []


def test_an_echo_of_the_life_before_calls_nobody():
    """A scanner gives an advertisement of the tag that has just started again: no reason for a call."""
    home, tag = known_home(booted_at=-50_000.0)
    heard = [tag.heartbeat(home.now) for _ in range(20)]
    play(home, heard, every_s=0.1)
    again = copy_of(tag, counter=BLOCK, booted_at=home.now, boot=tag.boot + 1)
    home.wait(2)
    told_on_a_visit(home, again)
    echoes = play(home, heard[:3], every_s=5.0)
    assert accusations(echoes) == []
    assert not connects(echoes)


# Second devices.


def copy_of(tag, *, counter=0, booted_at=0.0, boot=1):
    """A second device with the same keys."""
    other = HandMadeTag(booted_at=booted_at)
    other.counter, other.boot = tag.counter + counter, boot
    return other


def two_lives(home, tag, other, *, answers, seconds=1800):
    """Both send heartbeats; whoever is called at the moment of its heartbeat answers, where it can."""
    draw = Random(f"{other.counter} {other.booted_at}")
    events = []
    for _ in range(round(seconds / 5.5)):
        for device in (tag, other):
            events += home.wait(draw.uniform(1, 5))
            heard = home.hear(device.heartbeat(home.now))
            events += heard
            if connects(heard):
                if device is tag or answers:
                    events += told_on_a_visit(home, device)
                else:
                    home.station.call_failed(tag.ident, home.now)
        events += home.take()
    return events


def test_a_life_that_a_session_has_ended_and_that_goes_on_is_a_second_device():
    """Nobody calls it, so it proves nothing; its heartbeats do."""
    home, tag = known_home(booted_at=-50_000.0)
    again = copy_of(tag, counter=BLOCK, booted_at=home.now, boot=tag.boot + 1)
    told_on_a_visit(home, again)
    told = []
    for _ in range(40):
        for device in (again, tag):
            told += accusations(home.hear(device.heartbeat(home.now)) + home.wait(2.5))
    assert told == [NoticeCode.CLONE_HEARD]


@settings(deadline=None, max_examples=40)
@example(counter=6, uptime_s=0, boot=1, answers=True)
@example(counter=-12, uptime_s=0, boot=3, answers=True)
@given(
    counter=st.integers(-150, 5 * BLOCK),
    uptime_s=st.integers(0, 86_400),
    boot=st.integers(1, 4),
    answers=st.booleans(),
)
def test_two_devices_with_one_tags_keys_are_found(counter, uptime_s, boot, answers):
    home, tag = known_home(booted_at=-200_000.0)
    tag.boot = 3
    home.visit(tag)
    for _ in range(200):
        home.hear(tag.heartbeat(home.now))
        home.now += 2
    home.visit(tag)
    home.take()
    other = copy_of(tag, counter=counter, booted_at=home.now - uptime_s, boot=boot)
    found = accusations(two_lives(home, tag, other, answers=answers))
    # One that never answers and stays behind the tag's counters shows nothing that a recording does not.
    assert NoticeCode.CLONE_HEARD in found or (not answers and counter < 0 and NoticeCode.REPLAY_HEARD in found)
    assert found.count(NoticeCode.CLONE_HEARD) <= 1
    assert NoticeCode.DELAYED_REPLAY_HEARD not in found


def test_one_counter_with_two_contents_is_a_clone_at_once():
    home, tag = known_home()
    other = copy_of(tag, booted_at=home.now - 7)
    home.hear(tag.heartbeat(home.now + 1))
    assert accusations(home.hear(other.heartbeat(home.now + 8))) == [NoticeCode.CLONE_HEARD]


# An ordinary life.

Deed = st.one_of(
    st.tuples(st.just("live"), st.integers(1, 400)),
    st.tuples(st.just("away"), st.integers(1, 200_000)),
    st.tuples(st.just("reboot"), st.integers(0, 600)),
    st.tuples(st.just("gateway stands still"), st.integers(1, 50)),
    st.tuples(st.just("gateway starts again"), st.integers(0, 100)),
    st.tuples(st.just("gateway was suspended"), st.integers(40, 20_000)),
)


class Life:
    """One tag, one gateway, and everything that happens to both without anybody's doing."""

    def __init__(self, seed):
        self.draw = Random(seed)
        self.tag = HandMadeTag()
        self.home = Home(self.tag)
        self.reports = []
        self.told = []

    def hear(self, data):
        """Scanners report an advertisement once, twice, and later again out of their memory; some do not come."""
        if self.draw.random() < 0.2:
            return
        for _ in range(self.draw.choice((1, 1, 2, 5))):
            events = self.home.hear(data)
            self.told += events
            if connects(events) and self.draw.random() < 0.8:
                self.told += told_on_a_visit(self.home, self.tag)
            elif connects(events):
                self.home.station.call_failed(self.tag.ident, self.home.now)
        self.reports = [(at, old) for at, old in self.reports if self.home.now - at < 45] + [(self.home.now, data)]
        if self.draw.random() < 0.2:
            self.told += self.home.hear(self.draw.choice(self.reports)[1])

    def pass_time(self, seconds):
        for event in self.home.wait(seconds):
            self.told.append(event)
            if isinstance(event, HangUp):
                self.home.close(event.link)

    def live(self, seconds):
        end = self.home.now + seconds
        while self.home.now < end:
            self.pass_time(self.draw.uniform(1, 10))
            self.hear(self.tag.heartbeat(self.home.now))

    def do(self, deed, much):
        tag, home = self.tag, self.home
        if deed == "live":
            self.live(much)
        elif deed == "away":
            tag.counter += much // 6
            self.pass_time(much)
        elif deed == "reboot":
            self.pass_time(much)
            tag.boot += 1
            tag.booted_at = home.now
            tag.counter = (tag.counter // BLOCK + 1) * BLOCK
        elif deed == "gateway stands still":
            late = [tag.heartbeat(home.now + n * 5) for n in range(much // 5)]
            home.now += much
            for data in late:
                self.hear(data)
        elif deed == "gateway starts again":
            fresh = Home(tag, now=home.now)
            fresh.now += much
            self.home = fresh
            self.reports = []
        elif deed == "gateway was suspended":  # its clock stands still, the tag's does not
            tag.booted_at -= much
            tag.counter += much // 6
            self.reports = []  # and its radio forgets


@settings(deadline=None, max_examples=40)
@given(st.lists(Deed, min_size=2, max_size=10), st.integers(0, 1 << 30))
def test_an_ordinary_life_is_nobodys_doing(deeds, seed):
    life = Life(seed)
    life.live(60)
    for deed, much in deeds:
        life.do(deed, much)
        life.live(150)
    assert accusations(life.told) == []
    assert life.home.station.accepted > 5


# An ordinary life, and somebody who records it.

Act = st.one_of(Deed, st.tuples(st.just("played back"), st.integers(1, 40)))


class RecordedLife(Life):
    """Somebody near the wearer has a better aerial: all is recorded, also what the gateway does not hear, and comes again later."""

    def __init__(self, seed):
        super().__init__(seed)
        self.recorded = []

    def hear(self, data):
        self.recorded.append(data)
        super().hear(data)

    def do(self, deed, much):
        if deed == "away":
            self.recorded += [self.tag.heartbeat(self.home.now + n * much / 20) for n in range(20)]
        if deed == "played back":
            for data in self.draw.choices(self.recorded[-self.draw.choice((10, 80, 100_000)) :], k=much):
                self.told += self.home.hear(data)
                self.home.station.call_failed(self.tag.ident, self.home.now)
                self.pass_time(self.draw.uniform(0.1, 20))
        else:
            super().do(deed, much)


@settings(deadline=None, max_examples=60)
@given(st.lists(Act, min_size=2, max_size=10), st.integers(0, 1 << 30))
def test_recordings_do_not_make_one_tag_two(acts, seed):
    life = RecordedLife(seed)
    life.live(60)
    for deed, much in acts:
        life.do(deed, much)
        life.live(200)
    assert NoticeCode.CLONE_HEARD not in accusations(life.told)


def test_heartbeats_that_were_lost_here_and_come_again_are_a_delayed_replay():
    home, tag = known_home()
    lost = []
    for n in range(60):
        data = tag.heartbeat(home.now)
        lost += [data] if n % 5 == 0 else []
        if n % 5:
            home.hear(data)
        home.wait(5)
        home.station.call_failed(tag.ident, home.now)
    told = []
    for data in [*lost[:6], *[tag.heartbeat(home.now + 5 * n) for n in range(20)]]:
        told += home.hear(data) + home.wait(5)
        home.station.call_failed(tag.ident, home.now)
    assert accusations(told) == [NoticeCode.DELAYED_REPLAY_HEARD]


def test_a_late_heartbeat_is_remembered_under_its_own_counter():
    home, tag = known_home()
    late, newest = tag.heartbeat(home.now), tag.heartbeat(home.now)
    home.hear(newest)
    home.wait(10)
    home.hear(late)
    home.wait(120)
    assert accusations(home.hear(newest) + home.hear(late)) == []
