"""When rows come again: pauses, blocks, and that no row is forgotten."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strapline_gateway.outbox import HISTORY_LANE, Outbox
from strapline_gateway.rounds import BLOCK, Rounds

LONGEST_S = 3600.0


def test_nothing_is_due_that_was_not_published():
    rounds = Rounds(LONGEST_S)
    assert rounds.next_s() is None
    assert rounds.take(1e9) is None


def test_rows_of_one_block_come_again_together_and_after_growing_pauses():
    rounds = Rounds(LONGEST_S)
    for ident in (5, 6, 7):
        rounds.fresh(ident, 100.0)
    now, pauses = 100.0, []
    for _ in range(9):
        due_s = rounds.next_s()
        assert rounds.take(due_s - 0.1) is None
        due = rounds.take(due_s)
        assert (due.first, due.last) == (0, 7)
        assert rounds.take(due_s) is None
        pauses.append(due_s - now)
        rounds.published(due, due_s)
        now = due_s
    assert pauses == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]


def test_a_row_that_joins_makes_the_pauses_of_its_block_short_again():
    rounds = Rounds(LONGEST_S)
    rounds.fresh(1, 0.0)
    for _ in range(6):
        due_s = rounds.next_s()
        rounds.published(rounds.take(due_s), due_s)
    rounds.fresh(2, due_s + 5)
    assert rounds.next_s() == due_s + 35
    assert rounds.take(due_s + 35).tries == 1


def test_a_block_for_which_there_was_no_room_goes_on_where_it_stopped():
    rounds = Rounds(LONGEST_S)
    for ident in range(BLOCK):
        rounds.fresh(ident, 0.0)
    due = rounds.take(30.0)
    rounds.interrupted(due, 40, 30.0)
    rest = rounds.take(30.0)
    assert (rest.first, rest.last, rest.tries) == (40, BLOCK - 1, 1)
    rounds.published(rest, 30.0)
    whole = rounds.take(90.0)
    assert (whole.first, whole.last, whole.tries) == (0, BLOCK - 1, 2)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["put", "take", "again", "receipt"]), st.integers(1, 90)), max_size=40))
def test_whatever_happens_all_that_has_no_receipt_is_published_within_its_longest_pause(steps):
    box, now, newest, gone = Outbox(":memory:"), 0.0, 0, 0
    for what, number in steps:
        now += number
        if what == "put":
            with box.group():
                for _ in range(number):
                    newest += 1
                    box.put(HISTORY_LANE, "event", "7a900001", 1, newest, {"record": "AAAA"}, 0.0)
        elif what == "take":
            taken = [item.sequence for item in box.take_due(now, number, most_open=64)]
            assert taken == sorted(taken) or len(set(taken)) == len(taken)
        elif what == "again":
            box.due_again()
        else:
            gone = max(gone, min(number, newest + 1))
            box.receipted("7a900001", 1, gone, 0)
    assert len(box) == newest - max(gone - 1, 0)
    seen, end = set(), now + LONGEST_S + 1
    while (due_s := box.next_due_s()) is not None and due_s <= end and len(seen) < len(box):
        now = max(now, due_s)
        seen |= {item.sequence for item in box.take_due(now, 50)}
    assert seen == set(range(max(gone, 1), newest + 1))
    box.close()


@pytest.mark.parametrize("rows", [1, 64, 65, 5000])
def test_a_backlog_comes_out_once_and_in_order_before_anything_comes_again(rows):
    box = Outbox(":memory:")
    with box.group():
        for n in range(1, rows + 1):
            box.put(HISTORY_LANE, "event", "7a900001", 1, n, {"record": "AAAA"}, 0.0)
    taken = []
    while items := box.take_due(7.0, 64):
        taken += [item.sequence for item in items]
    assert taken == list(range(1, rows + 1))
    assert box.next_due_s() == 37.0
    box.close()
