"""A tag's keys change: the station takes it under either until it has come under the new ones, and then under those alone."""

import pytest

from hand_made_tag import OTHER_SECRET, OTHER_TAG, SECRET, TAG, HandMadeTag
from station_home import Home, connects
from strapline_gateway.station import HangUp, Presence, Record
from strapline_protocol.keys import GatewayKeys
from strapline_wire.keys import derive, renew

NEW_SHARED, NEW_END_TO_END = renew(derive(SECRET, "end-to-end"), bytes(16), 1)


@pytest.fixture
def tags():
    """The same tag before and after."""
    return HandMadeTag(), HandMadeTag(secret=NEW_SHARED, slot=1)


def new_keys(tag=TAG, shared=NEW_SHARED):
    return GatewayKeys(tag, *(derive(shared, purpose) for purpose in ("broadcast", "link", "header")))


def test_a_heartbeat_is_taken_under_the_old_keys_until_one_has_come_under_the_new(tags):
    old, new = tags
    home = Home(old)
    assert home.hear(new.heartbeat(1)) == []
    home.station.expect_keys(new_keys(), 1, home.now)
    assert isinstance(home.hear(old.heartbeat(2))[0], Presence)
    home.hear(new.heartbeat(3))
    accepted = home.station.accepted
    assert home.hear(old.heartbeat(4)) == []
    home.hear(new.heartbeat(5))
    assert home.station.accepted == accepted + 1


def test_a_connection_under_the_new_keys_changes_them_as_well_but_only_once_it_has_proved_itself(tags):
    old, new = tags
    home = Home(old)
    home.station.expect_keys(new_keys(), 1, home.now)
    number = home.station.open_link(home.now)
    home.greet(number, new)
    home.hear(old.heartbeat(1))
    assert home.station.accepted > 0  # a HELLO may be a recording: the old keys still hold
    before = home.station.accepted
    home.say(number, new.reply(home.now))
    home.hear(old.heartbeat(2))
    assert home.station.accepted == before + 1


def test_what_is_open_under_the_old_keys_ends_with_them(tags):
    old, new = tags
    home = Home(old)
    number = home.open(old)
    home.station.expect_keys(new_keys(), 1, home.now)
    assert any(isinstance(event, Record) for event in home.say(number, old.send(old.event())))
    assert HangUp(number) in home.hear(new.heartbeat(1))
    assert home.say(number, old.send(old.event())) == []  # not even while the line still stands
    assert home.rejected == {"old_keys": 1}
    home.station.send_command(TAG, b"sealed command", home.now)
    assert home.take() == []
    home.close(number)
    again = home.station.open_link(home.now, TAG)
    home.greet(again, new)
    for event in home.say(again, new.reply(home.now)):
        new.receive(event.data)
    assert new.taken == [b"sealed command"]


def test_a_session_that_was_only_offered_under_the_old_keys_is_never_proved(tags):
    old, new = tags
    home = Home(old)
    number = home.station.open_link(home.now, TAG)
    home.greet(number, old)
    home.station.expect_keys(new_keys(), 1, home.now)
    home.hear(new.heartbeat(1))
    home.say(number, old.reply(home.now))
    assert home.rejected == {"old_keys": 1}
    assert home.station._connections[number].tag is None


def test_the_line_on_which_the_tag_greets_anew_under_the_new_keys_stays(tags):
    old, new = tags
    home = Home(old)
    number = home.open(old)
    home.station.expect_keys(new_keys(), 1, home.now)
    new.hello(home.now)  # nobody heard it: the next one begins another life of the link than the old keys' did
    home.greet(number, new)
    said = home.say(number, new.reply(home.now)) + home.say(number, new.send(new.event()))
    assert HangUp(number) not in said
    assert any(isinstance(event, Record) for event in said)


def test_it_is_the_same_tag_with_the_same_mailbox_and_the_same_alarm(tags):
    old, new = tags
    home = Home(old)
    home.visit(old)
    home.station.expect_keys(new_keys(), 1, home.now)
    home.station.send_command(TAG, b"sealed command", home.now)
    assert [call.tag for call in connects(home.hear(new.heartbeat(home.now)))] == [TAG]
    number = home.station.open_link(home.now, TAG)
    home.greet(number, new)
    for event in home.say(number, new.reply(home.now)):
        new.receive(event.data)
    assert new.taken == [b"sealed command"]


