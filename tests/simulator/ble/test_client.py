"""bleak's client over the air: connecting in virtual time, GATT, and the errors that a gateway has to live with."""

import asyncio

import pytest
from bleak.backends.device import BLEDevice
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakCharacteristicNotFoundError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
)

from strapline_simulator.clock import run_virtual
from strapline_wire import gatt

ADDRESS = bytes.fromhex("c0a1a2a3a4a5")
DEVICE = BLEDevice("C0:A1:A2:A3:A4:A5", None, None)
DEVICE_NAME = "00002a00-0000-1000-8000-00805f9b34fb"


def now():
    return asyncio.get_running_loop().time()


def test_connect_write_and_notify(bench):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        tag.answer = lambda data: b"echo " + data
        client = await bench.connected(tag, gateway)
        assert client.is_connected
        echoes = []
        await client.start_notify(gatt.FROM_TAG_UUID, lambda source, data: echoes.append((source.uuid, data)))
        await client.write_gatt_char(gatt.TO_TAG_UUID, b"one", response=True)
        await client.write_gatt_char(gatt.TO_TAG_UUID, b"two", response=False)
        await client.write_gatt_char(gatt.TO_TAG_UUID, bytes(400), response=True)
        await asyncio.sleep(1)
        name = await client.read_gatt_char(DEVICE_NAME)
        await client.disconnect()
        await bench.stop()
        return tag.received, echoes, name, client.is_connected, len(gateway.lost)

    received, echoes, name, is_connected, times_lost = run_virtual(main())
    assert received == [b"one", b"two", bytes(400)]
    assert echoes[:2] == [(gatt.FROM_TAG_UUID, bytearray(b"echo one")), (gatt.FROM_TAG_UUID, bytearray(b"echo two"))]
    assert b"".join(bytes(data) for _, data in echoes[2:]) == b"echo " + bytes(400)
    assert name == bytearray(b"tag")
    assert not is_connected
    assert times_lost == 1


def test_the_service_is_found_as_it_was_declared(bench):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        client = await bench.connected(tag, gateway, services=[gatt.SERVICE_UUID])
        found = {
            service.uuid: {characteristic.uuid: characteristic for characteristic in service.characteristics}
            for service in client.services
        }
        descriptor = found[gatt.SERVICE_UUID][gatt.FROM_TAG_UUID].descriptors[0]
        subscribed = [bytes(await client.read_gatt_descriptor(descriptor))]
        await client.start_notify(gatt.FROM_TAG_UUID, lambda *_: None)
        subscribed.append(bytes(await client.read_gatt_descriptor(descriptor)))
        await client.disconnect()
        with pytest.raises(BleakError):
            _ = client.services
        await bench.stop()
        return found, subscribed

    found, subscribed = run_virtual(main())
    assert list(found) == [gatt.SERVICE_UUID]
    service = found[gatt.SERVICE_UUID]
    assert {uuid: characteristic.properties for uuid, characteristic in service.items()} == {
        gatt.TO_TAG_UUID: ["write", "write-without-response"],
        gatt.FROM_TAG_UUID: ["notify"],
    }
    assert service[gatt.TO_TAG_UUID].max_write_without_response_size == 244
    assert subscribed == [b"\0\0", b"\1\0"]


def test_a_connect_completes_at_the_next_event_of_the_tag(bench):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        asyncio.get_running_loop().call_later(3.25, tag.radio.advertise, ADDRESS, bytes(24))
        client = gateway.client(DEVICE)
        await client.connect()
        connected = now()
        await client.disconnect()
        await bench.stop()
        return connected

    assert run_virtual(main()) == pytest.approx(3.25)


def test_a_connect_that_timed_out_does_not_block_the_next(bench):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        client = gateway.client(DEVICE, timeout=4.0)
        for _ in range(3):
            started = now()
            with pytest.raises(TimeoutError):
                await client.connect()
            assert now() - started == pytest.approx(4.0)
            assert not client.is_connected
        tag.radio.advertise(ADDRESS, bytes(24))
        await asyncio.sleep(1)
        assert not tag.is_connected
        beacons = asyncio.create_task(tag.beacon(3))
        await client.connect()
        await beacons
        await client.disconnect()
        await bench.stop()
        return gateway.lost

    assert len(run_virtual(main())) == 1


def test_a_cancelled_connect_does_not_block_the_next(bench):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        connecting = asyncio.create_task(gateway.client(DEVICE).connect())
        await asyncio.sleep(1)
        connecting.cancel()
        await asyncio.wait([connecting])
        assert connecting.cancelled()
        client = await bench.connected(tag, gateway)
        await client.disconnect()
        await bench.stop()

    run_virtual(main())


def test_a_connection_that_comes_in_the_moment_of_the_time_out_is_not_left_over(bench):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        outcomes = []
        for steps in range(30 if bench.steps_to_connect > 30 else 3):
            connecting = asyncio.create_task(gateway.client(DEVICE).connect())
            await asyncio.sleep(1)
            tag.radio.advertise(ADDRESS, bytes(24))
            for _ in range(steps):
                await asyncio.sleep(0)
            connecting.cancel()
            await asyncio.wait([connecting])
            outcomes.append(connecting.cancelled())
            await asyncio.sleep(1)
            assert not tag.is_connected
        await bench.stop()
        return outcomes, gateway.lost

    outcomes, lost = run_virtual(main())
    assert outcomes == [True] * len(outcomes)
    assert lost == []


