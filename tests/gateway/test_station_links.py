"""The station's links: who has proved itself, who only repeats a recording, and what garbage does."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hand_made_tag import LINK_RETRY_MS, OTHER_SECRET, OTHER_TAG, HandMadeTag, frame_of, strangers_line
from station_home import Home, facts, known_home
from strapline_gateway.connection import COMMAND_LIMIT
from strapline_gateway.enrolment import MAILBOX_SIZE
from strapline_gateway.station import (
    CALLER_IDLE_S,
    CALLER_PROVE_WITHIN_S,
    IDLE_S,
    PROVE_WITHIN_S,
    HangUp,
    Record,
    TimeRequest,
    Transmit,
)
from strapline_wire import frames, link


def test_a_record_is_passed_on_as_it_was_sealed():
    home, tag = known_home()
    number = home.open(tag)
    sealed = tag.event(frames.EVENT_STRAP_OPEN, home.now)
    (record,) = home.say(number, tag.send(sealed))
    assert record == Record(tag.ident, frames.Envelope((frames.EVENT, 1, tag.journal, 1)), sealed)


def test_a_request_for_the_time_is_no_record():
    home, tag = known_home()
    sealed = tag.time_request(b"12345678")
    assert home.say(home.open(tag), tag.send(sealed)) == [TimeRequest(tag.ident, sealed)]


def test_frames_come_in_any_portions():
    home, tag = known_home()
    number = home.open(tag)
    stream = b"".join(tag.send(tag.event()) for _ in range(5))
    records = [event for byte in stream for event in home.say(number, bytes((byte,)))]
    assert [record.envelope.number for record in records] == [1, 2, 3, 4, 5]


def test_a_repeated_session_frame_is_refused():
    home, tag = known_home()
    number = home.open(tag)
    line = tag.send(tag.event())
    assert len(home.say(number, line)) == 1
    assert home.say(number, line) == []  # the link knows its own lines again
    assert home.rejected == {}
    assert home.say(number, tag.line(frame_of(line))) == []
    assert home.rejected == {"replayed": 1}


@pytest.mark.parametrize("kind", [frames.COMMAND, frames.WELCOME, frames.HEARTBEAT, 0x3F])
def test_a_tag_that_sends_what_only_others_send_is_counted(kind):
    home, tag = known_home()
    number = home.open(tag)
    assert home.say(number, tag.line(tag.session.seal(kind, bytes(30)))) == []
    assert home.rejected == {"unexpected": 1}


@pytest.mark.parametrize("sealed", [b"", bytes(17)])
def test_a_record_too_short_for_its_envelope_is_counted(sealed):
    home, tag = known_home()
    assert home.say(home.open(tag), tag.send(sealed)) == []
    assert home.rejected == {"truncated": 1}


def test_frames_before_hello_are_refused():
    home, tag = known_home()
    tag_elsewhere = Home(tag)
    tag_elsewhere.open(tag)
    number = home.station.open_link(home.now)
    assert home.say(number, strangers_line(frame_of(tag.send(tag.event())))) == []
    assert home.rejected == {"unexpected": 1}


def test_what_comes_after_the_link_was_closed_is_counted():
    home, tag = known_home()
    number = home.open(tag)
    home.close(number)
    assert home.say(number, tag.send(tag.event())) == []
    assert home.rejected == {"closed_link": 1}


def test_a_recorded_hello_moves_nothing_and_gets_no_mail():
    home, tag = known_home()
    recorded = tag.hello(home.now)
    home.station.send_command(tag.ident, b"for the tag's eyes", home.now)
    home.now = 50.0
    before = facts(home, tag)
    number = home.station.open_link(home.now)
    (answer,) = home.say(number, recorded)
    assert isinstance(answer, Transmit)
    assert home.wait(20) == [answer]  # again, since nobody acknowledges it
    assert facts(home, tag) == before
    assert len(home.station._tags[tag.ident].mailbox) == 1


def test_a_recorded_hello_elsewhere_does_not_steal_the_link_of_a_live_session():
    home, tag = known_home()
    recorded = tag.hello(home.now)
    number = home.open(tag)
    thief = home.station.open_link(home.now)
    home.say(thief, recorded)
    home.station.send_command(tag.ident, b"sealed", home.now)
    (transmit,) = home.take()
    assert transmit.link == number
    tag.receive(transmit.data)
    assert tag.taken == [b"sealed"]
    home.close(thief)
    assert len(home.say(number, tag.send(tag.event()))) == 1


def until_failed(home, number, tag):
    """Let the tag's link repeat until it gives up; what the station made of it."""
    events, now_ms = [], 0
    while not tag.link.failed:
        now_ms = tag.link.next_deadline()
        tag.link.handle_timer(now_ms)
        for line in tag.link.data_to_send(now_ms):
            events += home.say(number, line)
    return events


