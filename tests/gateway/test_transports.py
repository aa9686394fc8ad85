"""Strings that name links: what they mean, and what is said of wrong ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strapline_gateway.station import Station
from strapline_gateway.transports import Ble, Serial, Tcp, open_links, parse
from strapline_protocol.errors import UserError


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("ble:", Ble()),
        ("ble:hci1", Ble("hci1")),
        ("serial:/dev/ttyUSB0", Serial("/dev/ttyUSB0", 115_200)),
        ("serial:/dev/ttyUSB0@9600", Serial("/dev/ttyUSB0", 9600)),
        ("serial:/dev/serial/by-id/usb-a@b:c-if00@9600", Serial("/dev/serial/by-id/usb-a@b:c-if00", 9600)),
        ("tcp:0.0.0.0:7070", Tcp("0.0.0.0", 7070)),
        ("tcp:[::1]:7070", Tcp("::1", 7070)),
        ("tcp:gateway.example:0", Tcp("gateway.example", 0)),
        ("tcp:*:7070", Tcp("", 7070)),
        ("tcp::7070", Tcp("", 7070)),
    ],
)
def test_a_string_names_a_link(text, meant):
    assert parse(text) == meant


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        ("", "ble:"),
        ("ble", "ble:[ADAPTER]"),
        ("usb:/dev/ttyUSB0", "serial:PORT"),
        ("ble:/dev/hci0", "ble:hci1"),
        ("serial:", "serial:/dev/ttyUSB0"),
        ("serial:@9600", "serial:/dev/ttyUSB0"),
        ("serial:/dev/ttyUSB0@fast", "serial:/dev/ttyUSB0@115200"),
        ("serial:/dev/ttyUSB0@0", "300 to 4000000"),
        ("serial:/dev/ttyUSB0@²", "baud"),
        ("tcp:0.0.0.0", "tcp:0.0.0.0:7070"),
        ("tcp:0.0.0.0:", "tcp:0.0.0.0:7070"),
        ("tcp:0.0.0.0:70707", "tcp:0.0.0.0:7070"),
        ("tcp:::1:7070", "tcp:[::1]:7070"),
    ],
)
def test_a_wrong_string_is_named_with_its_mend(text, mend):
    with pytest.raises(UserError) as caught:
        parse(text)
    assert repr(text) in str(caught.value)
    assert mend in str(caught.value)
    assert "\n" not in str(caught.value)


@given(
    st.one_of(st.text(), st.sampled_from(["ble:", "serial:", "tcp:"]).flatmap(lambda kind: st.text().map(kind.__add__)))
)
def test_any_string_is_a_link_or_a_mistake(text):
    try:
        parse(text)
    except UserError:
        return


def opened(*texts):
    return open_links(texts, Station(1, [], bytes, home=True), lambda: None, lambda _notice: None)


@pytest.mark.parametrize(
    "texts",
    [
        ("ble:", "ble:hci0"),
        ("ble:", "ble:"),
        ("ble:hci0", "ble:hci0"),
        ("serial:/dev/ttyUSB0", "serial:/dev/ttyUSB0@9600"),
        ("tcp:0.0.0.0:7070", "tcp:0.0.0.0:7070"),
    ],
)
def test_one_place_is_no_two_links(texts):
    with pytest.raises(UserError):
        opened(*texts)


def test_a_gateway_has_any_number_of_links_and_each_goes_by_its_string():
    texts = ("tcp:127.0.0.1:0", "tcp:127.0.0.1:0", "serial:/dev/ttyUSB0", "ble:hci0", "ble:hci1")
    assert tuple(link.health.name for link in opened(*texts)) == texts
    assert {link.health.state for link in opened(*texts)} == {"closed"}
