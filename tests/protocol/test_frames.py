"""The generated codec held to its construct definitions, to bytes written by hand, and to ends that are older or newer."""

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import construct
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frame_values import LAYOUTS, build, from_vector, module_of, pack, parse, unpack, valid
from strapline_protocol.codes import MEANINGS, RANGES
from strapline_protocol.definitions import (
    ALARMS,
    BODY_LIMIT,
    DOCUMENT_LIMIT,
    FRAMES,
    ClockQuality,
    EventCode,
    Kind,
    Refusal,
    Rule,
    Setting,
    State,
    Window,
    is_fixed,
    leaves,
)
from strapline_tag.config import Config
from strapline_wire import documents, frames, link
from strapline_wire.errors import LocalProtocolError, RemoteProtocolError

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "frames.json").read_text(encoding="utf-8"))["vectors"]

# Written by hand from the tables of the docs: who changes one of these lines breaks every tag in the field.
BY_HAND = [
    ("HEADER", (0x41, 0xA1B2C3D4, 0x01020304), "41 a1b2c3d4 01020304"),
    ("ENVELOPE", (0x10, 1, 0xDEADBEEF, 7), "10 01 deadbeef 00000007"),
    ("HEARTBEAT", (0x0143, 2, 87, 0x1234, 9), "0143 02 57 1234 09"),
    ("HELLO", (b"tagnonce",), "7461676e6f6e6365"),
    ("WELCOME", (0x0A0B0C0D, b"gw-nonce", 1), "0a0b0c0d 67772d6e6f6e6365 01"),
    ("REPLY", (3, 100_000), "0003 000186a0"),
    ("EVENT", (16, 5, 3, 100_000, 999, 1_700_000_000, -2), "10 05 0003 000186a0 03e7 6553f100 fffffffe"),
    (
        "FIX",
        (3, 100_000, 1_700_000_000, 250, -338_568_200, 1_512_153_000, 35, 12, 7),
        "0003 000186a0 6553f100 00fa ebd1dbf8 5a219fa8 0023 0c 07",
    ),
    ("TIME_REQUEST", (3, 100_000), "0003 000186a0"),
    ("RECEIPT", (0xDEADBEEF, 8, 0x80000001), "deadbeef 00000008 80000001"),
    ("RECEIPT_FAR", (0xDEADBEEF, 300, 3), "deadbeef 0000012c 00000003"),
    ("TIME", (b"tagnonce", 1_700_000_000, 999), "7461676e6f6e6365 6553f100 03e7"),
    ("ARM", (77, 1_700_000_000), "0000004d 6553f100"),
    ("TOMBSTONE", (3, 100_000, 5, 900, 700), "0003 000186a0 00000005 00000384 000002bc"),
    ("DISARM", (77, 1_700_000_000), "0000004d 6553f100"),
    (
        "CONFIG",
        (2, ((0x6A7E0001,),), ((3, 7200), (8, -1))),
        "00000002 01 6a7e0001 02 0003 00001c20 0008 ffffffff",
    ),
    (
        "CURFEW",
        (9, ((1_700_000_000, 60),), ((0, 480, 600), (1, 10_079, 10_080)), ((0, 1_700_000_000, 1_700_003_600),)),
        "00000009 01 6553f100 003c 02 00 01e0 0258 01 275f 2760 01 00 6553f100 6553ff10",
    ),
    (
        "ZONES",
        (4, ((7, 1, 25, 500, ((532_487_000, 104_078_000),)), (8, 0, 0, 0, ((-1, 2), (3, -4), (5, 6))))),
        (
            "00000004 02 0007 01 0019 000001f4 01 1fbd1b58 06341ab0"
            " 0008 00 0000 00000000 03 ffffffff 00000002 00000003 fffffffc 00000005 00000006"
        ),
    ),
    ("MESSAGE", (5, 3, 600, "de", "Zurück!"), "00000005 03 0258 0002 6465 0008 5a7572c3bc636b21"),
    ("LOCATE", (6, 180), "00000006 00b4"),
    ("UPDATE_BEGIN", (1, 20_000, 2_600, b"d" * 32), "00000001 00004e20 0a28" + "64" * 32),
    ("UPDATE_CHUNK", (1, 448, b"\x00\x01"), "00000001 000001c0 0002 0001"),
    ("UPDATE_COMMIT", (1, b"d" * 32), "00000001" + "64" * 32),
    ("REFUSED", (0xDEADBEEF, 8, 1), "deadbeef 00000008 01"),
    ("REKEY", (2, b"s" * 16), "00000002" + "73" * 16),
    ("PART", (0x27, 0x11223344, 1, 3, b"zz"), "27 11223344 01 03 0002 7a7a"),
]

