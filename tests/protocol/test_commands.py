"""Commands for a tag: opened again by the tag's key, numbered once, split where they are long, and refused by name where a tag would."""

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frame_values import LAYOUTS, pack, unpack, valid
from hand_made_tag import SECRET, TAG, HandMadeTag
from strapline_protocol.codes import Kind, Refusal, Rule, Setting, Window
from strapline_protocol.commands import CommandSealer
from strapline_protocol.document_rules import checked
from strapline_protocol.downlink import BODY_LIMIT, DOCUMENT_LIMIT, PART_LIMIT
from strapline_protocol.keys import centre_keys
from strapline_wire import documents, frames
from strapline_wire.errors import LocalProtocolError

EPOCH = 1_772_480_000
NOON = datetime(2026, 3, 2, 12, 0, 0, 250_000, tzinfo=UTC)
NOON_S = 1_772_452_800
CORNERS = ((0, 0), (0, 9), (9, 9))
CIRCLE = (1, Rule.STAY_IN, 30, 100, ((532487000, 104078000),))
POLYGON = (2, Rule.STAY_OUT, 0, 0, CORNERS)
CHANGES = ((0, 60), (NOON_S, 120))


@pytest.fixture
def sealer():
    return CommandSealer(centre_keys(TAG, SECRET), EPOCH)


def opened(sealed):
    envelope, body = HandMadeTag().open_command(sealed)
    return envelope, unpack(Kind(envelope.kind).name, body)


@pytest.mark.parametrize(
    ("name", "arguments", "kind", "wanted"),
    [
        ("receipt", (5, 7, 0b101), Kind.RECEIPT, (5, 7, 0b101)),
        ("receipt_far", (5, 70, 1), Kind.RECEIPT_FAR, (5, 70, 1)),
        ("refused", (5, 7, Refusal.UNKNOWN_KIND), Kind.REFUSED, (5, 7, 1)),
        ("time", (b"12345678", NOON), Kind.TIME, (b"12345678", NOON_S, 250)),
        ("arm", (7, NOON), Kind.ARM, (7, NOON_S)),
        ("disarm", (7, NOON), Kind.DISARM, (7, NOON_S)),
        ("locate", (3, 60), Kind.LOCATE, (3, 60)),
        ("message", (3, "Grüß Gott"), Kind.MESSAGE, (3, 0, 0, "", "Grüß Gott")),
        ("rekey", (2, bytes(16)), Kind.REKEY, (2, bytes(16))),
        ("update_begin", (1, 9000, 2000, bytes(32)), Kind.UPDATE_BEGIN, (1, 9000, 2000, bytes(32))),
        ("update_chunk", (1, 448, b"data"), Kind.UPDATE_CHUNK, (1, 448, b"data")),
        ("update_commit", (1, bytes(32)), Kind.UPDATE_COMMIT, (1, bytes(32))),
    ],
)
def test_a_command_says_what_it_was_given(sealer, name, arguments, kind, wanted):
    envelope, body = opened(getattr(sealer, name)(*arguments))
    assert (envelope.kind, envelope.flags, envelope.origin, envelope.number) == (kind, 0, EPOCH, 1)
    assert tuple(body) == wanted


def test_short_documents_are_one_command(sealer):
    (config,) = sealer.config(1, homes=[0x6A7E0001], settings=[(Setting.AWAY_FIX_S, 60)])
    (curfew,) = sealer.curfew(2, changes=CHANGES, weekly=[(Window.MAY_LEAVE, 450, 630)], once=[(1, 5, 6)])
    (zones,) = sealer.zones(3, [CIRCLE, documents.Zone(POLYGON)])
    assert opened(config)[1] == (1, ((0x6A7E0001,),), ((5, 60),))
    assert opened(curfew)[1] == (2, CHANGES, ((0, 450, 630),), ((1, 5, 6),))
    assert opened(zones)[1] == (3, (CIRCLE, POLYGON))
    assert [opened(one)[0].number for one in (config, curfew, zones)] == [1, 2, 3]


def weekly(count):
    return [(Window.MAY_LEAVE, at, 1) for at in range(count)]


def curfew_size(count):
    return len(documents.pack_curfew((1, CHANGES, tuple(weekly(count)), ())))


