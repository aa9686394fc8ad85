"""The same calls give the same air: over runs, and over hash seeds."""

import asyncio
import hashlib
import os
import subprocess
import sys
from random import Random

from bleak import BleakClient, BleakScanner

from strapline_simulator.ble import Air, GatewayRadio, TagRadio
from strapline_simulator.clock import run_virtual
from strapline_wire import gatt


async def _scenario():
    """Five tags and three gateways, with loss, movement, rotating addresses and connections; its digest."""
    world = Random(11)
    reach = {}
    air = Air(lambda sender, receiver: reach.get((sender, receiver), -70), Random(3), loss=0.2)
    digest = hashlib.sha256()

    def note(*facts):
        digest.update(repr((round(asyncio.get_running_loop().time(), 6), *facts)).encode())

    air.on_advertisement = lambda *event: note("sent", *event)
    tags = []
    for index in range(5):

        def on_data(data, index=index):
            note("tag got", index, data)
            tags[index].send(data * 20)

        tags.append(
            TagRadio(
                f"tag {index}",
                air,
                on_link_up=lambda index=index: note("up", index),
                on_data=on_data,
                on_link_down=lambda index=index: note("down", index),
            )
        )
    gateways = [GatewayRadio(f"gateway {index}", air) for index in range(3)]
    for radio in (*tags, *gateways):
        await radio.start()

    async def beacon(index):
        for count in range(200):
            address = bytes((0xC0 | index, 0, 0, 0, 0, count // 50))
            tags[index].advertise(address, count.to_bytes(24, "big"))
            await asyncio.sleep(world.uniform(0.1, 0.5))

    async def collect(index):
        radio = gateways[index]
        devices = {}

        def on_heard(device, data):
            note("heard", index, device.address, data)
            devices[device.address] = device

        async with BleakScanner(on_heard, backend=radio.scanner_backend):
            for _ in range(12):
                await asyncio.sleep(world.uniform(0.5, 3))
                for device in sorted(devices.values(), key=lambda device: device.address)[-2:]:
                    await visit(radio, device, index)
                devices.clear()

    async def visit(radio, device, index):
        client = BleakClient(device, lambda _: note("lost", index), backend=radio.client_backend, timeout=1.0)
        try:
            await client.connect()
            await client.start_notify(gatt.FROM_TAG_UUID, lambda _, data: note("notified", index, data))
            await client.write_gatt_char(gatt.TO_TAG_UUID, b"hello", response=True)
            await asyncio.sleep(world.uniform(0, 1))
            await client.disconnect()
        except Exception as error:  # noqa: BLE001 - which errors come, and when, is part of the digest
            note("error", index, repr(error))

    async def move():
        for _ in range(30):
            await asyncio.sleep(1)
            pair = (f"tag {world.randrange(5)}", f"gateway {world.randrange(3)}")
            reach[pair] = world.choice([None, -50, -90])

    async with asyncio.TaskGroup() as group:
        for index in range(5):
            group.create_task(beacon(index))
        for index in range(3):
            group.create_task(collect(index))
        group.create_task(move())
    for radio in (*tags, *gateways):
        await radio.stop()
    return digest.hexdigest()


def _digest():
    return run_virtual(_scenario())


def _digest_with_hash_seed(seed):
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    command = [sys.executable, "-W", "error", __file__]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def test_three_runs_and_three_hash_seeds_give_one_digest():
    digests = [_digest() for _ in range(3)] + [_digest_with_hash_seed(seed) for seed in ("0", "1", "4242")]
    assert len(set(digests)) == 1, digests


if __name__ == "__main__":
    print(_digest())
