"""What bleak's own BlueZ backend sees: the same on the stand-in and on a real bluetoothd."""

import asyncio

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakDBusError, BleakError, BleakGATTProtocolError

from bluez_rig import FIRM, FROM, LIMIT_S, TO, Peripheral, bluetooth, only_stand_in
from strapline_simulator.bluez.faults import Deafness

UUID = "0000ffe7-0000-1000-8000-00805f9b34fb"


@pytest.fixture
def on_air(monkeypatch):
    """Run a test's coroutine with the rig and a peripheral on the air, bleak pointed at its bus."""

    def run(play):
        async def main():
            async with asyncio.timeout(4 * LIMIT_S), bluetooth() as rig, Peripheral(rig.air) as thing:
                for name, value in rig.environment.items():
                    monkeypatch.setenv(name, value)
                await play(rig, thing)

        asyncio.run(main())

    return run


class Scan:
    """A running scan, and what it hears."""

    def __init__(self):
        self.heard = asyncio.Queue()
        self.scanner = BleakScanner(lambda device, said: self.heard.put_nowait((device, said)))

    async def __aenter__(self):
        await self.scanner.start()
        return self

    async def __aexit__(self, *_error):
        await self.scanner.stop()

    async def next(self, limit_s=LIMIT_S):
        async with asyncio.timeout(limit_s):
            return await self.heard.get()

    def forget(self):
        while not self.heard.empty():
            self.heard.get_nowait()


