"""The tag's radio: what one advertising event is, and how its byte stream crosses."""

import asyncio

import pytest

from strapline_simulator.clock import run_virtual
from strapline_wire import gatt

ADDRESS = bytes.fromhex("c0a1a2a3a4a5")
OTHER_ADDRESS = bytes.fromhex("ffeeddccbbaa")


def test_twenty_four_bytes_of_service_data_fill_the_advertisement(bench):
    tapped = []
    bench.air.on_advertisement = lambda *event: tapped.append(event[-1])

    async def main():
        tag = await bench.tag()
        tag.radio.advertise(ADDRESS, bytes(range(24)))
        with pytest.raises(ValueError, match="25 bytes"):
            tag.radio.advertise(ADDRESS, bytes(25))
        await bench.stop()

    run_virtual(main())
    assert tapped == [bytes.fromhex("020106 1b16e7ff") + bytes(range(24))]
    assert len(tapped[0]) == 31


@pytest.mark.parametrize("address", ["bfa1a2a3a4a5", "c0a1a2a3a4", "00a1a2a3a4a5"])
def test_only_random_static_addresses_are_sent_from(bench, address):
    async def main():
        tag = await bench.tag()
        with pytest.raises(ValueError, match="random static"):
            tag.radio.advertise(bytes.fromhex(address), b"")
        await bench.stop()

    run_virtual(main())


def test_a_radio_that_is_off_does_not_advertise_and_drops_what_it_is_to_send(bench):
    async def main():
        tag = await bench.tag()
        await tag.radio.stop()
        with pytest.raises(RuntimeError, match="off"):
            tag.radio.advertise(ADDRESS, b"")
        tag.radio.send(b"nobody")
        tag.radio.disconnect()
        await tag.radio.stop()

    run_virtual(main())


def test_a_stream_crosses_in_notifications_that_fit_and_in_order(bench):
    stream = bytes(index % 251 for index in range(20_000))

    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        client = await bench.connected(tag, gateway)
        chunks = []
        tag.radio.send(b"before anybody subscribed")
        await client.start_notify(gatt.FROM_TAG_UUID, lambda _, data: chunks.append(bytes(data)))
        for start in range(0, len(stream), 700):
            tag.radio.send(stream[start : start + 700])
        await asyncio.sleep(0.1)
        mtu = client.mtu_size
        await client.disconnect()
        await bench.stop()
        return mtu, chunks

    mtu, chunks = run_virtual(main())
    assert mtu == 247
    assert b"".join(chunks) == stream
    assert max(map(len, chunks)) == mtu - 3


def test_link_up_comes_with_the_subscription_and_down_once_for_each_up(bench):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        client = await bench.connected(tag, gateway)
        started = asyncio.get_running_loop().time()
        for at in (1, 3):
            await asyncio.sleep(1)
            await client.start_notify(gatt.FROM_TAG_UUID, lambda *_: None)
            await asyncio.sleep(1)
            if at == 1:
                await client.stop_notify(gatt.FROM_TAG_UUID)
        await client.disconnect()
        await asyncio.sleep(1)
        unsubscribed = await bench.connected(tag, gateway)
        await unsubscribed.disconnect()
        await bench.stop()
        return [(round(at - started), what) for at, what in tag.events]

    assert run_virtual(main()) == [(1, "up"), (2, "down"), (3, "up"), (4, "down")]


def test_what_was_sent_before_the_tag_hangs_up_still_arrives(bench):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        client = await bench.connected(tag, gateway)
        chunks = []
        await client.start_notify(gatt.FROM_TAG_UUID, lambda _, data: chunks.append(bytes(data)))
        tag.radio.send(bytes(50_000))
        tag.radio.disconnect()
        tag.radio.disconnect()
        await asyncio.sleep(1)
        await bench.stop()
        return sum(map(len, chunks)), len(gateway.lost), [what for _, what in tag.events]

    assert run_virtual(main()) == (50_000, 1, ["up", "down"])


def test_a_connected_tag_advertises_on_but_connects_nobody_else(bench):
    async def main():
        tag, one, two = await bench.tag(), await bench.gateway("one"), await bench.gateway("two")
        tag.answer = lambda data: data
        client = await bench.connected(tag, one)
        echoes = []
        await client.start_notify(gatt.FROM_TAG_UUID, lambda _, data: echoes.append(bytes(data)))
        async with two.scanner(), asyncio.TaskGroup() as group:
            group.create_task(tag.beacon(50))
            with pytest.raises(TimeoutError):
                await two.client(await_device(two), timeout=3.0).connect()
            await client.write_gatt_char(gatt.TO_TAG_UUID, b"still here", response=True)
        await client.disconnect()
        await bench.stop()
        return len(two.heard), echoes

    def await_device(gateway):
        from bleak.backends.device import BLEDevice

        return BLEDevice(ADDRESS.hex(":").upper(), None, None)

    assert run_virtual(main()) == (50, [b"still here"])


def test_a_new_address_leaves_the_connection_up(bench):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        tag.answer = lambda data: data[::-1]
        client = await bench.connected(tag, gateway)
        echoes = []
        await client.start_notify(gatt.FROM_TAG_UUID, lambda _, data: echoes.append(bytes(data)))
        async with gateway.scanner():
            await tag.beacon(20, address=OTHER_ADDRESS)
        for response in (True, False):
            await client.write_gatt_char(gatt.TO_TAG_UUID, b"abc", response=response)
        await asyncio.sleep(1)
        await client.disconnect()
        await asyncio.sleep(1)
        await bench.stop()
        return echoes, {device.address for device, _ in gateway.heard}, tag.events[-1][1]

    assert run_virtual(main()) == ([b"cba", b"cba"], {"FF:EE:DD:CC:BB:AA"}, "down")


def test_between_connections_the_address_may_rotate(bench):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        for index in range(5):
            address = bytes((0xC0 + index,)) * 6
            beacons = asyncio.create_task(tag.beacon(3, address=address))
            client = gateway.client(await gateway.find(address))
            await client.connect()
            await client.write_gatt_char(gatt.TO_TAG_UUID, bytes((index,)), response=True)
            await client.disconnect()
            await beacons
        await bench.stop()
        return tag.received

    assert run_virtual(main()) == [bytes((index,)) for index in range(5)]


def test_a_tag_may_be_switched_off_while_it_hangs_up(bench):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        client = await bench.connected(tag, gateway)
        tag.radio.disconnect()
        await tag.radio.stop()
        await asyncio.sleep(10)
        assert not client.is_connected
        await bench.stop()

    run_virtual(main())
