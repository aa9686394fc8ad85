"""The journal: what leaves it, what makes room, and in which order it is said."""

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.tag_pair import TagPair, epoch
from strapline_tag.journal import ALARM_LANE, Journal
from strapline_wire import frames
from strapline_wire.frames import Receipt, ReceiptFar

IDENT = 0xC0FFEE
LONG = {"home_silence_s": 100_000_000}


def journal(capacity=100, reserve=0):
    return Journal(IDENT, capacity, reserve)


def fill(target, plan):
    """`f` a position, `e` an event, `a` an alarm; gives which of them found room."""
    return [
        target.append(frames.FIX if kind == "f" else frames.EVENT, ALARM_LANE if kind == "a" else 0, b"")
        for kind in plan
    ]


def held(target):
    return [target.sequence(slot) for slot in range(len(target))]


@settings(deadline=None)
@given(
    count=st.integers(0, 80),
    base=st.integers(0, 2**32 - 1) | st.integers(0, 90),
    bitmap=st.integers(0, 2**32 - 1),
)
def test_a_receipt_takes_what_it_names_and_nothing_else(count, base, bitmap):
    target = journal()
    fill(target, "e" * count)
    named = {n for n in range(1, count + 1) if n < base}
    named |= {base + 1 + bit for bit in range(32) if bitmap >> bit & 1}
    left = target.receipt(Receipt((IDENT, base, bitmap)))
    assert held(target) == [n for n in range(1, count + 1) if n not in named]
    assert left == count - len(held(target))


@settings(deadline=None)
@given(count=st.integers(0, 80), first=st.integers(1, 90), bitmap=st.integers(0, 2**32 - 1))
def test_a_far_receipt_takes_what_it_names_and_nothing_below(count, first, bitmap):
    target = journal()
    fill(target, "e" * count)
    named = {first} | {first + 1 + bit for bit in range(32) if bitmap >> bit & 1}
    target.receipt_far(ReceiptFar((IDENT, first, bitmap)))
    assert held(target) == [n for n in range(1, count + 1) if n not in named]
    assert target.receipt_far(ReceiptFar((IDENT + 1, 1, 0xFFFFFFFF))) == 0


def test_a_receipt_for_another_journal_takes_nothing():
    target = journal()
    fill(target, "eaf")
    assert target.receipt(Receipt((IDENT + 1, 4, 0xFFFFFFFF))) == 0
    assert held(target) == [1, 2, 3]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2**32 - 1)), max_size=10), st.text("fea", max_size=40))
def test_receipts_that_come_twice_late_or_out_of_order_bring_nothing_back(receipts, plan):
    once, twice = journal(), journal()
    for target, repeats in ((once, 1), (twice, 2)):
        fill(target, plan)
        for base, bitmap in receipts * repeats:
            target.receipt(Receipt((IDENT, base, bitmap)))
    assert held(once) == held(twice)


def test_when_full_the_oldest_position_makes_room_and_is_counted():
    target = journal(5)
    assert fill(target, "effeffae") == [True] * 8
    assert held(target) == [1, 4, 6, 7, 8]
    assert (target.dropped_positions, target.refused) == (3, 0)


def test_no_event_ever_makes_room_and_a_refused_record_is_counted_and_takes_no_number():
    target = journal(3)
    assert fill(target, "eaeefa") == [True, True, True, False, False, False]
    assert held(target) == [1, 2, 3]
    assert (target.dropped_positions, target.refused, target.newest) == (0, 3, 3)
    target.receipt(Receipt((IDENT, 2, 0)))
    assert fill(target, "e") == [True]
    assert held(target) == [2, 3, 4]


def test_a_flood_of_other_events_leaves_room_for_alarms():
    target = journal(10, reserve=3)
    assert fill(target, "e" * 9).count(True) == 7
    assert fill(target, "aaaa") == [True, True, True, False]
    assert target.newest_alarm == 10


def test_positions_use_no_room_that_is_kept_for_alarms():
    target = journal(10, reserve=3)
    fill(target, "f" * 20)
    assert len(target) == 7
    fill(target, "aaa")
    assert len(target) == 10
    assert fill(target, "a") == [True]  # in a position's place
    assert held(target)[-4:] == [21, 22, 23, 24]
    assert target.dropped_positions == 14


@settings(deadline=None)
@given(st.text("fea", max_size=200), st.integers(1, 12), st.integers(0, 11))
def test_nothing_but_positions_is_ever_dropped_and_the_books_balance(plan, capacity, reserve):
    target = journal(capacity, min(reserve, capacity - 1))
    kept = fill(target, plan)
    assert len(target) <= capacity
    assert target.newest == sum(kept)
    assert target.refused == len(plan) - sum(kept)
    assert target.dropped_positions == target.newest - len(target)
    took = [kind for kind, room in zip(plan, kept, strict=True) if room]
    events = [n for n, kind in enumerate(took, 1) if kind != "f"]
    positions = [n for n, kind in enumerate(took, 1) if kind == "f"]
    assert held(target) == sorted(events + positions[target.dropped_positions :])
    assert target.newest_alarm == max((n for n, kind in enumerate(took, 1) if kind == "a"), default=0)


