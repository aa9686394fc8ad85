"""A damaged outbox is set aside and told, what can be read goes on, and no identity comes again with other content."""

import base64
import hashlib
import shutil
import sqlite3
from pathlib import Path
from random import Random

import pytest

from strapline_gateway import store
from strapline_gateway.outbox import ALARM_LANE, HISTORY_LANE, Outbox
from strapline_gateway.salvage import unreadable_commits
from strapline_protocol.errors import UserError

TAG, GATEWAY = "7a900001", "6a7e0001"
JOURNAL, OWN = 0xF00D0001, 0x0B0C0D0E
NOW = 1_772_480_000.0
ROWS = 300

FIRST = Path(__file__).parents[1] / "vectors" / "outbox-first-release.sqlite"
"""Made with `Outbox` of the first release (commit 0f343db): seven records of a tag, of which a receipt has taken two, and two presences."""


def record_of(sequence):
    return base64.b64encode(hashlib.sha256(b"%d" % sequence).digest() * 2).decode()


def fill(box, count=ROWS):
    box.own_journal(OWN)
    with box.group():
        for n in range(1, count + 1):
            lane = ALARM_LANE if n % 50 == 0 else HISTORY_LANE
            channel = "event" if n % 10 == 0 else "position"
            box.put(lane, channel, TAG, JOURNAL, n, {"record": record_of(n), "alarm": lane == ALARM_LANE}, NOW + n)
        box.note("slot/7a900001", 4999)


@pytest.fixture
def path(tmp_path):
    """A file that was closed, 300 records in it."""
    box = Outbox(tmp_path / "outbox.sqlite")
    fill(box)
    box.close()
    return tmp_path / "outbox.sqlite"


@pytest.fixture
def live(tmp_path):
    """A copy of file and log as a kill leaves them: all 300 are in the log alone."""
    box = Outbox(tmp_path / "first.sqlite")
    box.own_journal(OWN)
    for n in range(1, ROWS + 1):
        box.put(HISTORY_LANE, "event", TAG, JOURNAL, n, {"record": record_of(n)}, NOW)
    for end in ("", "-wal"):
        shutil.copy(tmp_path / f"first.sqlite{end}", tmp_path / f"outbox.sqlite{end}")
    box.close()
    return tmp_path / "outbox.sqlite"


def opened(path):
    return Outbox(path, utc_s=lambda: NOW)


def held(box):
    box.due_again()
    items = box.take_due(0.0, 10_000)
    assert all(item.data["record"] == record_of(item.sequence) for item in items if item.source == TAG)
    return {item.sequence for item in items if item.source == TAG}


def spoil(path, random, bytes_each, places):
    data = bytearray(path.read_bytes())
    for _ in range(places):
        at = random.randrange(len(data) - bytes_each)
        data[at : at + bytes_each] = random.randbytes(bytes_each)
    path.write_bytes(data)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 100, b"this is no database, " * 300, b"SQLite format 3\0" + bytes(5000), bytes(40_000)],
    ids=["empty", "zeros", "text", "header-alone", "zeros-of-its-size"],
)
def test_what_is_no_database_is_set_aside_as_it_was_and_a_new_one_begins(tmp_path, content):
    path = tmp_path / "outbox.sqlite"
    path.write_bytes(content)
    box = opened(path)
    assert box.set_aside is not None
    assert box.set_aside.path == tmp_path / "outbox.sqlite.damaged-20260302T193320Z"
    assert box.set_aside.path.read_bytes() == content
    assert (box.set_aside.rescued, len(box)) == (0, 0)
    fill(box, 3)
    box.close()
    again = opened(path)
    assert again.set_aside is None
    assert held(again) == {1, 2, 3}
    again.close()


def test_two_in_one_second_are_both_kept(tmp_path):
    path = tmp_path / "outbox.sqlite"
    for content in (b"one", b"two"):
        path.write_bytes(content * 1000)
        opened(path).close()
        path.unlink()
    names = sorted(tmp_path.glob("outbox.sqlite.damaged-*"))
    assert [name.read_bytes()[:3] for name in names] == [b"one", b"two"]