@pytest.mark.parametrize("count", [94, 95, 96, 128])
def test_a_document_is_split_exactly_where_it_is_too_long_for_one(sealer, count):
    sealer.arm(1, NOON)
    made = sealer.curfew(1, changes=CHANGES, weekly=weekly(count))
    assert (len(made) == 1) == (curfew_size(count) <= BODY_LIMIT)
    if len(made) == 1:
        return
    parts = [opened(one) for one in made]
    assert [envelope.kind for envelope, _ in parts] == [Kind.PART] * len(made)
    assert [envelope.number for envelope, _ in parts] == list(range(2, 2 + len(made)))
    assert {(part.document, part.transfer, part.parts) for _, part in parts} == {(Kind.CURFEW, 2, len(made))}
    assert [part.part for _, part in parts] == list(range(len(made)))
    assert {len(part.content) for _, part in parts[:-1]} == {PART_LIMIT}
    whole = b"".join(part.content for _, part in parts)
    assert documents.unpack_curfew(whole) == (1, CHANGES, tuple(weekly(count)), ())
    assert max(map(len, made)) <= 512


def test_the_length_at_which_a_document_is_split_is_the_bodys_limit():
    assert curfew_size(94) <= BODY_LIMIT < curfew_size(96)


def big_zones(count, corners=64):
    return [(at, Rule.STAY_OUT, 0, 0, tuple((at, corner) for corner in range(corners))) for at in range(count)]


