"""What the outbox does when there is no room: the oldest positions go and are counted, alarms and events never."""

import base64
import os
import signal
import sqlite3
import subprocess
import sys
from random import Random

import pytest

from strapline_gateway import store
from strapline_gateway.outbox import ALARM_LANE, HISTORY_LANE, Limits, Outbox

TAG, OTHER = "7a900001", "7a900002"
JOURNAL = 0xF00D0001
RECORD = base64.b64encode(bytes(60)).decode()
SMALL = Limits(limit_bytes=600_000, reserve_bytes=150_000)


@pytest.fixture
def outbox(tmp_path):
    box = Outbox(tmp_path / "outbox.sqlite", limits=SMALL)
    yield box
    box.close()


def put(box, sequence, channel="position", lane=HISTORY_LANE, tag=TAG):
    return box.put(lane, channel, tag, JOURNAL, sequence, {"record": RECORD}, 1_772_480_000.0 + sequence)


def fill(box, numbers, **how):
    for first in range(numbers.start, numbers.stop, 100):
        with box.group():
            for sequence in range(first, min(first + 100, numbers.stop)):
                put(box, sequence, **how)


def waiting(box, channel):
    box.due_again()
    return [item.sequence for item in box.take_due(0.0, 100_000) if item.channel == channel]


def test_the_oldest_positions_go_when_the_limit_is_reached_and_are_counted(outbox):
    for sequence in range(1, 11):
        put(outbox, sequence, "event")
    fill(outbox, range(11, 5001))
    assert outbox.used_bytes <= SMALL.limit_bytes - SMALL.reserve_bytes
    left = waiting(outbox, "position")
    assert left == list(range(left[0], 5001))
    assert len(left) > 500
    assert waiting(outbox, "event") == list(range(1, 11))
    (dropped,) = outbox.dropped()
    assert dropped == (TAG, JOURNAL, left[0] - 11, 11, left[0] - 1, 1_772_480_011.0, 1_772_480_000.0 + left[0] - 1)
    assert outbox.dropped_positions == dropped.positions
    assert len(outbox) == len(left) + 10


def test_events_and_alarms_go_on_into_the_reserve_and_drop_nothing_but_positions(outbox):
    fill(outbox, range(1, 2001))
    fill(outbox, range(2001, 2301), channel="event")
    for sequence in range(2301, 2321):
        assert put(outbox, sequence, "event", ALARM_LANE)
        assert put(outbox, sequence + 100, "position", ALARM_LANE)
    assert waiting(outbox, "event") == [*range(2301, 2321), *range(2001, 2301)]
    fill(outbox, range(5000, 6050), channel="event")  # more than the limit: now no position is left to go
    assert waiting(outbox, "event")[20:] == [*range(2001, 2301), *range(5000, 6050)]
    assert waiting(outbox, "position") == [*range(2401, 2421)]  # those of the alarm lane
    assert SMALL.limit_bytes - SMALL.reserve_bytes < outbox.used_bytes <= SMALL.limit_bytes


