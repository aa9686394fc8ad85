"""Adapters that fall deaf, vanish, hang or are not there, and a Bluetooth service that is killed: by backends that a test spoils."""

import asyncio
import logging

import pytest
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason, BleakDBusError

from hand_made_tag import OTHER_SECRET, OTHER_TAG
from radio_bench import Bench, codes, for_ever, link_state, notices, now, on_air, raising, spoilt
from strapline_gateway.health import LinkState
from strapline_gateway.hearing import DEAF_AFTER_S
from strapline_gateway.radio import CALL_LIMIT_S
from strapline_gateway.station import IDLE_S, LEAVE_AFTER_S, Connect
from strapline_protocol.definitions import State
from strapline_protocol.notices import NoticeCode
from strapline_simulator.clock import run_virtual

DEAF, BACK = NoticeCode.RADIO_DEAF, NoticeCode.RADIO_BACK


@pytest.fixture(autouse=True)
def _the_log_is_ours(caplog):
    """What the gateway says of its radio, and nothing that a library or asyncio complains of."""
    yield
    others = [r for r in caplog.get_records("call") if r.levelno >= logging.WARNING and not r.name.endswith("radio")]
    assert [record.getMessage() for record in others] == []


class Fault:
    """An adapter whose scanner hears nothing while `deaf`, and does what `failing` raises while that is set."""

    def __init__(self, bench):
        fault, backend = self, bench.radio.scanner_backend
        self.deaf = False
        self.mended_by = "start"
        self.failing = None
        self.starts = 0
        self.resets = []

        async def start(scanner):
            fault.starts += 1
            if fault.failing is not None:
                raise fault.failing
            if fault.mended_by == "start":
                fault.deaf = False
            await backend.start(scanner)

        async def stop(scanner):
            await backend.stop(scanner)
            if fault.failing is not None:
                raise fault.failing

        def heard(scanner, report):
            if not fault.deaf and fault.failing is None:
                backend._on_heard(scanner, report)

        self.backend = spoilt(backend, start=start, stop=stop, _on_heard=heard)

    async def reset(self, adapter):
        self.resets.append(adapter)
        await asyncio.sleep(1)
        if self.mended_by == "reset":
            self.deaf = False


def test_an_adapter_that_falls_deaf_among_others_is_restarted_and_told_once():
    async def story(bench):
        fault, tag = Fault(bench), await bench.tag()
        more = [await bench.tag(f"tag-{n}", f"7a90010{n}", bytes([n]) * 16) for n in range(3)]
        fault.mended_by = "reset"
        async with bench.running(scanner_backend=fault.backend, reset=fault.reset):
            await asyncio.gather(*(one.beacon(20, 2.0) for one in [tag, *more]))
            assert link_state(bench) == LinkState.UP
            fault.deaf = True
            await tag.beacon(DEAF_AFTER_S - 5)
            assert codes(bench) == []
            await tag.beacon(10)
            assert codes(bench) == [DEAF]
            assert link_state(bench) == LinkState.DEAF
            assert fault.resets == []
            await tag.beacon(DEAF_AFTER_S + 20)
            assert fault.resets == [""]
            assert codes(bench) == [DEAF, BACK]
            assert link_state(bench) == LinkState.UP
            assert bench.gateway.health()[0].restarts == 2
            silent_s = notices(bench)[1].detail["silent_s"]
            assert DEAF_AFTER_S < silent_s < 2 * DEAF_AFTER_S + 20
        for one in more:
            assert one.tag.ident in bench.gateway.station._tags

    on_air(story)


@pytest.mark.parametrize(("mended_by", "restarts"), [("start", 1), ("reset", 2)])
def test_a_tag_alone_with_a_deaf_adapter_is_heard_again_before_it_counts_as_gone(mended_by, restarts):
    async def story(bench):
        fault, tag = Fault(bench), await bench.tag()
        fault.mended_by = mended_by
        async with bench.running(scanner_backend=fault.backend, reset=fault.reset):
            await tag.beacon(5)
            fault.deaf = True
            await tag.beacon(LEAVE_AFTER_S)
            assert bench.gateway.health()[0].restarts == restarts
            assert codes(bench) == [NoticeCode.RADIO_RESTARTED]
            assert bench.presences() == [True]

    on_air(story)


