"""What the numbers of messages show of the way that they came."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from strapline_protocol.contract import Passage
from strapline_protocol.passages import LATE, NEW, REPEATED, Missing, Passages

GATEWAY, OTHER, TAG = "6a7e0001", "6a7e0002", "7a900001"


def note(passages, number, *, start=3, about=TAG, gateway=GATEWAY, now_s=0.0):
    return passages.note(gateway, about, Passage(False, start, number), now_s)


def test_in_order_nothing_is_to_be_told():
    passages = Passages()
    assert [note(passages, number) for number in range(1, 500)] == [NEW] * 499
    assert passages.overdue(1e9, 60) == []
    assert not passages.counts


def test_what_is_dropped_is_told_once_and_after_its_time():
    passages = Passages()
    for number in (1, 2, 6, 7, 9):
        note(passages, number, now_s=10.0 * number)
    assert passages.overdue(119.0, 60) == []
    assert passages.overdue(120.0, 60) == [Missing(GATEWAY, TAG, 3, 5, 3, 3)]
    assert passages.overdue(1000.0, 60) == [Missing(GATEWAY, TAG, 8, 8, 1, 1)]
    assert passages.overdue(1e9, 60) == []
    assert passages.counts == {(GATEWAY, "dropped"): 4}
    assert passages.unexplained == {GATEWAY: 4}


def unexplained(passages):
    return [missing.unexplained for missing in passages.overdue(1e9, 60)]


def test_what_a_broken_connection_explains_is_no_evidence_and_what_follows_is():
    passages = Passages()
    passages.gateway_state(GATEWAY, 3, 1)
    note(passages, 1)
    passages.gateway_state(GATEWAY, 3, 2)
    note(passages, 5)  # what was under way is gone
    passages.gateway_state(GATEWAY, 3, 2)  # the same connection's beat
    assert unexplained(passages) == [0]
    note(passages, 7)
    passages.gateway_state(OTHER, 3, 9)  # another one's
    assert unexplained(passages) == [1]
    note(passages, 9)
    passages.gateway_state(GATEWAY, 3, 0)  # its will: what is missing may have been under way
    note(passages, 11)
    assert unexplained(passages) == [0]
    assert passages.unexplained == {GATEWAY: 1}


def test_what_expired_while_the_centre_was_away_is_no_evidence():
    passages = Passages()
    note(passages, 1)
    note(passages, 3, now_s=100.0)
    passages.centre_connected(110.0)
    for number, now_s in ((5, 111.0), (8, 409.0), (9, 410.0), (11, 411.0)):
        note(passages, number, now_s=now_s)
    (missing,) = passages.overdue(1e9, 60)
    assert (missing.messages, missing.unexplained) == (5, 1)


def test_what_was_held_back_is_late_and_no_more_missing():
    passages = Passages()
    assert [note(passages, number) for number in (1, 4, 3, 2, 5)] == [NEW, NEW, LATE, LATE, NEW]
    assert passages.overdue(1e9, 60) == []
    assert passages.counts == {(GATEWAY, "late"): 2}


def test_what_comes_again_is_repeated_also_from_an_earlier_start():
    passages = Passages()
    ways = [note(passages, 1), note(passages, 2), note(passages, 2), note(passages, 1, start=4), note(passages, 3)]
    assert ways == [NEW, NEW, REPEATED, NEW, REPEATED]
    assert passages.counts == {(GATEWAY, "repeated"): 2}


def test_tags_and_gateways_are_counted_apart_and_an_older_gateway_not_at_all():
    passages = Passages()
    assert note(passages, 1) == note(passages, 1, about="") == note(passages, 7, gateway=OTHER) == NEW
    assert passages.note(GATEWAY, TAG, None, 0.0) == NEW
    assert note(passages, 2) == NEW
    assert not passages.counts


def test_a_gateway_that_jumps_about_costs_no_memory():
    passages = Passages()
    for n in range(1, 200):
        note(passages, n * 1_000_000)
    assert len(passages._counted[GATEWAY, TAG].missing) <= 256
    assert passages.counts[GATEWAY, "dropped"] > 190_000_000


@given(st.integers(0, 2**32), st.integers(0, 60))
def test_dropped_late_and_new_together_are_all_that_was_sent(seed, dropped):
    random = Random(seed)
    numbers = list(range(2, 100))
    gone = set(random.sample(numbers, dropped))
    come = [number for number in numbers if number not in gone]
    for _ in range(20):
        at = random.randrange(len(come) - 3)
        come[at : at + 3] = random.sample(come[at : at + 3], 3)
    passages = Passages()
    ways = [note(passages, number) for number in (1, *come, 100)]
    passages.overdue(1e9, 0)
    assert REPEATED not in ways
    assert ways.count(NEW) + ways.count(LATE) + passages.counts[GATEWAY, "dropped"] == 100
    assert passages.counts[GATEWAY, "dropped"] == dropped