def test_beyond_the_reserve_nothing_is_taken_and_nothing_that_was_kept_goes(outbox):
    kept = 0
    with pytest.raises(sqlite3.OperationalError) as error:  # noqa: PT012 - which one it is, is what is asked
        for first in range(1, 10_000, 20):
            fill(outbox, range(first, first + 20), channel="event")
            kept = first + 19
    assert store.is_full(error.value)
    assert waiting(outbox, "event") == list(range(1, kept + 1))
    assert outbox.receipted(TAG, JOURNAL, kept // 2, 0) == kept // 2 - 1
    assert put(outbox, kept + 1, "event")


def test_what_was_dropped_and_comes_again_is_not_taken_while_there_is_no_room(outbox):
    fill(outbox, range(1, 3001))
    (dropped,) = outbox.dropped()
    used, left = outbox.used_bytes, len(outbox)
    assert not put(outbox, dropped.last_sequence)
    assert (outbox.used_bytes, len(outbox)) == (used, left)
    assert put(outbox, 3001)
    outbox.receipted(TAG, JOURNAL, 2900, 0)
    put(outbox, 3002)
    assert put(outbox, dropped.last_sequence)


def test_drops_are_counted_by_tag_and_journal_over_restarts_until_they_are_told(tmp_path):
    path = tmp_path / "outbox.sqlite"
    box = Outbox(path, limits=SMALL)
    fill(box, range(1, 1501))
    fill(box, range(1, 1501), tag=OTHER)
    box.close()
    box = Outbox(path, limits=SMALL)
    assert box.has_dropped
    before = {one.source: one.positions for one in box.dropped()}
    fill(box, range(2000, 3500), tag=OTHER)
    after = {one.source: one.positions for one in box.dropped()}
    assert after[TAG] + after[OTHER] > sum(before.values()) > 0
    told = []
    box.tell_dropped(told.append)
    assert {one.source: one.positions for one in told} == after
    assert box.dropped() == []
    assert not box.has_dropped
    box.close()


def test_telling_that_fails_forgets_nothing(outbox):
    fill(outbox, range(1, 3001))
    with pytest.raises(RuntimeError):
        outbox.tell_dropped(lambda _one: (_ for _ in ()).throw(RuntimeError))
    assert outbox.has_dropped
    assert len(outbox.dropped()) == 1


def test_a_group_is_kept_whole_or_not_at_all_and_counts_stay_right(outbox):
    put(outbox, 1)
    with pytest.raises(RuntimeError), outbox.group():  # noqa: PT012 - all of them are undone
        put(outbox, 2)
        outbox.put_own(0, "presence", "6a7e0001", 5, {}, 0.0)
        outbox.receipted(TAG, JOURNAL, 2, 0)
        raise RuntimeError
    assert (len(outbox), outbox.held(ALARM_LANE), outbox.held(HISTORY_LANE)) == (1, 0, 1)
    assert waiting(outbox, "position") == [1]
    assert outbox.put_own(0, "presence", "6a7e0001", 5, {}, 0.0) == 1


def test_on_a_full_disk_the_oldest_positions_make_room_for_an_alarm(outbox):
    fill(outbox, range(1, 501))
    outbox._db.execute(f"PRAGMA max_page_count = {outbox._db.execute('PRAGMA page_count').fetchone()[0]}")
    with pytest.raises(sqlite3.OperationalError):
        fill(outbox, range(1000, 1100))
    outbox.commit(lambda: [put(outbox, sequence, "event", ALARM_LANE) for sequence in range(600, 650)])
    assert waiting(outbox, "event") == list(range(600, 650))
    left = waiting(outbox, "position")
    assert left == list(range(outbox.dropped()[0].positions + 1, 501))


def test_room_that_is_free_again_is_used_before_the_file_grows(outbox, tmp_path):
    grown = 0
    for turn in range(12):
        fill(outbox, range(turn * 500 + 1, turn * 500 + 501))
        assert outbox.receipted(TAG, JOURNAL, turn * 500 + 501, 0) == 500
        grown = grown or outbox._db.execute("PRAGMA page_count").fetchone()[0]
    assert outbox._db.execute("PRAGMA page_count").fetchone()[0] <= grown + 4
    assert (tmp_path / "outbox.sqlite-wal").stat().st_size < 6_000_000


def test_one_record_costs_the_same_whether_ten_or_a_hundred_thousand_wait(tmp_path):
    """By what SQLite says that it does: no table is walked through, and nothing is sorted."""
    box = Outbox(tmp_path / "outbox.sqlite")
    asked = []
    box._db.set_trace_callback(asked.append)
    put(box, 1)
    put(box, 2, "event", ALARM_LANE)
    box.take_due(0.0, 10)
    box.take_due(1e6, 10)
    box.receipted(TAG, JOURNAL, 1, 0b11)
    box.receipted_far(TAG, JOURNAL, 7, 0b11)
    box.refused(TAG, JOURNAL, 3, "0" * 64)
    box._db.set_trace_callback(None)
    plans = [
        row[3]
        for sql in asked
        if sql.startswith(("SELECT", "INSERT OR IGNORE", "DELETE")) and "outbox" in sql
        for row in box._db.execute(f"EXPLAIN QUERY PLAN {sql}")
    ]
    assert len(plans) >= 6
    assert [plan for plan in plans if "SCAN" in plan or "TEMP B-TREE" in plan] == []
    box.close()


FULL_DISK = """
import resource, signal, sqlite3, sys
from strapline_gateway.outbox import Outbox
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
box = Outbox(sys.argv[1])
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
refused = 0
for n in range(1, 2500):
    lane, channel = (0, "event") if n % 10 == 0 else (1, "position")
    try:
        box.commit(lambda: box.put(lane, channel, "7a900001", 1, n, {"record": "A" * 400}, float(n)))
    except sqlite3.Error as error:
        refused += 1
        continue
    sys.stdout.write(f"{n} {channel}\\n")
sys.stdout.write(f"{refused} refused\\n")
sys.stdout.flush()
box.close()
"""


@pytest.mark.parametrize("limit", [300_000, 1_000_000])
def test_on_a_disk_that_takes_no_more_every_event_that_was_said_to_be_kept_is_kept(tmp_path, limit):
    """A child whose files may not grow: the kernel itself refuses, for file and log alike."""
    path = tmp_path / "outbox.sqlite"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path), str(limit)], stdout=subprocess.PIPE, text=True, check=True
    )
    *said, last = [line.split() for line in done.stdout.splitlines()]
    assert last[1] == "refused"
    assert int(last[0]) > 0
    assert path.stat().st_size <= limit
    box = Outbox(path)
    assert box.set_aside is None
    events = {int(n) for n, channel in said if channel == "event"}
    assert set(waiting(box, "event")) == events
    positions = {int(n) for n, channel in said if channel == "position"}
    left = set(waiting(box, "position"))
    assert left <= positions
    assert len(positions) - len(left) == sum(one.positions for one in box.dropped())
    assert put(box, 9000, "event")
    box.close()