def test_connects_of_one_gateway_take_turns(bench):
    async def main():
        one, two, gateway = await bench.tag("one"), await bench.tag("two"), await bench.gateway()
        devices = [BLEDevice(address, None, None) for address in ("C1:00:00:00:00:01", "C2:00:00:00:00:02")]
        clients = [gateway.client(device) for device in devices]
        async with asyncio.TaskGroup() as group:
            for tag, address in ((one, "c10000000001"), (two, "c20000000002")):
                group.create_task(tag.beacon(20, address=bytes.fromhex(address)))
            for client in clients:
                group.create_task(client.connect())
        for index, client in enumerate(clients):
            await client.write_gatt_char(gatt.TO_TAG_UUID, bytes((index,)), response=True)
        for client in clients:
            await client.disconnect()
        await bench.stop()
        return one.received, two.received

    assert run_virtual(main()) == ([b"\0"], [b"\1"])


def test_an_address_that_is_not_from_a_scan_is_scanned_for(bench):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        with pytest.raises(BleakDeviceNotFoundError):
            await gateway.client("C0:A1:A2:A3:A4:A5").connect()
        beacons = asyncio.create_task(tag.beacon(5))
        client = gateway.client("C0:A1:A2:A3:A4:A5")
        await client.connect()
        await beacons
        await client.disconnect()
        await bench.stop()

    run_virtual(main())


@pytest.mark.parametrize("how", ["tag hangs up", "tag out of reach", "gateway hangs up", "gateway off"])
def test_a_lost_link_fails_waiting_requests_without_cancelling_their_task(bench, how):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        client = await bench.connected(tag, gateway)
        bench.dbm["tag", "gateway"] = None
        requests = [
            asyncio.create_task(client.write_gatt_char(gatt.TO_TAG_UUID, b"x", response=True)) for _ in range(3)
        ]
        await asyncio.sleep(1)
        if how == "tag hangs up":
            tag.radio.disconnect()
            del bench.dbm["tag", "gateway"]
        elif how == "gateway hangs up":
            await client.disconnect()
        elif how == "gateway off":
            await gateway.radio.stop()
        results = await asyncio.gather(*requests, return_exceptions=True)
        await asyncio.sleep(10)
        await bench.stop()
        return results

    results = run_virtual(main())
    assert len(results) == 3
    if how == "tag hangs up":  # The first request was answered by a tag that had not hung up yet, or not at all.
        results = results[1:]
    assert all(isinstance(result, BleakError) for result in results)


def test_a_cancelled_request_leaves_its_answer_to_nobody(bench):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        client = await bench.connected(tag, gateway)
        answers = []
        for steps in range(12):
            first = asyncio.create_task(client.read_gatt_char(DEVICE_NAME))
            for _ in range(steps):
                await asyncio.sleep(0)
            first.cancel()
            answers.append(bytes(await client.read_gatt_char("00002a01-0000-1000-8000-00805f9b34fb")))
        await client.disconnect()
        await bench.stop()
        return answers

    assert run_virtual(main()) == [b"\0\0"] * 12


def test_a_link_lost_while_connecting_is_an_error_and_no_disconnection(bench):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        connecting = asyncio.create_task(gateway.client(DEVICE, timeout=30.0).connect())
        await asyncio.sleep(1)
        tag.radio.advertise(ADDRESS, bytes(24))
        for _ in range(bench.steps_to_connect // 3):  # Connected, and in the middle of the discovery.
            await asyncio.sleep(0)
        assert tag.is_connected
        assert not connecting.done()
        bench.dbm["tag", "gateway"] = None
        with pytest.raises(BleakError):
            await connecting
        del bench.dbm["tag", "gateway"]
        client = await bench.connected(tag, gateway)
        await client.disconnect()
        await bench.stop()
        return len(gateway.lost)

    assert run_virtual(main()) == 1


def test_requests_that_cannot_be_met_are_bleak_errors(bench):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        client = await bench.connected(tag, gateway)
        with pytest.raises(BleakError, match="already connected"):
            await client.connect()
        with pytest.raises(BleakGATTProtocolError):
            await client.write_gatt_char(gatt.TO_TAG_UUID, bytes(513), response=True)
        with pytest.raises(BleakError, match="do not fit"):
            await client.write_gatt_char(gatt.TO_TAG_UUID, bytes(245), response=False)
        with pytest.raises(BleakError, match="notifies"):
            await client.start_notify(gatt.TO_TAG_UUID, lambda *_: None)
        await client.start_notify(gatt.FROM_TAG_UUID, lambda *_: None)
        with pytest.raises(BleakError, match="already"):
            await client.start_notify(gatt.FROM_TAG_UUID, lambda *_: None)
        with pytest.raises(BleakCharacteristicNotFoundError):
            await client.read_gatt_char("0000beef-0000-1000-8000-00805f9b34fb")
        for pairing in (client.pair(), client.unpair(), gateway.client(DEVICE, pair=True).connect()):
            with pytest.raises(BleakError, match="pair"):
                await pairing
        characteristic = client.services.get_characteristic(gatt.TO_TAG_UUID)
        await client.disconnect()
        await client.disconnect()
        with pytest.raises(BleakError):
            await client.write_gatt_char(characteristic, b"x", response=True)
        await bench.stop()

    run_virtual(main())


def test_a_radio_that_is_off_neither_connects_nor_lets_waiters_wait(bench):
    async def main():
        gateway = await bench.gateway()
        connecting = asyncio.create_task(gateway.client(DEVICE, timeout=30.0).connect())
        await asyncio.sleep(1)
        await gateway.radio.stop()
        with pytest.raises(BleakError, match="switched off"):
            await connecting
        with pytest.raises(BleakBluetoothNotAvailableError):
            await gateway.client(DEVICE).connect()
        with pytest.raises(BleakBluetoothNotAvailableError):
            await gateway.scanner().start()
        await gateway.radio.start()
        tag = await bench.tag()
        client = await bench.connected(tag, gateway)
        await client.disconnect()
        await bench.stop()

    run_virtual(main())