def test_a_recorded_hello_in_a_live_line_moves_nothing_and_the_tag_notices_that_it_must_call_anew():
    # Who can write in the line could cut it as well.
    home, tag = known_home()
    recorded = tag.hello(home.now)
    number = home.open(tag)
    before = facts(home, tag)
    home.say(number, recorded)
    assert facts(home, tag) == before
    sealed = tag.event()
    assert home.say(number, tag.send(sealed)) == []
    assert until_failed(home, number, tag) == []
    home.close(number)
    again = home.open(tag)
    assert [record.sealed for record in home.say(again, tag.send(sealed))] == [sealed]


def test_a_tag_that_starts_again_on_the_same_line_gets_a_new_session():
    home, tag = known_home()
    number = home.open(tag, called=False)
    tag.boot, tag.booted_at = 2, home.now
    home.greet(number, tag)
    home.say(number, tag.reply(home.now))
    assert len(home.say(number, tag.send(tag.event()))) == 1
    home.station.send_command(tag.ident, b"sealed", home.now)
    (transmit,) = home.take()
    tag.receive(transmit.data)
    assert tag.taken == [b"sealed"]


def test_another_tag_on_the_same_line_takes_it_over():
    one, two = HandMadeTag(), HandMadeTag(OTHER_TAG, OTHER_SECRET)
    home = Home(one, two)
    number = home.open(one, called=False)
    home.greet(number, two)
    home.say(number, two.reply(home.now))
    home.station.send_command(one.ident, b"for one", home.now)
    assert home.take() == []
    assert home.say(number, two.send(two.event()))[0].tag == two.ident


def test_repeated_hellos_are_not_answered_for_ever():
    home, tag = known_home()
    recorded = tag.hello(home.now)
    number = home.station.open_link(home.now)
    answers = home.say(number, recorded)
    for _ in range(100):
        assert home.say(number, recorded) == []
    for generation in range(1, 101):
        answers += home.say(number, strangers_line(frame_of(recorded), generation))
    assert len(answers) < 10
    assert home.rejected["too_many_hellos"] == 101 - len(answers)


def test_mail_goes_out_as_soon_as_the_tag_has_proved_itself():
    home, tag = known_home()
    for command in (b"one", b"two"):
        home.station.send_command(tag.ident, command, home.now)
    number = home.station.open_link(home.now, tag.ident)
    home.greet(number, tag)
    for transmit in home.say(number, tag.reply(home.now)):
        tag.receive(transmit.data)
    assert tag.taken == [b"one", b"two"]


def test_mail_that_comes_while_the_link_is_being_closed_waits_for_the_next():
    home, tag = known_home()
    number = home.open(tag)
    assert home.wait(IDLE_S) == [HangUp(number)]
    home.station.send_command(tag.ident, b"late", home.now)
    assert home.take() == []
    home.close(number)
    home.open(tag)
    for transmit in home.take():
        tag.receive(transmit.data)
    assert list(home.station._tags[tag.ident].mailbox) == []


def test_the_mailbox_is_bounded_and_keeps_the_newest():
    home, tag = known_home()
    for index in range(MAILBOX_SIZE + 10):
        home.station.send_command(tag.ident, bytes((index,)), home.now)
    assert [mail[0] for mail in home.station._tags[tag.ident].mailbox] == list(range(10, MAILBOX_SIZE + 10))


