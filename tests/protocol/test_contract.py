"""The MQTT contract: what decodes is what a key holder encoded for this topic; all else is a RemoteProtocolError."""

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strapline_protocol import contract
from strapline_protocol.contract import Message, Passage, Topic
from strapline_wire.errors import RemoteProtocolError

KEY = bytes(range(32))
TOPIC = "strapline/v1/0a0b0c0d/event/0000002a"
LIMIT = 16384
MESSAGE = Message(
    Topic("0a0b0c0d", "event", "0000002a"),
    "0000002a-deadbeef-7",
    datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC),
    {"record": "EAHerb7vAAAAB6urqw==", "heard": "2026-03-01T12:30:15.000Z", "alarm": True, "sequence": 7},
)

idents = st.text("0123456789abcdef", min_size=8, max_size=8)
topics = st.builds(Topic, idents, st.sampled_from(contract.CHANNELS), st.one_of(st.just(""), idents))
plain_json = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=12)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=4)),
    max_leaves=12,
)
moments = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 - the next line makes it aware
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)
)
passages = st.builds(Passage, st.booleans(), st.integers(1, 0xFFFFFFFF), st.integers(1, 0xFFFFFFFF))
data = st.dictionaries(st.text(max_size=8), plain_json, max_size=5)
messages = st.builds(Message, topics, st.text(max_size=20), moments, data, st.none() | passages)


def refusal(topic: str, payload: bytes, key: bytes = KEY) -> str:
    with pytest.raises(RemoteProtocolError) as refused:
        contract.decode(topic, payload, key)
    return str(refused.value.reason)


def sealed(body: dict[str, Any], topic: str = TOPIC, key: bytes = KEY) -> bytes:
    """The body of a message sealed by hand: HMAC-SHA256 over the topic, a line feed and the body with its keys in order."""
    content = topic + "\n" + json.dumps(body, sort_keys=True, separators=(",", ":"))
    seal = hmac.new(key, content.encode(), hashlib.sha256).hexdigest()[:32]
    return json.dumps({**body, "seal": seal}).encode()


def genuine(**changes: Any) -> dict[str, Any]:
    return {"id": "1", "time": "2026-03-01T12:00:00.000Z", "data": {}, **changes}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"historical": 1},
        {"start": "1"},
        {"start": 0},
        {"number": -1},
        {"number": True},
        {"number": None},
        {"start": 1.5},
    ],
)
def test_a_passage_that_is_not_told_or_makes_no_sense_hides_no_record(changes: dict[str, Any]) -> None:
    told = {"historical": True, "start": 3, "number": 9, **changes} if changes else {}
    message = contract.decode(TOPIC, sealed(genuine(data={"a": 1}, **told)), KEY)
    assert (message.data, message.passage) == ({"a": 1}, None)


def test_a_passage_is_under_the_seal() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    payload = contract.encode(Message(contract.parse_topic(TOPIC), "1", now, {}, Passage(True, 3, 9)), KEY)
    assert contract.decode(TOPIC, payload, KEY).passage == Passage(True, 3, 9)
    for old, new in ((b"true", b"false"), (b'"number":9', b'"number":8'), (b'"start":3', b'"start":4')):
        assert refusal(TOPIC, payload.replace(old, new)) == "forged"


# There and back.


@settings(max_examples=150, deadline=None)
@given(messages)
def test_a_message_decodes_to_what_was_encoded(message: Message) -> None:
    assert contract.decode(str(message.topic), contract.encode(message, KEY), KEY) == message


def test_a_message_is_a_cloudevent_in_json() -> None:
    body = json.loads(contract.encode(MESSAGE, KEY))
    seal = body.pop("seal")
    assert body == {
        "specversion": "1.0",
        "id": "0000002a-deadbeef-7",
        "source": "/strapline/v1/0a0b0c0d",
        "type": "strapline.event.v1",
        "subject": "0000002a",
        "time": "2026-03-01T12:30:15.250Z",
        "datacontenttype": "application/json",
        "data": MESSAGE.data,
    }
    assert seal == json.loads(sealed(body))["seal"]


