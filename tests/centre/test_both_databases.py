"""The ledger and its centre on SQLite and on PostgreSQL: the same, with real servers."""

import hashlib
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from centre.test_centre import EPOCH, HOME, START, TAG, Bench
from hand_made_tag import OTHER_SECRET, SECRET, HandMadeTag
from strapline_centre import export
from strapline_centre.database import Database, LedgerDownError, TakenOverError
from strapline_centre.ledger import Entry, Ledger, Outcome, RefusedEntry
from strapline_centre.tables import EXPORTED
from strapline_protocol import contract
from strapline_protocol.codes import Kind
from strapline_protocol.contract import Passage, digest
from strapline_protocol.errors import UserError
from strapline_protocol.keys import centre_keys
from strapline_wire import frames

MOMENT = datetime(2026, 3, 29, 0, 59, 59, 123000, tzinfo=UTC)


def entry(sequence, *, content=b"sealed \x00\xff", journal=0xF00D0001):
    fields = {"code": 4, "detail": -5, "text": "ä\x00"}
    return Entry(TAG, journal, sequence, "event", content, fields, HOME, MOMENT, MOMENT, b"under a seal")


@pytest.fixture
def ledger(ledger_url):
    it = Ledger(ledger_url)
    yield it
    it.close()


def test_everything_once_conflicts_told_apart_and_the_same_after_a_restart(ledger, ledger_url):
    there = entry(0xFFFFFFFF, journal=0xFFFFFFFF)
    assert [ledger.add(entry(1)), ledger.add(there), ledger.add(entry(3))] == [Outcome.NEW] * 3
    assert [ledger.add(entry(1)), ledger.add(entry(1, content=b"other"))] == [Outcome.DUPLICATE, Outcome.CONFLICT]
    again = Ledger(ledger_url)
    assert list(again.entries()) == [entry(1), there, entry(3)]
    assert again.receipt(TAG, 0xF00D0001) == (2, 1)
    assert again.gaps(TAG, 0xF00D0001) == [2]
    again.close()


def test_several_writes_are_there_together_or_not_at_all_and_memory_holds_no_more_than_the_disk(ledger):
    def half():
        with ledger.transaction():
            ledger.add(entry(1))
            ledger.notes.put("a/b", [1, "ä"])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert (list(ledger.entries()), ledger.notes.all("a/"), ledger.receipt(TAG, 0xF00D0001)) == ([], {}, (1, 0))
    with ledger.transaction():
        outcomes = [ledger.add(entry(1)), ledger.add(entry(1)), ledger.add(entry(2))]
        ledger.notes.put("a/b", [1, "ä"])
    assert outcomes == [Outcome.NEW, Outcome.DUPLICATE, Outcome.NEW]
    assert (ledger.notes.all("a/"), ledger.receipt(TAG, 0xF00D0001)) == ({"b": [1, "ä"]}, (3, 0))


def test_what_is_refused_is_bounded(ledger_url):
    book = Ledger(ledger_url, refused_limit=2)
    for number in range(4):
        sealed = bytes([number])
        told = RefusedEntry(HOME, TAG, True, 1, 1, sealed, digest(sealed), "forged", MOMENT, MOMENT)
        assert [book.refuse(told), book.refuse(told)] == [number < 2, False]
    assert (len(list(book.refused())), book.refused_more(HOME, TAG)) == (2, 4)
    book.close()


def test_a_centre_keeps_alerts_orders_states_and_who_is_out_over_a_restart(ledger_url):
    bench = Bench(Ledger(ledger_url))
    bench.say("state", {"state": "online", "start": 7, "number": 3}, subject="")
    bench.record(bench.tag.event(frames.EVENT_ARMED))
    bench.record(bench.tag.event(frames.EVENT_STRAP_OPEN))
    bench.alarm(1, 200)
    for number in range(3):
        bench.record(HandMadeTag(secret=OTHER_SECRET, journal=number).event())
    ident = bench.centre.send_message(TAG, "Come home – now.", flags=3, answer_within_s=60)
    bench.centre.acknowledge(1, "seen on the spot", "primary")
    bench.centre.sentry.handle_timer()
    open_ones = bench.centre.alerts.open
    bench.close()
    again = Bench(Ledger(ledger_url), epoch=EPOCH + 60)
    assert [a.code for a in open_ones] == ["alarm", "refused"]
    assert again.centre.alerts.open == open_ones
    assert [(o.kind, o.identity, o.parameters["text"]) for o in again.centre.orders.of(TAG)] == [
        (Kind.MESSAGE, ident, "Come home – now.")
    ]
    assert again.centre.monitored == {TAG: True}
    told = again.centre.ledger.alerts.steps()
    assert [(step.alert, step.role) for step in told] == [(2, "primary"), (3, "primary")]
    again.say("state", {"state": "online", "start": 7, "number": 3}, subject="")
    assert again.rejected == {}  # the retained one, which each start brings
    again.say("state", {"state": "online", "start": 7, "number": 2}, subject="")
    assert again.rejected == {"old_state": 1}
    acknowledged = [a for a in again.ledger.alerts.all() if not a.is_open]
    assert [(a.code, a.acknowledged_by, a.note) for a in acknowledged] == [
        ("strap_open", "primary", "seen on the spot")
    ]
    again.close()


