"""Sealed records opened for the centre: typed, or raw with the reason, or not the tag's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hand_made_tag import OTHER_SECRET, OTHER_TAG, SECRET, TAG, HandMadeTag
from strapline_protocol.codes import Kind, Refusal
from strapline_protocol.contract import text_of
from strapline_protocol.keys import CentreKeys, centre_keys
from strapline_protocol.records import RecordOpener
from strapline_wire import frames
from strapline_wire.errors import LocalProtocolError, RemoteProtocolError

KEYS, NEW_KEYS = centre_keys(TAG, SECRET), centre_keys(TAG, bytes(16))


@pytest.fixture
def tag():
    return HandMadeTag()


@pytest.fixture
def opener():
    return RecordOpener([KEYS, centre_keys(OTHER_TAG, OTHER_SECRET)])


def test_an_event_comes_typed_with_its_identity_and_lane(tag, opener):
    record = opener.open_record(TAG, tag.event(frames.EVENT_STRAP_OPEN, 7.0, sequence=9, detail=-3))
    assert (record.tag, record.journal, record.sequence) == (TAG, tag.journal, 9)
    assert (record.kind, record.name, record.alarm, record.key) == (Kind.EVENT, "event", True, 0)
    assert isinstance(record.body, frames.Event)
    assert (record.body.code, record.body.uptime_s, record.body.detail) == (frames.EVENT_STRAP_OPEN, 7, -3)
    assert (record.refusal, record.reason) == (None, "")


@pytest.mark.parametrize(
    ("kind", "values", "name", "model"),
    [
        (frames.FIX, (1, 2, 3, 4, 5, -6, 7, 8, 9), "fix", frames.Fix),
        (frames.TOMBSTONE, (1, 2, 3, 9, 4), "tombstone", frames.Tombstone),
    ],
)
def test_the_other_kinds_come_typed_too(tag, opener, kind, values, name, model):
    body = {frames.FIX: frames.pack_fix, frames.TOMBSTONE: frames.pack_tombstone}[kind](values)
    record = opener.open_record(TAG, tag.record(kind, body))
    assert isinstance(record.body, model)
    assert (tuple(record.body), record.name, record.alarm) == (values, name, False)
    assert list(record.fields.values()) == list(values)


def test_what_a_later_version_has_added_at_the_end_is_kept_and_does_not_hinder(tag, opener):
    body = frames.pack_fix((1, 2, 3, 4, 5, 6, 7, 8, 9))
    record = opener.open_record(TAG, tag.record(frames.FIX, body + b"more"))
    assert (tuple(record.body), record.raw) == ((1, 2, 3, 4, 5, 6, 7, 8, 9), body + b"more")


@pytest.mark.parametrize(
    ("kind", "body", "reason", "refusal"),
    [
        (0x3E, b"of a newer firmware", "unknown_kind", Refusal.UNKNOWN_KIND),
        (0xFF, b"", "unknown_kind", Refusal.UNKNOWN_KIND),
        (frames.RECEIPT, bytes(12), "unknown_kind", Refusal.UNKNOWN_KIND),  # no tag says that
        (frames.EVENT, bytes(17), "truncated", Refusal.MALFORMED),
        (frames.EVENT, bytes(8) + b"\x03\xe8" + bytes(8), "out_of_range", Refusal.OUT_OF_RANGE),
        (frames.TOMBSTONE, bytes(18), "out_of_range", Refusal.OUT_OF_RANGE),
    ],
)
def test_what_is_genuine_and_cannot_be_read_comes_raw_with_the_reason(tag, opener, kind, body, reason, refusal):
    record = opener.open_record(TAG, tag.record(kind, body, sequence=4))
    assert (record.body, record.name, record.raw, record.sequence) == (None, "raw", body, 4)
    assert (record.reason, record.refusal) == (reason, refusal)
    assert record.fields == {"kind": kind, "body": text_of(body), "reason": reason}


@pytest.mark.parametrize(
    ("change", "subject", "reason"),
    [
        (lambda sealed: sealed[:-1] + bytes((sealed[-1] ^ 1,)), TAG, "forged"),
        (lambda sealed: bytes((sealed[0] ^ 1,)) + sealed[1:], TAG, "forged"),
        (lambda sealed: sealed, OTHER_TAG, "forged"),
        (lambda sealed: sealed, "7a9000ff", "unknown_tag"),
        (lambda sealed: sealed[:17], TAG, "truncated"),
    ],
)
def test_what_is_not_the_tags_is_refused(tag, opener, change, subject, reason):
    with pytest.raises(RemoteProtocolError) as error:
        opener.open_record(subject, change(tag.event()))
    assert error.value.reason == reason


def test_a_record_and_a_request_for_the_time_are_not_taken_for_each_other(tag, opener):
    request = tag.time_request(b"\x00nonce!\xff", 9.0)
    assert opener.open_time_request(TAG, request) == (TAG, b"\x00nonce!\xff", 1, 9, 0)
    for call, sealed in ((opener.open_record, request), (opener.open_time_request, tag.event())):
        with pytest.raises(RemoteProtocolError) as error:
            call(TAG, sealed)
        assert error.value.reason == "unexpected"


# Several keys.


def test_any_of_a_tags_keys_opens_and_the_record_is_the_same_whichever_sealed_it():
    opener = RecordOpener([NEW_KEYS, KEYS])
    before, after = HandMadeTag(), HandMadeTag(secret=bytes(16))
    old, new = before.event(detail=5), after.event(detail=5)
    assert old != new
    by_old, by_new = opener.open_record(TAG, old), opener.open_record(TAG, new)
    assert (by_old.key, by_new.key) == (1, 0)
    assert by_old.content == by_new.content
    assert by_old.content != opener.open_record(TAG, after.event(detail=6)).content
    with pytest.raises(RemoteProtocolError, match="forged"):
        opener.open_record(TAG, HandMadeTag(secret=bytes(15) + b"\x01").event())


def test_the_lane_belongs_to_what_a_record_is(tag, opener):
    body = frames.pack_event((4, 0, 1, 2, 3, 4, 5))
    plain, alarm = (opener.open_record(TAG, tag.record(frames.EVENT, body, flags=flags)) for flags in (0, 1))
    assert plain.content != alarm.content


def test_keys_change_while_the_centre_runs(tag, opener):
    opener.use_keys(TAG, [NEW_KEYS])
    assert opener.keys(TAG) == (NEW_KEYS,)
    with pytest.raises(RemoteProtocolError):
        opener.open_record(TAG, tag.event())
    opener.use_keys("7a900003", [CentreKeys("7a900003", bytes(16))])
    assert opener.tags == {TAG, OTHER_TAG, "7a900003"}
    assert opener.keys("7a9000ff") == ()


@pytest.mark.parametrize("keys", [[], [centre_keys(OTHER_TAG, SECRET)]])
def test_no_tag_is_left_without_a_key_of_its_own(opener, keys):
    with pytest.raises(LocalProtocolError):
        opener.use_keys(TAG, keys)
    assert opener.keys(TAG) == (KEYS,)


@given(st.binary(max_size=80))
def test_whatever_comes_is_a_record_or_a_remote_error(data):
    with pytest.raises(RemoteProtocolError):
        RecordOpener([KEYS]).open_record(TAG, data)


@given(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=60))
def test_whatever_a_tag_seals_is_a_record(kind, flags, body):
    sealed = HandMadeTag().record(kind, body, flags=flags)
    if kind == frames.TIME_REQUEST:
        return
    record = RecordOpener([KEYS]).open_record(TAG, sealed)
    assert (record.raw, record.flags, record.body is None) == (body, flags, record.refusal is not None)
