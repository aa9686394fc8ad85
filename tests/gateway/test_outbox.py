"""The outbox: what `put` has returned from is there, whatever happens to the process, until the centre's receipt for it is here."""

import base64
import hashlib
import itertools
import os
import signal
import sqlite3
import subprocess
import sys
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strapline_gateway.outbox import ALARM_LANE, HISTORY_LANE, Outbox
from strapline_protocol.errors import UserError

TAG = "7a900001"
JOURNAL = 0xF00D0001


@pytest.fixture
def path(tmp_path):
    return tmp_path / "outbox.sqlite"


@pytest.fixture
def outbox(path):
    box = Outbox(path)
    yield box
    box.close()


def put(box, sequence, lane=HISTORY_LANE, *, source=TAG, journal=JOURNAL, record="c2VhbGVk"):
    return box.put(lane, "event", source, journal, sequence, {"record": record}, 1_772_480_000.0)


def sequences(items):
    return [item.sequence for item in items]


def held(box):
    box.due_again()
    return sorted(sequences(box.take_due(0.0, 10_000)))


def test_a_record_comes_out_as_it_went_in(outbox):
    data = {"record": "c2VhbGVk", "heard": "2026-03-02T20:00:00.000Z", "alarm": True, "umlaut": "ä"}
    assert outbox.put(ALARM_LANE, "event", TAG, 0xFFFFFFFF, 0xFFFFFFFF, data, 1_772_480_000.25)
    (item,) = outbox.take_due(0.0, 10)
    assert item[1:6] == (ALARM_LANE, "event", TAG, 0xFFFFFFFF, 0xFFFFFFFF)
    assert item.data == {**data, "source": TAG, "journal": 0xFFFFFFFF, "sequence": 0xFFFFFFFF}
    assert item.stored_utc_s == 1_772_480_000.25


def test_alarms_overtake_history_and_each_lane_keeps_its_order(outbox):
    for sequence in (1, 2, 3):
        put(outbox, sequence)
    put(outbox, 4, ALARM_LANE)
    put(outbox, 5)
    put(outbox, 6, ALARM_LANE)
    assert sequences(outbox.take_due(0.0, 3)) == [4, 6, 1]
    put(outbox, 7, ALARM_LANE)
    assert sequences(outbox.take_due(0.0, 10)) == [7, 2, 3, 5]


def test_alarms_can_be_taken_alone(outbox):
    put(outbox, 1)
    put(outbox, 2, ALARM_LANE)
    assert sequences(outbox.take_due(0.0, 10, ALARM_LANE)) == [2]
    assert sequences(outbox.take_due(0.0, 10)) == [1]


def test_a_commit_is_on_the_disk_and_not_only_with_the_kernel(outbox):
    """What no kill of a process shows: only a power cut would."""
    assert outbox._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert outbox._db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_a_record_that_is_held_is_not_kept_twice(outbox):
    assert put(outbox, 1)
    assert not put(outbox, 1)
    assert put(outbox, 1, journal=JOURNAL + 1)
    assert put(outbox, 1, source="7a900002")
    assert len(outbox) == 3


def test_a_forgery_under_the_same_identity_does_not_keep_the_genuine_record_out(outbox):
    assert put(outbox, 1, record="Zm9yZ2Vk")
    assert put(outbox, 1, record="Z2VudWluZQ==")
    assert [item.data["record"] for item in outbox.take_due(0.0, 10)] == ["Zm9yZ2Vk", "Z2VudWluZQ=="]
    outbox.receipted(TAG, JOURNAL, 2, 0)
    assert len(outbox) == 0


def test_a_receipt_lets_go_what_it_names_and_nothing_else(outbox):
    for sequence in range(1, 12):
        put(outbox, sequence)
    for sequence in (1, 5):
        put(outbox, sequence, source="7a900002")
        put(outbox, sequence, journal=JOURNAL + 1)
    assert outbox.receipted(TAG, JOURNAL, 4, 0b101) == 5
    assert held(outbox) == [1, 1, 4, 5, 5, 6, 8, 9, 10, 11]


def test_the_bitmap_reaches_32_further_than_its_base_and_one(outbox):
    for sequence in (10, 41, 42, 43):
        put(outbox, sequence)
    assert outbox.receipted(TAG, JOURNAL, 10, 1 << 31) == 1
    assert held(outbox) == [10, 41, 43]


def test_a_far_receipt_lets_go_what_it_names_and_nothing_below(outbox):
    for sequence in range(40, 80):
        put(outbox, sequence)
    assert outbox.receipted_far(TAG, JOURNAL, 50, 0b101) == 3
    assert held(outbox) == [n for n in range(40, 80) if n not in (50, 51, 53)]
    assert outbox.receipted_far(TAG, JOURNAL, 50, 0b101) == 0
    assert outbox.receipted_far(TAG, JOURNAL + 1, 60, 0) == 0


