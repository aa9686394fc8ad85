"""The ledger: everything once, receipts that are true, and the same again after a restart."""

import sqlite3
import tempfile
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dropping_tag import FIX, dropping_tags
from strapline_centre.ledger import Entry, Ledger, Outcome, RefusedEntry
from strapline_protocol.contract import digest
from strapline_protocol.errors import UserError
from strapline_protocol.received import Journals

TAG = "7a900001"
JOURNAL = 0xF00D0001
MOMENT = datetime(2026, 3, 29, 0, 59, 59, 123000, tzinfo=UTC)


@pytest.fixture
def ledger():
    it = Ledger()
    yield it
    it.close()


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/ledger.sqlite"


def entry(sequence, *, content=b"sealed", source=TAG, journal=JOURNAL, **more):
    values = {
        "source": source,
        "journal": journal,
        "sequence": sequence,
        "kind": "event",
        "content": content,
        "fields": {"code": 4, "detail": -5, "text": "ä"},
        "gateway": "6a7e0001",
        "gateway_utc": MOMENT,
        "centre_utc": MOMENT,
        "sealed": b"under a seal",
    }
    return Entry(**values | more)


def test_an_entry_comes_out_as_it_went_in(ledger):
    there = entry(0xFFFFFFFF, content=bytes(range(256)), journal=0xFFFFFFFF)
    ledger.add(there)
    assert list(ledger.entries()) == [there]


def test_times_of_any_zone_are_kept_as_the_same_moment(ledger):
    ledger.add(entry(1, gateway_utc=MOMENT.astimezone(timezone(timedelta(hours=5, minutes=30)))))
    (kept,) = ledger.entries()
    assert kept.gateway_utc == MOMENT
    assert kept.gateway_utc.tzinfo is UTC


def test_what_comes_twice_is_kept_once(ledger):
    assert ledger.add(entry(1)) is Outcome.NEW
    assert ledger.add(entry(1, centre_utc=MOMENT + timedelta(hours=1))) is Outcome.DUPLICATE
    assert len(list(ledger.entries())) == 1
    assert (ledger.duplicates, ledger.conflicts) == (1, 0)


def test_the_same_identity_with_other_content_is_a_conflict_and_the_first_stays(ledger):
    ledger.add(entry(1, content=b"first"))
    assert ledger.add(entry(1, content=b"second")) is Outcome.CONFLICT
    assert [kept.content for kept in ledger.entries()] == [b"first"]
    assert (ledger.duplicates, ledger.conflicts) == (0, 1)


@pytest.mark.parametrize("other", [{"source": "7a900002"}, {"journal": JOURNAL + 1}])
def test_identity_is_source_journal_and_sequence_together(ledger, other):
    assert ledger.add(entry(1)) is Outcome.NEW
    assert ledger.add(entry(1, **other)) is Outcome.NEW
    ledger.add(entry(2))
    assert ledger.receipt(TAG, JOURNAL) == (3, 0)
    assert ledger.receipt(other.get("source", TAG), other.get("journal", JOURNAL)) == (2, 0)


def test_nothing_is_receipted_of_what_nobody_sent(ledger):
    assert ledger.receipt("7a9000ff", 5) == (1, 0)
    assert ledger.gaps("7a9000ff", 5) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 80), max_size=60), st.integers(0, 60))
def test_a_receipt_names_what_is_here_and_nothing_else_in_any_order_and_over_a_restart(order, at):
    ledger = Ledger()
    for sequence in order[:at]:
        ledger.add(entry(sequence))
        check_receipt(ledger, {kept.sequence for kept in ledger.entries()})
    ledger.journals = Journals()
    ledger._read_journals()  # as at a start
    for sequence in order[at:]:
        ledger.add(entry(sequence))
    check_receipt(ledger, set(order))
    assert ledger.duplicates == len(order) - len(set(order))
    ledger.close()


def check_receipt(ledger, here):
    base, bitmap = ledger.receipt(TAG, JOURNAL)
    missing = next(n for n in range(1, 200) if n not in here)
    assert base == missing
    assert {base + 1 + bit for bit in range(32) if bitmap >> bit & 1} == {s for s in here if base < s <= base + 32}
    assert bitmap < 1 << 32
    assert ledger.gaps(TAG, JOURNAL) == [s for s in range(1, max(here, default=0)) if s not in here]