def test_a_command_for_a_tag_that_is_not_ours_is_refused():
    home, _tag = known_home()
    assert not home.station.send_command("00000000", b"sealed", home.now)
    assert home.rejected == {"unknown_tag": 1}


@pytest.mark.parametrize("connected", [True, False])
def test_a_command_that_no_frame_has_room_for_is_refused_and_the_longest_goes_through(connected):
    home, tag = known_home()
    if connected:
        number = home.open(tag)
    assert not home.station.send_command(tag.ident, bytes(COMMAND_LIMIT + 1), home.now)
    assert home.station.send_command(tag.ident, bytes(COMMAND_LIMIT), home.now)
    if not connected:
        number = home.station.open_link(home.now)
        home.greet(number, tag)
        home.station.receive_data(number, tag.reply(home.now), home.now)
    for event in home.take():
        tag.receive(event.data)
    assert tag.taken == [bytes(COMMAND_LIMIT)]
    assert home.rejected == {"oversized": 1}


def test_a_tag_that_has_nothing_more_to_say_is_hung_up_on():
    home, tag = known_home()
    number = home.open(tag)
    assert home.wait(IDLE_S - 0.1) == []
    home.say(number, tag.send(tag.event()))
    assert home.wait(IDLE_S - 0.1) == []
    assert home.wait(0.2) == [HangUp(number)]
    assert home.wait(100) == []


@pytest.mark.parametrize(("called", "limit_s"), [(True, PROVE_WITHIN_S), (False, CALLER_PROVE_WITHIN_S)])
def test_nothing_but_a_proof_keeps_a_new_link_open(called, limit_s):
    home, tag = known_home()
    recorded = tag.hello(home.now)
    number = home.station.open_link(home.now, tag.ident if called else None)
    ended = []
    for _ in range(int(limit_s)):
        ended += [event for event in home.wait(1.0) if isinstance(event, HangUp)]
        home.say(number, recorded)
        home.say(number, bytes(range(256)))
    assert ended == [HangUp(number)]


def test_a_caller_that_has_proved_itself_may_wait_longer_but_not_for_ever():
    home, tag = known_home()
    number = home.open(tag, called=False)
    for _ in range(int(CALLER_IDLE_S) - 1):
        assert HangUp(number) not in home.wait(1.0)
        home.say(number, b"\x00noise\x00")
    assert HangUp(number) in home.wait(2.0)


# Hostile bytes.


def _recorded_frames():
    """Genuine frames of every kind, as a stranger may have recorded them."""
    home, tag = known_home()
    hello = tag.hello(home.now)
    number = home.open(tag)
    lines = [hello, tag.reply(home.now), tag.send(tag.event()), tag.send(b"")]
    home.close(number)
    return [*lines, strangers_line(tag.heartbeat(home.now)), *(strangers_line(frame_of(line), 77) for line in lines)]


pieces = st.one_of(
    st.binary(max_size=700),
    st.binary(max_size=80).map(link.encode),
    st.builds(lambda head, rest: strangers_line(bytes((head,)) + rest), st.integers(0, 255), st.binary(max_size=60)),
    st.builds(
        lambda line, at, flip: line[: at % len(line)] + bytes((flip,)) + line[at % len(line) + 1 :],
        st.sampled_from(_recorded_frames()),
        st.integers(0, 1000),
        st.integers(0, 255),
    ),
    st.sampled_from(_recorded_frames()),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(pieces, max_size=12), st.booleans())
def test_garbage_on_a_link_gives_counts_and_nothing_else(data, called):
    home, tag = known_home()
    number = home.station.open_link(home.now, tag.ident if called else None)
    before = facts(home, tag)
    for piece in data:
        events = home.say(number, piece)
        assert all(isinstance(event, Transmit) for event in events), "only WELCOME may answer a recording"
    assert facts(home, tag) == before
    deframer = home.station._connections[number]._link._deframer
    assert len(deframer._line) + len(deframer.text) < 2048
    home.close(number)
    home.visit(tag)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=40), st.binary(min_size=24, max_size=24)), max_size=20))
