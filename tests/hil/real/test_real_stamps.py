from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from strapline_centre.ledger import Entry
from strapline_hil.rig.real.stamps import Stamps

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def record(boot, uptime_s, sequence=1):
    fields = {"code": 16, "boot": boot, "uptime_s": int(uptime_s), "uptime_ms": round(uptime_s % 1 * 1000)}
    return Entry(
        "7a900001", 1, sequence, "event", b"", fields=fields, gateway="6a7e0001", gateway_utc=NOON, centre_utc=NOON
    )


@given(
    began_s=st.floats(0, 3),
    made_s=st.lists(st.floats(0, 100), min_size=1, max_size=10),
    late_s=st.lists(st.floats(0.01, 5), min_size=10, max_size=10),
)
def test_stamps_are_late_by_what_the_soonest_record_took(began_s, made_s, late_s):
    entries = [(began_s + made + late, record(1, made)) for made, late in zip(made_s, late_s, strict=False)]
    stamps = Stamps(entries, 1)
    error_s = min(late_s[: len(made_s)])
    for made, (_, entry) in zip(made_s, entries, strict=True):
        assert abs(stamps.of(entry) - (began_s + made + error_s)) < 0.003


def test_what_was_before_the_session_is_not_of_it():
    old_boot, started, long_ago, now = record(6, 2), record(7, 0), record(7, 3), record(7, 9)
    entries = [(1.0, old_boot), (2.0, started), (12.0, now)]
    stamps = Stamps(entries, 1)
    assert [stamps.is_ours(entry) for _, entry in entries] == [False, True, True]
    never_off = Stamps([(1.0, long_ago), (1.5, record(7, 803.5))], 1)  # it has run for 802 s
    assert not never_off.is_ours(long_ago)


def test_each_start_of_the_session_counts_for_itself():
    entries = [(1.0, record(7, 0)), (9.0, record(8, 0)), (10.0, record(8, 1))]
    stamps = Stamps(entries, 2)
    assert [stamps.of(entry) for _, entry in entries] == [1.0, 9.0, 10.0]
    assert all(stamps.is_ours(entry) for _, entry in entries)
