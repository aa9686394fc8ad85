"""Sequences that cross the tag's parts: what one of them remembers when another has begun anew, or power was gone."""


from firmware.tag_pair import UTC_AT_START_S, Memory, TagPair, epoch
from strapline_wire import documents, frames

SPARSE = {"heartbeat_shortest_ms": 60_000, "heartbeat_longest_ms": 60_000}
ALWAYS_HOME = documents.pack_curfew((7, ((0, 0),), (), ()))
ELSEWHERE = documents.pack_zones((1, [(5, 0, 0, 500, ((400_000_000, 0),))]))


def disarm(pair):
    pair.key(pair.centre.seal(frames.DISARM, frames.pack_disarm((1, UTC_AT_START_S))))


def rebooted(pair):
    again = TagPair(memory=Memory(pair.memory.held), flash=pair.flash.copy(), config=SPARSE, seed="again")
    again.centre = pair.centre
    return again


def test_nobody_is_located_after_disarming():
    pair = TagPair({**SPARSE, "locate_at_home": 1})
    pair.arm()
    pair.visit()
    pair.key(pair.centre.seal(frames.LOCATE, frames.pack_locate((7, 180))))
    assert pair.gnss_power[-1][1]
    disarm(pair)
    assert not pair.gnss_power[-1][1]
    pair.run(5)
    pair.gnss(epoch(1))
    pair.run(300)
    pair.visit()
    assert "fix" not in pair.names()
    assert pair.names().count("located") == 1
