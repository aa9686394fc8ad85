"""What a receipt may say, and what tombstones explain: true at every moment, in any order of arrival."""

from itertools import combinations, islice, pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dropping_tag import EVENT, FIX, DroppingTag, dropping_tags
from strapline_protocol.received import Journals, Received, Sequences
from strapline_wire.frames import Tombstone


def tombstone(first, last, dropped):
    return Tombstone((1, 7, first, last, dropped))


def arrive(received, tag, sequence):
    received.add(sequence, droppable=tag.kinds[sequence] == FIX)
    if sequence in tag.told:
        received.bury(tag.told[sequence])


def all_arrived(tag, without=()):
    received = Received()
    for sequence in sorted((tag.held | tag.delivered_before) - set(without)):
        arrive(received, tag, sequence)
    return received


def claimed(received, upto=400):
    """What a receipt lets a tag delete."""
    base, bitmap = received.receipt()
    return set(range(1, min(base, upto))) | {base + 1 + bit for bit in range(32) if bitmap >> bit & 1}


# The set itself.


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 6)), max_size=25), st.integers(0, 70), st.integers(0, 70))
def test_runs_hold_what_a_set_holds(adds, first, length):
    end = first + length
    runs, wanted = Sequences(), set()
    for start, size in adds:
        runs.add(start, start + size)
        wanted |= set(range(start, start + size))
    assert {s for s in range(80) if s in runs} == wanted
    assert runs.count(first, end) == len(wanted & set(range(first, end)))
    assert runs.after(first) == next(s for s in range(first, 200) if s not in wanted)
    spans = list(runs.runs())
    assert [s for a, b in spans for s in range(a, b)] == sorted(wanted)
    assert all(before[1] < after[0] for before, after in pairwise(spans))


# Tombstones.


@settings(max_examples=300)
@given(dropping_tags(), st.data())
def test_at_the_end_nothing_is_missing_and_no_receipt_ever_covers_what_is_still_to_come(tag, data):
    coming = sorted(tag.held | tag.delivered_before)
    order = data.draw(st.permutations(coming))
    order += data.draw(st.lists(st.sampled_from(coming), max_size=5))  # and some again
    received, here = Received(), set()
    for sequence in order:
        arrive(received, tag, sequence)
        here.add(sequence)
        to_come = tag.held - here
        assert not claimed(received) & to_come
        far = received.receipt_far(sequence)
        if far is not None:
            assert {sequence + 1 + bit for bit in range(32) if far >> bit & 1} <= here
    assert list(received.gaps()) == []
    assert received.tombstoned == len(tag.dropped - tag.delivered_before)


@settings(max_examples=200)
@given(dropping_tags(), st.data())
def test_the_order_of_arrival_changes_nothing(tag, data):
    coming = sorted(tag.held | tag.delivered_before)
    some = data.draw(st.lists(st.sampled_from(coming), unique=True))
    one, other = Received(), Received()
    for sequence in some:
        arrive(one, tag, sequence)
    for sequence in data.draw(st.permutations(some)):
        arrive(other, tag, sequence)
        arrive(other, tag, sequence)
    assert (one.receipt(), list(one.gaps()), one.tombstoned) == (other.receipt(), list(other.gaps()), other.tombstoned)


@settings(max_examples=300)
@given(dropping_tags(delivers_before=False), st.data())
def test_a_record_that_is_really_lost_stays_missing(tag, data):
    newest = max(tag.held)
    candidates = sorted(s for s in tag.held if s != newest and s not in tag.told)
    if not candidates:
        return
    lost = data.draw(st.sampled_from(candidates))
    received = all_arrived(tag, without=[lost])
    assert lost in set(received.gaps())
    assert lost not in claimed(received)
    received.add(lost, droppable=tag.kinds[lost] == FIX)
    assert list(received.gaps()) == []
    assert received.tombstoned == len(tag.dropped)


@settings(max_examples=200)
@given(dropping_tags(delivers_before=False), st.data())
def test_what_was_taken_for_dropped_and_comes_all_the_same_counts_as_here(tag, data):
    if not tag.dropped:
        return
    late = data.draw(st.sampled_from(sorted(tag.dropped)))
    received = all_arrived(tag)
    assert late not in received
    received.add(late, droppable=True)
    assert late in received
    assert list(received.gaps()) == []
    assert received.tombstoned == len(tag.dropped) - 1


SIZE = 8


@settings(max_examples=400)
@given(
    st.dictionaries(st.integers(1, SIZE), st.booleans()),
    st.lists(st.tuples(st.integers(1, SIZE), st.integers(1, SIZE), st.integers(1, 4)), max_size=3),
)
def test_a_receipt_covers_nothing_that_could_still_come_in_any_world_that_fits_what_is_here(here, tombstones):
    """Every world is tried: whichever positions each tombstone may mean, the same ones twice or not."""
    received = Received()
    for sequence, droppable in here.items():
        received.add(sequence, droppable=droppable)
    for first, last, dropped in tombstones:
        received.bury(tombstone(first, last, dropped))
    choices = []
    for first, last, dropped in tombstones:
        candidates = [s for s in range(first, last + 1) if here.get(s, True)]
        if not 0 < dropped <= last - first + 1:
            continue  # contradicts itself
        choices.append([set(chosen) for chosen in combinations(candidates, dropped)])
    worlds = [set().union(*chosen) for chosen in product(*choices)]
    if not worlds:
        return  # no honest tag says this
    surely_dropped = set.intersection(*worlds)
    base, bitmap = received.receipt()
    covered = set(range(1, min(base, SIZE + 1)))
    assert covered <= set(here) | surely_dropped
    assert {base + 1 + bit for bit in range(32) if bitmap >> bit & 1} <= set(here)
    if len(choices) <= 1:  # and it covers all that is certain
        certain = set(here) | surely_dropped
        assert base == next(s for s in range(1, SIZE + 2) if s not in certain)