GROUPS = """
import sys
from random import Random
from strapline_gateway.outbox import Limits, Outbox
box = Outbox(sys.argv[1], limits=Limits(400_000, 100_000))
first, sequence = int(sys.argv[2]), 0
for start in range(first, first + 1_000_000, 20):
    with box.group():
        for n in range(start, start + 20):
            lane, channel = (0, "event") if n % 20 == 0 else (1, "position")
            box.put(lane, channel, "7a900001", 1, n, {"record": "A" * 200}, float(n))
        own = box.put_own(1, "notice", "6a7e0001", box.own_journal(7), {"n": n}, 0.0)
        box.receipted("6a7e0001", 7, own - 5, 0)
    box.take_due(float(start), 64)
    sys.stdout.write(f"{start} {own}\\n")
    sys.stdout.flush()
"""


def test_a_kill_in_the_middle_of_groups_loses_no_event_and_counts_every_position(tmp_path):
    """A child that is at its limit all the time, killed four times on the same file."""
    path, random = tmp_path / "outbox.sqlite", Random(5)
    started, own = [], []
    for turn in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", GROUPS, str(path), str(turn * 1_000_000 + 1)], stdout=subprocess.PIPE, text=True
        )
        lines = [child.stdout.readline() for _ in range(random.randrange(40, 120))]
        os.kill(child.pid, signal.SIGKILL)
        lines += [line for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        child.stdout.close()
        assert child.wait() == -signal.SIGKILL
        started += [int(line.split()[0]) for line in lines]
        own += [int(line.split()[1]) for line in lines]
    box = Outbox(path, limits=Limits(400_000, 100_000))
    assert box.set_aside is None
    said = {n for start in started for n in range(start, start + 20)}
    events, positions = set(waiting(box, "event")), set(waiting(box, "position"))
    assert {n for n in said if n % 20 == 0} <= events
    # A group that was being written when the child died may be there, as a whole.
    assert len(events) + len(positions) + sum(one.positions for one in box.dropped()) in range(
        len(said), len(said) + 121, 20
    )
    assert own == sorted(set(own))
    assert box.put_own(1, "notice", "6a7e0001", 7, {}, 0.0) in range(own[-1] + 1, own[-1] + 3)
    assert box._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    box.close()
