"""Reading packets: whatever stands in a trace, it is something, and a key that is not the right one opens nothing."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hand_made_tag import OTHER_SECRET, SECRET, TAG, HandMadeTag
from strapline_protocol.keys import centre_keys, gateway_keys
from strapline_simulator.trace import INTERFACES, Packet
from strapline_simulator.traces.keybox import KeyBox
from strapline_simulator.traces.reading import Reader
from strapline_simulator.traces.show import line_of
from strapline_wire import frames

T0 = 1_768_201_200.0


def box(secret=SECRET, *, centre=True):
    keys = KeyBox()
    keys.add([gateway_keys(TAG, secret)], [centre_keys(TAG, secret)] if centre else [])
    return keys


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["data", "record", "source", "tag", "time", "id"]) | st.text(max_size=3), inner, max_size=4
        )
    ),
)
TOPICS = st.sampled_from(
    [
        "strapline/v1/6a7e0001/event/7a900001",
        "strapline/v1/6a7e0001/receipt",
        "strapline/v1/6a7e0001/command/7a900001",
        "ha/x",
        "",
        "\u00e4",
    ]
)


@st.composite
def publications(draw):
    event = draw(JSON)
    if isinstance(event, dict):
        event = {"time": "2026-03-02T19:00:00Z", "id": "1", **event}
    return draw(TOPICS).encode() + b"\0" + json.dumps(event).encode()


@given(
    st.sampled_from([*INTERFACES, "eth\x1b0"]),
    st.binary(max_size=80) | publications(),
    st.booleans() | st.none(),
    st.text(max_size=20),
)
def test_whatever_a_packet_holds_it_is_one_line(interface, data, inbound, comment):
    reading = Reader(box()).read(Packet(interface, T0, data, comment, inbound))
    assert reading.kind
    assert line_of(reading).isprintable()


def test_nesting_without_end_is_broken_and_no_traceback():
    deep = b"[" * 100_000
    for interface, data in (("truth", deep), ("mqtt", b"strapline/v1/6a7e0001/event/7a900001\0" + deep)):
        assert Reader(KeyBox()).read(Packet(interface, T0, data)).kind in ("broken", "message")


def call(tag):
    """HELLO, WELCOME, REPLY, RECORD of a call, as packets of the line 5."""
    from strapline_protocol.cipher import HostCipher
    from strapline_wire import link, session

    def packet(data, inbound):
        return Packet("serial", T0, link.decode(data.strip(b"\0"))[link.HEADER_SIZE :], "line=5", inbound)

    hello = packet(tag.hello(0.0), inbound=True)
    keys = tag.gateway_keys
    _, welcome, _ = session.welcome(hello.data, keys.link, HostCipher(keys.header), 0x6A7E0001, 1, bytes(8), HostCipher)
    tag.receive(link.encode(bytes((9, 0, 0)) + welcome))
    sealed = tag.event(frames.EVENT_BUTTON)
    return [
        hello,
        Packet("serial", T0, welcome, "line=5", False),
        packet(tag.reply(0.0), True),
        packet(tag.send(sealed), True),
    ], sealed


@pytest.mark.parametrize("secret", [SECRET, OTHER_SECRET], ids=["its own key", "another tag's"])
def test_a_connection_is_opened_with_its_own_key_and_with_no_other(secret):
    packets, sealed = call(HandMadeTag())
    *_, reply, record = Reader(box(secret)).read_all(packets)
    if secret is SECRET:
        assert (reply.tag, reply.fields["boot"]) == (TAG, 1)
        assert (record.tag, record.body, record.fields["code"]) == (TAG, sealed, "button")
    else:
        assert (reply.tag, record.tag, record.body) == ("", "", b"")


def test_a_gateways_share_tells_whose_record_it_is_and_not_what_it_says():
    packets, sealed = call(HandMadeTag())
    *_, record = Reader(box(centre=False)).read_all(packets)
    assert record.body == sealed
    assert record.fields == {"is": "event", "journal": HandMadeTag().journal, "sequence": 1, "sealed": 18}


def test_a_connection_whose_beginning_is_missing_stays_closed():
    packets, _ = call(HandMadeTag())
    assert [reading.body for reading in Reader(box()).read_all(packets[1:])][1:] == [b"", b""]
