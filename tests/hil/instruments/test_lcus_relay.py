"""LCUS-type relay boards: their bytes, three kinds of status, and what it means that a relay does not move."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instrument_bench import closing
from strapline_hil.instruments.fakes.lcus import FakeLcus
from strapline_hil.instruments.lcus_relay import LcusRelay, command, parse_states
from strapline_hil.verdict import RigError

QUICK = {"timeout_s": 1.0, "settle_s": 0.0}


def test_the_sellers_own_examples():
    assert command(1, on=True) == bytes.fromhex("A00101A2")
    assert command(1, on=False) == bytes.fromhex("A00100A1")


@pytest.mark.parametrize("answers", ["lines", "bytes"])
def test_what_is_told_moves_before_the_call_returns(answers):
    moved = []
    with (
        FakeLcus(lambda *change: moved.append(change), answers=answers) as fake,
        closing(LcusRelay(fake.port, **QUICK)) as relays,
    ):
        relays.set(3, True)
        assert moved == [(3, True)]
        assert relays.states() == {1: False, 2: False, 3: True, 4: False}
        relays.set(3, True)
        assert moved == [(3, True)]
    assert moved == [(3, True), (3, False)]


def test_a_board_of_one_channel_is_taken_at_its_word_and_says_so():
    with FakeLcus(channels=1, answers="nothing") as fake, closing(LcusRelay(fake.port, channels=1, **QUICK)) as relays:
        relays.set(1, True)
        assert relays.states() == {1: True}
        assert relays.check() == []
        assert "confirms nothing" in relays.blind_spots()[0]


def test_a_command_that_is_lost_is_given_again():
    with FakeLcus() as fake, closing(LcusRelay(fake.port, **QUICK)) as relays:
        fake.faults.add("deaf", times=2)
        relays.set(1, True)
        assert fake.contacts[1]


def test_a_channel_that_does_not_obey_is_a_fault_of_the_rig():
    with FakeLcus() as fake, closing(LcusRelay(fake.port, **QUICK)) as relays:
        fake.faults.add("deaf")
        with pytest.raises(RigError, match="channel 2 does not switch on"):
            relays.set(2, True)
        assert any("channel 2" in finding for finding in relays.check())


def test_a_welded_contact_is_not_seen_by_the_board():
    with FakeLcus() as fake, closing(LcusRelay(fake.port, **QUICK)) as relays:
        fake.faults.add("stuck")
        relays.set(1, True)
        assert fake.told[1]
        assert not fake.contacts[1]


def test_a_channel_that_it_does_not_have():
    with (
        FakeLcus() as fake,
        closing(LcusRelay(fake.port, **QUICK)) as relays,
        pytest.raises(RigError, match=r"no channel 5 \(it has 4\)"),
    ):
        relays.set(5, True)


def test_fewer_channels_than_the_rig_file_says():
    with FakeLcus() as fake, pytest.raises(RigError, match="no status of 8 channels"):
        LcusRelay(fake.port, channels=8, timeout_s=0.1)


def test_without_the_cables_power_its_contacts_fall_back():
    moved = []
    with (
        FakeLcus(lambda *change: moved.append(change)) as fake,
        closing(LcusRelay(fake.port, **QUICK)) as relays,
    ):
        relays.set(1, True)
        fake.faults.add("gone")
        assert moved == [(1, True), (1, False)]


states = st.lists(st.booleans(), min_size=1, max_size=16)


def lines(on, separator):
    return separator.join(f"CH{number}: {'ON' if state else 'OFF'}" for number, state in enumerate(on, 1)).encode()


@given(on=states, separator=st.sampled_from(["\r\n", " \r\n", "\n", ""]))
def test_both_forms_of_a_status_are_read(on, separator):
    expected = dict(enumerate(on, 1))
    assert parse_states(lines(on, separator), len(on)) == expected
    assert parse_states(bytes(on), len(on)) == expected


@given(on=states, data=st.data())
def test_a_part_of_a_status_is_none(on, data):
    whole = lines(on, "\r\n")
    part = whole[: data.draw(st.integers(0, len(whole) - 1))]
    assert parse_states(part, len(on)) is None


@given(on=states, data=st.data())
def test_a_byte_with_a_wrong_top_bit_is_noticed(on, data):
    whole = bytearray(lines(on, "\r\n"))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= 0x80
    assert parse_states(bytes(whole), len(on)) is None


@given(st.binary(max_size=60), st.integers(1, 16))
def test_anything_else_is_none_or_a_status(answer, channels):
    found = parse_states(answer, channels)
    assert found is None or list(found)[:channels] == list(range(1, channels + 1))
