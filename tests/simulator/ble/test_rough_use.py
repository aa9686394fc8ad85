"""Both ends doing anything at any moment: nothing hangs, nothing complains, and the air works afterwards."""

import asyncio
from random import Random

import pytest
from bleak.exc import BleakError

from strapline_simulator.clock import run_virtual
from strapline_wire import gatt

ADDRESS = bytes.fromhex("c0a1a2a3a4a5")


async def use_gateway(gateway, dice, until):
    """Visit the tag again and again, with cancellations and the radio going off and on."""
    loop = asyncio.get_running_loop()
    while loop.time() < until:
        await asyncio.sleep(dice.uniform(0, 0.3))
        if dice.random() < 0.1:
            await gateway.radio.stop()
            await gateway.radio.start()
        visit = asyncio.create_task(visit_tag(gateway, dice))
        await asyncio.wait([visit], timeout=dice.choice([0.0, 0.1, 2.0, 20.0]))
        visit.cancel()
        await asyncio.wait([visit])
        if not visit.cancelled():
            assert visit.exception() is None or isinstance(visit.exception(), BleakError | TimeoutError)


async def visit_tag(gateway, dice):
    device = await gateway.find()
    async with gateway.client(device, timeout=dice.choice([0.1, 1.0, 6.0])) as client:
        await client.start_notify(gatt.FROM_TAG_UUID, lambda *_: None)
        for _ in range(dice.randrange(4)):
            await client.write_gatt_char(gatt.TO_TAG_UUID, bytes(dice.randrange(200)), response=dice.random() < 0.5)
            await asyncio.sleep(dice.choice([0, 0, 0.2]))


async def use_tag(tag, dice, until):
    loop = asyncio.get_running_loop()
    while loop.time() < until:
        await asyncio.sleep(dice.choice([0, 0, 0.1, 1.0]))
        match dice.randrange(8):
            case 0:
                await tag.radio.stop()
                await tag.radio.start()
            case 1 | 2:
                tag.radio.disconnect()
            case _:
                tag.radio.send(bytes(dice.randrange(1000)))
                tag.radio.advertise(ADDRESS, bytes(24))


async def move(bench, dice, until):
    loop = asyncio.get_running_loop()
    while loop.time() < until:
        await asyncio.sleep(dice.uniform(0, 5))
        bench.dbm["tag", dice.choice(["one", "two"])] = dice.choice([None, -50])


@pytest.mark.parametrize("seed", range(20))
def test_the_air_survives(bench, seed):
    async def main():
        dice = Random(seed)
        tag, one, two = await bench.tag(), await bench.gateway("one"), await bench.gateway("two")
        tag.answer = lambda data: data
        async with asyncio.TaskGroup() as group:
            group.create_task(use_gateway(one, dice, 60.0))
            group.create_task(use_gateway(two, dice, 60.0))
            group.create_task(use_tag(tag, dice, 60.0))
            group.create_task(move(bench, dice, 60.0))
        bench.dbm.clear()
        await asyncio.sleep(10)
        tag.received.clear()
        for gateway in (one, two):
            client = await bench.connected(tag, gateway)
            await client.write_gatt_char(gatt.TO_TAG_UUID, b"well", response=True)
            await client.disconnect()
            await asyncio.sleep(1)
        await bench.stop()
        ups = [what for _, what in tag.events]
        return tag.received, ups.count("up") - ups.count("down")

    assert run_virtual(main()) == ([b"well", b"well"], 0)