@settings(deadline=None, max_examples=60)
@given(st.sets(st.integers(1, 200), max_size=60), st.integers(1, 200))
def test_a_far_receipt_names_only_what_is_here_and_only_where_a_receipt_does_not_reach(here, asked):
    book = Ledger()
    for sequence in here:
        book.add(entry(sequence))
    base, _ = book.receipt(TAG, JOURNAL)
    bitmap = book.receipt_far(TAG, JOURNAL, asked)
    book.close()
    if asked not in here or asked <= base + 32:
        assert bitmap is None
    else:
        assert {asked + 1 + bit for bit in range(32) if bitmap >> bit & 1} == here & set(range(asked + 1, asked + 33))


def test_a_ledger_that_is_opened_again_goes_on_where_it_was(url):
    first = Ledger(url)
    for sequence in (5, 1, 2, 9):
        first.add(entry(sequence))
    before = first.receipt(TAG, JOURNAL)
    first.close()
    second = Ledger(url)
    assert second.receipt(TAG, JOURNAL) == before == (3, 0b100010)
    assert second.gaps(TAG, JOURNAL) == [3, 4, 6, 7, 8]
    assert second.add(entry(5)) is Outcome.DUPLICATE
    assert second.add(entry(5, content=b"other")) is Outcome.CONFLICT
    assert second.add(entry(3)) is Outcome.NEW
    assert [kept.sequence for kept in second.entries()] == [5, 1, 2, 9, 3]
    second.close()


def test_what_add_has_returned_from_is_on_disk(url, tmp_path):
    ledger = Ledger(url)
    ledger.add(entry(1))
    other = sqlite3.connect(tmp_path / "ledger.sqlite")
    assert other.execute("SELECT sequence FROM records").fetchall() == [(1,)]
    other.close()
    ledger.close()


def test_no_epoch_is_given_out_twice_over_restarts_and_clocks_that_go_back(url):
    given = []
    for wanted in (1000, 1000, 500, 2000, 1999):
        book = Ledger(url)
        given += [book.claim_epoch(wanted)]
        book.close()
    assert given == [1000, 1001, 1002, 2000, 2001]


def test_a_sequence_from_the_end_of_the_range_does_not_make_gaps_endless(ledger):
    ledger.add(entry(0xFFFFFFFF))
    assert ledger.gaps(TAG, JOURNAL) == list(range(1, 1001))
    assert ledger.gaps(TAG, JOURNAL, limit=3) == [1, 2, 3]
    assert ledger.receipt(TAG, JOURNAL) == (1, 0)


@pytest.mark.parametrize(
    "bad",
    [
        "sqlite:////no/such/folder/ledger.sqlite",
        "no URL at all",
        "postgresql+nodriver://anna:geheim@db/ledger",
        "mysql+no_such_driver://anna:geheim@db/ledger",
        "",
    ],
)
def test_a_url_that_cannot_be_opened_is_the_users_to_mend_and_no_password_is_shown(bad):
    with pytest.raises(UserError) as error:
        Ledger(bad)
    assert "\n" not in str(error.value)
    assert "geheim" not in str(error.value)


def test_a_file_that_is_no_database_is_the_users_to_mend(url, tmp_path):
    (tmp_path / "ledger.sqlite").write_bytes(b"this is no database, " * 100)
    with pytest.raises(UserError):
        Ledger(url)


def test_a_database_of_another_make_is_the_users_to_mend(url, tmp_path):
    other = sqlite3.connect(tmp_path / "ledger.sqlite")
    other.execute("CREATE TABLE records (id INTEGER PRIMARY KEY, title TEXT)")
    other.commit()
    other.close()
    with pytest.raises(UserError):
        Ledger(url)


def test_a_ledger_of_an_earlier_version_is_the_users_to_mend_and_stays_as_it_is(url, tmp_path):
    Ledger(url).close()
    old = sqlite3.connect(tmp_path / "ledger.sqlite")
    old.execute("ALTER TABLE records DROP COLUMN sealed")
    old.commit()
    with pytest.raises(UserError, match="made by another version; give the URL of a new database"):
        Ledger(url)
    assert "sealed" not in [row[1] for row in old.execute("PRAGMA table_info(records)")]
    old.close()


# Tombstones.


def tag_entry(tag, sequence):
    if sequence in tag.told:
        fields = tag.told[sequence]._asdict()
        return entry(sequence, kind="tombstone", fields=fields, content=repr(fields).encode())
    return entry(sequence, kind=tag.kinds[sequence])


