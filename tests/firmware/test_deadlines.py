"""The clock's side of the tag: it comes to rest, never asks for a time that is past, and survives every width of its counters."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.tag_pair import OPEN_OHM, WORN_OHM, Memory, TagPair, epoch
from strapline_tag import outputs as out

happening = st.one_of(
    st.tuples(st.just("wait"), st.integers(0, 20_000)),
    st.tuples(st.just("wait"), st.integers(0, 40_000_000)),
    st.tuples(st.just("oversleep"), st.integers(0, 100_000_000)),
    st.tuples(st.just("arm"), st.none()),
    st.tuples(st.just("edge"), st.booleans()),
    st.tuples(st.just("strap"), st.sampled_from([WORN_OHM, 500, OPEN_OHM, -1])),
    st.tuples(st.just("skin"), st.sampled_from([2200, 3300])),
    st.tuples(st.just("gnss"), st.integers(0, 90_000)),
    st.tuples(st.just("garbage"), st.binary(max_size=60)),
    st.tuples(st.just("up"), st.sampled_from([out.BLE, out.CELLULAR])),
    st.tuples(st.just("down"), st.sampled_from([out.BLE, out.CELLULAR])),
    st.tuples(st.just("moods"), st.tuples(st.sampled_from([True, False, None]), st.booleans(), st.booleans())),
)


def do(pair, what, detail):
    if what == "wait":
        pair.run_to(pair.now + detail)
    elif what == "oversleep":
        pair.now += detail  # the body is late: timers are handled long after they were due
    elif what == "arm":
        pair.key(pair.centre.arm())
    elif what == "edge":
        pair.edge(detail)
    elif what == "strap":
        pair.tag.feed_strap(pair.now, detail)
    elif what == "skin":
        pair.tag.feed_skin(pair.now, detail, 2200)
    elif what == "gnss":
        pair.gnss(epoch(detail))
    elif what == "garbage":
        pair.gnss(detail)
        pair.key(detail)
        pair.line_data(detail)
    elif what == "up":
        pair.connect(detail)
    elif what == "down":
        pair.disconnect(detail)
    else:
        pair.coverage, pair.greeting, pair.receipting = detail


def settings_of(every_epoch):
    sparse = {"heartbeat_shortest_ms": 60_000, "heartbeat_longest_ms": 90_000}
    return sparse | {"log_every_epoch": int(every_epoch), "journal_bytes": 2048, "journal_block_bytes": 512}


@settings(deadline=None, max_examples=200)
@given(course=st.lists(happening, max_size=30), every_epoch=st.booleans())
def test_after_its_timers_the_tag_is_at_rest_until_a_later_time(course, every_epoch):
    pair = TagPair(settings_of(every_epoch))
    pair.strap(WORN_OHM)
    for what, detail in course:
        do(pair, what, detail)
        pair.tag.handle_timer(pair.now)
        pair.drain()
        settled = _while_answers_come(pair)
        assert settled > pair.now


def _while_answers_come(pair):
    """The pair answers within the same millisecond: what an answer makes due at once is handled before the tag can rest."""
    for _ in range(4):
        if pair.tag.next_deadline() > pair.now:
            break
        pair.tag.handle_timer(pair.now)
        pair.drain()
    return pair.tag.next_deadline()


@settings(deadline=None, max_examples=200)
@given(course=st.lists(happening, max_size=30), every_epoch=st.booleans())
def test_handling_the_timers_twice_at_one_time_does_nothing_the_second_time(course, every_epoch):
    pair = TagPair(settings_of(every_epoch))
    pair.strap(WORN_OHM)
    for what, detail in course:
        do(pair, what, detail)
        # Nobody answers in between: what the tag says is taken away unheard.
        pair.tag.handle_timer(pair.now)
        pair.tag.take_outputs()
        due, held = pair.tag.next_deadline(), len(pair.waiting())
        assert due > pair.now
        pair.tag.handle_timer(pair.now)
        assert not pair.tag.has_outputs()
        assert (pair.tag.next_deadline(), len(pair.waiting())) == (due, held)


# R35: counters near their ends.

EDGES_MS = [2**16 * 4000, 2**30, 2**31, 2**32]


@pytest.mark.parametrize("edge_ms", EDGES_MS)
def test_everything_works_across_the_end_of_a_counter_of_time(edge_ms):
    pair = TagPair()
    pair.visit()
    pair.now = edge_ms - 3_600_000
    pair.tag.handle_timer(pair.now)
    pair.drain()
    pair.arm()
    pair.stay_home(3600 - 30)
    pair.advertised.clear()
    pair.arrived.clear()
    pair.edge(is_open=True)
    pair.run(60)
    pair.edge(is_open=False)
    pair.run(8 * 60)
    for second in range(5):
        pair.gnss(epoch(second))
    pair.run(2 * 3600)
    pair.visit()
    pair.run(4 * 3600)
    heard = pair.heard
    assert heard[0].at < edge_ms < heard[-1].at
    assert all(h.heartbeat.uptime_4s == h.at // 4000 % 65536 for h in heard)
    assert all(later.at - sooner.at <= 10_000 for sooner, later in pairwise(heard))
    assert all(later.counter > sooner.counter for sooner, later in pairwise(heard))
    assert {"strap_open", "strap_closed", "left_home", "came_home", "fix", "beacon"} <= set(pair.names())
    assert all(record.body.uptime_s == record.at // 1000 for record in pair.arrived if record.name == "beacon")
    assert pair.times("strap_open") == [edge_ms - 30_000]
    assert pair.waiting() == []


@pytest.mark.parametrize("boots", [2**16 - 2, 2**16 - 1, 2**31 - 2, 2**31 - 1, 2**32 - 1])
def test_the_number_of_boots_may_pass_any_width(boots):
    pair = TagPair(memory=Memory({"boot": boots}))
    pair.visit()
    (started,) = pair.unique()
    assert started.body.boot == (boots + 1) % 65536
    assert started.body.detail == min(boots + 1, 2**31 - 1)


@pytest.mark.parametrize("slot", [2**16 - 1, 2**31 - 1, 2**31])
def test_the_number_of_pseudonyms_may_pass_any_width(slot):
    pair = TagPair(memory=Memory({"slot": slot}))
    pair.run(3600)
    assert len({h.pseudonym for h in pair.heard}) > 3


@pytest.mark.parametrize("newest", [2**8 - 2, 2**16 - 2, 2**31 - 2])
def test_sequences_may_pass_any_width(newest):
    pair = TagPair({"home_silence_s": 10**8})
    pair.visit()
    pair.tag.journal.newest = newest
    pair.centre.floor = newest + 1
    pair.arm()
    for _ in range(4):
        pair.edge(is_open=True)
        pair.edge(is_open=False)
    pair.connect()
    assert sorted(r.sequence for r in pair.arrived if r.sequence > 1) == list(range(newest + 1, newest + 11))
    assert pair.waiting() == []