def test_a_message_of_the_gateway_itself_has_no_subject() -> None:
    message = MESSAGE._replace(topic=Topic("0a0b0c0d", "state"))
    assert "subject" not in json.loads(contract.encode(message, KEY))
    assert contract.decode("strapline/v1/0a0b0c0d/state", contract.encode(message, KEY), KEY) == message


def test_a_senders_zone_is_told_in_utc() -> None:
    local = MESSAGE.time.astimezone(timezone(timedelta(hours=5, minutes=45)))
    assert json.loads(contract.encode(MESSAGE._replace(time=local), KEY))["time"] == "2026-03-01T12:30:15.250Z"


def test_another_json_writer_may_order_and_space_the_fields_as_it_likes() -> None:
    payload = json.dumps(dict(reversed(json.loads(contract.encode(MESSAGE, KEY)).items())), indent=2).encode()
    assert contract.decode(TOPIC, payload, KEY) == MESSAGE


# Forgeries.


def test_every_flipped_bit_of_a_payload_is_refused() -> None:
    payload = contract.encode(MESSAGE, KEY)
    for at in range(len(payload) * 8):
        altered = bytearray(payload)
        altered[at // 8] ^= 1 << (at % 8)
        assert refusal(TOPIC, bytes(altered)) in ("forged", "malformed")


def test_every_other_byte_anywhere_in_the_data_is_refused() -> None:
    payload = contract.encode(MESSAGE, KEY)
    start = payload.index(b'"data"')
    for at in range(start, start + 60):
        for byte in set(range(256)) - {payload[at]}:
            assert refusal(TOPIC, payload[:at] + bytes([byte]) + payload[at + 1 :]) in ("forged", "malformed")


@settings(max_examples=150, deadline=None)
@given(messages, st.data())
def test_an_altered_byte_of_any_message_is_refused_or_says_the_same_in_other_letters(
    message: Message, data: st.DataObject
) -> None:
    # JSON can write the same twice (\u00e9, \u00E9); what it says is what is sealed.
    payload = bytearray(contract.encode(message, KEY))
    payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        decoded = contract.decode(str(message.topic), bytes(payload), KEY)
    except RemoteProtocolError:
        return
    assert decoded == message


@settings(max_examples=60, deadline=None)
@given(messages, st.data())
def test_a_cut_message_is_refused(message: Message, data: st.DataObject) -> None:
    payload = contract.encode(message, KEY)
    assert refusal(str(message.topic), payload[: data.draw(st.integers(0, len(payload) - 1))]) == "malformed"


@pytest.mark.parametrize(
    "other",
    [
        "strapline/v1/0a0b0c0e/event/0000002a",
        "strapline/v1/0a0b0c0d/event/0000002b",
        "strapline/v1/0a0b0c0d/position/0000002a",
        "strapline/v1/0a0b0c0d/event",
    ],
)
def test_a_message_moved_to_another_gateway_tag_or_channel_is_forged(other: str) -> None:
    assert refusal(other, contract.encode(MESSAGE, KEY)) == "forged"


def test_every_flipped_bit_of_a_topic_is_refused() -> None:
    payload, raw = contract.encode(MESSAGE, KEY), TOPIC.encode()
    for at in range(len(raw) * 8):
        altered = bytearray(raw)
        altered[at // 8] ^= 1 << (at % 8)
        assert refusal(bytes(altered).decode("latin-1"), payload) in ("forged", "topic")


@settings(max_examples=60)
@given(st.binary(min_size=32, max_size=32).filter(lambda key: key != KEY))
def test_a_message_under_another_key_is_forged(key: bytes) -> None:
    assert refusal(TOPIC, contract.encode(MESSAGE, KEY), key) == "forged"


@pytest.mark.parametrize("field", ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"])
def test_no_field_can_be_taken_out_changed_or_doubled(field: str) -> None:
    body = json.loads(contract.encode(MESSAGE, KEY))
    without = {name: value for name, value in body.items() if name != field}
    assert refusal(TOPIC, json.dumps(without).encode()) in ("forged", "malformed")
    assert refusal(TOPIC, json.dumps({**body, field: "2026-03-01T12:30:15.251Z"}).encode()) in ("forged", "malformed")
    doubled = json.dumps(body)[:-1] + f', "{field}": "2026-03-01T12:30:15.251Z"}}'
    assert refusal(TOPIC, doubled.encode()) in ("forged", "malformed")


@pytest.mark.parametrize("seal", [None, 5, "", "00" * 16, "é" * 32, "\ud800", ["a"], {"a": 1}, True])
def test_a_seal_of_any_other_shape_is_refused(seal: object) -> None:
    body = {**json.loads(contract.encode(MESSAGE, KEY)), "seal": seal}
    assert refusal(TOPIC, json.dumps(body).encode()) in ("forged", "malformed")


# Garbage.


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_random_bytes_are_malformed(payload: bytes) -> None:
    assert refusal(TOPIC, payload) == "malformed"


@settings(max_examples=200, deadline=None)
@given(plain_json)
def test_random_json_is_refused_with_a_remote_error(value: Any) -> None:
    assert refusal(TOPIC, json.dumps(value).encode()) in ("malformed", "forged")


fields = st.sampled_from(["id", "time", "data", "specversion", "subject", "more"])


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(fields, st.one_of(plain_json, st.dates().map(str), st.datetimes().map(str)), max_size=6))
def test_genuinely_sealed_nonsense_gives_a_message_with_a_zone_and_data_or_a_remote_error(body: dict[str, Any]) -> None:
    try:
        message = contract.decode(TOPIC, sealed(body), KEY)
    except RemoteProtocolError as error:
        refused = str(error.reason)
    else:
        assert isinstance(message.data, dict)
        assert message.time.utcoffset() is not None
        return
    assert refused == "malformed"


NESTED = (
    b"[" * 8000 + b"]" * 8000,
    b'{"a":' * 2500 + b"1" + b"}" * 2500,
    b"[" * LIMIT,
    b'{"seal":"", "data":' + b"[" * 5000,
)


@pytest.mark.parametrize("payload", NESTED, ids=["lists", "objects", "open", "inside"])
def test_deep_nesting_is_malformed(payload: bytes) -> None:
    assert len(payload) <= LIMIT
    assert refusal(TOPIC, payload) == "malformed"


@pytest.mark.parametrize("depth", range(100, 2500, 300))
def test_nesting_of_any_depth_is_a_remote_error_with_a_seal_field_too(depth: int) -> None:
    payload = (
        b'{"seal":"00","id":1,"time":"2026-03-01T12:00:00Z","data":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"
    )
    assert refusal(TOPIC, payload) in ("forged", "malformed")


HUGE = ("9" * 16000, "9" * 4300, "-" + "9" * 4299, "1e999999", "-1e400", "0." + "0" * 10000 + "1", "NaN", "Infinity")


@pytest.mark.parametrize("number", HUGE, ids=lambda number: f"{number[:9]}-{len(number)}")
def test_huge_and_odd_numbers_are_a_remote_error(number: str) -> None:
    payload = f'{{"seal":"{"0" * 32}","id":1,"time":"2026-03-01T12:00:00Z","data":{{"a":{number}}}}}'.encode()
    assert len(payload) <= LIMIT
    assert refusal(TOPIC, payload) in ("forged", "malformed")


@pytest.mark.parametrize(
    "changes",
    [
        {"data": None},
        {"data": []},
        {"data": "text"},
        {"data": 5},
        {"time": None},
        {"time": 1_700_000_000},
        {"time": ""},
        {"time": "2026-03-01"},
        {"time": "2026-03-01T12:00:00"},
        {"time": "2026-13-01T12:00:00Z"},
        {"time": "2026-03-01T12:00:00+99:00"},
        {"time": "2026-03-01\ud800" + "12:00:00"},
    ],
    ids=str,
)
def test_a_genuinely_sealed_message_with_a_wrong_type_or_time_is_malformed(changes: dict[str, Any]) -> None:
    assert contract.decode(TOPIC, sealed(genuine()), KEY).data == {}
    assert refusal(TOPIC, sealed(genuine(**changes))) == "malformed"


@pytest.mark.parametrize(
    "payload", [b"", b"null", b"true", b"5", b'"text"', b"[]", b"{}", b"\xff\xfe", b'{"seal":"00"}']
)
def test_what_is_no_sealed_object_is_malformed(payload: bytes) -> None:
    assert refusal(TOPIC, payload) == "malformed"


def test_what_is_larger_than_the_limit_is_not_even_parsed() -> None:
    payload = contract.encode(MESSAGE, KEY)
    fitting = payload + b" " * (LIMIT - len(payload))
    assert contract.decode(TOPIC, fitting, KEY) == MESSAGE
    assert refusal(TOPIC, fitting + b" ") == "oversized"


# Topics.


@given(topics)
def test_a_topic_parses_to_itself(topic: Topic) -> None:
    assert contract.parse_topic(str(topic)) == topic


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "strapline/v1",
        "strapline/v1/0a0b0c0d",
        "strapline/v2/0a0b0c0d/state",
        "Strapline/v1/0a0b0c0d/state",
        "/strapline/v1/0a0b0c0d/state",
        "strapline/v1/0a0b0c0d/state/",
        "strapline/v1/0a0b0c0d/event/0000002a/more",
        "strapline/v1/0A0B0C0D/state",
        "strapline/v1/0a0b0c0/state",
        "strapline/v1/0a0b0c0de/state",
        "strapline/v1/+/state",
        "strapline/v1/0a0b0c0d/#",
        "strapline/v1/0a0b0c0d/nothing",
        "strapline/v1/0a0b0c0d/event/jane doe",
        "strapline/v1/0a0b0c0d/event/٠٠٠٠٠٠٤٢",
    ],
)
def test_what_is_no_topic_of_ours_is_refused(text: str) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        contract.parse_topic(text)
    assert refused.value.reason == "topic"


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_a_random_topic_is_refused_with_a_remote_error(text: str) -> None:
    assert refusal(text, contract.encode(MESSAGE, KEY)) == "topic"