every_frame = pytest.mark.parametrize("name", list(LAYOUTS))
every_fixed_frame = pytest.mark.parametrize("name", [name for name, layout in LAYOUTS.items() if is_fixed(layout)])


@every_frame
@settings(max_examples=40)
@given(data=st.data())
def test_valid_values_pack_and_unpack_as_construct_builds_and_parses(name: str, data: st.DataObject) -> None:
    values = data.draw(valid(LAYOUTS[name]))
    packed = pack(name, values)
    assert packed == build(name, values)
    assert unpack(name, packed) == parse(name, packed) == values
    if is_fixed(LAYOUTS[name]):
        assert len(packed) == getattr(module_of(name), f"{name}_SIZE") == LAYOUTS[name].sizeof()


@every_frame
@settings(max_examples=20)
@given(data=st.data())
def test_every_truncation_is_refused_by_both(name: str, data: st.DataObject) -> None:
    packed = pack(name, data.draw(valid(LAYOUTS[name], longest=4)))
    for size in range(len(packed)):
        with pytest.raises(RemoteProtocolError) as refused:
            unpack(name, packed[:size])
        assert refused.value.reason == "truncated"
        with pytest.raises(construct.ConstructError):
            parse(name, packed[:size])


@every_frame
@settings(max_examples=120)
@given(data=st.data())
def test_of_random_bytes_both_read_the_same_or_refuse(name: str, data: st.DataObject) -> None:
    # Bytes with a fault here and there get further than bytes that are random throughout.
    size = len(pack(name, data.draw(valid(LAYOUTS[name], longest=3))))
    small = st.lists(st.sampled_from([0, 0, 0, 1, 2, 3, 7, 8, 100, 101, 255]), max_size=size + 8).map(bytes)
    spoilt = st.tuples(valid(LAYOUTS[name], longest=3), st.integers(0, 1 << 16), st.integers(0, 255)).map(
        lambda drawn: _spoil(pack(name, drawn[0]), drawn[1], drawn[2])
    )
    raw = data.draw(st.one_of(st.binary(max_size=size + 8), small, spoilt))
    try:
        expected = parse(name, raw)
    except construct.ConstructError:
        with pytest.raises(RemoteProtocolError):
            unpack(name, raw)
    else:
        assert unpack(name, raw) == expected


def _spoil(packed: bytes, at: int, value: int) -> bytes:
    at %= len(packed)
    return packed[:at] + bytes([value]) + packed[at + 1 :]


@every_frame
@settings(max_examples=40)
@given(data=st.data())
def test_a_value_out_of_range_is_refused_by_both_and_never_cut(name: str, data: st.DataObject) -> None:
    fields = list(leaves(LAYOUTS[name]))
    values = list(data.draw(valid(LAYOUTS[name], longest=2)))
    at = data.draw(st.integers(0, len(values) - 1))
    low, high = fields[at].limits
    if fields[at].shape == "int":
        beyond = st.one_of(st.sampled_from([low - 1, high + 1, 1 << 32, 1 << 64]), st.integers(high + 1, 1 << 70))
        values[at] = data.draw(st.one_of(beyond, st.integers(-(1 << 70), low - 1)))
    elif fields[at].shape == "bytes":
        values[at] = data.draw(st.binary(max_size=2 * high).filter(lambda value: len(value) != high))
    elif fields[at].shape == "items":
        values[at] = (_lowest(fields[at].record.layout),) * (high + 1)
    else:
        values[at] = ("é" if fields[at].shape == "text" else b"e") * (high + 1)
    with pytest.raises(LocalProtocolError):
        pack(name, tuple(values))
    with pytest.raises(construct.ConstructError):
        build(name, tuple(values))


