"""Receivers under attack when a tag's keys change: by whoever had the old ones, or by a gateway that wants to choose the new ones."""

from random import Random
from typing import NamedTuple

from firmware.tag_pair import Memory as Flash
from fuzz.scene import FOREIGN, Hellos, LineScene, Scene, sent_up
from fuzz.wire import StationWire, TagWire, connect, hello_of
from hand_made_tag import HandMadeTag
from station_home import Home
from strapline_protocol.cipher import HostCipher
from strapline_tag.bench_flash import MemoryFlash
from strapline_tag.config import Config
from strapline_tag.tag import Tag
from strapline_wire import frames, seal
from strapline_wire.keys import derive, renew

EPOCH = 1_772_480_000
"""The centre's, in each REKEY."""


class NewKeys:
    """The tag under the keys that a REKEY has given it; whoever had the old ones makes frames with them, the counters ahead."""

    def __init__(self, tag: HandMadeTag, secret: bytes, draw: Random) -> None:
        shared, _ = renew(derive(secret, "end-to-end"), draw.randbytes(16), 1)
        self.tag = HandMadeTag(tag.ident, shared, slot=1)
        self.tag.counter = tag.counter

    def expected_at(self, home: Home) -> None:
        home.station.expect_keys(self.tag.gateway_keys, 1, home.now)

    def proved_at(self, home: Home) -> None:
        accepted = home.station.accepted
        home.hear(self.tag.heartbeat(home.now))
        assert home.station.accepted == accepted + 1


class OldHeartbeats(Scene):
    """Advertisements at the station after the tag was heard under new keys, from a gateway that has the old ones."""

    name = "heartbeats after new keys"
    attacker = "old keys"

    def __init__(self, draw: Random) -> None:
        super().__init__(draw)
        self.home = Home(self.tag)
        connect(self.home, self.tag).close()
        new = NewKeys(self.tag, self.secret, draw)
        new.expected_at(self.home)
        self.home.hear(self.tag.heartbeat(self.home.now))  # under either as yet
        assert self.home.station.accepted
        new.proved_at(self.home)
        self.old, self.tag = self.tag, new.tag
        self.old.counter = 1 << 16
        old = self.under_old_keys()
        self.foreign = {"old keys": self.as_if(frames.HEARTBEAT, old)}

    def under_old_keys(self) -> list[bytes]:
        """At every time that the scene reaches, with uptimes that fit."""
        return [self.old.heartbeat(self.home.now + 4.0 * at) for at in range(FOREIGN)]

    def genuine(self) -> bytes:
        self.home.now += 1.0
        return self.tag.heartbeat(self.home.now, flags=self.draw.getrandbits(9), newest_alarm=self.draw.getrandbits(8))

    def offer(self, data: bytes) -> bool:
        before = self.home.station.accepted
        self.home.hear(data)
        return self.home.station.accepted > before


class OldHellos(Hellos):
    """HELLO at the station after the tag was heard under new keys: the old link key greets nobody."""

    name = "HELLO after new keys"
    attacker = "old keys"

    def __init__(self, draw: Random) -> None:
        super().__init__(draw)
        new = NewKeys(self.tag, self.secret, draw)
        new.expected_at(self.home)
        assert self.offer(hello_of(self.tag))  # under either as yet
        new.proved_at(self.home)
        old, self.tag = self.tag, new.tag
        self.foreign = {"old keys": self.as_if(frames.HELLO, [hello_of(old) for _ in range(FOREIGN)])}


class OldSessions(LineScene):
    """Connections from before the tag was heard under new keys: a standing one, and one greeted and not proved yet.

    A genuine frame comes under the new keys, on a connection of its own.
    """

    name = "session frames after new keys"
    attacker = "old keys"

    def __init__(self, draw: Random) -> None:
        super().__init__(draw)
        self.home = Home(self.tag)
        offered, wire = StationWire(self.home), TagWire(self.tag)
        (welcome,) = offered.put(hello_of(self.tag))
        assert wire.took(welcome)
        unproved = sent_up(self.tag)
        standing = connect(self.home, self.tag)
        self.old_wires = [standing, offered]
        proved = sent_up(self.tag)
        new = NewKeys(self.tag, self.secret, draw)
        new.expected_at(self.home)
        assert standing.took(self.tag.session.seal(frames.RECORD, self.tag.event()))  # under either as yet
        new.proved_at(self.home)
        self.tag = new.tag
        self.wire = connect(self.home, self.tag)
        self.foreign = {"old session": self.as_if(frames.RECORD, proved), "old HELLO": unproved}

    def genuine(self) -> bytes:
        return self.tag.session.seal(frames.RECORD, self.tag.event(now=self.home.now))

    def offer(self, data: bytes) -> bool:
        taken = [wire.took(data) for wire in (*self.old_wires, self.wire)]  # by each, whatever the others do
        return any(taken)


