"""The journal: what leaves it, what makes room, in which order it is said, and what a start finds. Power cuts: test_journal_power.py."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from firmware.journal_life import BASE, Life, event, fix, held, record, small
from firmware.tag_pair import TagPair, epoch
from flash import Flash
from strapline_tag.journal import COUNTER_LOW, Journal
from strapline_wire import frames
from strapline_wire.frames import Receipt, ReceiptFar

LONG = {"home_silence_s": 100_000_000}
IDENT = BASE + 1
TEN_DAYS_OF_POSITIONS = 1600
KEPT_FOR_EVENTS = 8192 // 32


def journal(flash=None, reserve=0):
    return Journal(flash or Flash(), IDENT, 0, reserve)


def again(target, reserve=0):
    """What the next start finds."""
    return Journal(target._flash, IDENT + 1, target.ident << 32, reserve)


def fill(target, plan, first=1):
    """`f` a position, `e` an event, `a` an alarm; gives which of them found room."""
    return [target.append(*record(letter, number)) for number, letter in enumerate(plan, first)]


def tombstones(target):
    return [frames.unpack_tombstone(body) for kind, _, body in held(target).values() if kind == frames.TOMBSTONE]


@settings(deadline=None)
@given(
    count=st.integers(0, 200),
    base=st.integers(0, 2**32 - 1) | st.integers(0, 210),
    bitmap=st.integers(0, 2**32 - 1),
)
def test_a_receipt_takes_what_it_names_and_nothing_else(count, base, bitmap):
    target = journal()
    fill(target, "e" * count)
    named = {n for n in range(1, count + 1) if n < base}
    named |= {base + 1 + bit for bit in range(32) if bitmap >> bit & 1}
    left = target.receipt(Receipt((IDENT, base, bitmap)))
    assert list(held(target)) == [n for n in range(1, count + 1) if n not in named]
    assert left == count - len(target)


@settings(deadline=None)
@given(count=st.integers(0, 200), first=st.integers(1, 210), bitmap=st.integers(0, 2**32 - 1))
def test_a_far_receipt_takes_what_it_names_and_nothing_below(count, first, bitmap):
    target = journal()
    fill(target, "e" * count)
    named = {first} | {first + 1 + bit for bit in range(32) if bitmap >> bit & 1}
    target.receipt_far(ReceiptFar((IDENT, first, bitmap)))
    assert list(held(target)) == [n for n in range(1, count + 1) if n not in named]
    assert target.receipt_far(ReceiptFar((IDENT + 1, 1, 0xFFFFFFFF))) == 0


def test_a_receipt_for_another_journal_takes_nothing():
    target = journal()
    fill(target, "eaf")
    assert target.receipt(Receipt((IDENT + 1, 4, 0xFFFFFFFF))) == 0
    assert set(held(target)) == {1, 2, 3}


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2**32 - 1)), max_size=10), st.text("fea", max_size=40))
def test_receipts_that_come_twice_late_or_out_of_order_bring_nothing_back(receipts, plan):
    once, twice = journal(), journal()
    for target, repeats in ((once, 1), (twice, 2)):
        fill(target, plan)
        for base, bitmap in receipts * repeats:
            target.receipt(Receipt((IDENT, base, bitmap)))
    assert held(once) == held(twice)


@settings(deadline=None)
@given(st.text("fea", max_size=60), st.integers(1, 70))
def test_alarms_are_said_first_and_each_lane_in_order_and_no_more_than_a_window_of_each(plan, window):
    target = journal()
    fill(target, plan)
    said = [target.sequence(slot) for slot in target.pending(window)]
    alarms = [n for n, kind in enumerate(plan, 1) if kind == "a"]
    rest = [n for n, kind in enumerate(plan, 1) if kind != "a"]
    assert said == alarms[:window] + rest[:window]
    assert bool(target.alarms) == bool(alarms)


def test_every_record_of_the_protocol_is_kept_as_it_was():
    sizes = {frames.EVENT: 18, frames.TOMBSTONE: 18, frames.FIX: 24}
    assert {kind: len(body) for kind, _, body in (event(1), fix(1))} == {
        k: sizes[k] for k in (frames.EVENT, frames.FIX)
    }
    assert len(frames.pack_tombstone((1, 2, 3, 4, 5))) == sizes[frames.TOMBSTONE]
    target = journal()
    for kind, size in sizes.items():
        assert target.append(kind, 0, bytes([255] * size))
    assert [(kind, body) for kind, _, body in held(target).values()] == [
        (k, bytes([255] * n)) for k, n in sizes.items()
    ]


# Room.


def test_64_kib_hold_ten_days_of_positions_and_8_kib_of_events():
    target = journal(reserve=32)
    plan = "effffff" * KEPT_FOR_EVENTS
    plan += "f" * (TEN_DAYS_OF_POSITIONS - plan.count("f"))
    assert (plan.count("f"), plan.count("e")) == (TEN_DAYS_OF_POSITIONS, KEPT_FOR_EVENTS)
    assert all(fill(target, plan))
    assert (len(target), target.dropped_positions) == (1856, 0)


def test_when_full_every_second_position_of_the_oldest_stretch_makes_room_and_a_tombstone_counts_them():
    target = journal(small(blocks=4, slots=8))  # three blocks of seven records, and one to copy into
    assert all(fill(target, "f" * 21))
    assert target.dropped_positions == 0
    assert all(fill(target, "e"))
    assert list(held(target)) == [3, 5, 7, 10, 12, 14, *range(15, 24)]
    ((_, _, *told),) = tombstones(target)
    assert told == [1, 13, 8]
    assert held(target)[22][0] == frames.TOMBSTONE


def test_a_long_absence_keeps_its_shape():
    target = journal(reserve=32)
    assert all(fill(target, "f" * 20_000))
    positions = [n for n, (kind, *_) in held(target).items() if kind == frames.FIX]
    assert len(positions) > 1300
    for tenth in range(10):
        share = sum(tenth * 2000 < n <= (tenth + 1) * 2000 for n in positions) / len(positions)
        assert 0.04 < share < 0.25
    assert sum(stone.dropped for stone in tombstones(target)) == target.dropped_positions
    assert target.dropped_positions == target.newest - len(target)


def test_no_event_ever_makes_room_and_a_refused_record_is_counted_and_takes_no_number():
    target = journal(small(blocks=4, slots=8))
    room = fill(target, "ea" * 12)
    assert room == [True] * 21 + [False] * 3
    assert list(held(target)) == [*range(2, 22, 2), *range(1, 22, 2)]
    assert (target.dropped_positions, target.refused, target.newest) == (0, 3, 21)
    target.receipt(Receipt((IDENT, 9, 0)))
    assert fill(target, "e") == [True]
    assert target.newest == 22


def test_a_flood_of_other_events_leaves_room_for_alarms():
    target = journal(small(blocks=4, slots=8), reserve=3)
    assert fill(target, "e" * 25).count(True) == 18
    assert fill(target, "aaaa") == [True, True, True, False]
    assert target.newest_alarm == 21


@pytest.mark.parametrize("plan", ["eeef", "eef", "ef", "eeeeeeef", "effffffffff"])
def test_no_event_is_refused_before_880_of_them_wait(plan):
    """Two neighbours with more than 126 events cannot become one block, whatever positions stand between."""
    target = journal(reserve=32)
    number = 0
    while target.append(*record(plan[number % len(plan)], number + 1)):
        number += 1
        if number > 30_000:
            break
    assert sum(kind == frames.EVENT for kind, *_ in held(target).values()) > 880


@settings(deadline=None)
@given(st.text("fffea", max_size=300), st.integers(3, 6), st.integers(8, 14), st.integers(0, 4))
def test_nothing_but_positions_is_ever_dropped_and_the_books_balance(plan, blocks, slots, reserve):
    life = Life(small(blocks, slots), reserve)
    life.start()
    for letter in plan:
        life.append(letter)
    life.check()
    took = sum(1 for _, body in life.promised.values() if body is not None)
    assert life.journal.refused == len(plan) - took
    assert life.journal.dropped_positions == life.journal.newest - len(life.journal)


class Ring(RuleBasedStateMachine):
    """Records, receipts and starts, against books that are kept beside it."""

    @initialize(blocks=st.integers(3, 6), slots=st.integers(8, 20), reserve=st.integers(0, 4))
    def begin(self, blocks, slots, reserve):
        self.life = Life(small(blocks, slots), reserve)
        self.life.start()
        self.started = False

    @rule(plan=st.text("fffea", min_size=1, max_size=12))
    def records(self, plan):
        for letter in plan:
            self.life.append(letter)

    @rule(back=st.integers(0, 80), bitmap=st.integers(0, 2**32 - 1))
    def receipt(self, back, bitmap):
        self.life.receipt(max(0, self.life.journal.newest - back), bitmap)

    @rule(back=st.integers(0, 80), bitmap=st.integers(0, 2**32 - 1))
    def receipt_far(self, back, bitmap):
        self.life.receipt_far(max(1, self.life.journal.newest - back), bitmap)

    @rule()
    def start(self):
        before = held(self.life.journal)
        waited = self.life.journal.newest, self.life.journal.newest_alarm
        self.life.start()
        after = held(self.life.journal)
        assert before.items() <= after.items()
        assert after.keys() - before.keys() <= self.life.receipted  # these only travel again
        assert (self.life.journal.newest, self.life.journal.newest_alarm) >= waited
        self.life.receipted -= after.keys()

    @invariant()
    def holds(self):
        if hasattr(self, "life"):
            self.life.check()


Ring.TestCase.settings = settings(deadline=None, max_examples=60, stateful_step_count=40)
TestRing = Ring.TestCase


# Starts.


def test_a_start_finds_what_waits_and_goes_on_with_its_numbers():
    target = journal()
    fill(target, "efaf" * 100)
    target.receipt(Receipt((IDENT, 200, 0)))
    found = again(target)
    assert held(found) == held(target)
    assert (found.ident, found.newest, found.newest_alarm) == (IDENT, 400, 399)
    assert found.append(*event(1))
    assert found.newest == 401


def test_what_all_was_receipted_before_a_start_does_not_come_again():
    target = journal()
    for number in range(1, 20):
        fill(target, "e")
        target.receipt(Receipt((IDENT, number + 1, 0)))
    assert len(again(target)) == 0


def test_of_what_was_receipted_in_part_a_start_brings_back_few():
    target = journal()
    fill(target, "e" * 1000)
    for base in range(1, 900):
        target.receipt(Receipt((IDENT, base, 0)))
    assert 0 <= len(again(target)) - len(target) < 32


def test_flash_of_another_tag_is_begun_anew():
    foreign = journal()
    fill(foreign, "efa" * 200)
    target = Journal(foreign._flash, 77, 0, 0)
    assert (len(target), target.newest, target.ident, target.faults) == (0, 0, 77, 0)
    fill(target, "e")
    assert set(held(Journal(target._flash, 78, 77 << 32, 0))) == {1}


def test_a_journal_whose_flash_was_replaced_begins_anew_under_another_id_and_says_that_it_lost_something():
    target = Journal(Flash(), 99, IDENT << 32 | 500, 0)
    assert (target.ident, target.newest, target.faults) == (99, 0, 1)


def test_numbers_that_were_noted_do_not_come_again_though_the_flash_was_put_back():
    target = journal()
    fill(target, "e" * 10)
    back = target._flash.copy()
    fill(target, "e" * 10)
    found = Journal(back, 99, IDENT << 32 | 20, 0)
    assert found.append(*event(1))
    assert set(held(found)) == {*range(1, 11), 21}


def test_what_flash_loses_is_no_record_and_is_counted_when_it_is_missed():
    target = journal()
    fill(target, "eee")
    target._flash.held[2 * 32 + 3] ^= 4
    assert target.record(2) is None
    assert (len(target), target.faults, set(held(target))) == (2, 1, {1, 3})
    assert set(held(again(target))) == {1, 3}


@pytest.mark.parametrize("unit", [0, 1, 5, 128])
def test_a_place_that_takes_nothing_any_more_is_passed_over_and_counted(unit):
    flash = Flash()
    flash.worn = {unit * 32}
    target = journal(flash)
    assert all(fill(target, "ef" * 200))
    assert target.faults == 1
    assert set(held(target)) == set(range(1, 401))
    assert held(again(target)) == held(target)


def test_flash_that_takes_nothing_at_all_refuses_and_does_not_hang():
    flash = Flash()
    flash.worn = set(range(0, 65536, 32))
    target = journal(flash)
    assert fill(target, "ea") == [False, False]
    assert target.refused == 2


def test_the_blocks_wear_alike_and_last_long():
    """At home with 40 records a day, each receipted at once: what ten years cost each block."""
    target = journal()
    for number in range(1, 40 * 365):
        fill(target, "e", number)
        target.receipt(Receipt((IDENT, number + 1, 0)))
    assert max(target._flash.erases) - min(target._flash.erases) <= 1
    assert max(target._flash.erases) < 20  # a year's; flash is good for 10,000


def test_what_stays_in_memory_is_small():
    assert len(journal()._states) == 2048


# The end of the numbers (R35).


@pytest.mark.parametrize("newest", [2**16 - 3, 2**31 - 3, COUNTER_LOW - 3, 2**32 - 8])
def test_numbers_pass_any_width(newest):
    target = journal()
    fill(target, "e")
    target = Journal(target._flash, IDENT + 1, IDENT << 32 | newest, 0)
    fill(target, "eaf", 2)
    assert set(held(target)) == {1, newest + 1, newest + 2, newest + 3}
    assert held(again(target)) == held(target)
    target.receipt(Receipt((IDENT, newest + 2, 0b1)))
    assert set(held(target)) == {newest + 2}


def test_the_last_number_is_not_passed():
    target = journal()
    fill(target, "e")
    target = Journal(target._flash, IDENT + 1, IDENT << 32 | 2**32 - 5, 0)
    assert fill(target, "eeeee") == [True, True, True, False, False]
    assert (target.newest, target.refused) == (2**32 - 2, 2)


def test_a_journal_near_the_end_of_its_numbers_begins_anew_once_it_is_empty():
    target = journal()
    fill(target, "e")
    target = Journal(target._flash, IDENT + 1, IDENT << 32 | COUNTER_LOW, 0)
    assert target.ident == IDENT
    target.receipt(Receipt((IDENT, 2, 0)))
    target = Journal(target._flash, IDENT + 2, IDENT << 32 | COUNTER_LOW, 0)
    assert (target.ident, target.newest, target.faults) == (IDENT + 2, 0, 0)
    fill(target, "e")
    assert set(held(Journal(target._flash, IDENT + 3, target.ident << 32, 0))) == {1}


# On the whole tag.


def test_nothing_leaves_without_the_centres_receipt_whatever_the_link_does():
    pair = TagPair(LONG)
    pair.receipting = False
    pair.arm()
    pair.edge(is_open=True)
    for _ in range(20):
        pair.visit()
        pair.run(60)
    assert pair.waiting() == ["started", "checked", "armed", "strap_open"]
    pair.receipting = True
    pair.visit()
    assert pair.waiting() == []


def test_an_alarm_that_finds_no_room_still_bursts_and_still_takes_the_cellular_line():
    pair = TagPair(LONG | {"journal_bytes": 384, "journal_block_bytes": 128, "journal_alarm_reserve": 1})
    pair.coverage = None
    pair.arm()
    for _ in range(5):
        pair.edge(is_open=True)
        pair.edge(is_open=False)
    pair.run(5)
    assert pair.tag.journal.refused > 0
    before = len(pair.advertised)
    pair.edge(is_open=True)
    pair.run(1)
    assert len(pair.advertised) - before >= 11
    assert pair.heard[-1].heartbeat.strap_openings == 6
    pair.run(30)
    assert len(pair.dialled) == 1


def test_a_wearer_without_sky_for_ten_days_leaves_room_for_what_matters():
    pair = TagPair({"heartbeat_shortest_ms": 60_000, "heartbeat_longest_ms": 60_000})
    pair.coverage = False
    pair.arm()
    pair.run(10 * 86400)
    pair.edge(is_open=True)
    assert pair.tag.journal.refused == 0
    assert pair.waiting()[-1] == "strap_open"
    assert len(pair.waiting()) < 100
    pair.coverage = True
    pair.run(3700)
    assert pair.names().count("no_fix") == 1
    assert {"strap_open", "left_home", "beacon"} <= set(pair.names())


def drained(**settings):
    """200 positions without a link, then hours with a good one; gives what still waits, and how many positions went missing."""
    pair = TagPair(LONG | {"log_every_epoch": 1, "journal_alarm_reserve": 0} | settings)
    pair.run(1)
    pair.visit()
    for second in range(200):
        pair.gnss(epoch(second))
        pair.run(1)
    pair.connect()
    pair.run(4 * 3600)
    missing = 200 - pair.names().count("fix")
    told = [record.body.dropped for record in pair.unique() if record.name == "tombstone"]
    assert sum(told) == missing == pair.tag.journal.dropped_positions
    return pair.waiting(), missing


def test_a_journal_with_room_drains_when_the_link_is_back():
    assert drained() == ([], 0)


def test_a_journal_that_has_dropped_positions_drains_when_the_link_is_back():
    waiting, missing = drained(journal_bytes=2048, journal_block_bytes=512)
    assert waiting == []
    assert missing > 100


def restarted(pair):
    after = TagPair(LONG, memory=pair.memory, flash=pair.flash.copy(), seed="after")
    after.centre = pair.centre
    return after


def test_events_and_alarms_of_a_life_that_ended_are_delivered_by_the_next_and_the_alarm_is_told_at_once():
    pair = TagPair(LONG)
    pair.arm()
    pair.edge(is_open=True)
    after = restarted(pair)
    after.run(1)
    assert len(after.advertised) >= 10
    assert after.heard[-1].heartbeat.newest_alarm == pair.tag.journal.newest_alarm
    after.visit()
    told = [(record.name, record.body.boot) for record in after.unique() if record.name != "checked"]
    assert told == [("strap_open", 1), ("started", 1), ("armed", 1), ("started", 2)]
    assert after.waiting() == []


def test_a_place_of_the_flash_that_fails_is_told():
    pair = TagPair(LONG)
    pair.flash.worn = {3 * 32}
    pair.arm()
    pair.edge(is_open=True)
    pair.connect()
    assert [(r.name, r.body.detail) for r in pair.unique() if r.name == "journal_fault"] == [("journal_fault", 1)]


def test_the_end_of_the_numbers_is_told_at_each_start():
    pair = TagPair(LONG)
    pair.memory.put("noted", pair.tag.journal.ident << 32 | COUNTER_LOW)
    after = restarted(pair)
    assert after.waiting()[-1] == "counter_low"
