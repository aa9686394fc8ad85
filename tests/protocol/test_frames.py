"""The generated codec held to its construct definitions, to bytes written by hand, and to ends that are older or newer."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import construct
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strapline_protocol.definitions import ALARMS, ENVELOPE, FRAMES, HEADER, ClockQuality, EventCode, Kind, State
from strapline_wire import frames
from strapline_wire.errors import LocalProtocolError, RemoteProtocolError

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "frames.json").read_text(encoding="utf-8"))["vectors"]
LAYOUTS: dict[str, Any] = {"HEADER": HEADER, "ENVELOPE": ENVELOPE, **{f.kind.name: f.layout for f in FRAMES}}

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
]


class Codec(NamedTuple):
    """The generated half of one frame."""

    name: str

    @property
    def layout(self) -> Any:
        return LAYOUTS[self.name]

    @property
    def size(self) -> int:
        return int(getattr(frames, f"{self.name}_SIZE"))

    def pack(self, values: Any) -> bytes:
        return bytes(getattr(frames, f"pack_{self.name.lower()}")(values))

    def unpack(self, data: bytes) -> tuple[Any, ...]:
        return tuple(getattr(frames, f"unpack_{self.name.lower()}")(data))

    def build(self, values: tuple[Any, ...]) -> bytes:
        """What construct makes of it."""
        return bytes(self.layout.build(dict(zip(self.names, values, strict=True))))

    def parse(self, data: bytes) -> tuple[Any, ...]:
        """What construct reads."""
        parsed = self.layout.parse(data)
        return tuple(parsed[name] for name in self.names)

    @property
    def names(self) -> list[str]:
        return [field.name for field in self.layout.subcons]


every_frame = pytest.mark.parametrize("codec", [Codec(name) for name in LAYOUTS], ids=list(LAYOUTS))


def declared(field: Any) -> tuple[bool, int, int]:
    """(is bytes, lowest, highest) of a field: the size for bytes, else the declared bounds or the range of its integer."""
    while isinstance(field, construct.Renamed):
        field = field.subcon
    plain = field.subcon
    size = plain.sizeof()
    if isinstance(plain, construct.Bytes):
        return True, size, size
    lowest, highest = (
        (-(1 << (8 * size - 1)), (1 << (8 * size - 1)) - 1) if plain.fmtstr[1].islower() else (0, 256**size - 1)
    )
    return False, lowest if field.low is None else field.low, highest if field.high is None else field.high


def valid(codec: Codec) -> st.SearchStrategy[tuple[Any, ...]]:
    """Values within the declared ranges, their limits often."""
    parts: list[st.SearchStrategy[Any]] = []
    for field in codec.layout.subcons:
        is_bytes, low, high = declared(field)
        if is_bytes:
            parts.append(st.binary(min_size=low, max_size=high))
        else:
            parts.append(st.one_of(st.sampled_from([low, high]), st.integers(low, high)))
    return st.tuples(*parts)


@every_frame
@settings(max_examples=40)
@given(data=st.data())
def test_valid_values_pack_and_unpack_as_construct_builds_and_parses(codec: Codec, data: st.DataObject) -> None:
    values = data.draw(valid(codec))
    packed = codec.pack(values)
    assert packed == codec.build(values)
    assert codec.unpack(packed) == codec.parse(packed) == values
    assert len(packed) == codec.size == codec.layout.sizeof()


@every_frame
@settings(max_examples=20)
@given(data=st.data())
def test_every_truncation_is_refused_by_both(codec: Codec, data: st.DataObject) -> None:
    packed = codec.pack(data.draw(valid(codec)))
    for size in range(len(packed)):
        with pytest.raises(RemoteProtocolError) as refused:
            codec.unpack(packed[:size])
        assert refused.value.reason == "truncated"
        with pytest.raises(construct.ConstructError):
            codec.layout.parse(packed[:size])


@every_frame
@settings(max_examples=80)
@given(data=st.data())
def test_of_random_bytes_both_read_the_same_or_refuse(codec: Codec, data: st.DataObject) -> None:
    small = st.lists(st.sampled_from([0, 0, 0, 1, 3, 7, 8, 100, 101, 255]), max_size=codec.size + 8)
    raw = data.draw(st.one_of(st.binary(max_size=codec.size + 8), small.map(bytes)))
    try:
        expected = codec.parse(raw)
    except construct.ConstructError:
        with pytest.raises(RemoteProtocolError):
            codec.unpack(raw)
    else:
        assert codec.unpack(raw) == expected


@every_frame
@settings(max_examples=40)
@given(data=st.data())
def test_a_value_out_of_range_is_refused_by_both_and_never_cut(codec: Codec, data: st.DataObject) -> None:
    values = list(data.draw(valid(codec)))
    at = data.draw(st.integers(0, len(values) - 1))
    is_bytes, low, high = declared(codec.layout.subcons[at])
    if is_bytes:
        values[at] = data.draw(st.binary(max_size=2 * high).filter(lambda value: len(value) != high))
    else:
        beyond = st.one_of(st.sampled_from([low - 1, high + 1, 1 << 32, 1 << 64]), st.integers(high + 1, 1 << 70))
        values[at] = data.draw(st.one_of(beyond, st.integers(-(1 << 70), low - 1)))
    with pytest.raises(LocalProtocolError):
        codec.pack(tuple(values))
    with pytest.raises(construct.ConstructError):
        codec.build(tuple(values))


@every_frame
@settings(max_examples=30)
@given(data=st.data())
def test_an_old_end_reads_a_newer_ends_longer_frame_as_its_own(codec: Codec, data: st.DataObject) -> None:
    values = data.draw(valid(codec))
    longer = codec.pack(values) + data.draw(st.binary(min_size=1, max_size=40))
    assert codec.unpack(longer) == codec.parse(longer) == values


@pytest.mark.parametrize("name, values, written", BY_HAND, ids=[name for name, _, _ in BY_HAND])
def test_the_bytes_on_the_air_are_those_written_by_hand(name: str, values: tuple[Any, ...], written: str) -> None:
    expected = bytes.fromhex(written)
    assert Codec(name).pack(values) == expected
    assert Codec(name).unpack(expected) == values


def test_every_frame_has_its_bytes_written_by_hand() -> None:
    assert [name for name, _, _ in BY_HAND] == list(LAYOUTS)


@pytest.mark.parametrize("vector", VECTORS, ids=[f"{v['frame']}-{i}-{v['case']}" for i, v in enumerate(VECTORS)])
def test_the_vectors_file_is_what_both_make_and_read(vector: dict[str, Any]) -> None:
    codec, expected = Codec(vector["frame"]), bytes.fromhex(vector["bytes"])
    shown = vector["values"]
    values = tuple(
        bytes.fromhex(shown[field.name]) if declared(field)[0] else shown[field.name] for field in codec.layout.subcons
    )
    assert list(shown) == codec.names
    assert codec.pack(values) == codec.build(values) == expected
    assert codec.unpack(expected) == codec.parse(expected) == values


@every_frame
def test_the_vectors_file_holds_both_limits_of_every_field(codec: Codec) -> None:
    cases = {v["case"]: v["values"] for v in VECTORS if v["frame"] == codec.name}
    for field in codec.layout.subcons:
        is_bytes, low, high = declared(field)
        limits = ("00" * low, "ff" * low) if is_bytes else (low, high)
        assert (cases["lowest"][field.name], cases["highest"][field.name]) == limits


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
    assert set(frames.EVENT_ALARMS) == {int(code) for code in ALARMS}


# Numbers that tags in the field use already. New ones may be added; none of these may change.
IN_THE_FIELD = [
    (
        Kind,
        "HEARTBEAT=1 HELLO=2 WELCOME=3 RECORD=4 COMMAND=5 REPLY=6 EVENT=16 FIX=17 TIME_REQUEST=18 RECEIPT=32 TIME=33 ARM=34 RECEIPT_FAR=35",
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