@settings(max_examples=40)
@given(dropping_tags(), st.data())
def test_any_journal_in_any_order_over_restarts_has_nothing_missing_at_the_end(tag, data):
    coming = sorted(tag.held | tag.delivered_before)
    order = data.draw(st.permutations(coming)) + data.draw(st.lists(st.sampled_from(coming), max_size=4))
    restarts = data.draw(st.sets(st.integers(0, len(order)), max_size=3))
    with tempfile.TemporaryDirectory() as folder:
        url, here = f"sqlite:///{folder}/ledger.sqlite", set()
        ledger = Ledger(url)
        for at, sequence in enumerate(order):
            if at in restarts:
                before = [ledger.receipt(TAG, JOURNAL), ledger.gaps(TAG, JOURNAL), ledger.tombstoned]
                ledger.close()
                ledger = Ledger(url)
                assert [ledger.receipt(TAG, JOURNAL), ledger.gaps(TAG, JOURNAL), ledger.tombstoned] == before
            outcome = ledger.add(tag_entry(tag, sequence))
            assert outcome is (Outcome.DUPLICATE if sequence in here else Outcome.NEW)
            here.add(sequence)
            base, _ = ledger.receipt(TAG, JOURNAL)
            assert not set(range(1, base)) & (tag.held - here)
        assert ledger.gaps(TAG, JOURNAL) == []
        assert ledger.tombstoned == len(tag.dropped - tag.delivered_before)
        ledger.close()


@settings(max_examples=30)
@given(dropping_tags(delivers_before=False), st.data())
def test_what_is_really_lost_stays_missing_beside_what_was_dropped(tag, data):
    candidates = sorted(s for s in tag.held if s != max(tag.held) and s not in tag.told)
    if not candidates:
        return
    lost = data.draw(st.sampled_from(candidates))
    ledger = Ledger()
    for sequence in data.draw(st.permutations(sorted(tag.held - {lost}))):
        ledger.add(tag_entry(tag, sequence))
    assert lost in ledger.gaps(TAG, JOURNAL)
    assert ledger.receipt(TAG, JOURNAL)[0] <= lost
    ledger.close()


def test_positions_and_what_cannot_be_read_may_be_what_was_dropped_and_events_may_not(url):
    for kind, base in (("event", 6), (FIX, 2), ("raw", 2)):
        journal = JOURNAL + len(kind)
        ledger = Ledger(url)
        for sequence in (1, 5):
            ledger.add(entry(sequence, journal=journal))
        ledger.add(entry(4, journal=journal, kind=kind))
        fields = {"boot": 1, "uptime_s": 7, "first": 2, "last": 4, "dropped": 2}
        ledger.add(entry(6, journal=journal, kind="tombstone", fields=fields))
        wanted = base + 1 if base == 6 else base
        assert ledger.receipt(TAG, journal)[0] == wanted
        ledger.close()
        ledger = Ledger(url)
        assert ledger.receipt(TAG, journal)[0] == wanted
        ledger.close()


# What was refused.


def refused(number, *, tag=TAG, known=True, gateway="6a7e0001", sealed=None):
    sealed = b"sealed %d" % number if sealed is None else sealed
    return RefusedEntry(gateway, tag, known, 5, 7, sealed, digest(sealed), "forged", MOMENT, MOMENT)


def test_what_is_refused_is_kept_as_it_came_and_once(url):
    ledger = Ledger(url)
    assert ledger.refuse(refused(1))
    assert not ledger.refuse(refused(1))
    assert ledger.refuse(refused(1, gateway="6a7e0002"))
    ledger.close()
    ledger = Ledger(url)
    assert list(ledger.refused()) == [refused(1), refused(1, gateway="6a7e0002")]
    assert list(ledger.entries()) == []
    assert ledger.receipt(TAG, 5) == (1, 0)
    ledger.close()


def test_a_dishonest_gateway_cannot_fill_the_disk(url):
    ledger = Ledger(url, refused_limit=10)
    for number in range(25):
        assert ledger.refuse(refused(number)) is (number < 10)
    for number in range(25):  # of tags that it invents
        assert ledger.refuse(refused(number, tag=f"{number:08x}", known=False)) is (number < 10)
    assert ledger.refuse(refused(0, gateway="6a7e0002"))
    assert len(list(ledger.refused())) == 21
    ledger.close()
    ledger = Ledger(url, refused_limit=10)
    assert not ledger.refuse(refused(99))
    assert ledger.refused_more("6a7e0001", TAG) == 16
    assert ledger.refused_more("6a7e0001", "") == 15
    assert ledger.refused_more("6a7e0002", TAG) == 0
    ledger.close()


def test_of_something_longer_than_a_record_the_beginning_is_kept(ledger):
    ledger.refuse(refused(1, sealed=bytes(9000)))
    (kept,) = ledger.refused()
    assert (len(kept.sealed), kept.digest) == (512, digest(bytes(9000)))