def _lowest(layout: Any) -> tuple[Any, ...]:
    return tuple(
        leaf.limits[0] if leaf.shape == "int" else (_lowest(leaf.record.layout),) * leaf.limits[0]
        for leaf in leaves(layout)
    )


def test_a_value_out_of_range_in_the_record_of_a_list_is_refused_by_both() -> None:
    vertex = (900_000_001, 0)
    for name, values in (
        ("ZONES", (1, ((1, 0, 0, 0, ((0, 0), vertex, (1, 1))),))),
        ("ZONES", (1, ((1, 0, 0, 0, ()),))),
        ("CURFEW", (1, ((0, 841),), (), ())),
        ("CURFEW", (1, ((0, 0),), ((0, 10_080, 1),), ())),
        ("CONFIG", (1, ((1 << 32,),), ())),
    ):
        with pytest.raises(LocalProtocolError):
            pack(name, values)
        with pytest.raises(construct.ConstructError):
            build(name, values)
    far_north = build("ZONES", (1, ((1, 0, 0, 0, ((0, 0),)),))).replace(
        bytes(8), (900_000_001).to_bytes(4, "big") + bytes(4)
    )
    with pytest.raises(RemoteProtocolError) as refused:
        unpack("ZONES", far_north)
    assert refused.value.reason == "out_of_range"


# From Unicode 15, section 3.9, table 3-8 to 3-11, and the ends of every range of table 3-7.
NOT_UTF8 = [
    "80",
    "c0af",
    "c1bf",
    "c3",
    "e08080",
    "e09fbf",
    "eda080",
    "edbfbf",
    "f08080 80",
    "f08fbfbf",
    "f4908080",
    "f5808080",
    "ff",
    "e282",
    "41c0af41f4",
]
UTF8 = ["", "00", "7f", "c280", "dfbf", "e0a080", "ed9fbf", "ee8080", "efbfbf", "f0908080", "f48fbfbf"]


@pytest.mark.parametrize("written, right", [*((t, False) for t in NOT_UTF8), *((t, True) for t in UTF8)])
def test_a_text_is_utf8_or_refused(written: str, right: bool) -> None:
    octets = bytes.fromhex(written)
    raw = bytes(7) + b"\x00\x00" + len(octets).to_bytes(2, "big") + octets
    if right:
        assert unpack("MESSAGE", raw).text == parse("MESSAGE", raw)[-1] == octets.decode()
        return
    with pytest.raises(RemoteProtocolError) as refused:
        unpack("MESSAGE", raw)
    assert refused.value.reason == "not_utf8"
    with pytest.raises(construct.ConstructError):
        parse("MESSAGE", raw)


@every_frame
@settings(max_examples=30)
@given(data=st.data())
def test_an_old_end_reads_a_newer_ends_longer_frame_as_its_own(name: str, data: st.DataObject) -> None:
    values = data.draw(valid(LAYOUTS[name]))
    longer = pack(name, values) + data.draw(st.binary(min_size=1, max_size=40))
    assert unpack(name, longer) == parse(name, longer) == values


@pytest.mark.parametrize("name, values, written", BY_HAND, ids=[name for name, _, _ in BY_HAND])
def test_the_bytes_on_the_air_are_those_written_by_hand(name: str, values: tuple[Any, ...], written: str) -> None:
    expected = bytes.fromhex(written)
    assert pack(name, values) == expected
    assert unpack(name, expected) == values


def test_every_frame_has_its_bytes_written_by_hand() -> None:
    assert {name for name, _, _ in BY_HAND} == set(LAYOUTS)


@pytest.mark.parametrize("vector", VECTORS, ids=[f"{v['frame']}-{i}-{v['case']}" for i, v in enumerate(VECTORS)])
def test_the_vectors_file_is_what_both_make_and_read(vector: dict[str, Any]) -> None:
    name, expected = vector["frame"], bytes.fromhex(vector["bytes"])
    values = from_vector(LAYOUTS[name], vector["values"])
    assert pack(name, values) == build(name, values) == expected
    assert unpack(name, expected) == parse(name, expected) == values