def test_a_second_centre_is_refused_at_its_start_and_one_that_comes_all_the_same_takes_over(ledger, ledger_url):
    ledger.database.lock()
    other = Database(ledger_url)
    with pytest.raises(UserError, match="another centre works on it"):
        other.lock()
    ledger.claim_epoch(EPOCH)
    ledger.add(entry(1))
    other.claim_epoch(EPOCH)  # whoever does not ask for the lock
    with pytest.raises(TakenOverError):
        ledger.add(entry(2))
    assert [one.sequence for one in ledger.entries()] == [1]
    other.close()


def test_an_export_goes_into_the_other_kind_of_database_and_is_the_same(ledger_url, postgres_server, tmp_path):
    bench = Bench(Ledger(ledger_url))
    bench.record(bench.tag.fix(12.0), channel="position")
    for sequence in (2, 3, 5):
        bench.record(bench.tag.event(frames.EVENT_STRAP_OPEN, sequence=sequence))
    bench.alarm(1, 9)
    bench.record(HandMadeTag(secret=OTHER_SECRET).event())
    bench.centre.rekey(TAG)
    bench.centre.send_message(TAG, 'Words, "quoted",\nand ä; or\\not', flags=1)
    bench.centre.sentry.handle_timer()
    other_url = f"sqlite:///{tmp_path}/other.sqlite" if ledger_url.startswith("postgres") else postgres_server.url()
    keys = [centre_keys(TAG, SECRET)]
    for number, write in enumerate((export.write_jsonl, export.write_csv)):
        path = tmp_path / f"export{number}"
        counts = write(bench.ledger.database, path, "2026-03-02T20:00:00.000Z")
        assert (counts["records"], counts["refused"], counts["rekeyings"], counts["orders"]) == (5, 1, 1, 1)
        assert list(export.read(path)) == list(export.rows_of(bench.ledger.database))
        assert export.verify(export.read(path), keys) == (4, (), 0)
    other = Database(other_url)
    export.load(other, export.read(tmp_path / "export0"))
    assert list(export.rows_of(other)) == list(export.rows_of(bench.ledger.database))
    with pytest.raises(UserError, match="not empty"):
        export.load(other, export.read(tmp_path / "export1"))
    other.close()
    again = Bench(Ledger(other_url), epoch=EPOCH + 60)
    assert again.centre.alerts.open == bench.centre.alerts.open
    assert again.record(bench.tag.event(sequence=8)) is not None  # the numbers of rows go on
    again.close()
    bench.close()


def test_an_export_that_was_changed_or_cut_is_found(tmp_path):
    bench = Bench()
    bench.record(bench.tag.event(frames.EVENT_STRAP_OPEN))
    path = tmp_path / "whole.jsonl"
    export.write_jsonl(bench.ledger.database, path, "2026-03-02T20:00:00.000Z")
    text = path.read_text()
    lines = text.splitlines(keepends=True)
    for name, changed in {
        "changed": text.replace('\\"detail\\": 0', '\\"detail\\": 1'),
        "cut": "".join(lines[:-1]),
        "less": "".join([lines[0], *lines[2:]]),
        "newer": text.replace('"version": 3', '"version": 4'),
        "no export": "{}\n",
        "no json": "\xff\n",
    }.items():
        assert changed != text
        (tmp_path / name).write_text(changed)
        with pytest.raises(UserError, match=str(tmp_path)):
            list(export.read(tmp_path / name))
    # Whoever makes the digest anew is found by the seals.
    rows = [
        (t, {**r, "fields": r["fields"].replace('"detail": 0', '"detail": 1')} if "fields" in r else r)
        for t, r in export.read(path)
    ]
    assert export.verify(rows, [centre_keys(TAG, SECRET)]).wrong == (f"{TAG}-{bench.tag.journal:08x}-1",)
    bench.close()