# Fields of the data.


def malformed(read: Callable[..., Any], *arguments: Any) -> bool:
    with pytest.raises(RemoteProtocolError) as refused:
        read(*arguments)
    return str(refused.value.reason) == "malformed"


@given(st.integers(-10, 300))
def test_a_number_field_is_an_integer_within_its_range(value: int) -> None:
    if 0 <= value <= 255:
        assert contract.number({"n": value}, "n", 0, 255) == value
    else:
        assert malformed(contract.number, {"n": value}, "n", 0, 255)


@pytest.mark.parametrize("value", [0, 1, 0xFFFFFFFF])
def test_a_number_field_is_32_bits_unless_told_otherwise(value: int) -> None:
    assert contract.number({"n": value}, "n") == value


@pytest.mark.parametrize("value", [True, False, 1.0, "1", None, [1], {}, float("nan"), -1, 1 << 32])
def test_a_number_field_is_nothing_else(value: object) -> None:
    assert malformed(contract.number, {"n": value}, "n")
    assert malformed(contract.number, {}, "n")


@given(st.binary(max_size=100))
def test_octets_travel_as_base64(data: bytes) -> None:
    assert contract.octets({"record": contract.text_of(data)}, "record") == data


@pytest.mark.parametrize(
    "value", [None, 5, [], {}, True, "A", "AA", "AAA", "AA==AA", "A A=", "AAA\n", "é===", "\ud800", "_-8="]
)
def test_octets_that_are_no_base64_are_malformed(value: object) -> None:
    assert malformed(contract.octets, {"record": value}, "record")
    assert malformed(contract.octets, {}, "record")