def test_a_document_that_no_tag_could_hold_is_refused_and_uses_up_no_number(sealer):
    with pytest.raises(LocalProtocolError, match=f"ZONES: .* at most {DOCUMENT_LIMIT}"):
        sealer.zones(1, big_zones(16))
    assert sealer.number == 0
    made = sealer.zones(1, big_zones(15))
    assert len(made) == -(-len(documents.pack_zones((1, tuple(big_zones(15))))) // PART_LIMIT)


def test_numbers_end_before_they_would_be_used_twice():
    sealer = CommandSealer(centre_keys(TAG, SECRET), EPOCH, number=0xFFFFFFFD)
    with pytest.raises(LocalProtocolError, match="used up"):
        sealer.zones(1, big_zones(3))
    assert [opened(sealer.locate(1, 1))[0].number for _ in range(2)] == [0xFFFFFFFE, 0xFFFFFFFF]
    with pytest.raises(LocalProtocolError, match="used up"):
        sealer.locate(1, 1)


@pytest.mark.parametrize("epoch", [-1, 1 << 32])
def test_an_epoch_that_does_not_fit_is_refused(epoch):
    with pytest.raises(LocalProtocolError):
        CommandSealer(centre_keys(TAG, SECRET), epoch)


def test_another_key_goes_on_with_the_numbers(sealer):
    sealer.arm(1, NOON)
    sealer.use_keys(centre_keys(TAG, bytes(16)))
    envelope, _ = HandMadeTag(secret=bytes(16)).open_command(sealer.arm(1, NOON))
    assert (envelope.origin, envelope.number) == (EPOCH, 2)
    with pytest.raises(LocalProtocolError):
        sealer.use_keys(centre_keys("7a900002", SECRET))


# What a tag would refuse.


def zone(**changes):
    values = dict(zip(("zone", "rule", "tolerance_m", "radius_m", "vertices"), POLYGON, strict=True)) | changes
    return tuple(values.values())


@pytest.mark.parametrize(
    ("name", "arguments", "place"),
    [
        ("zones", (1, [CIRCLE, zone(vertices=CORNERS[:2])]), "zones[1].vertices: a polygon"),
        ("zones", (1, [zone(vertices=CORNERS[:1])]), "zones[0].radius_m: a circle"),
        ("zones", (1, [zone(radius_m=5)]), "zones[0].vertices: a circle"),
        ("zones", (1, [zone(vertices=(*CORNERS, CORNERS[0]))]), "zones[0].vertices[3]: the first corner"),
        ("zones", (1, [zone(vertices=())]), "zones[0].vertices: 0 is not within 1 … 64 entries"),
        ("zones", (1, [zone(vertices=((0, 0), (0, 9), (0, 1800000001)))]), "zones[0].vertices[2].lon_e7: 1800000001"),
        ("zones", (1, [zone(vertices=((0, 0), (0, 9), (0,)))]), "zones[0].vertices[2]: needs lat_e7, lon_e7"),
        ("zones", (1, [zone(vertices=((0, 0), (0, 9), (0, "9")))]), "zones[0].vertices[2].lon_e7: str"),
        ("zones", (1, [zone(rule=9)]), "zones[0].rule: 9 is none of 0 (stay_in), 1 (stay_out)"),
        ("zones", (1, [POLYGON, CIRCLE, POLYGON]), "zones[2].zone: 2 stands in zones[0] already"),
        ("zones", (1, [5]), "zones[0]: needs zone, rule"),
        ("zones", (-1, []), "revision: -1 is not within 0 … 4294967295"),
        ("zones", (1, [CIRCLE] * 33), "zones: 33 is not within 0 … 32 entries"),
        ("message", (1, ""), "text: says nothing"),
        ("message", (1, "ß" * 161), "text: 322 is not within 0 … 320 bytes"),
        ("message", (1, "\ud800"), "text: has half a surrogate pair"),
        ("message", (1, b"bytes"), "text: bytes where str belongs"),
        ("locate", (1, 0), "within_s: 0 is not within 1 … 600 s"),
        ("rekey", (1, bytes(15)), "salt: 15 is not within 16 … 16 bytes"),
        ("update_begin", (1, 2000, 2000, bytes(32)), "size: 2000 has no room"),
        ("update_chunk", (1, 0, b""), "data: is empty"),
        ("update_chunk", (1, 1048575, b"12"), "offset: the data would end"),
        ("update_chunk", (1, 0, bytes(449)), "data: 449 is not within 0 … 448 bytes"),
        ("refused", (1, 0, Refusal.MALFORMED), "sequence: 0 is not within"),
        ("refused", (1, 1, 99), "reason: 99 is none of"),
        ("receipt", (1, 1 << 32, 0), "base: 4294967296 is not within"),
        ("time", (b"short", NOON), "nonce: 5 is not within 8 … 8 bytes"),
    ],
)
def test_what_a_tag_would_refuse_is_refused_here_by_the_name_of_the_place(sealer, name, arguments, place):
    with pytest.raises(LocalProtocolError) as error:
        getattr(sealer, name)(*arguments)
    assert str(error.value).startswith(place)
    assert "\n" not in str(error.value)
    assert sealer.number == 0


@pytest.mark.parametrize(
    ("name", "options", "place"),
    [
        ("message", {"answer_within_s": 60, "flags": 2}, "answer_within_s: waits"),
        ("message", {"language": "x" * 17}, "language: 17 is not"),
        ("curfew", {"changes": ()}, "changes: 0 is not within 1 … 16 entries"),
        ("curfew", {"changes": ((5, 60), (5, 120))}, "changes[1].from_utc_s: 5 does not come after 5"),
        ("curfew", {"changes": ((0, 60), (9, 120), (8, 60))}, "changes[2].from_utc_s: 8"),
        ("curfew", {"changes": ((0, 841),)}, "changes[0].offset_min: 841 is not within -840 … 840 min"),
        ("curfew", {"once": ((0, 9, 9),)}, "once[0].until_utc_s: 9 is not after 9"),
        ("curfew", {"once": ((0, 5, 9), (3, 5, 9))}, "once[1].window: 3 is none of"),
        ("curfew", {"weekly": ((7, 0, 1),)}, "weekly[0].window: 7 is none of"),
        ("curfew", {"weekly": ((0, 0, 0),)}, "weekly[0].length_min: 0 is not within 1 … 10080 min"),
        ("config", {"homes": [1, 2, 1]}, "homes[2].gateway: 1 stands in homes[0] already"),
        ("config", {"settings": [(99, 1)]}, "settings[0].setting: 99 is none of"),
        ("config", {"settings": [(5, 14)]}, "settings[0].value: away_fix_s 14 is not within 15 … 600 s"),
        ("config", {"settings": [(5, 60), (5, 70)]}, "settings[1].setting: 5 stands in"),
        ("config", {"settings": [(1, 9000), (2, 8000)]}, "settings: heartbeat_shortest_ms 9000 is above"),
    ],
)
def test_the_same_for_what_goes_by_name(sealer, name, options, place):
    first = (1, "Words") if name == "message" else (1,)
    defaults = {"changes": CHANGES} if name == "curfew" else {}
    with pytest.raises(LocalProtocolError) as error:
        getattr(sealer, name)(*first, **defaults | options)
    assert str(error.value).startswith(place)
    assert sealer.number == 0


DOWN = [kind for kind in Kind if 0x20 <= kind < 0x30]


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.sampled_from(DOWN), st.data())
def test_what_passes_the_rules_is_what_the_codec_takes(kind, data):
    """Whatever lies within the declared ranges is refused by a rule between fields, or packs and comes back the same."""
    values = data.draw(valid(LAYOUTS[kind.name], 4))
    try:
        record = checked(kind, values)
    except LocalProtocolError:
        return
    assert unpack(kind.name, pack(kind.name, record)) == values


def test_every_command_has_its_method():
    methods = {kind.name.lower() for kind in DOWN} - {"part"}
    assert methods <= set(dir(CommandSealer))
    assert isinstance(checked(Kind.RECEIPT, (1, 2, 3)), frames.Receipt)