def test_a_database_that_goes_away_costs_nothing_but_time(postgres_server):
    """Nothing is answered while it is away; what came meanwhile is taken when it is back."""
    bench = Bench(Ledger(postgres_server.url()))
    bench.record(bench.tag.event(sequence=1))
    postgres_server.stop()
    try:
        for _ in range(2):
            with pytest.raises(LedgerDownError):
                bench.record(bench.tag.event(frames.EVENT_STRAP_OPEN, sequence=2))
        assert bench.centre.next_message() is None
        with pytest.raises(LedgerDownError):
            bench.centre.sentry.handle_timer()
        assert (bench.centre.next_message(), bench.centre.waiting) == (None, 2)
    finally:
        postgres_server.start()
    for _ in range(20):  # the pool finds one dead connection after the other
        try:
            bench.centre.work()
            break
        except LedgerDownError:
            continue
    assert bench.centre.waiting == 0
    assert [(a.code, a.times) for a in bench.centre.alerts.open] == [("strap_open", 1)]
    assert [one.sequence for one in bench.ledger.entries()] == [1, 2]
    assert bench.centre.ledger.receipt(TAG, bench.tag.journal) == (3, 0)
    bench.close()


def test_a_ledger_of_the_previous_release_goes_on_with_its_alerts(tmp_path):
    """Made as that release made it: these statements are what it ran, and these rows what it wrote."""
    path = tmp_path / "ledger.sqlite"
    tag = HandMadeTag()
    strap, left = tag.event(frames.EVENT_STRAP_OPEN), tag.event(frames.EVENT_LEFT_HOME)
    with closing(sqlite3.connect(path)) as old:
        old.executescript(PREVIOUS)
        bench = Bench()
        for sealed in (strap, left):
            kept = bench.record(sealed)
            utc = kept.gateway_utc.isoformat(), kept.centre_utc.isoformat()
            row = (
                kept.source,
                kept.journal,
                kept.sequence,
                kept.kind,
                kept.content,
                kept.sealed,
                json.dumps(kept.fields),
                kept.gateway,
            )
            old.execute(f"INSERT INTO records ({COLUMNS}) VALUES ({','.join('?' * 10)})", (*row, *utc))
        old.execute("INSERT INTO epochs VALUES (?)", (EPOCH + 1000,))
        old.commit()
    new = Bench(Ledger(f"sqlite:///{path}"), epoch=EPOCH + 60)
    assert new.ledger.upgraded_from == 1
    assert new.codes == ["strap_open", "left_home"]
    assert new.centre.desk.sealer(TAG).epoch == EPOCH + 1001
    assert new.record(strap) is None
    assert (new.ledger.duplicates, new.ledger.conflicts) == (1, 0)
    new.centre.acknowledge(1, "the officer was there", "primary")
    new.close()
    again = Bench(Ledger(f"sqlite:///{path}"), epoch=EPOCH + 120)
    assert (again.ledger.upgraded_from, again.codes) == (3, ["left_home"])  # judged once
    again.close()
    bench.close()


def test_a_ledger_of_a_newer_release_is_refused(tmp_path):
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    Ledger(url).close()
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as newer:
        newer.execute("UPDATE schema_version SET version = 4")
        newer.commit()
    with pytest.raises(UserError, match="version 4"):
        Ledger(url)


def test_each_record_keeps_what_the_gateways_clock_was_worth_and_whether_it_had_waited(ledger_url, tmp_path):
    bench = Bench(Ledger(ledger_url))
    heard = {"heard": contract.utc_text(START)}
    first, second = bench.tag.event(), bench.tag.event()
    bench.say("event", heard | {"record": contract.text_of(first), "clock": "unsure"}, passage=Passage(True, 1, 1))
    bench.say("event", heard | {"record": contract.text_of(second), "clock": ["no", "text"]})
    about = {"present": True, "rssi_dbm": -60, "verified": False, "range_class": "23m"}
    bench.own("presence", 1, clock="synchronised", **about)
    here = [("unsure", True), ("", None), ("synchronised", None)]
    assert [(one.clock, one.historical) for one in bench.ledger.entries()] == here
    export.write_csv(bench.ledger.database, tmp_path / "csv", "2026-03-02T20:00:00.000Z")
    export.write_jsonl(bench.ledger.database, tmp_path / "jsonl", "2026-03-02T20:00:00.000Z")
    for name in ("csv", "jsonl"):
        other = Ledger(f"sqlite:///{tmp_path}/{name}.sqlite")
        export.load(other.database, export.read(tmp_path / name))
        assert list(other.entries()) == list(bench.ledger.entries())
        assert list(other.entries())[-1].fields == {"tag": TAG, **about}
        other.close()
    bench.close()


