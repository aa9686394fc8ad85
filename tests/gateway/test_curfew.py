"""The gateway's judgement of a schedule: the tag's, wherever both know the time and where the wearer is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hand_made_tag import OTHER_SECRET, OTHER_TAG, HandMadeTag
from protocol.test_curfew_rules import SINCE, documents_of_people
from station_home import Home
from strapline_gateway.curfew import GRACE_S
from strapline_gateway.presence import CURFEW_LEAVE_AFTER_S, CURFEW_SILENT_S, PresenceLimits
from strapline_gateway.station import LEAVE_AFTER_S, Presence, Station
from strapline_protocol.codes import Window
from strapline_protocol.curfew_rules import CurfewRules
from strapline_protocol.definitions import Kind
from strapline_protocol.document_rules import checked
from strapline_protocol.notices import Notice, NoticeCode
from strapline_tag.config import Config
from strapline_tag.curfew import Curfew
from strapline_tag.situation import Situation
from strapline_wire import documents, frames
from strapline_wire.errors import RemoteProtocolError

START_S = int(SINCE.timestamp())


class TrustedClock:
    """A tag that knows the time: its clock is UTC from `START_S` on."""

    ends = None

    def __init__(self, start_s):
        self.start_s = start_s

    def trusted(self, _now):
        return True

    def utc_s(self, now):
        return self.start_s + now // 1000

    def at(self, utc_s):
        return (utc_s - self.start_s) * 1000


class Memory(dict):
    write = dict.__setitem__

    def read(self, name):
        return self.get(name, b"")


class TagSide:
    """The tag's own judge, woken when it wants to be."""

    def __init__(self, start_s, document):
        self.situation = Situation()
        self.situation.armed = True
        self.told = []
        self._curfew = Curfew(Config(), Memory(), TrustedClock(start_s), self.situation, self._tell)
        assert self._curfew.obey(0, document) == 0
        self._curfew.pursue(0)

    def _tell(self, code, now, _detail):
        if code in (frames.EVENT_CURFEW_BROKEN, frames.EVENT_CURFEW_KEPT):
            self.told.append((now // 1000, code == frames.EVENT_CURFEW_BROKEN))

    def run_to(self, second):
        while (due := self._curfew.next_deadline()) is not None and due <= second * 1000:
            self._curfew.handle_timer(due)

    def move(self, second, away):
        self.run_to(second)
        self.situation.away = away
        self._curfew.pursue(second * 1000)


class GatewaySide:
    """The station, whose presence a test sets by hand."""

    def __init__(self, start_s, document):
        self.now = 0.0
        tag = HandMadeTag()
        self.station = Station(
            1, [tag.gateway_keys], bytes, home=True, utc_s=lambda: start_s + self.now, curfew_grace_s=GRACE_S
        )
        self.enrolled = self.station._tags[tag.ident]
        self.enrolled.heard_at, self.enrolled.present = -1e6, True  # whoever is away is silent too
        self.told = []
        assert self.station.set_schedule(tag.ident, 1, document, 0.0)
        self._take()

    def _take(self):
        while (event := self.station.next_event()) is not None:
            assert isinstance(event, Notice)
            self.told.append((int(self.now), event.code == NoticeCode.CURFEW_BROKEN))

    def run_to(self, second):
        schedules = self.station._schedules
        while (due := schedules.next_deadline()) is not None and due <= second:
            self.now = due
            for _ in schedules.due(due):
                schedules.judge(self.enrolled, not self.enrolled.present, due)
            self._take()
        self.now = float(second)

    def move(self, second, away):
        self.run_to(second)
        self.enrolled.present = not away
        self.station._schedules.judge(self.enrolled, away, self.now)
        self._take()


@settings(deadline=None, max_examples=30)
@given(
    document=documents_of_people(),
    start=st.integers(0, 4 * 365 * 86400),
    pauses=st.lists(st.integers(1, 40_000), min_size=1, max_size=12),
    data=st.data(),
)
def test_gateway_and_tag_judge_alike(document, start, pauses, data):
    changes = [at for at, _ in documents.unpack_curfew(document).changes[1:]]
    start_s = data.draw(st.sampled_from([START_S + start, *(at - 86_400 for at in changes)]))
    tag, gateway = TagSide(start_s, document), GatewaySide(start_s, document)
    away, second = False, 0
    for pause in pauses:
        second += pause
        away = not away
        for side in (tag, gateway):
            side.move(second, away)
    for side in (tag, gateway):
        side.run_to(second + 200_000)
    assert gateway.told == tag.told


# On the whole station.


def document(rule=Window.STAY_HOME, revision=1):
    """All the time the same."""
    weekly = ((rule, 0, 10080),)
    return documents.pack_curfew(checked(Kind.CURFEW, (revision, ((0, 0),), weekly, ())))


class JudgingHome(Home):
    """A home with a clock and a schedule."""

    trusted = True

    def __init__(self, *tags, **options):
        super().__init__(*tags)
        self.station = Station(
            0x6A7E0001,
            [tag.gateway_keys for tag in tags],
            self._draw.randbytes,
            home=True,
            utc_s=lambda: START_S + self.now if self.trusted else None,
            **options,
        )


@pytest.fixture
def judging():
    tag = HandMadeTag()
    home = JudgingHome(tag)
    home.hear(tag.heartbeat(home.now))
    home.visit(tag)
    return home, tag


def stay(home, tag, seconds):
    events = []
    for _ in range(seconds // 5):
        events += home.hear(tag.heartbeat(home.now)) + home.wait(5)
        home.station.call_failed(tag.ident, home.now)
    return events


def codes(events):
    return [event.code for event in events if isinstance(event, Notice)]


def test_who_goes_while_the_schedule_says_home_is_missed_in_half_a_minute_and_told_when_that_is_sure(judging):
    home, tag = judging
    assert home.station.set_schedule(tag.ident, 1, document(), home.now)
    assert codes(stay(home, tag, 900)) == []
    left_at = home.now
    events = home.wait(CURFEW_LEAVE_AFTER_S + 1)
    assert Presence(tag.ident, False, None) in events
    assert codes(events) == []
    assert codes(home.wait(CURFEW_SILENT_S - (home.now - left_at) - 6)) == []
    assert codes(home.wait(7)) == [NoticeCode.CURFEW_BROKEN]
    assert home.now - left_at < LEAVE_AFTER_S
    assert codes(home.hear(tag.heartbeat(home.now))) == [NoticeCode.CURFEW_KEPT]


def test_who_is_heard_is_never_out_against_the_schedule_however_weak():
    tag = HandMadeTag()
    home = JudgingHome(tag, limits=PresenceLimits.of_class("23m"))
    home.hear(tag.heartbeat(home.now))
    home.visit(tag)
    home.station.set_schedule(tag.ident, 1, document(), home.now)
    told = []
    for _ in range(720):
        told += home.hear(tag.heartbeat(home.now), rssi_dbm=-95) + home.wait(5)
        home.station.call_failed(tag.ident, home.now)
    assert Presence(tag.ident, False, None) in told
    assert codes(told) == []
    assert codes(home.wait(LEAVE_AFTER_S)) == [NoticeCode.CURFEW_BROKEN]


def test_without_a_schedule_or_in_a_window_the_debounce_is_minutes_and_nothing_is_judged(judging):
    home, tag = judging
    for given_now in (None, document(Window.MAY_LEAVE)):
        if given_now is not None:
            assert home.station.set_schedule(tag.ident, 1, given_now, home.now)
        stay(home, tag, 600)
        assert home.wait(LEAVE_AFTER_S - 6) == []
        events = home.wait(10)
        assert Presence(tag.ident, False, None) in events
        assert codes(events) == []


def test_an_older_schedule_is_refused_and_an_empty_one_ends_the_judging(judging):
    home, tag = judging
    assert home.station.set_schedule(tag.ident, 7, document(), home.now)
    assert home.station.set_schedule(tag.ident, 7, document(), home.now)  # said again
    assert not home.station.set_schedule(tag.ident, 6, document(Window.MAY_LEAVE), home.now)
    assert home.station.set_schedule(tag.ident, 8, b"", home.now)
    assert not home.station.set_schedule(tag.ident, 7, document(), home.now)
    stay(home, tag, 600)
    assert codes(home.wait(2 * LEAVE_AFTER_S)) == []


def test_what_is_broken_is_told_again_only_where_there_was_no_schedule_in_between(judging):
    home, tag = judging
    assert home.station.set_schedule(tag.ident, 1, document(), home.now)
    stay(home, tag, 600)
    assert codes(home.wait(CURFEW_SILENT_S + 1)) == [NoticeCode.CURFEW_BROKEN]
    assert home.station.set_schedule(tag.ident, 2, document(revision=2), home.now)
    assert codes(home.take() + home.wait(CURFEW_SILENT_S)) == []
    assert home.station.set_schedule(tag.ident, 3, b"", home.now)
    assert home.station.set_schedule(tag.ident, 4, document(revision=4), home.now)
    assert codes(home.take() + home.wait(CURFEW_SILENT_S)) == [NoticeCode.CURFEW_BROKEN]


def test_bytes_that_a_tag_would_refuse_change_nothing(judging):
    home, tag = judging
    assert home.station.set_schedule(tag.ident, 1, document(), home.now)
    with pytest.raises(RemoteProtocolError):
        home.station.set_schedule(tag.ident, 2, document()[:-1], home.now)
    assert not home.station.set_schedule(OTHER_TAG, 1, document(), home.now)
    stay(home, tag, 600)
    assert codes(home.wait(CURFEW_SILENT_S + 1)) == [NoticeCode.CURFEW_BROKEN]


def test_a_tag_that_was_not_heard_since_the_start_is_not_judged():
    tag, other = HandMadeTag(), HandMadeTag(OTHER_TAG, OTHER_SECRET)
    home = JudgingHome(tag, other)
    home.station.set_schedule(other.ident, 1, document(), home.now)
    assert codes(stay(home, tag, 3600)) == []


def test_without_the_time_nothing_is_judged_until_it_is_back(judging):
    home, tag = judging
    home.station.set_schedule(tag.ident, 1, document(), home.now)
    stay(home, tag, 600)
    home.trusted = False
    assert codes(home.wait(2 * LEAVE_AFTER_S)) == []
    home.trusted = True
    assert codes(home.wait(120)) == [NoticeCode.CURFEW_BROKEN]


def test_what_is_covered_by_noise_is_not_judged(judging):
    home, tag = judging
    home.station.set_schedule(tag.ident, 1, document(), home.now)
    stay(home, tag, 600)
    for _ in range(60):
        home.station.receive_noise(-40, home.now)
        home.wait(0.5)
    told = home.take()
    for _ in range(90):
        home.station.receive_noise(-40, home.now)
        told += home.take() + home.wait(10)
    assert NoticeCode.RADIO_JAMMED in codes(told)
    assert codes(told).count(NoticeCode.CURFEW_BROKEN) == 0


def test_the_rules_are_those_of_the_document():
    assert CurfewRules(document(Window.MUST_LEAVE)).at(START_S).window is Window.MUST_LEAVE