def oldest_dropped():
    """Ten positions with two events among them; the first eight records that are positions are gone."""
    tag = DroppingTag()
    for kind in (EVENT, FIX, FIX, EVENT, FIX, FIX, EVENT, FIX, FIX):
        tag.record(kind)
    tag.drop([2, 3, 5, 6])
    return tag


def test_the_base_moves_past_what_is_proved_to_be_dropped():
    tag = oldest_dropped()
    received = all_arrived(tag)
    assert received.receipt() == (11, 0)
    assert (received.tombstoned, list(received.gaps())) == (4, [])


@pytest.mark.parametrize("pending", [4, 8])
def test_the_base_waits_for_what_may_still_come(pending):
    tag = oldest_dropped()
    received = all_arrived(tag, without=[pending])
    base, _ = received.receipt()
    assert base == (2 if pending == 4 else 8)  # the eighth lies behind the tombstone's range
    assert received.tombstoned == (0 if pending == 4 else 4)
    assert pending in list(received.gaps())


def test_an_alarm_that_a_gateway_keeps_back_is_not_deleted_by_a_tombstone():
    """A position came to the centre and was dropped all the same: just as many are missing as the tombstone counts, and one is an alarm."""
    received = Received()
    for sequence, droppable in ((1, False), (2, True), (5, False)):
        received.add(sequence, droppable=droppable)
    received.bury(tombstone(2, 4, 2))  # 2 and 4; and 3, the alarm, is on its way
    assert received.receipt() == (3, 0b10)
    received.add(3)
    assert received.receipt() == (6, 0)
    assert (received.tombstoned, list(received.gaps())) == (1, [])


def test_an_event_that_was_proved_to_be_dropped_and_comes_shows_the_tombstone_false():
    received = Received()
    for sequence in (1, 5):
        received.add(sequence)
    received.bury(tombstone(2, 4, 3))
    assert received.receipt() == (6, 0)
    received.add(3)
    assert received.receipt() == (2, 0b101)
    assert (received.tombstoned, list(received.gaps())) == (0, [2, 4])


@pytest.mark.parametrize(("first", "last", "dropped"), [(4, 2, 1), (2, 4, 4), (2, 2, 0xFFFFFFFF)])
def test_a_tombstone_that_contradicts_itself_explains_nothing_and_spoils_no_other(first, last, dropped):
    received = Received()
    for sequence in (1, 5):
        received.add(sequence)
    received.bury(tombstone(first, last, dropped))
    assert received.receipt() == (2, 0b100)
    assert (received.tombstoned, list(received.gaps())) == (0, [2, 3, 4])
    received.bury(tombstone(2, 4, 3))
    assert received.receipt() == (6, 0)


def test_a_tombstone_that_counts_more_than_can_be_missing_is_not_believed():
    received = Received()
    for sequence in (1, 3, 4, 6):  # events
        received.add(sequence)
    received.bury(tombstone(2, 5, 3))
    assert received.receipt() == (2, 0b1011)
    assert (received.tombstoned, list(received.gaps())) == (0, [2, 5])


def test_overlapping_tombstones_are_added_up_for_the_account_and_not_for_the_receipt():
    """Whether a tag counts a drop once or twice, the receipt is true."""
    received = Received()
    for sequence in (1, 11):
        received.add(sequence)
    received.bury(tombstone(2, 8, 5))
    received.bury(tombstone(3, 10, 4))
    assert (received.tombstoned, list(received.gaps())) == (9, [])
    assert received.receipt() == (2, 1 << 8)
    twice = Received()
    for sequence in (1, *range(6, 12)):
        twice.add(sequence)
    twice.bury(tombstone(2, 4, 3))
    twice.bury(tombstone(2, 5, 4))
    assert twice.receipt() == (12, 0)
    assert (twice.tombstoned, list(twice.gaps())) == (4, [])


def test_ranges_of_the_whole_number_space_take_no_time():
    received = Received()
    received.add(0xFFFFFFFF)
    received.bury(tombstone(1, 0xFFFFFFFF, 0xFFFFFFFE))
    assert received.receipt() == (0xFFFFFFFF, 0)
    assert received.tombstoned == 0xFFFFFFFE
    other = Received()
    other.add(0xFFFFFFFF)
    other.bury(tombstone(2, 0xFFFFFFFE, 5))
    assert list(islice(other.gaps(), 3)) == [1, 2, 3]


def test_asking_for_a_journal_that_nothing_has_come_of_leaves_nothing_behind():
    journals = Journals()
    for journal in range(100):
        assert journals.of("7a900001", journal).receipt() == (1, 0)
        assert journals.gaps("7a900001", journal) == []
    assert journals._received == {}
