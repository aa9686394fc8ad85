"""The u-blox M10 and its driver: settings once, rest between positions, and noise on the line."""

import pytest

from board_bench import Desk, WritingTag
from strapline_boards.deadlines import NEVER
from strapline_boards.ublox import Receiver
from strapline_simulator.board.chips.ublox import Ublox, checksum, mon_rf, ubx

_RATE_MS, _GSV, _GPS, _GLONASS = 0x30210001, 0x209100C5, 0x1031001F, 0x10310025


@pytest.fixture
def desk():
    desk = Desk()
    desk.power = []
    desk.chip = desk.circuit.uarts[0] = Ublox(desk.circuit, 0, desk.power.append)
    desk.receiver = Receiver(desk.line(0))
    desk.receiver.tag = desk.tag = WritingTag()
    desk.drivers = [desk.receiver]
    return desk


def test_it_is_set_once_and_then_rests(desk):
    desk.run(5000)
    settings = desk.chip.settings
    assert (settings[_RATE_MS], settings[_GSV], settings[_GPS], settings[_GLONASS]) == (1000, 0, 1, 0)
    assert (desk.chip.awake, desk.power, desk.receiver.failed, desk.receiver.due) == (False, [False], False, NEVER)


def test_it_wakes_and_rests_with_what_the_tag_wants(desk):
    desk.run(5000)
    desk.receiver.power(desk.circuit.now, True)
    desk.run(1000)
    desk.chip.emit(b"$GNRMC,1")
    desk.run(1000)
    desk.receiver.power(desk.circuit.now, False)
    desk.run(1000)
    assert desk.power == [False, True, False]
    assert desk.tag.stream("gnss").endswith(b"$GNRMC,1")
    assert not desk.receiver.failed


def test_wanted_from_the_start_it_is_set_and_stays_awake(desk):
    desk.receiver.power(0, True)
    desk.run(5000)
    assert desk.chip.settings
    assert desk.chip.awake
    assert desk.receiver.due == NEVER


def test_an_acknowledgement_among_noise_counts(desk):
    desk.split = 3
    desk.run(505)  # the settings are out, the answer is not yet here
    desk.chip.emit(b"\xb5\x62\xb5$GN\xff\xfe\x00")
    desk.run(3000)
    assert not desk.receiver.failed
    assert desk.receiver.due == NEVER


def test_settings_that_are_refused_are_a_fault(desk):
    desk.chip._set = lambda payload: False
    desk.run(10_000)
    assert desk.receiver.failed
    assert desk.chip.refused == 3


def test_a_silent_receiver_is_a_fault_and_mends_when_it_answers_again(desk):
    desk.chip.present = False
    desk.run(10_000)
    assert desk.receiver.failed
    desk.chip.present = True
    desk.receiver.power(desk.circuit.now, True)
    desk.run(3000)
    assert not desk.receiver.failed
    assert desk.chip.settings


@pytest.mark.parametrize("split", [0, 1, 7, 25])
def test_the_jamming_indicator_is_read_wherever_the_line_cuts_it(desk, split):
    desk.run(5000)
    desk.receiver.power(desk.circuit.now, True)
    desk.run(1000)
    desk.split = split
    desk.chip.emit(b"$GNGGA,1*00\r\n" + mon_rf(137) + b"$GNRMC\r\n")
    desk.run(10)
    assert desk.receiver.jam == 137


def test_its_frames_carry_the_checksum_that_receivers_make():
    # As seen on lines of real ones: UBX-CFG-RATE for 5 Hz, and the acknowledgement of UBX-CFG-PRT.
    assert ubx(0x06, 0x08, bytes.fromhex("c80001000100")).hex() == "b56206080600c80001000100de6a"
    assert ubx(0x05, 0x01, b"\x06\x00").hex() == "b5620501020006000e37"
    assert checksum(b"\x05\x01\x02\x00\x06\x00") == b"\x0e\x37"