def test_a_tag_that_goes_out_of_an_empty_house_makes_no_alert_and_its_scanner_is_tried_now_and_then():
    async def story(bench):
        fault, tag = Fault(bench), await bench.tag()
        async with bench.running(scanner_backend=fault.backend, reset=fault.reset):
            await tag.beacon(5)
            await asyncio.sleep(7000)
            assert link_state(bench) == LinkState.QUIET
            assert 5 < fault.starts < 15
            await tag.beacon(5)
            assert codes(bench) == []
            assert len(fault.resets) == fault.starts - 2
            assert bench.presences() == [True, False, True]

    on_air(story)


KILLED = BleakDBusError("org.freedesktop.DBus.Error.ServiceUnknown", ["org.bluez was not provided"])


@pytest.mark.parametrize("error", [KILLED, EOFError("the bus is gone"), BleakDBusError("org.bluez.Error.NotReady", [])])
def test_a_bluetooth_service_that_is_killed_is_found_out_by_the_silence_and_taken_when_it_is_back(error):
    """No disconnect callback comes, and `is_connected` stays true: the age of the data is what tells."""

    async def story(bench):
        fault, tag = Fault(bench), await bench.tag()
        tag.flags = State.PENDING
        async with bench.running(scanner_backend=fault.backend, reset=fault.reset) as gateway:
            await tag.beacon(3)
            assert gateway.station._connections != {}
            fault.failing = error
            await asyncio.sleep(IDLE_S + CALL_LIMIT_S + 1)
            assert gateway.station._connections == {}
            await tag.beacon(DEAF_AFTER_S + 20)
            assert codes(bench) == [DEAF]
            assert link_state(bench) == LinkState.DOWN
            fault.failing = None
            await tag.beacon(62)
            assert codes(bench) == [DEAF, BACK]
            assert link_state(bench) == LinkState.UP
            assert gateway.station._tags[tag.tag.ident].heard_at > now() - 2

    on_air(story)


def test_a_call_that_fails_for_the_adapter_brings_the_restart_forward():
    async def story(bench):
        fault, tag = Fault(bench), await bench.tag()
        gone = BleakBluetoothNotAvailableError("gone", BleakBluetoothNotAvailableReason.NO_BLUETOOTH)
        async with bench.running(
            scanner_backend=fault.backend, client_backend=spoilt(bench.radio.client_backend, connect=raising(gone))
        ):
            await tag.beacon(2)
            assert fault.starts == 2

    on_air(story)


def test_a_call_that_fails_for_the_device_does_not_restart_the_scanner():
    async def story(bench):
        fault, tag = Fault(bench), await bench.tag()
        busy = BleakDBusError("org.bluez.Error.InProgress", [])
        async with bench.running(
            scanner_backend=fault.backend, client_backend=spoilt(bench.radio.client_backend, connect=raising(busy))
        ):
            await tag.beacon(60)
            assert fault.starts == 1
            assert bench.failures["InProgress"] >= 3

    on_air(story)


def test_a_scan_that_is_in_progress_already_is_tried_again_and_then_the_adapter_is_reset():
    async def story(bench):
        fault, tag = Fault(bench), await bench.tag()
        fault.failing = BleakDBusError("org.bluez.Error.InProgress", [])
        async with bench.running(scanner_backend=fault.backend, reset=fault.reset, adapter="hci1"):
            await asyncio.sleep(1.5)
            assert fault.starts == 2
            await asyncio.sleep(3)
            assert fault.resets == ["hci1"]
            fault.failing = None
            await tag.beacon(10)
            assert bench.presences() == [True]
            assert codes(bench) == []  # not long enough to be worth a person's while

    on_air(story)


