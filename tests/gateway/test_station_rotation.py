"""Pseudonyms that rotate, with the firmware's own broadcaster: no tag is lost, whatever it or its gateway slept through."""

from random import Random

import pytest

from flash import Flash
from hand_made_tag import TAG, HandMadeTag
from station_home import Home, facts, known_home
from strapline_gateway.station import Abandon, Connect
from strapline_protocol.cipher import HostCipher
from strapline_tag import outputs
from strapline_tag.tag import Tag


class Memory:
    def __init__(self, slot):
        self.held = {"slot": slot}

    def get(self, name, default):
        return self.held.get(name, default)

    def put(self, name, value):
        self.held[name] = value

    def read(self, name):
        return self.held.get(name, b"")

    write = put


class RealTag:
    """The firmware's tag as a broadcaster; its time runs from its start, on the gateway's clock."""

    def __init__(self, *, at=0.0, slot=0):
        self._memory = Memory(slot)
        self._draw = Random(5).randbytes
        self.start(at)

    def start(self, at):
        self._started = at
        self._tag = Tag(bytes(range(16)), self._memory, self._draw, HostCipher, Flash())

    def heartbeats(self, until):
        """(time, address, frame) up to `until`."""
        while (at := self._started + self._tag.next_deadline() / 1000) <= until:
            self._tag.handle_timer(self._tag.next_deadline())
            for output in self._tag.take_outputs():
                if output[0] == outputs.ADVERTISE:
                    yield at, output[1].hex(":"), output[2]


def heard_share(home, tag, until):
    """Which share of the heartbeats up to `until` was taken for genuine."""
    counts = [0, 0]
    for at, address, frame in tag.heartbeats(until):
        home.now = at
        before = home.station.accepted
        home.hear(frame, address)
        home.station.call_failed(HandMadeTag().ident, at)
        counts[home.station.accepted > before] += 1
    return counts[1] / sum(counts)


def test_a_day_of_rotating_pseudonyms_is_followed_without_a_miss():
    home, tag = Home(HandMadeTag()), RealTag()
    assert heard_share(home, tag, 86400.0) == 1.0
    assert facts(home, HandMadeTag())["newest"] > 90


@pytest.mark.parametrize("silence_s", [3600, 36000, 10 * 86400])
def test_after_a_long_silence_the_tag_is_heard_within_a_minute(silence_s):
    home, tag = Home(HandMadeTag()), RealTag()
    heard_share(home, tag, 3600.0)
    list(tag.heartbeats(3600.0 + silence_s))
    back = 3600.0 + silence_s
    assert heard_share(home, tag, back + 60) > 0
    assert heard_share(home, tag, back + 3600) == 1.0


@pytest.mark.parametrize("reboots", [1, 3, 20])
def test_after_reboots_that_skip_slots_the_tag_is_heard_before_it_counts_as_gone(reboots):
    home, tag = Home(HandMadeTag()), RealTag()
    heard_share(home, tag, 3600.0)
    for index in range(reboots):
        tag.start(3600.0 + index)
    start = 3600.0 + reboots
    assert heard_share(home, tag, start + 120.0) > 0
    assert heard_share(home, tag, start + 7200.0) == 1.0


def test_strangers_do_not_slow_down_finding_the_tag_again():
    home, tag = Home(HandMadeTag()), RealTag()
    heard_share(home, tag, 3600.0)
    tag.start(3600.0)
    stranger = Random(1)
    for second in range(300):
        home.now = 3600.0 + second
        home.hear(b"\x41" + stranger.randbytes(23))
    assert heard_share(home, tag, 4000.0) > 0.9


def test_a_gateway_that_starts_again_with_its_slots_finds_the_tag_at_once():
    tag, ident = RealTag(slot=50_000), HandMadeTag().ident
    home = Home(HandMadeTag())
    home.station.resume({ident: 49_999, "ffffffff": 3})
    assert heard_share(home, tag, 7200.0) == 1.0
    slots = home.station.take_slots()
    assert slots[ident] > 50_000
    again = Home(HandMadeTag(), now=7200.0)
    again.station.resume(slots)
    assert heard_share(again, tag, 7260.0) == 1.0


def test_a_new_gateway_finds_a_tag_of_last_year_within_ten_minutes():
    home, tag = Home(HandMadeTag()), RealTag(slot=50_000)
    assert heard_share(home, tag, 20.0) == 0
    assert heard_share(home, tag, 600.0) > 0
    assert heard_share(home, tag, 1200.0) == 1.0


def test_a_slot_is_handed_over_once():
    home, tag = known_home()
    tag.slot = 2
    home.hear(tag.heartbeat(home.now))
    assert home.station.take_slots() == {tag.ident: 2}
    assert home.station.take_slots() == {}


def test_a_call_to_an_address_that_the_tag_has_left_is_abandoned_and_the_new_one_is_called():
    tag = HandMadeTag()
    home = Home(tag)
    assert Connect(TAG, "old") in home.hear(tag.heartbeat(home.now), "old")
    tag.slot += 1
    assert home.hear(tag.heartbeat(home.now), "new") == [Abandon(TAG)]
    assert home.hear(tag.heartbeat(home.now), "new") == []
    home.station.call_abandoned(TAG)
    assert home.hear(tag.heartbeat(home.now), "new") == [Connect(TAG, "new")]


def test_a_call_that_is_through_is_not_abandoned():
    tag = HandMadeTag()
    home = Home(tag)
    home.hear(tag.heartbeat(home.now), "old")
    home.station.open_link(home.now, TAG)
    tag.slot += 1
    assert Abandon(TAG) not in home.hear(tag.heartbeat(home.now), "new")