def test_a_refusal_lets_go_the_very_bytes_that_it_names_and_none_beside_them(outbox):
    forged, genuine = b"forged", b"genuine"
    for sealed in (forged, genuine):
        put(outbox, 1, record=base64.b64encode(sealed).decode())
    put(outbox, 2, record=base64.b64encode(forged).decode())
    digest = hashlib.sha256(forged).hexdigest()
    for other in ({"source": "7a900002"}, {"journal": JOURNAL + 1}, {"sequence": 3}, {"digest": "0" * 64}):
        named = {"source": TAG, "journal": JOURNAL, "sequence": 1, "digest": digest} | other
        assert outbox.refused(**named) == 0
    assert outbox.refused(TAG, JOURNAL, 1, digest) == 1
    left = [(item.sequence, base64.b64decode(item.data["record"])) for item in outbox.take_due(0.0, 10)]
    assert left == [(1, genuine), (2, forged)]
    assert outbox.refused(TAG, JOURNAL, 1, digest) == 0


def test_a_receipt_of_nothing_lets_nothing_go(outbox):
    put(outbox, 1)
    assert outbox.receipted(TAG, JOURNAL, 1, 0) == 0
    assert outbox.receipted(TAG, JOURNAL, 0, 0) == 0
    assert len(outbox) == 1


def test_a_receipt_that_comes_twice_does_no_harm(outbox):
    put(outbox, 1)
    put(outbox, 2)
    assert outbox.receipted(TAG, JOURNAL, 2, 0) == 1
    assert outbox.receipted(TAG, JOURNAL, 2, 0) == 0
    assert held(outbox) == [2]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 60), max_size=40),
    st.integers(0, 70),
    st.integers(0, 0xFFFFFFFF),
)
def test_a_receipt_means_every_sequence_below_base_and_each_bit_above_it(put_in, base, bitmap):
    box = Outbox(":memory:")
    for sequence in put_in:
        put(box, sequence)
    gone = box.receipted(TAG, JOURNAL, base, bitmap)
    covered = {s for s in put_in if s < base or (0 <= s - base - 1 < 32 and bitmap >> (s - base - 1) & 1)}
    assert set(held(box)) == set(put_in) - covered
    assert gone == len(covered)
    box.close()


@pytest.mark.parametrize(
    ("lane", "expected"),
    [(HISTORY_LANE, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]), (ALARM_LANE, [30, 60, 120, 240, 240])],
)
def test_pauses_between_tries_grow_to_an_hour_and_for_an_alarm_to_four_minutes(outbox, lane, expected):
    put(outbox, 1, lane)
    now, times = 1000.0, []
    for _ in range(30):
        assert sequences(outbox.take_due(now, 10)) == [1]
        assert outbox.take_due(now, 10) == []
        times.append(now)
        now = outbox.next_due_s()
    pauses = [round(b - a) for a, b in itertools.pairwise(times)]
    assert pauses[: len(expected)] == expected
    assert set(pauses[len(expected) :]) == {expected[-1]}


def test_nothing_is_due_before_its_time(outbox):
    assert outbox.next_due_s() is None
    put(outbox, 1)
    assert outbox.next_due_s() == 0
    outbox.take_due(50.0, 10)
    assert outbox.next_due_s() == 80.0
    assert outbox.take_due(79.9, 10) == []
    assert sequences(outbox.take_due(80.0, 10)) == [1]


def test_a_new_connection_makes_everything_due(outbox):
    put(outbox, 1)
    outbox.take_due(50.0, 10)
    outbox.due_again()
    assert sequences(outbox.take_due(50.0, 10)) == [1]


def test_a_record_survives_closing_and_is_due_at_once(path):
    box = Outbox(path)
    put(box, 1)
    put(box, 2, ALARM_LANE)
    box.take_due(1e6, 10)
    box.close()
    box = Outbox(path)
    assert sequences(box.take_due(0.0, 10)) == [2, 1]
    assert not put(box, 1)
    box.close()


def test_the_gateways_own_records_have_no_gap_over_restarts(path):
    given_out = []
    for fresh in (11, 22, 33):
        box = Outbox(path)
        journal = box.own_journal(fresh)
        given_out += [(journal, box.put_own(0, "presence", "6a7e0001", journal, {"n": n}, 0.0)) for n in range(3)]
        box.close()
    assert given_out == [(11, sequence) for sequence in range(1, 10)]


def test_a_number_is_used_up_only_with_its_record(outbox):
    outbox.put_own(0, "presence", "6a7e0001", 1, {}, 0.0)
    with pytest.raises(TypeError):
        outbox.put_own(0, "presence", "6a7e0001", 1, {"no JSON": object()}, 0.0)
    assert outbox.put_own(0, "presence", "6a7e0001", 1, {}, 0.0) == 2
    assert len(outbox) == 2


def test_notes_are_kept_over_restarts_and_apart_from_the_rest(path):
    box = Outbox(path)
    box.own_journal(5)
    box.note("slot/7a900001", 1)
    box.note("slot/7a900001", 2)
    box.note("sequence", 999)
    box.close()
    box = Outbox(path)
    assert box.notes() == {"slot/7a900001": 2, "sequence": 999}
    assert box.put_own(0, "presence", "6a7e0001", 5, {}, 0.0) == 1
    box.close()


