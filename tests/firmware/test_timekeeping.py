"""Trusted time: only the answer to the tag's own question, soon, once; and what records say without it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.tag_pair import UTC_AT_START_S, TagPair
from strapline_tag.timekeeping import Clock
from strapline_wire import frames

DAY_MS = 86_400_000


@pytest.fixture
def pair():
    """Connected to a centre that does not tell the time: the question is in `asked`."""
    pair = TagPair({"home_silence_s": 100_000_000})
    pair.telling_time = False
    pair.run(5)
    pair.connect()
    assert len(pair.asked) == 1
    return pair


@pytest.mark.parametrize(("wait_ms", "trusted"), [(0, True), (9_999, True), (10_000, True), (10_001, False)])
def test_the_answer_counts_for_10_s(pair, wait_ms, trusted):
    (_, nonce) = pair.asked[0]
    sealed = pair.centre.time(nonce, pair.now)
    pair.run(wait_ms / 1000)
    pair.command(sealed)
    assert pair.tag.clock.trusted(pair.now) == trusted


def test_the_answer_counts_once(pair):
    (_, nonce) = pair.asked[0]
    pair.command(pair.centre.time(nonce, pair.now))
    told = pair.tag.clock.utc_s(pair.now)
    pair.command(pair.centre.time(nonce, pair.now + 3_600_000))
    assert pair.tag.clock.utc_s(pair.now) == told == UTC_AT_START_S + 5


def test_time_without_a_question_or_for_another_nonce_does_not_count(pair):
    pair.command(pair.centre.time(bytes(8), pair.now))
    assert not pair.tag.clock.trusted(pair.now)
    untold = TagPair()
    untold.key(untold.centre.time(bytes(8), 0))
    assert not untold.tag.clock.trusted(0)


def test_the_answer_to_an_older_question_does_not_count(pair):
    (_, nonce) = pair.asked[0]
    pair.disconnect()
    pair.connect()
    assert len(pair.asked) == 2
    pair.command(pair.centre.time(nonce, pair.now))
    assert not pair.tag.clock.trusted(pair.now)
    pair.command(pair.centre.time(pair.asked[1][1], pair.now))
    assert pair.tag.clock.trusted(pair.now)


def test_no_two_questions_share_a_nonce(pair):
    for _ in range(100):
        pair.disconnect()
        pair.connect()
    assert len({nonce for _, nonce in pair.asked}) == 101


def test_it_asks_again_after_six_hours_and_not_before():
    pair = TagPair({"heartbeat_shortest_ms": 60_000, "heartbeat_longest_ms": 60_000})
    for _ in range(26 * 2):
        pair.visit()
        pair.run(1800)
    gaps = [later - sooner for (sooner, _), (later, _) in zip(pair.asked, pair.asked[1:], strict=False)]
    assert gaps == [6 * 3600 * 1000] * 4


def test_records_hold_the_time_and_its_quality_as_they_were_when_it_happened(pair):
    pair.arm()
    pair.run(10)
    pair.disconnect()
    pair.telling_time = True
    pair.connect()
    pair.edge(is_open=True)
    pair.disconnect()
    pair.run(2 * 86400)
    pair.edge(is_open=False)
    pair.telling_time = False
    pair.connect()
    stamps = {r.name: (r.body.utc_s, r.body.flags >> 1) for r in pair.unique()}
    assert stamps["started"] == stamps["armed"] == (0, 0)
    assert stamps["strap_open"] == (UTC_AT_START_S + 15, 1)
    assert stamps["strap_closed"] == (UTC_AT_START_S + 15 + 2 * 86400, 0)


def test_after_a_reboot_the_tag_knows_no_time():
    first = TagPair()
    first.visit()
    assert first.tag.clock.trusted(0)
    again = TagPair(memory=first.memory, seed="again")
    assert not again.tag.clock.trusted(0)
    assert again.tag.clock.utc_s(0) == 0


def test_the_boot_number_rises_and_is_in_every_record():
    first = TagPair()
    first.visit()
    again = TagPair(memory=first.memory, seed="again")
    again.visit()
    assert [(r.name, r.body.boot, r.body.detail) for r in first.unique() + again.unique()] == [
        ("started", 1, 1),
        ("started", 2, 2),
    ]


def test_the_last_second_of_32_bits_stays_and_stops_nothing(pair):
    (_, nonce) = pair.asked[0]
    pair.command(pair.centre.seal(frames.TIME, frames.pack_time((nonce, 0xFFFFFFFF, 999))))
    pair.arm()
    pair.run(3600)
    pair.edge(is_open=True)
    assert {r.body.utc_s for r in pair.unique() if r.name == "strap_open"} == {0xFFFFFFFF}


@settings(deadline=None)
@given(
    utc_s=st.integers(0, 2**32 - 1),
    utc_ms=st.integers(0, 999),
    asked_at=st.integers(0, 2**40),
    took=st.integers(0, 10_000),
    later=st.integers(0, 10 * DAY_MS),
)
def test_the_clock_runs_on_from_the_answer_and_is_trusted_for_a_day(utc_s, utc_ms, asked_at, took, later):
    clock = Clock()
    nonce = b"nonc" + clock.ask(asked_at, 0x6E6F6E63).to_bytes(4, "big")
    told_at = asked_at + took
    assert clock.answer(told_at, frames.Time((nonce, utc_s, utc_ms)))
    now = told_at + later
    assert clock.utc_s(now) == min((utc_s * 1000 + utc_ms + later) // 1000, 0xFFFFFFFF)
    assert clock.trusted(now) == (later <= DAY_MS)
    assert clock.age_s(now) == later // 1000


# What a receiver's time is worth (R46).


def told_at(now):
    clock = Clock()
    nonce = b"nonc" + clock.ask(now, 0x6E6F6E63).to_bytes(4, "big")
    assert clock.answer(now, frames.Time((nonce, UTC_AT_START_S, 0)))
    return clock


@pytest.mark.parametrize(
    ("days", "off_s", "believed"),
    [
        (0, 0, True),
        (0, 2, True),
        (0, -2, True),
        (0, 3, False),
        (1, 3, True),
        (1, 4, False),
        (30, 53, True),
        (30, 54, False),
    ],
)
def test_a_receiver_is_believed_as_far_as_the_crystal_can_have_drifted(days, off_s, believed):
    clock = told_at(0)
    now = days * DAY_MS
    assert clock.confirm(now, UTC_AT_START_S + days * 86400 + off_s) is believed
    assert clock.trusted(now + DAY_MS) is (believed or days == 0)


def test_a_receiver_keeps_trust_and_never_begins_it_and_moves_no_clock():
    assert not Clock().confirm(0, UTC_AT_START_S)
    clock = told_at(0)
    for day in range(1, 100):
        assert clock.confirm(day * DAY_MS, UTC_AT_START_S + day * 86400 + 1)
        assert clock.utc_s(day * DAY_MS) == UTC_AT_START_S + day * 86400
    assert clock.trusted(100 * DAY_MS)
    assert not clock.trusted(100 * DAY_MS + 1)
    # However slowly a false receiver draws it away, the bound counts from the centre's word.
    walked = told_at(0)
    off_s = 0
    for hour in range(1, 2000):
        off_s += walked.confirm(hour * 3_600_000, UTC_AT_START_S + hour * 3600 + off_s + 1)
    assert off_s <= 2 + 2000 * 3600 * 20 // 1_000_000 + 1


def test_an_armed_tag_says_once_that_it_does_not_know_the_time_any_more_and_when_it_does_again():
    pair = TagPair()
    pair.arm()
    pair.visit()
    pair.telling_time = False
    pair.run(3 * 86400)
    assert pair.times("clock_untrusted") == [DAY_MS + 1]
    assert [r.body.detail for r in pair.unique() if r.name == "clock_untrusted"] == [86400]
    pair.telling_time = True
    pair.visit()
    assert [r.body.detail for r in pair.unique() if r.name == "clock_trusted"] == [0]


@pytest.mark.parametrize(("step_s", "told"), [(0, []), (1, []), (-2, []), (3600, [3600]), (-60, [-60])])
def test_an_answer_that_is_further_off_than_any_drift_is_told_with_its_step(step_s, told):
    pair = TagPair({"time_refresh_s": 60})
    pair.arm()
    pair.visit()
    pair.run(100)
    pair.telling_time = False
    pair.connect()
    (_, nonce) = pair.asked[-1]
    pair.command(pair.centre.time(nonce, pair.now + step_s * 1000))
    assert [r.body.detail for r in pair.unique() if r.name == "clock_trusted"] == told