@pytest.mark.parametrize("method", ["start", "stop"])
def test_a_scanner_that_hangs_does_not_hang_the_gateway(method):
    async def story(bench):
        backend = spoilt(bench.radio.scanner_backend, **{method: for_ever})
        async with bench.running(scanner_backend=backend, deaf_when_alone=True):
            await asyncio.sleep(200)
            assert bench.failures["TimeoutError"] >= 1
            assert DEAF in codes(bench)
            assert now() < 210

    on_air(story)


def test_a_reset_that_hangs_or_fails_does_not_hang_the_gateway():
    async def story(bench):
        fault, tag = Fault(bench), await bench.tag()
        fault.failing = KILLED
        async with bench.running(scanner_backend=fault.backend, reset=for_ever):
            await asyncio.sleep(120)
            fault.failing = None
            await tag.beacon(62)
            assert bench.presences() == [True]

    on_air(story)


def test_a_scanner_that_could_not_be_stopped_is_heard_no_more():
    async def story(bench):
        fault, tag = Fault(bench), await bench.tag()
        heard = bench.radio.scanner_backend._on_heard
        scanners = []

        def remember(scanner, report):
            scanners.append(scanner)
            heard(scanner, report)

        async with bench.running(scanner_backend=spoilt(fault.backend, _on_heard=remember)) as gateway:
            await tag.beacon(2)
            await asyncio.sleep(DEAF_AFTER_S + 10)
            await tag.beacon(2)
            old, new = scanners[0], scanners[-1]
            assert old is not new
            count = gateway.station.rejected.total() + gateway.station.accepted
            old.call_detection_callbacks(*next(iter(old.seen_devices.values())))
            assert gateway.station.rejected.total() + gateway.station.accepted == count

    on_air(story)


def test_a_tag_whose_connection_hangs_keeps_others_waiting_for_a_bounded_time_only():
    async def story(bench):
        one, two = await bench.tag("one"), await bench.tag("two", OTHER_TAG, OTHER_SECRET)
        two.flags, two.records = State.PENDING, [two.tag.event()]
        client = bench.radio.client_backend
        address = one.tag.address.hex(":").upper()

        async def connect(self, *arguments, **options):
            await (for_ever() if self.address == address else client.connect(self, *arguments, **options))

        async def disconnect(self):
            await (for_ever() if self.address == address else client.disconnect(self))

        async with bench.running(client_backend=spoilt(client, connect=connect, disconnect=disconnect)):
            one.advertise()
            await asyncio.sleep(0.01)
            start = now()
            await two.beacon(16 + CALL_LIMIT_S + 3)
            assert [record.tag for record in bench.records()] == [two.tag.ident]
            assert now() - start < 30

    on_air(story)


def test_a_connect_for_a_device_that_nobody_has_heard_is_a_failed_call():
    async def story(bench):
        tag = await bench.tag()
        async with bench.running() as gateway:
            gateway._perform(Connect(tag.tag.ident, "AA:BB:CC:DD:EE:FF"))
            assert gateway.station._tags[tag.tag.ident].failures == 1
            await tag.beacon(10)
            assert gateway.station._tags[tag.tag.ident].failures == 0

    on_air(story)


def test_a_gateway_starts_without_a_radio_and_tells_and_takes_it_when_it_is_there(caplog):
    async def main():
        bench = Bench()
        tag = await bench.tag()
        async with bench.running():
            assert link_state(bench) == LinkState.DOWN
            await asyncio.sleep(3)
            assert codes(bench) == []
            await asyncio.sleep(3600.5)
            assert codes(bench) == [NoticeCode.RADIO_DEAF]
            await bench.radio.start()
            await tag.beacon(61)
            assert codes(bench) == [NoticeCode.RADIO_DEAF, NoticeCode.RADIO_BACK]
            assert link_state(bench) == LinkState.UP
            assert bench.presences() == [True]
            assert set(bench.failures) == {"BleakBluetoothNotAvailableError"}
        await tag.radio.stop()
        await bench.radio.stop()

    run_virtual(main())
    assert sum("cannot be started" in line for line in caplog.messages) == 1
    caplog.clear()
