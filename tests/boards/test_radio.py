"""The radio's driver on `bluetooth` as its documentation has it: single events, addresses, and notifications that find no buffer."""

import pytest

from board_bench import Bluetooth, Desk, WritingTag
from strapline_boards.radio import Radio
from strapline_simulator.board.chips.radio import Radio as RadioChip
from strapline_tag.outputs import BLE

ADDRESS, OTHER = bytes.fromhex("c1a2b3c4d5e6"), bytes.fromhex("c10000000002")
FRAME = bytes(range(24))


class _Desk(Desk):
    def __init__(self, *, hci=True, mtu=247, present=True):
        super().__init__()
        self.heard, self.notified, self.hung_up = [], [], 0
        self.chip = RadioChip(
            self.circuit,
            on_advertise=lambda address, data: self.heard.append((self.circuit.now, address, data)),
            on_send=self.notified.append,
            on_hang_up=self._hang_up,
        )
        self.chip.central_mtu = mtu
        self.chip.present = present
        self.bluetooth = Bluetooth(self.chip, hci=hci)
        self.is_set = False
        self.radio = Radio(self.bluetooth, self)
        self.radio.tag = self.tag = WritingTag()
        self.drivers = [self.radio]

    def _hang_up(self):
        self.hung_up += 1
        self.chip.disconnected()

    def _hand_over(self):
        self.bluetooth.ble.deliver(self.circuit)
        self.poll()

    def advertise(self, address=ADDRESS, frame=FRAME):
        self.radio.advertise(self.circuit.now, address, frame)


@pytest.fixture
def desk():
    return _Desk()


def test_a_heartbeat_is_one_event_from_its_address(desk):
    desk.advertise()
    desk.run(60_000)
    assert desk.heard == [(0, ADDRESS, FRAME)]


def test_a_burst_is_an_event_each(desk):
    for i in range(10):
        desk.advertise(frame=bytes([i]))
        desk.run(100)
    assert [(at, data) for at, _, data in desk.heard] == [(100 * i, bytes([i])) for i in range(10)]


def test_the_address_changes_while_it_is_silent(desk):
    # A controller refuses LE Set Random Address while it advertises.
    desk.advertise()
    desk.advertise(OTHER)
    desk.run(1000)
    assert [address for _, address, _ in desk.heard] == [ADDRESS, OTHER]


def test_a_stock_build_draws_another_address_at_each_change():
    desk = _Desk(hci=False)
    desk.advertise()
    first = desk.heard[-1][1]
    desk.advertise()
    desk.advertise(OTHER)
    assert desk.heard[1][1] == first
    assert desk.heard[2][1] not in (first, OTHER)


def test_what_a_central_writes_reaches_the_tag_whole(desk):
    line = bytes(i % 251 for i in range(555))
    desk.chip.connected()
    desk.chip.written(line)
    desk.run(1)
    assert desk.tag.said == [("up", BLE), (BLE, line)]
    assert desk.is_set


def test_notifications_fill_the_mtu_and_no_more(desk):
    desk.chip.connected()
    desk.run(1)
    desk.radio.send(desk.circuit.now, bytes(500))
    assert [len(part) for part in desk.notified] == [244, 244, 12]


def test_without_an_exchange_the_mtu_is_23():
    desk = _Desk(mtu=23)
    desk.chip.connected()
    desk.run(1)
    desk.radio.send(desk.circuit.now, b"x" * 45)
    assert [len(part) for part in desk.notified] == [20, 20, 5]


def test_a_notification_without_a_buffer_goes_later_and_in_order(desk):
    desk.chip.connected()
    desk.run(1)
    desk.chip.buffers = 1
    desk.radio.send(desk.circuit.now, b"a" * 244 + b"b" * 244)
    desk.radio.send(desk.circuit.now, b"c" * 10)
    desk.run(100)
    assert b"".join(desk.notified) == b"a" * 244
    desk.chip.buffers = None
    desk.run(100)
    assert b"".join(desk.notified) == b"a" * 244 + b"b" * 244 + b"c" * 10


def test_what_waited_dies_with_the_connection(desk):
    desk.chip.connected()
    desk.run(1)
    desk.chip.buffers = 0
    desk.radio.send(desk.circuit.now, b"for the first")
    desk.chip.disconnected()
    desk.run(100)
    desk.chip.buffers = None
    desk.chip.connected()
    desk.run(100)
    assert desk.notified == []
    assert desk.tag.turns() == ["up", "down", "up"]


def test_connected_it_still_tells_who_it_is(desk):
    desk.chip.connected()
    desk.run(1)
    desk.advertise()
    desk.run(100)
    assert len(desk.heard) == 1


def test_hanging_up_is_told_when_it_has_happened(desk):
    desk.chip.connected()
    desk.run(1)
    desk.radio.hang_up(desk.circuit.now)
    desk.run(1)
    assert desk.tag.turns() == ["up", "down"]


@pytest.mark.parametrize("has_module", [True, False])
def test_no_radio_is_a_fault_and_silence(has_module):
    desk = _Desk(present=False)
    radio = desk.radio if has_module else Radio(None, desk)
    assert radio.failed
    radio.advertise(0, ADDRESS, FRAME)
    radio.send(0, b"nobody")
    radio.hang_up(0)
    assert not radio.poll(0)