@every_frame
def test_the_vectors_file_holds_both_limits_of_every_field(name: str) -> None:
    cases = {v["case"]: from_vector(LAYOUTS[name], v["values"]) for v in VECTORS if v["frame"] == name}
    for at, leaf in enumerate(leaves(LAYOUTS[name])):
        found = [cases[case][at] if leaf.shape == "int" else len(cases[case][at]) for case in ("lowest", "highest")]
        assert found == list(leaf.limits)


# Records.


def test_a_record_has_named_fields_and_is_immutable() -> None:
    fix = frames.unpack_fix(pack("FIX", (3, 1, 2, 4, 5, -6, 7, 8, 1)))
    assert (fix.boot, fix.lon_e7, fix.flags) == (3, -6, 1)
    assert isinstance(fix, frames.Fix)
    assert (
        repr(fix)
        == "Fix(boot=3, uptime_s=1, utc_s=2, utc_ms=4, lat_e7=5, lon_e7=-6, accuracy_dm=7, speed_dm_s=8, flags=1)"
    )
    assert fix._asdict() == dict(zip(fix._fields, fix, strict=True))
    assert fix._replace(boot=4).boot == 4
    assert frames.pack_fix(fix) == frames.pack_fix(tuple(fix))
    assert pickle.loads(pickle.dumps(fix)) == copy.deepcopy(fix) == copy.copy(fix) == fix
    assert type(pickle.loads(pickle.dumps(fix))) is frames.Fix
    with pytest.raises(AttributeError):
        fix.boot = 5
    with pytest.raises(AttributeError):
        fix.other = 5


def test_a_zone_is_a_record_of_records() -> None:
    zones = documents.unpack_zones(pack("ZONES", (4, ((7, 1, 25, 500, ((532_487_000, 104_078_000),)),))))
    assert zones.zones[0].vertices[0].lat_e7 == 532_487_000
    assert isinstance(zones.zones[0], documents.Zone)
    assert pickle.loads(pickle.dumps(zones)) == zones
    assert type(pickle.loads(pickle.dumps(zones)).zones[0].vertices[0]) is documents.Vertex


# Sizes.


def test_sixteen_zones_of_thirty_two_vertices_fit_a_document() -> None:
    zone = (1, 0, 10, 0, ((0, 0),) * 32)
    assert len(pack("ZONES", (1, (zone,) * 16))) == 4261 <= DOCUMENT_LIMIT == documents.DOCUMENT_LIMIT


