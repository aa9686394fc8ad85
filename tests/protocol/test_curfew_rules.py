"""What a CURFEW says to who is no tag: the same as the tag reads, at every second and for hostile bytes."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strapline_protocol.codes import Window
from strapline_protocol.curfew_rules import CurfewRules
from strapline_protocol.curfews import Once, Weekly, curfew_values
from strapline_protocol.definitions import Kind
from strapline_protocol.document_rules import checked
from strapline_tag import curfew
from strapline_wire import documents
from strapline_wire.errors import RemoteProtocolError

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC", "Pacific/Apia"]
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
SPAN_S = 5 * 365 * 86400

minutes = st.builds(time, st.integers(0, 23), st.integers(0, 59))
weeklies = st.builds(Weekly, st.sampled_from(Window), st.integers(0, 6), minutes, minutes)
moments = st.integers(0, SPAN_S).map(lambda s: SINCE + timedelta(seconds=s))


@st.composite
def onces(draw):
    begins = draw(moments)
    return Once(draw(st.sampled_from(Window)), begins, begins + timedelta(seconds=draw(st.integers(1, 10 * 86400))))


@st.composite
def documents_of_people(draw):
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    weekly, once = draw(st.lists(weeklies, max_size=6)), draw(st.lists(onces(), max_size=4))
    values = curfew_values(zone, weekly, once, since=SINCE, until=SINCE + timedelta(days=365 * 5))
    return documents.pack_curfew(checked(Kind.CURFEW, (1, *values)))


@settings(deadline=None, max_examples=40)
@given(document=documents_of_people(), data=st.data())
def test_it_says_what_the_tag_reads(document, data):
    rules = CurfewRules(document)
    parsed = documents.unpack_curfew(document)
    edges = [start for start, _ in parsed.changes] + [edge for _, *span in parsed.once for edge in span]
    start_s = int(SINCE.timestamp())
    for base in data.draw(st.lists(st.sampled_from([*edges, start_s + SPAN_S // 2]), min_size=2, max_size=4)):
        for off in (-1, 0, data.draw(st.integers(-90_000, 90_000))):
            utc_s = max(base + off, 0)
            window, until_s = rules.at(utc_s)
            assert window == curfew.rule_at(document, utc_s)[0]
            assert until_s > utc_s
            for later in (until_s - 1, data.draw(st.integers(utc_s, until_s - 1))):
                assert curfew.rule_at(document, later)[0] == window


@settings(deadline=None, max_examples=40)
@given(document=documents_of_people(), data=st.data())
def test_it_refuses_what_the_tag_refuses(document, data):
    at = data.draw(st.integers(0, len(document) - 1))
    spoilt = document[:at] + bytes([data.draw(st.integers(0, 255))]) + document[at + 1 :]
    spoilt = spoilt[: data.draw(st.integers(max(0, len(spoilt) - 3), len(spoilt)))]

    def taken(read):
        try:
            read(spoilt)
        except RemoteProtocolError:
            return False
        return True

    assert taken(CurfewRules) == taken(lambda held: curfew.rule_at(held, 0))


def test_no_document_is_no_schedule():
    with pytest.raises(RemoteProtocolError):
        CurfewRules(b"")
