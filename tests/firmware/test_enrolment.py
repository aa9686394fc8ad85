"""The check of seven points before monitoring begins and daily; and its end by the electronic key."""

import pytest

from firmware.tag_pair import OPEN_OHM, UTC_AT_START_S, TagPair
from strapline_protocol.definitions import State
from strapline_wire import frames

STRAP, SKIN, BATTERY, MOTION, RECEIVER, RADIO, RECORD = (1 << bit for bit in range(7))


def ready(config=None):
    """Worn, in reach of a gateway that brings the time, not armed."""
    pair = TagPair(config, sampling=True)
    pair.run(5)
    pair.visit()
    return pair


def arm(pair):
    pair.key(pair.centre.arm())
    pair.visit()
    return [(r.name, r.body.detail) for r in pair.unique() if r.name in ("checked", "armed", "arm_refused")]


def test_all_seven_hold_and_the_check_is_told_before_monitoring_begins():
    pair = ready()
    assert arm(pair) == [("checked", 0), ("armed", 0x00E1EC01)]


@pytest.mark.parametrize(
    ("spoil", "bits"),
    [
        (lambda pair: setattr(pair, "skin_centi_c", 1999), SKIN),
        (lambda pair: setattr(pair, "skin_centi_c", 4201), SKIN),
        (lambda pair: setattr(pair, "battery_percent", 14), BATTERY),
        (lambda pair: setattr(pair, "faults", 2), SKIN),
        (lambda pair: setattr(pair, "faults", 8), MOTION),
        (lambda pair: setattr(pair, "faults", 16), RECEIVER),
        (lambda pair: pair.run(86_500), RADIO | RECORD),
    ],
    ids=["cold", "hot", "empty", "skin sensor", "motion sensor", "receiver", "a day without a gateway"],
)
def test_a_point_that_fails_is_told_by_its_bit_and_a_person_decides(spoil, bits):
    pair = ready()
    spoil(pair)
    pair.run(61)
    pair.key(pair.centre.arm())
    pair.visit()
    told = [(r.name, r.body.detail) for r in pair.unique() if r.name in ("checked", "armed")]
    assert told == [("checked", bits), ("armed", 0x00E1EC01)]


@pytest.mark.parametrize(
    ("spoil", "bits"),
    [
        (lambda pair: setattr(pair, "strap_ohm", OPEN_OHM), STRAP),
        (lambda pair: setattr(pair, "strap_ohm", 0), STRAP),
        (lambda pair: setattr(pair, "faults", 1), STRAP),
        (lambda pair: setattr(pair, "faults", 128), RECORD),
    ],
    ids=["open", "shorted", "strap sensor", "flash"],
)
def test_without_a_strap_or_a_journal_nothing_is_armed(spoil, bits):
    pair = ready()
    spoil(pair)
    pair.run(61)
    assert [name for name, _ in arm(pair)] == ["checked", "arm_refused"]
    assert next(detail for name, detail in arm(pair) if name == "checked") == bits
    assert not pair.tag.armed


def test_the_check_comes_daily_from_arming_on_and_after_a_reboot():
    pair = ready()
    arm(pair)
    armed_at = pair.times("armed")[0]
    pair.stay_home(3 * 86400 + 10)
    pair.visit()
    assert pair.times("checked") == [armed_at + day * 86_400_000 for day in range(4)]
    again = TagPair(memory=pair.memory, seed="again", sampling=True)
    again.stay_home(86_500)
    again.visit()
    assert again.times("checked") == [86_400_000]


# The end of monitoring.


def disarm(pair, sealed=None):
    pair.key(sealed or pair.centre.seal(frames.DISARM, frames.pack_disarm((0x77, UTC_AT_START_S))))


def test_disarm_ends_monitoring_and_all_that_goes_with_it():
    pair = ready()
    arm(pair)
    pair.edge(is_open=True)
    pair.leave()
    pair.run(1)
    assert pair.tag.situation.violation
    assert pair.gnss_power[-1][1]
    disarm(pair)
    assert not pair.gnss_power[-1][1]
    pair.run(20)
    assert not State(pair.heard[-1].heartbeat.flags) & (State.ARMED | State.STRAP_LATCHED | State.AWAY)
    pair.visit()
    before = len(pair.unique())
    pair.edge(is_open=False)
    pair.edge(is_open=True)
    pair.run(2 * 86400)
    pair.visit()
    assert [r.name for r in pair.unique()[before:]] == []
    assert [r.body.detail for r in pair.unique() if r.name == "disarmed"] == [0x77]
    assert not TagPair(memory=pair.memory, seed="again").tag.armed


def test_a_tag_that_is_not_armed_cannot_be_disarmed_and_each_key_works_once():
    pair = ready()
    disarm(pair)
    arm(pair)
    old_arm = pair.centre.arm()
    key = pair.centre.seal(frames.DISARM, frames.pack_disarm((0x77, UTC_AT_START_S)))
    disarm(pair, key)
    rejected = pair.tag.rejected
    disarm(pair, key)
    pair.key(old_arm)  # made before the DISARM that was used: it is over as well
    assert pair.tag.rejected == rejected + 2
    assert not pair.tag.armed
    pair.visit()
    told = [r.name for r in pair.unique() if "arm" in r.name]
    assert told == ["disarm_refused", "armed", "disarmed"]


def test_a_used_disarm_stays_used_over_a_reboot():
    pair = ready()
    arm(pair)
    key = pair.centre.seal(frames.DISARM, frames.pack_disarm((0x77, UTC_AT_START_S)))
    disarm(pair, key)
    again = TagPair(memory=pair.memory, seed="again", sampling=True)
    again.centre.number = pair.centre.number
    again.run(5)
    again.key(again.centre.arm())
    assert again.tag.armed
    disarm(again, key)
    assert again.tag.armed


def test_armed_again_it_begins_anew():
    pair = ready()
    arm(pair)
    pair.edge(is_open=True)
    pair.edge(is_open=False)
    disarm(pair)
    arm(pair)
    assert pair.tag.armed
    assert not pair.tag.strap.latched
    pair.run(1)
    pair.strap_ohm = OPEN_OHM
    pair.run(2)
    pair.visit()
    assert pair.names().count("strap_open") == 2