class Generation(NamedTuple):
    """One generation of a tag's keys: what its gateways have, and the end-to-end key."""

    number: int
    gateways: list[bytes]
    end_to_end: bytes


def generations(secret: bytes, salts: list[bytes]) -> list[Generation]:
    """The one of the tag's secret, and what REKEY makes of it with one salt after the other."""
    shared, end_to_end = secret, derive(secret, "end-to-end")
    made = []
    for number in range(len(salts) + 1):
        held = [derive(shared, purpose) for purpose in ("broadcast", "link", "header")]
        made.append(Generation(number, held, end_to_end))
        if number < len(salts):
            shared, end_to_end = renew(end_to_end, salts[number], number + 1)
    return made


class RekeysAtTag(Scene):
    """REKEY at the whole tag, from a gateway that holds what gateways get in every generation, and has recorded or held back the rest."""

    name = "REKEY at the tag"
    attacker = "gateway"

    CHANGES = 80
    """Generations that a scene reaches, and a few more."""

    def __init__(self, draw: Random) -> None:
        super().__init__(draw)
        self.salts = [draw.randbytes(16) for _ in range(self.CHANGES)]
        self.chain = generations(self.secret, self.salts)
        self.others = generations(self.other_secret, self.salts)
        self.at_tag = Tag(self.secret, Flash(), draw.randbytes, HostCipher, MemoryFlash(65536, 4096), Config())
        self.number = 0
        self.held_back: list[bytes] = []

    def rekey(self, present: Generation, direction: int = seal.DOWN, kind: int = frames.REKEY) -> bytes:
        """A REKEY from this generation to the next, with a salt of its own and a number that nobody has seen."""
        return self.sealed(present, self.draw.randbytes(16), direction, kind, 1000 + self.draw.getrandbits(16))

    def sealed(self, present: Generation, salt: bytes, direction: int, kind: int, number: int) -> bytes:
        body = frames.pack_rekey((present.number + 1, salt))
        cipher = HostCipher(present.end_to_end)
        return seal.seal_envelope((kind, 0, EPOCH, number), body, cipher, direction)

    def crossed(self, present: Generation) -> dict[str, list[bytes]]:
        """What is as near to the next REKEY as a gateway can come."""
        former = self.chain[max(present.number - 1, 0)]
        keys = [*present.gateways, *former.gateways, self.draw.randbytes(16)]
        return {
            "other tag": [self.rekey(self.others[present.number])],
            "other key": [
                self.rekey(present._replace(end_to_end=key), direction)
                for key in keys
                for direction in (seal.DOWN, seal.UP)
            ],
            "other direction": [self.rekey(present, seal.UP)],
            "other kind": [
                bytes([frames.REKEY]) + self.rekey(present, kind=kind)[1:]
                for kind in (frames.RECEIPT, frames.TIME, frames.PART)
            ],
        }

    def genuine(self) -> bytes:
        at = min(self.at_tag._keys.generation, self.CHANGES - 1)  # through a hole they run ahead
        present = self.chain[at]
        self.foreign = self.crossed(present) | ({"held back": self.held_back[:at]} if at else {})
        # Of two that the centre has sealed the gateway holds one back until the other is obeyed.
        self.held_back[at:] = [self.rekey(present)]
        self.number += 1
        return self.sealed(present, self.salts[at], seal.DOWN, frames.REKEY, self.number)

    def offer(self, data: bytes) -> bool:
        keys = self.at_tag._keys
        before = keys.generation, keys._end_to_end_key
        self.at_tag.feed_key(0, data)
        self.at_tag.take_outputs()
        return (keys.generation, keys._end_to_end_key) != before


REKEY = (OldHeartbeats, OldHellos, OldSessions, RekeysAtTag)