def test_a_ledger_and_an_export_of_version_2_go_on_without_a_word_of_the_clock(ledger_url, tmp_path):
    bench = Bench(Ledger(ledger_url))
    bench.record(bench.tag.event())
    with bench.ledger.database.transaction() as connection:  # as version 2 was
        for name in ("clock", "historical"):
            connection.exec_driver_sql(f"ALTER TABLE records DROP COLUMN {name}")
        connection.exec_driver_sql("UPDATE schema_version SET version = 2")
    bench.close()
    again = Bench(Ledger(ledger_url), epoch=EPOCH + 60)
    assert again.ledger.upgraded_from == 2
    again.own("presence", 1, clock="set", present=True, rssi_dbm=-60)
    assert [(one.clock, one.historical) for one in again.ledger.entries()] == [("", None), ("set", None)]
    rows = [(table, dict(row)) for table, row in export.rows_of(again.ledger.database)]
    for _, row in rows:
        row.pop("clock", None)
        row.pop("historical", None)
    lines = [{"begin": export.FORM, "version": 2}, *({"table": table, "row": row} for table, row in rows)]
    written = "".join(json.dumps(line) + "\n" for line in lines)
    counts = {table.name: sum(name == table.name for name, _ in rows) for table in EXPORTED}
    end = {"end": export.FORM, "rows": counts, "sha256": hashlib.sha256(written.encode()).hexdigest()}
    (tmp_path / "two.jsonl").write_text(written + json.dumps(end) + "\n")
    other = Ledger(f"sqlite:///{tmp_path}/other.sqlite")
    export.load(other.database, export.read(tmp_path / "two.jsonl"))
    assert [(one.kind, one.clock) for one in other.entries()] == [("event", ""), ("presence", "")]
    other.close()
    again.close()


def test_a_gateways_receipts_for_history_are_few_and_true(ledger_url):
    bench = Bench(Ledger(ledger_url))
    tag, now = HandMadeTag(), START
    sequences = [*range(1, 60), *range(70, 80), 200]
    messages = [bench.message(tag.event(sequence=sequence)) for sequence in sequences]
    entries = bench.centre.receive_all(messages)
    assert len(entries) == len(sequences)
    assert bench.centre.next_message() is None
    bench.centre.desk.say_receipts()
    said = bench.answers()
    covered = set()
    for receipt in said:
        base, bitmap = receipt.data["base"], receipt.data["bitmap"]
        covered |= set(range(1, base)) | {base + 1 + bit for bit in range(32) if bitmap >> bit & 1}
        if "first" in receipt.data:
            first, far = receipt.data["first"], receipt.data["far_bitmap"]
            covered |= {first} | {first + 1 + bit for bit in range(32) if far >> bit & 1}
    assert covered == set(sequences)
    assert len(said) == 1
    assert now - START == timedelta()
    bench.close()


COLUMNS = "source, journal, sequence, kind, content, sealed, fields, gateway, gateway_utc, centre_utc"

PREVIOUS = """
CREATE TABLE records (id INTEGER NOT NULL, source VARCHAR(8) NOT NULL, journal BIGINT NOT NULL, sequence BIGINT NOT NULL,
 kind VARCHAR(16) NOT NULL, content BLOB NOT NULL, sealed BLOB NOT NULL, fields VARCHAR NOT NULL, gateway VARCHAR(8) NOT NULL,
 gateway_utc VARCHAR(32) NOT NULL, centre_utc VARCHAR(32) NOT NULL, PRIMARY KEY (id), UNIQUE (source, journal, sequence));
CREATE TABLE refused (id INTEGER NOT NULL, gateway VARCHAR(8) NOT NULL, account VARCHAR(8) NOT NULL, tag VARCHAR(8) NOT NULL,
 known BOOLEAN NOT NULL, journal BIGINT NOT NULL, sequence BIGINT NOT NULL, sealed BLOB NOT NULL, digest VARCHAR(64) NOT NULL,
 reason VARCHAR(16) NOT NULL, gateway_utc VARCHAR(32) NOT NULL, centre_utc VARCHAR(32) NOT NULL, PRIMARY KEY (id),
 UNIQUE (gateway, account, digest));
CREATE TABLE refused_more (gateway VARCHAR(8) NOT NULL, account VARCHAR(8) NOT NULL, count BIGINT NOT NULL, PRIMARY KEY (gateway, account));
CREATE TABLE rekeyings (tag VARCHAR(8) NOT NULL, root VARCHAR(16) NOT NULL, generation BIGINT NOT NULL, salt BLOB NOT NULL,
 proved BOOLEAN NOT NULL, PRIMARY KEY (tag, root, generation));
CREATE TABLE epochs (epoch BIGINT NOT NULL, PRIMARY KEY (epoch));
"""


def test_a_ledger_that_another_program_holds_is_told_in_one_line(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UserError, match="another program holds it; end that program") as refused:
            Database(f"sqlite:///{path}")
    assert "\n" not in str(refused.value)