def test_keys_may_come_twice_and_the_later_ones_count(tags):
    old, new = tags
    home = Home(old)
    home.station.expect_keys(new_keys(shared=bytes(16)), 1, home.now)
    home.station.expect_keys(new_keys(), 1, home.now)
    home.hear(new.heartbeat(1))
    assert home.station.accepted == 1
    assert home.hear(HandMadeTag(secret=bytes(16)).heartbeat(2)) == []


def test_another_tags_keys_change_nothing(tags):
    old, _ = tags
    other = HandMadeTag(OTHER_TAG, OTHER_SECRET)
    home = Home(old, other)
    assert not home.station.expect_keys(new_keys("7a9fffff"), 1, home.now)
    home.station.expect_keys(new_keys(OTHER_TAG), 1, home.now)
    home.hear(old.heartbeat(1))
    home.hear(other.heartbeat(1))
    assert home.station.accepted == 2


def test_a_tag_that_was_silent_for_a_day_is_found_under_its_new_keys():
    old, new = HandMadeTag(slot=10), HandMadeTag(secret=NEW_SHARED, slot=150)
    home = Home(old)
    home.hear(old.heartbeat(0))
    home.station.expect_keys(new_keys(), 1, home.now)
    home.wait(86400)
    home.hear(new.heartbeat(home.now))
    assert home.station.accepted >= 1
    assert home.station.take_slots()[TAG] == 150


# Several changes.

THEN_SHARED, _ = renew(NEW_END_TO_END, bytes(16), 2)


def test_a_gateway_that_has_not_heard_the_tag_since_knows_it_while_the_next_change_is_under_way(tags):
    old, new = tags
    home = Home(old)
    home.station.expect_keys(new_keys(), 1, home.now)
    home.station.expect_keys(new_keys(shared=THEN_SHARED), 2, home.now)
    home.hear(new.heartbeat(1))
    home.hear(HandMadeTag(secret=THEN_SHARED, slot=2).heartbeat(2))
    assert home.station.accepted == 2
    assert home.hear(new.heartbeat(3)) == []
    assert home.station.accepted == 2


def test_the_latest_keys_may_come_without_those_between(tags):
    old, new = tags
    home = Home(old)
    home.station.expect_keys(new_keys(), 1, home.now)
    home.station.expect_keys(new_keys(shared=THEN_SHARED), 2, home.now)
    home.hear(HandMadeTag(secret=THEN_SHARED, slot=2).heartbeat(1))
    home.hear(new.heartbeat(2))
    home.hear(old.heartbeat(3))
    assert home.station.accepted == 1


def test_keys_that_are_over_do_not_come_back_with_an_old_message_nor_with_a_recording(tags):
    old, new = tags
    home, then = Home(old), HandMadeTag(secret=THEN_SHARED, slot=2)
    home.station.expect_keys(new_keys(), 1, home.now)
    recording = new.heartbeat(1)
    home.hear(recording)
    home.station.expect_keys(new_keys(shared=THEN_SHARED), 2, home.now)
    home.hear(then.heartbeat(2))
    assert not home.station.expect_keys(new_keys(), 1, home.now)
    assert home.station.expect_keys(new_keys(shared=THEN_SHARED), 2, home.now)
    assert not home.station.expect_keys(new_keys(shared=bytes(16)), 2, home.now)
    before = home.station.accepted
    home.hear(recording)
    assert home.station.accepted == before
    home.hear(then.heartbeat(3))
    assert home.station.accepted == before + 1


def test_however_many_keys_are_announced_the_last_two_are_held(tags):
    old, _ = tags
    home = Home(old)
    shares = {generation: bytes([generation]) * 16 for generation in (5, 3, 9, 7, 1)}
    taken = {n: home.station.expect_keys(new_keys(shared=share), n, home.now) for n, share in shares.items()}
    assert taken == {5: True, 3: True, 9: True, 7: True, 1: False}
    heard = []
    for generation in (1, 3, 5, 7, 9):
        before = home.station.accepted
        home.hear(HandMadeTag(secret=shares[generation]).heartbeat(generation))
        heard += [generation] * (home.station.accepted - before)
    assert heard == [7, 9]