def test_garbage_on_the_air_gives_counts_and_nothing_else(data):
    home, tag = known_home()
    before = facts(home, tag), home.station.accepted
    for advertisement in data:
        assert home.hear(advertisement) == []
    assert (facts(home, tag), home.station.accepted) == before
    assert sum(home.station.rejected.values()) == len(data)


def test_a_year_of_garbage_on_one_link_takes_no_memory():
    home, _tag = known_home()
    number = home.station.open_link(home.now)
    random = Random(3)
    for _ in range(300):
        home.say(number, random.randbytes(10_000))
    home.say(number, b"x" * 1_000_000)
    deframer = home.station._connections[number]._link._deframer
    assert len(deframer._line) < 1024
    assert len(deframer.text) < 1024
    assert len(home.station.rejected) < 10


# What the link does for the session.


@pytest.mark.parametrize("called", [True, False])
def test_a_lost_line_costs_no_record_and_none_comes_twice(called):
    home, tag = known_home()
    number = home.open(tag, called=called)
    sealed = [tag.event() for _ in range(8)]
    lines = [tag.send(record) for record in sealed]
    arrived = [event for index, line in enumerate(lines) if index != 2 for event in home.say(number, line)]
    assert [record.sealed for record in arrived] == sealed[:2]
    tag.link.handle_timer(LINK_RETRY_MS)
    arrived += [event for line in tag.link.data_to_send(LINK_RETRY_MS) for event in home.say(number, line)]
    assert [record.sealed for record in arrived] == sealed
    assert home.rejected == {}


def test_a_full_mailbox_goes_out_as_fast_as_it_is_acknowledged_and_in_order():
    home, tag = known_home()
    number = home.open(tag)
    mail = [b"command %d" % index for index in range(MAILBOX_SIZE)]
    for command in mail:
        home.station.send_command(tag.ident, command, home.now)
    transmits = home.take()
    assert 0 < len(transmits) < MAILBOX_SIZE
    while transmits:
        for transmit in transmits:
            tag.receive(transmit.data)
        transmits = home.say(number, tag.acknowledgement())
    assert tag.taken == mail


@pytest.mark.parametrize(("called", "times_s"), [(True, [1, 3, 7]), (False, [10])])
def test_an_answer_that_nobody_acknowledges_goes_again_after_the_time_of_its_bearer(called, times_s):
    home, tag = known_home()
    number = home.station.open_link(home.now, tag.ident if called else None)
    opened_at = home.now
    (welcome,) = home.say(number, tag.hello(home.now))
    again = {}
    for tenth in range(1, 200):
        for event in home.wait(opened_at + tenth / 10 - home.now):
            again.setdefault(event, []).append(tenth / 10)
    assert again.pop(welcome) == times_s
    assert set(again) <= {HangUp(number)}


def test_a_caller_that_talks_and_acknowledges_nothing_is_hung_up_on():
    home, tag = known_home()
    number = home.open(tag, called=False)
    home.station.send_command(tag.ident, b"sealed", home.now)
    opened_at, told = home.now, home.take()
    assert len(told) == 1
    ended_at = None
    while ended_at is None and home.now < opened_at + 3600:
        home.say(number, tag.send(tag.event()))
        if HangUp(number) in home.wait(10.0):
            ended_at = home.now - opened_at
    assert 300 <= ended_at <= 320
    assert home.wait(100) == []


def test_a_hello_that_finds_the_line_full_is_refused():
    home, tag = known_home()
    hello = frame_of(tag.hello(home.now))
    number = home.open(tag)
    for _ in range(MAILBOX_SIZE):
        home.station.send_command(tag.ident, b"sealed", home.now)
    home.take()
    assert home.say(number, tag.line(hello)) == []
    assert home.rejected == {"no_room": 1}


def test_nothing_goes_out_on_a_line_that_is_being_closed():
    home, tag = known_home()
    number = home.open(tag)
    assert home.wait(IDLE_S) == [HangUp(number)]
    home.station.receive_data(number, tag.send(tag.event()), home.now)  # not even its acknowledgement
    assert [type(event) for event in iter(home.station.next_event, None)] == [Record]