@settings(deadline=None)
@given(st.text("fea", max_size=60))
def test_alarms_are_said_first_and_each_lane_in_order(plan):
    target = journal()
    fill(target, plan)
    said = [target.sequence(slot) for slot in target.pending()]
    alarms = [n for n, kind in enumerate(plan, 1) if kind == "a"]
    assert said == alarms + [n for n in range(1, len(plan) + 1) if n not in alarms]
    assert target.alarm_pending() == bool(alarms)


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


def test_each_boot_has_a_journal_of_its_own():
    journals = set()
    for life in range(20):
        pair = TagPair(seed=f"life {life}")
        pair.visit()
        journals |= set(pair.centre.held)
    assert len(journals) == 20


def test_an_alarm_that_finds_no_room_still_bursts_and_still_takes_the_cellular_line():
    pair = TagPair(LONG | {"journal_entries": 4, "journal_alarm_reserve": 1})
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


def drained(entries):
    """200 positions without a link, then hours with a good one; gives what still waits, and how many positions went missing."""
    pair = TagPair(LONG | {"log_every_epoch": 1, "journal_entries": entries, "journal_alarm_reserve": 0})
    pair.run(1)
    pair.visit()
    for second in range(200):
        pair.gnss(epoch(second))
        pair.run(1)
    pair.connect()
    pair.run(4 * 3600)
    return pair.waiting(), 200 - pair.names().count("fix")


def test_a_journal_with_room_drains_when_the_link_is_back():
    assert drained(entries=250) == ([], 0)


def test_a_journal_that_has_dropped_positions_drains_when_the_link_is_back():
    assert drained(entries=60) == ([], 140)


# Tombstones.


def test_a_tombstone_tells_of_all_that_was_dropped_as_soon_as_no_alarm_needs_the_room():
    target = journal(capacity=6, reserve=2)
    fill(target, "fefffff")  # four fit; 1, 3 and 4 made room
    assert (held(target), target.dropped_positions) == ([2, 5, 6, 7], 3)
    target.bury(1, 60)
    assert held(target) == [2, 5, 6, 7]
    target.receipt(Receipt((IDENT, 0, 0)))
    target.receipt_far(ReceiptFar((IDENT, 5, 0)))
    target.bury(1, 60)
    (kind, flags, _, sequence), body = target.record(3)
    assert (kind, flags, sequence) == (frames.TOMBSTONE, 0, 8)
    assert tuple(frames.unpack_tombstone(body)) == (1, 60, 1, 4, 3)
    target.bury(1, 61)
    assert held(target) == [2, 6, 7, 8]


def test_a_later_drop_has_a_tombstone_of_its_own():
    target = journal(capacity=3)
    fill(target, "ffff")
    target.receipt_far(ReceiptFar((IDENT, 4, 0)))
    target.bury(1, 0)
    fill(target, "ff")
    target.receipt_far(ReceiptFar((IDENT, 6, 1)))
    target.bury(1, 9)
    told = [target.record(slot) for slot in range(len(target))]
    stones = [tuple(frames.unpack_tombstone(body))[2:] for (kind, *_), body in told if kind == frames.TOMBSTONE]
    assert stones[0] == (1, 1, 1)
    assert stones[1][2] == target.dropped_positions - 1


@settings(deadline=None)
@given(plan=st.text("efa", max_size=120), capacity=st.integers(3, 12), when=st.sets(st.integers(0, 119)))
def test_every_sequence_is_delivered_or_within_a_tombstone_and_the_counts_are_right(plan, capacity, when):
    target = journal(capacity=capacity, reserve=2)
    delivered, stones = set(), []

    def deliver(some):
        for sequence, kind, body in some:
            delivered.add(sequence)
            if kind == frames.TOMBSTONE:
                stones.append(frames.unpack_tombstone(body))
            target.receipt_far(ReceiptFar((IDENT, sequence, 0)))
            target.bury(1, 0)

    def waiting():
        records = [target.record(slot) for slot in range(len(target))]
        return [(sequence, kind, body) for (kind, _, _, sequence), body in records]

    for at, letter in enumerate(plan):
        fill(target, letter)
        if at in when:
            deliver(waiting()[:1])
    while waiting():
        deliver(waiting())
    missing = set(range(1, target.newest + 1)) - delivered
    assert sum(stone.dropped for stone in stones) == target.dropped_positions == len(missing)
    for stone in stones:
        assert len([s for s in missing if stone.first <= s <= stone.last]) == stone.dropped