def test_a_log_without_its_database_is_set_aside(live):
    live.unlink()
    box = opened(live)
    assert box.set_aside is not None
    assert Path(f"{box.set_aside.path}-wal").stat().st_size > 0
    box.close()


def test_of_a_file_cut_off_what_stands_before_the_cut_is_rescued(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    box = opened(path)
    assert box.set_aside is not None
    assert 0 < box.set_aside.rescued < ROWS
    assert len(held(box)) == box.set_aside.rescued
    assert box.notes() == {"slot/7a900001": 4999}
    box.close()


@pytest.mark.parametrize("seed", range(30))
def test_flipped_bytes_anywhere_lose_only_what_they_hit_and_never_in_silence(path, seed):
    random = Random(seed)
    spoil(path, random, random.choice([1, 16, 600, 4096]), random.randrange(1, 6))
    try:
        box = opened(path)
    except UserError as error:  # the schema's own number may be hit: then it looks like a newer version's
        refused = str(error)
    else:
        refused = ""
    if refused:
        assert "newer version" in refused or "no outbox of ours" in refused
        return
    try:
        got = held(box)
    except sqlite3.DatabaseError:
        assert box.mend()
        got = held(box)
    told = box.set_aside is not None or box.damaged_rows > 0
    assert told or got == set(range(1, ROWS + 1))
    if box.set_aside is not None and not box.set_aside.log_only:
        assert box.set_aside.rescued >= len(got)
        assert box.set_aside.path.exists()
        fresh = box.own_journal(0x51515151)
        assert fresh == 0x51515151  # numbers begin anew, so under another id
    # What is left works.
    assert box.put(ALARM_LANE, "event", TAG, JOURNAL, 5000, {"record": record_of(5000)}, NOW)
    assert 5000 in held(box)
    box.receipted(TAG, JOURNAL, 6000, 0)
    assert not held(box)
    box.close()
    again = opened(path)
    assert again.start > NOW  # what was said with a start that is lost must not be said again
    again.close()


def test_a_bit_that_turned_in_a_row_keeps_that_row_from_being_published_and_no_other(path):
    db = sqlite3.connect(path)
    text = db.execute("SELECT text FROM outbox WHERE sequence = 17").fetchone()[0]
    db.execute("UPDATE outbox SET text = ? WHERE sequence = 17", (text.replace("a", "b", 1),))
    db.commit()
    db.close()
    box = opened(path)
    assert box.set_aside is None
    assert held(box) == set(range(1, ROWS + 1)) - {17}
    assert (box.damaged_rows, len(box)) == (1, ROWS - 1)
    assert box._db.execute("SELECT sequence FROM damaged").fetchall() == [(17,)]
    box.close()


def test_a_damage_found_in_use_is_mended_in_use(path):
    box = opened(path)
    box._db.execute("PRAGMA cache_size = 0")
    page = box._page_size
    leaves = [
        number
        for number, kind in enumerate(range(0, path.stat().st_size, page), 1)
        if path.read_bytes()[kind] == 0x0D and number > 3
    ]
    with path.open("r+b") as file:
        file.seek((leaves[len(leaves) // 2] - 1) * page)
        file.write(b"\xff" * page)
    with pytest.raises(sqlite3.DatabaseError) as error:
        held(box)
    assert store.is_damage(error.value)
    assert box.mend()
    assert box.set_aside is not None
    assert len(held(box)) == box.set_aside.rescued >= ROWS // 2
    assert not box.mend()
    box.close()


# The log.


def test_a_log_that_is_whole_or_torn_at_its_end_is_no_damage(live):
    wal = Path(f"{live}-wal")
    assert unreadable_commits(wal) == 0
    data = wal.read_bytes()
    for kept in (0, 31, 32, 5000, len(data) - 1, len(data) - 4000):
        wal.write_bytes(data[:kept])
        assert unreadable_commits(wal) <= 1
    wal.write_bytes(data[:-2000] + bytes(2000))
    assert unreadable_commits(wal) == 1
    box = opened(live)
    assert box.set_aside is None
    assert held(box) == set(range(1, ROWS))  # the last was never said to be kept
    box.close()


def test_a_log_damaged_in_the_middle_is_told_and_numbers_begin_anew(live):
    wal = Path(f"{live}-wal")
    data = bytearray(wal.read_bytes())
    data[len(data) // 2] ^= 1
    wal.write_bytes(data)
    box = opened(live)
    told = box.set_aside
    assert told is not None
    assert told.log_only
    assert told.lost > 50
    assert Path(f"{told.path}-wal").read_bytes() == data
    assert 0 < len(held(box)) < ROWS
    assert len(held(box)) + told.lost == ROWS
    assert box.own_journal(0x51515151) == 0x51515151
    box.close()


# Versions.


def test_an_outbox_of_the_first_release_goes_on_where_it_stopped(tmp_path):
    path = tmp_path / "outbox.sqlite"
    shutil.copy(FIRST, path)
    box = opened(path)
    assert box.set_aside is None
    assert box.own_journal(1) == OWN
    assert box.start == NOW  # it did not count them
    assert box.notes() == {"slot/7a900001": 4999}
    items = box.take_due(0.0, 100)
    assert [(item.source, item.sequence) for item in items] == [
        (TAG, 7), (TAG, 3), (TAG, 4), (TAG, 5), (TAG, 6), (GATEWAY, 1), (GATEWAY, 2)
    ]  # fmt: skip
    assert items[1].data == {
        "alarm": False, "heard": "2026-03-02T20:00:00.000Z", "journal": JOURNAL,
        "record": base64.b64encode(bytes([3]) * 40).decode(), "sequence": 3, "source": TAG,
    }  # fmt: skip
    # A record that the tag brings again is known, and a refusal finds it by its bytes.
    assert not box.put(HISTORY_LANE, "position", TAG, JOURNAL, 3, {"record": items[1].data["record"]}, NOW)
    assert box.refused(TAG, JOURNAL, 3, hashlib.sha256(bytes([3]) * 40).hexdigest()) == 1
    assert box.put_own(HISTORY_LANE, "presence", GATEWAY, OWN, {"tag": TAG}, NOW) == 3
    box.close()


def test_a_damaged_outbox_of_the_first_release_is_rescued_into_ours(tmp_path):
    path = tmp_path / "outbox.sqlite"
    data = bytearray(FIRST.read_bytes())
    data[4096 * 2 : 4096 * 2 + 200] = b"\xff" * 200  # its second index
    path.write_bytes(data)
    box = opened(path)
    assert box.set_aside is not None
    assert box.set_aside.rescued == 7
    assert len(box.take_due(0.0, 100)) == 7
    box.close()


def test_an_upgrade_that_is_cut_off_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "outbox.sqlite"
    shutil.copy(FIRST, path)
    with monkeypatch.context() as patch:
        patch.setattr(
            store, "insert", lambda _db, _row: (_ for _ in ()).throw(sqlite3.OperationalError("disk I/O error"))
        )
        with pytest.raises(UserError):
            opened(path)
    box = opened(path)
    assert len(box) == 7
    box.close()


def test_a_newer_one_is_refused_in_one_line_and_left_alone(path):
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    before = path.read_bytes()
    with pytest.raises(UserError) as error:
        opened(path)
    assert "newer version" in str(error.value)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == before


def test_a_new_file_takes_its_name_when_it_is_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "make_in", lambda db: db.execute("CREATE TABLE half (x)").fetchone()[0])
    with pytest.raises(TypeError):
        opened(tmp_path / "outbox.sqlite")
    monkeypatch.undo()
    box = opened(tmp_path / "outbox.sqlite")
    assert box.set_aside is None
    box.close()
