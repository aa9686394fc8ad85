"""Without what it does for nobody, bumble still does what it is for."""

from bumble.core import UUID
from hypothesis import given
from hypothesis import strategies as st

from strapline_simulator.ble.lean import make_lean

make_lean()


@given(st.sampled_from((2, 4, 16)).flatmap(lambda size: st.binary(min_size=size, max_size=size)))
def test_a_uuid_that_is_read_twice_is_one_object(data):
    assert UUID.from_bytes(data) is UUID.from_bytes(data)
    assert UUID.from_bytes(data) == UUID(data[::-1].hex())


def test_a_uuid_that_bumble_knows_keeps_its_name_in_every_length():
    battery = UUID.from_16_bits(0x180F)
    assert battery.name == "Battery"
    assert UUID.from_bytes(battery.to_bytes(force_128=True)) is battery


def test_a_name_that_comes_later_is_kept():
    data = bytes.fromhex("5ca1ab1e") * 4
    nameless = UUID.from_bytes(data)
    assert UUID.from_bytes(data, "Lamp") is nameless
    assert nameless.name == "Lamp"
