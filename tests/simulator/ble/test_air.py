"""Who hears which advertising event, at what strength, and what an idle air costs."""

import asyncio
from random import Random

import pytest
from bumble.controller import Controller
from bumble.device import AdvertisingType

from strapline_simulator.ble import Air
from strapline_simulator.clock import run_virtual
from strapline_wire import gatt

ADDRESS = bytes.fromhex("c0a1a2a3a4a5")
SERVICE_DATA = f"0000{gatt.SERVICE_DATA_UUID16:04x}-0000-1000-8000-00805f9b34fb"


def test_a_scan_reports_each_event_with_its_strength_and_service_data(bench):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        async with gateway.scanner():
            for index in range(10):
                bench.dbm["tag", "gateway"] = -40 - index
                tag.radio.advertise(ADDRESS, bytes((index,)) * 24)
                await asyncio.sleep(0.1)
        tag.radio.advertise(ADDRESS, bytes(24))
        await asyncio.sleep(0.1)
        await bench.stop()
        return gateway.heard

    heard = run_virtual(main())
    assert [data.rssi for _, data in heard] == [-40 - index for index in range(10)]
    assert [data.service_data for _, data in heard] == [{SERVICE_DATA: bytes((index,)) * 24} for index in range(10)]
    assert {device.address for device, _ in heard} == {"C0:A1:A2:A3:A4:A5"}


def test_out_of_reach_nothing_is_heard(bench):
    async def main():
        tag, near, far = await bench.tag(), await bench.gateway("near"), await bench.gateway("far")
        bench.dbm["tag", "far"] = None
        async with near.scanner(), far.scanner():
            await tag.beacon(5)
        await bench.stop()
        return len(near.heard), len(far.heard)

    assert run_virtual(main()) == (5, 0)


@pytest.mark.parametrize(("dbm", "reported"), [(-127, -127), (-200, -127), (20, 20), (90, 20), (0, 0), (-1, -1)])
def test_strengths_beyond_what_a_report_can_say_are_cut(bench, dbm, reported):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        bench.dbm["tag", "gateway"] = dbm
        async with gateway.scanner():
            await tag.beacon(1)
        await bench.stop()
        return gateway.heard[0][1].rssi

    assert run_virtual(main()) == reported


def test_loss_strikes_each_listener_for_itself(bench):
    async def main():
        tag, one, two = await bench.tag(), await bench.gateway("one"), await bench.gateway("two")
        bench.air.loss = 0.5
        async with one.scanner(), two.scanner():
            for index in range(1000):
                tag.radio.advertise(ADDRESS, index.to_bytes(2, "big"))
                await asyncio.sleep(0.1)
        await bench.stop()
        return [{data.service_data[SERVICE_DATA] for _, data in gateway.heard} for gateway in (one, two)]

    one, two = run_virtual(main())
    assert 400 < len(one) < 600
    assert 400 < len(two) < 600
    assert 200 < len(one & two) < 300


def test_the_tap_sees_every_event_that_is_sent_heard_or_not(bench):
    tapped = []
    bench.air.on_advertisement = lambda *event: tapped.append(event)

    async def main():
        tag = await bench.tag()
        await asyncio.sleep(2)
        tag.radio.advertise(ADDRESS, b"\x01\x02")
        await bench.stop()

    run_virtual(main())
    assert tapped == [(2.0, "tag", ADDRESS, bytes.fromhex("020106 0516e7ff0102"))]


def test_an_idle_air_has_no_timers(bench):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        async with gateway.scanner():
            await tag.beacon(3)
            timers = [timer for timer in asyncio.get_running_loop()._scheduled if not timer.cancelled()]
        await bench.stop()
        return timers

    assert run_virtual(main()) == []


def test_an_air_forgets_a_closed_connection_and_its_timer(whole_bench):
    async def main():
        tag, gateway = await whole_bench.tag(), await whole_bench.gateway()
        client = await whole_bench.connected(tag, gateway)
        await client.disconnect()
        await asyncio.sleep(1)
        timers = [timer for timer in asyncio.get_running_loop()._scheduled if not timer.cancelled()]
        await whole_bench.stop()
        return timers, whole_bench.air._ways

    assert run_virtual(main()) == ([], {})


@pytest.mark.parametrize("kind", [AdvertisingType.UNDIRECTED_CONNECTABLE_SCANNABLE, AdvertisingType.UNDIRECTED])
def test_advertising_on_bumbles_timer_keeps_the_interval_that_was_asked_for(whole_bench, kind):
    times = []
    whole_bench.air.on_advertisement = lambda time, *_: times.append(round(time, 6))

    async def main():
        tag = await whole_bench.tag()
        device = tag.radio._radio.device
        await device.start_advertising(kind, advertising_interval_min=100, advertising_interval_max=100)
        await asyncio.sleep(0.45)
        await device.stop_advertising()
        await whole_bench.stop()

    run_virtual(main())
    assert times == [0.0, 0.1, 0.2, 0.3, 0.4]


def test_two_nodes_of_one_name_and_foreign_controllers_are_refused(bench):
    async def main():
        await bench.tag("same")
        with pytest.raises(ValueError, match="two nodes"):
            await bench.gateway("same")
        with pytest.raises(TypeError):
            Controller("stock", link=Air(lambda _a, _b: None, Random(0)))
        await bench.stop()

    run_virtual(main())