def test_what_is_no_document_fits_one_command_at_its_longest() -> None:
    longest = {v["frame"]: len(v["bytes"]) // 2 for v in VECTORS if v["case"] == "highest"}
    in_parts = {"CONFIG", "CURFEW", "ZONES"}
    assert {name for name, size in longest.items() if size > BODY_LIMIT} <= in_parts
    assert max(longest.values()) <= DOCUMENT_LIMIT
    assert BODY_LIMIT + frames.ENVELOPE_SIZE + 8 == 512 <= link.FRAME_LIMIT - frames.HEADER_SIZE - 8


def test_a_heartbeats_battery_is_a_percentage() -> None:
    assert frames.unpack_heartbeat(bytes.fromhex("0000 00 64 0000 00")).battery_percent == 100
    with pytest.raises(RemoteProtocolError) as refused:
        frames.unpack_heartbeat(bytes.fromhex("0000 00 65 0000 00"))
    assert refused.value.reason == "out_of_range"
    with pytest.raises(LocalProtocolError):
        frames.pack_heartbeat((0, 0, 101, 0, 0))


def test_a_heartbeat_fills_a_legacy_advertisement_to_the_byte() -> None:
    # 31 bytes less flags (3) and the header of 16-bit service data (4): design of the advertisement.
    assert frames.HEADER_SIZE + frames.HEARTBEAT_SIZE + 8 == 31 - 3 - 4


def test_the_constants_are_the_definitions() -> None:
    assert {kind.name: getattr(frames, kind.name) for kind in Kind} == {kind.name: kind.value for kind in Kind}
    assert {code: getattr(frames, f"EVENT_{code.name}") for code in EventCode} == {
        code: code.value for code in EventCode
    }
    assert {state: getattr(frames, f"STATE_{state.name}") for state in State} == {state: state.value for state in State}
    for codes, module, prefix in (
        (Refusal, frames, "REFUSAL"),
        (Window, documents, "WINDOW"),
        (Rule, documents, "RULE"),
        (Setting, documents, "SETTING"),
    ):
        assert {code: getattr(module, f"{prefix}_{code.name}") for code in codes} == {
            code: code.value for code in codes
        }
    assert set(frames.EVENT_ALARMS) == {int(code) for code in ALARMS}


# Numbers that tags in the field use already. New ones may be added; none of these may change.
IN_THE_FIELD = [
    (
        Kind,
        (
            "HEARTBEAT=1 HELLO=2 WELCOME=3 RECORD=4 COMMAND=5 REPLY=6 EVENT=16 FIX=17 TIME_REQUEST=18 TOMBSTONE=19 "
            "RECEIPT=32 TIME=33 ARM=34 RECEIPT_FAR=35 DISARM=36 CONFIG=37 CURFEW=38 ZONES=39 MESSAGE=40 LOCATE=41 "
            "UPDATE_BEGIN=42 UPDATE_CHUNK=43 UPDATE_COMMIT=44 REFUSED=45 REKEY=46 PART=47"
        ),
    ),
    (
        EventCode,
        (
            "STARTED=1 ARMED=2 ARM_REFUSED=3 BEACON=4 STRAP_OPEN=16 STRAP_CLOSED=17 STRAP_ALTERED=18 SKIN_LOST=24 "
            "SKIN_BACK=25 REMOVED=26 LEFT_HOME=32 CAME_HOME=33 NO_FIX=40"
        ),
    ),
    (
        State,
        "ARMED=1 STRAP_OPEN=2 STRAP_LATCHED=4 SKIN_LOST=8 AWAY=16 PENDING=32 ALARM_PENDING=64 CLOCK_TRUSTED=128 GNSS_ON=256",
    ),
    (ClockQuality, "UNTRUSTED=0 TRUSTED=1"),
]


@pytest.mark.parametrize("codes, numbers", IN_THE_FIELD, ids=["kinds", "events", "states", "clock"])
def test_numbers_in_the_field_never_change(codes: Any, numbers: str) -> None:
    fixed = {name: int(number) for name, _, number in (word.partition("=") for word in numbers.split())}
    assert {name: int(codes[name]) for name in fixed} == fixed
    assert len(set(codes.__members__.values())) == len(codes.__members__)


def test_kinds_fit_their_six_bits_and_each_has_a_frame() -> None:
    values = [kind.value for kind in Kind]
    assert all(0 < value < 64 for value in values)
    assert {frame.kind for frame in FRAMES} | {Kind.RECORD, Kind.COMMAND} == set(Kind)


def test_every_event_code_and_state_flag_fits_its_field() -> None:
    assert all(0 < code < 256 for code in EventCode)
    assert sum(State) < 1 << 16


def test_every_event_code_is_explained_and_an_alarm_is_one_in_the_codec_too() -> None:
    assert set(MEANINGS) == set(EventCode)
    assert {int(code) for code, meaning in MEANINGS.items() if meaning.alarm} == frames.EVENT_ALARMS


# Rows of docs/requirements.md that no event of a tag can serve: performance of the whole chain, the gateway, the centre, the record.
WITHOUT_EVENT = {7, 16, 17, 20, 21, 28, 29, 30, 31, 39, 40, 41, 42, 43, 44, 45, 48, 49, 54, 55}


def test_event_codes_cover_every_requirement_that_a_tag_can_tell_of() -> None:
    served = {int(row[1:]) for meaning in MEANINGS.values() for row in meaning.rows}
    assert served | WITHOUT_EVENT == set(range(1, 56))
    assert not served & WITHOUT_EVENT


def test_every_setting_has_a_range_that_holds_the_firmwares_default() -> None:
    for setting in Setting:
        low, high = documents.SETTING_RANGES[setting]
        assert (low, high) == (RANGES[setting].low, RANGES[setting].high)
        assert low <= getattr(Config, setting.name.lower()) <= high