def test_a_full_disk_is_an_error_each_time_and_no_longer_than_it_lasts(outbox):
    for sequence in range(1, 200):
        put(outbox, sequence, record="x" * 2000)
    pages = outbox._db.execute("PRAGMA page_count").fetchone()[0]
    outbox._db.execute(f"PRAGMA max_page_count = {pages}")
    refused = []
    for sequence in range(200, 260):
        try:
            put(outbox, sequence, record="x" * 2000)
        except sqlite3.OperationalError:
            refused.append(sequence)
    with pytest.raises(sqlite3.OperationalError):
        outbox.put_own(0, "presence", "6a7e0001", 1, {"n": "x" * 20_000}, 0.0)
    assert len(refused) > 50
    assert outbox.receipted(TAG, JOURNAL, 150, 0) == 149
    outbox._db.execute("PRAGMA max_page_count = 1000000")
    assert outbox.put_own(0, "presence", "6a7e0001", 1, {}, 0.0) == 1
    assert set(held(outbox)) == {*range(150, 260), 1} - set(refused)


class FailingCommits:
    """A connection whose COMMIT fails, and leaves the transaction open as SQLITE_BUSY does."""

    def __init__(self, db):
        self._db = db

    def execute(self, sql, *arguments):
        if sql == "COMMIT":
            raise sqlite3.OperationalError("database is locked")
        return self._db.execute(sql, *arguments)

    @property
    def in_transaction(self):
        return self._db.in_transaction


def test_a_commit_that_fails_does_not_spoil_the_next(outbox, monkeypatch):
    put(outbox, 1)
    with monkeypatch.context() as patch:
        patch.setattr(outbox, "_db", FailingCommits(outbox._db))
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            outbox.put_own(0, "presence", "6a7e0001", 1, {}, 0.0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            outbox.receipted(TAG, JOURNAL, 2, 0)
    assert outbox.put_own(0, "presence", "6a7e0001", 1, {}, 0.0) == 1
    assert held(outbox) == [1, 1]


def test_a_folder_that_is_not_there_is_the_users_to_mend(tmp_path):
    with pytest.raises(UserError) as error:
        Outbox(tmp_path / "none" / "outbox.sqlite")
    assert "\n" not in str(error.value)


def test_an_outbox_of_another_make_is_the_users_to_mend(path):
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE outbox (id INTEGER PRIMARY KEY, lane INTEGER)")
    other.commit()
    other.close()
    with pytest.raises(UserError):
        Outbox(path)


WRITER = """
import sys
from pathlib import Path
from strapline_gateway.outbox import Outbox
box = Outbox(Path(sys.argv[1]))
first = int(sys.argv[2])
for n in range(first, first + 100_000):
    box.put(n % 7 == 0, "event", "7a900001", 0xF00D0001, n, {"record": "x" * 300}, 0.0)
    own = box.put_own(0, "presence", "6a7e0001", box.own_journal(first), {"n": n}, 0.0)
    if n % 5 == 0:
        box.receipted("7a900001", 0xF00D0001, 0, 0)
        box.take_due(float(n), 3)
    sys.stdout.write(f"{n} {own}\\n")
    sys.stdout.flush()
"""


def test_whatever_put_has_returned_from_survives_a_kill(path):
    """A child writes as fast as it can and is killed in the middle; four times on the same file."""
    random = Random(11)
    said, own = [], []
    for turn in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(turn * 100_000 + 1)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(random.randrange(20, 90)):
            line = writer.stdout.readline()
            said.append(int(line.split()[0]))
            own.append(int(line.split()[1]))
        os.kill(writer.pid, signal.SIGKILL)
        rest = [line.split() for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        said += [int(n) for n, _ in rest]
        own += [int(n) for _, n in rest]
        writer.stdout.close()
        assert writer.wait() == -signal.SIGKILL
    box = Outbox(path)
    items = box.take_due(0.0, 100_000)
    kept = {item.sequence for item in items if item.source == TAG}
    assert set(said) <= kept
    assert len(kept) <= len(said) + 4  # what was being written when the child died may be there or not
    mine = sorted(item.sequence for item in items if item.source == "6a7e0001")
    assert mine == list(range(1, len(mine) + 1))
    assert set(own) <= set(mine)
    assert len({item.journal for item in items if item.source == "6a7e0001"}) == 1
    assert box._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    box.close()


def test_an_outbox_on_another_disk_counts_its_starts_above_those_of_before(tmp_path):
    starts = []
    for name, utc_s in (("old", 1_772_480_000), ("old", 1_772_480_000), ("new", 1_772_480_100), ("new", 0)):
        box = Outbox(tmp_path / f"{name}.sqlite", utc_s=lambda at=utc_s: at)
        starts.append(box.start)
        box.close()
    assert starts == sorted(set(starts))
