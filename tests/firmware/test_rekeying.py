"""New keys on the tag: the old ones end, everything else goes on, and a power cut leaves the one or the other."""

import pytest

from firmware.tag_pair import SECRET, Memory, TagPair
from strapline_protocol.cipher import HostCipher
from strapline_tag.keyring import Keyring
from strapline_wire import frames, seal
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.keys import derive, renew
from strapline_wire.replay import ReplayWindow

SALT = bytes(range(100, 116))


class NewKeys:
    """What the centre works out for itself, and hands to gateways."""

    def __init__(self, generation=1, end_to_end=None, salt=SALT):
        self.shared, self.end_to_end = renew(end_to_end or derive(SECRET, "end-to-end"), salt, generation)
        self.broadcast, self.header = (HostCipher(derive(self.shared, purpose)) for purpose in ("broadcast", "header"))
        self.link_key = derive(self.shared, "link")


def rekey(pair, generation=1, salt=SALT):
    pair.key(pair.centre.seal(frames.REKEY, frames.pack_rekey((generation, salt))))


def switch(pair, keys):
    """The other end uses the new keys too."""
    pair.centre.cipher = HostCipher(keys.end_to_end)
    pair.link_key, pair.header = keys.link_key, keys.header


def counters(pair, keys):
    """Counters of the heartbeats that open under these keys."""
    found = []
    for _, _, frame in pair.advertised:
        try:
            found.append(seal.open_frame(frame, keys.broadcast, keys.header, seal.UP, ReplayWindow())[0])
        except RemoteProtocolError:
            found.append(None)
    return found


def test_from_the_next_heartbeat_on_the_new_keys_are_used_and_the_counter_goes_on():
    pair, keys = TagPair(), NewKeys()
    pair.run(60)
    before = pair.heard
    pair.advertised.clear()
    rekey(pair)
    pair.run(60)
    after = counters(pair, keys)
    assert None not in after
    assert after == list(range(before[-1].counter + 1, before[-1].counter + 1 + len(after)))


def test_records_that_wait_come_under_the_new_key_with_their_identity_and_the_event_tells_the_generation():
    pair, keys = TagPair(), NewKeys()
    pair.arm()
    pair.receipting = False
    pair.visit()
    first = {record.sequence: record for record in pair.unique()}
    rekey(pair)
    switch(pair, keys)
    pair.receipting = True
    pair.arrived.clear()
    pair.visit()
    again = {record.sequence: record for record in pair.unique()}
    assert set(first) < set(again)
    for sequence, record in first.items():
        assert again[sequence].body == record.body
        assert again[sequence].sealed != record.sealed
    [told] = [record.body.detail for record in again.values() if record.name == "rekeyed"]
    assert told == 1
    assert len(pair.tag.journal) == 0


def test_the_keys_survive_a_reboot_and_a_second_rekeying_follows_from_the_first():
    pair, first = TagPair(), NewKeys()
    rekey(pair)
    second = NewKeys(2, first.end_to_end, bytes(16))
    after = TagPair(memory=pair.memory, seed="after")
    switch(after, first)
    rekey(after, 2, bytes(16))
    after.run(60)
    assert None not in counters(after, second)


@pytest.mark.parametrize("generation", [0, 1, 3, 0xFFFFFFFF])
def test_only_the_next_generation_is_taken(generation):
    pair, keys = TagPair(), NewKeys()
    rekey(pair)
    switch(pair, keys)
    rekey(pair, generation, bytes(16))
    pair.run(60)
    assert None not in counters(pair, keys)[1:]
    pair.visit()
    assert [r.body.detail for r in pair.unique() if r.name == "command_refused"] == [
        frames.REKEY << 8 | frames.REFUSAL_OLD_REVISION
    ]


def test_the_same_rekey_played_back_is_not_even_genuine_any_more():
    pair = TagPair()
    sealed = pair.centre.seal(frames.REKEY, frames.pack_rekey((1, SALT)))
    pair.key(sealed)
    pair.key(sealed)
    assert pair.tag.rejected == 1


def test_what_a_gateway_knew_before_gives_none_of_the_new_keys():
    # The old end-to-end key is needed for them, and a gateway has the other three alone.
    old = Keyring(SECRET, Memory(), HostCipher)
    keys = NewKeys()
    known = {derive(SECRET, purpose) for purpose in ("broadcast", "link", "header")}
    for key in known:
        assert renew(key, SALT, 1) != (keys.shared, keys.end_to_end)
        assert not {derive(key, purpose) for purpose in ("broadcast", "link", "header")} & {keys.link_key}
    assert old.generation == 0


class Fails(Memory):
    """Power goes at the first write after `cut` is set: before it, or just after."""

    cut = None

    def put(self, name, value):
        if self.cut == "before":
            raise OSError
        super().put(name, value)
        if self.cut == "after":
            raise OSError


@pytest.mark.parametrize("cut", ["before", "after"])
def test_power_that_goes_while_keys_change_leaves_the_old_ones_or_the_new(cut):
    memory = Fails()
    pair, keys = TagPair(memory=memory), NewKeys()
    pair.run(30)
    used = max(heard.counter for heard in pair.heard)
    memory.cut = cut
    ring = pair.tag._keys
    with pytest.raises(OSError):
        ring.renew(frames.Rekey((1, SALT)))
    memory.cut = None
    after = TagPair(memory=memory, seed="after")
    after.run(60)
    if cut == "after":
        assert min(counters(after, keys)) > used
    else:
        assert min(heard.counter for heard in after.heard) > used