async def until(condition):
    async with asyncio.timeout(LIMIT_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def refused(call, name):
    """Call until it works; how often it was refused for this reason before."""
    refusals = 0
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                await call()
            except BleakDBusError as error:
                if error.dbus_error != name:
                    raise
                refusals += 1
                await asyncio.sleep(0.1)
            else:
                return refusals


def test_each_advertisement_is_heard_with_its_service_data(on_air):
    async def play(rig, thing):
        async with Scan() as scan:
            device, said = await scan.next()
            assert (device.address, said.service_data, said.rssi) == (thing.address, {UUID: b"hello"}, -60)
            await scan.next()  # the same again is told again
            thing.service_data = b"news"
            rig.reach["thing"] = -71
            while said.service_data != {UUID: b"news"} or said.rssi != -71:
                _, said = await scan.next()

    on_air(play)


def test_connect_notify_write_and_read(on_air):
    async def play(rig, thing):
        async with Scan() as scan:
            device, _ = await scan.next()
            gone = asyncio.Event()
            client = BleakClient(device, lambda _client: gone.set(), timeout=LIMIT_S)
            await client.connect()
            found = {c.uuid: c for c in client.services.characteristics.values()}
            assert [found[uuid].handle for uuid in (TO, FROM, FIRM)] == [0x0F, 0x11, 0x14]
            assert set(found[TO].properties) == {"write", "write-without-response"}
            assert found[TO].max_write_without_response_size == 244
            taken = asyncio.Queue()
            await client.start_notify(FROM, lambda _characteristic, data: taken.put_nowait(bytes(data)))
            for number in range(20):
                thing.notify(bytes([number]))
            assert [await taken.get() for _ in range(20)] == [bytes([number]) for number in range(20)]
            await client.write_gatt_char(TO, b"command", response=False)
            await client.write_gatt_char(TO, b"request", response=True)
            await until(lambda: thing.written == [b"command", b"request"])
            assert await client.read_gatt_char(FIRM) == b"firm"
            with pytest.raises(BleakGATTProtocolError) as refused:
                await client.write_gatt_char(FIRM, b"no", response=True)
            assert refused.value.code == 0x0D
            with pytest.raises(BleakError):
                await client.write_gatt_char(TO, bytes(245), response=False)
            await client.disconnect()
            assert gone.is_set()
            await until(lambda: not thing.is_connected)

    on_air(play)


def test_a_link_that_dies_is_told_and_the_device_can_be_called_again(on_air):
    async def play(rig, thing):
        async with Scan() as scan:
            device, _ = await scan.next()
            gone = asyncio.Event()
            client = BleakClient(device, lambda _client: gone.set(), timeout=LIMIT_S)
            await client.connect()
            rig.reach["thing"] = None
            async with asyncio.timeout(LIMIT_S):
                await gone.wait()
            assert not client.is_connected
            rig.reach["thing"] = -60
            await client.disconnect()
            scan.forget()
            device, _ = await scan.next()
            async with BleakClient(device, timeout=LIMIT_S) as again:
                taken = asyncio.Queue()
                await again.start_notify(FROM, lambda _characteristic, data: taken.put_nowait(bytes(data)))
                thing.notify(b"here")
                assert await taken.get() == b"here"

    on_air(play)


def test_one_program_scans_once(on_air):
    async def play(rig, thing):
        async with Scan():
            with pytest.raises(BleakDBusError, match="InProgress"):
                await BleakScanner().start()

    on_air(play)


def test_a_bluetoothd_that_dies_says_nothing_and_a_new_scan_hears_again(on_air):
    async def play(rig, thing):
        scan = Scan()
        await scan.scanner.start()
        device, _ = await scan.next()
        gone = asyncio.Event()
        client = BleakClient(device, lambda _client: gone.set(), timeout=LIMIT_S)
        await client.connect()
        await rig.bluez.bluetoothd_dies()
        await until(lambda: not thing.is_connected)
        assert client.is_connected
        assert not gone.is_set()
        with pytest.raises(BleakError):
            await scan.scanner.stop()
        with pytest.raises(BleakError):
            await client.disconnect()
        await rig.bluez.bluetoothd_returns()
        anew = Scan()
        refusals = await refused(anew.scanner.start, "org.bluez.Error.InProgress")  # the kernel's own scan goes on
        assert refusals
        assert (await anew.next())[0].address == thing.address
        await anew.scanner.stop()

    on_air(play)


def test_an_adapter_that_is_pulled_out_ends_the_link_and_can_be_used_again(on_air):
    async def play(rig, thing):
        scan = Scan()
        await scan.scanner.start()
        device, _ = await scan.next()
        gone = asyncio.Event()
        await BleakClient(device, lambda _client: gone.set(), timeout=LIMIT_S).connect()
        await rig.bluez.unplug()
        async with asyncio.timeout(LIMIT_S):
            await gone.wait()
        with pytest.raises(BleakError):
            await scan.scanner.stop()
        with pytest.raises(BleakError):
            await BleakScanner().start()
        await rig.bluez.plug_in()
        await asyncio.sleep(0.1)  # until bleak has read of it
        async with Scan() as anew:
            device, _ = await anew.next()
            async with BleakClient(device, timeout=LIMIT_S) as client:
                assert client.is_connected

    on_air(play)


def test_of_a_burst_the_kernels_buffer_is_delivered_in_order_and_the_rest_is_lost(on_air):
    async def play(rig, thing):
        async with Scan() as scan:
            device, _ = await scan.next()
            async with BleakClient(device, timeout=LIMIT_S) as client:
                taken = []
                await client.start_notify(FROM, lambda _characteristic, data: taken.append(int.from_bytes(data)))
                for number in range(2000):
                    thing.notify(number.to_bytes(2))
                while 5000 not in taken:  # once the buffer has room again
                    await asyncio.sleep(0.2)
                    thing.notify((5000).to_bytes(2))
                assert 90 <= len(taken) <= 1500
                assert taken == sorted(taken)

    on_air(play)


@only_stand_in
@pytest.mark.parametrize("deafness", [Deafness.UNTIL_SCAN, Deafness.UNTIL_POWER])
def test_a_deaf_adapter_says_nothing(on_air, deafness):
    async def play(rig, thing):
        async with Scan() as scan:
            await scan.next()
            rig.faults.deaf = deafness
            await asyncio.sleep(0.1)
            scan.forget()
            with pytest.raises(TimeoutError):
                await scan.next(0.4)
        async with Scan() as anew:
            if deafness is Deafness.UNTIL_POWER:
                with pytest.raises(TimeoutError):
                    await anew.next(0.4)
            else:
                await anew.next()

    on_air(play)


@only_stand_in
def test_refusals_and_silence_on_demand(on_air):
    async def play(rig, thing):
        rig.faults.scans_in_progress = 1
        with pytest.raises(BleakDBusError, match="InProgress"):
            await BleakScanner().start()
        async with Scan() as scan:
            device, _ = await scan.next()
            rig.faults.connects_in_progress = 1
            with pytest.raises(BleakDBusError, match="InProgress"):
                await BleakClient(device).connect()
            rig.faults.connects_without_answer = 1
            with pytest.raises(TimeoutError):
                await BleakClient(device, timeout=0.3).connect()
            async with BleakClient(device) as client:
                assert client.is_connected

    on_air(play)


@only_stand_in
def test_a_link_that_is_lost_in_silence_looks_whole(on_air):
    async def play(rig, thing):
        async with Scan() as scan:
            device, _ = await scan.next()
            gone = asyncio.Event()
            client = BleakClient(device, lambda _client: gone.set())
            await client.connect()
            rig.faults.silent_loss = True
            rig.reach["thing"] = None
            await until(lambda: not thing.is_connected)
            await client.write_gatt_char(TO, b"nobody", response=False)
            assert client.is_connected
            assert not gone.is_set()
            await client.disconnect()
            assert gone.is_set()
            assert thing.written == []

    on_air(play)
