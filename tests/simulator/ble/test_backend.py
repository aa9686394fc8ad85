"""The classes that bleak is handed: they keep its contract, and many of them share one air."""

import asyncio
import inspect

import pytest
from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import BaseBleakScanner
from bleak.exc import BleakDBusError

from strapline_simulator.ble.client import AirClient
from strapline_simulator.ble.host import static_address
from strapline_simulator.clock import run_virtual
from strapline_simulator.scanning import AirScanner
from strapline_wire import gatt


def parameters(function):
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize(("base", "ours"), [(BaseBleakScanner, AirScanner), (BaseBleakClient, AirClient)])
def test_every_abstract_member_of_bleak_is_there_with_its_signature(base, ours):
    assert ours.__abstractmethods__ == frozenset()
    assert base.__abstractmethods__
    for name in base.__abstractmethods__:
        theirs, mine = inspect.getattr_static(base, name), inspect.getattr_static(ours, name)
        assert type(mine) is type(theirs), name
        if not isinstance(theirs, property):
            assert inspect.iscoroutinefunction(mine) == inspect.iscoroutinefunction(theirs), name
            expected = [p for p in parameters(theirs) if p[1] is not inspect.Parameter.VAR_KEYWORD]
            got = [p for p in parameters(mine) if p[1] is not inspect.Parameter.VAR_KEYWORD]
            assert got == expected, name
            takes_more = any(p[1] is inspect.Parameter.VAR_KEYWORD for p in parameters(theirs))
            assert takes_more == any(p[1] is inspect.Parameter.VAR_KEYWORD for p in parameters(mine)), name


def test_the_members_of_bleak_are_those_that_were_implemented():
    assert BaseBleakScanner.__abstractmethods__ == {"start", "stop"}
    assert BaseBleakClient.__abstractmethods__ == {
        "mtu_size",
        "is_connected",
        "connect",
        "disconnect",
        "pair",
        "unpair",
        "read_gatt_char",
        "read_gatt_descriptor",
        "write_gatt_char",
        "write_gatt_descriptor",
        "start_notify",
        "stop_notify",
    }


def test_a_second_scan_fails_as_on_bluez_and_the_first_goes_on(bench):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        first, second = gateway.scanner(), gateway.scanner()
        await first.start()
        with pytest.raises(BleakDBusError, match="InProgress"):
            await second.start()
        await second.stop()
        await tag.beacon(2)
        await first.stop()
        await first.stop()
        await second.start()
        await tag.beacon(3)
        await second.stop()
        await bench.stop()
        return len(gateway.heard)

    assert run_virtual(main()) == 5


def test_a_filter_looks_at_advertised_services_only(bench):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        async with gateway.scanner(service_uuids=[gatt.SERVICE_UUID]) as scanner:
            await tag.beacon(2)
            seen = len(scanner.discovered_devices)
        await bench.stop()
        return len(gateway.heard), seen

    assert run_virtual(main()) == (0, 1)


def test_two_tags_and_two_gateways_at_once(bench):
    addresses = {"red": "c1000000000a", "blue": "c2000000000b"}

    async def main():
        tags = {name: await bench.tag(name) for name in addresses}
        gateways = {"red": await bench.gateway("north"), "blue": await bench.gateway("south")}
        bench.dbm["red", "south"] = -90
        for tag in tags.values():
            tag.answer = lambda data: data.upper()
        echoes = []

        async def talk(name):
            address = bytes.fromhex(addresses[name])
            client = gateways[name].client(await gateways[name].find(address))
            await client.connect()
            await client.start_notify(gatt.FROM_TAG_UUID, lambda _, data: echoes.append(bytes(data)))
            async with gateways[name].scanner():
                for index in range(5):
                    await client.write_gatt_char(gatt.TO_TAG_UUID, f"{name} {index}".encode(), response=True)
                    await asyncio.sleep(0.5)
            await client.disconnect()

        async with asyncio.TaskGroup() as group:
            for name, tag in tags.items():
                group.create_task(tag.beacon(40, address=bytes.fromhex(addresses[name])))
                group.create_task(talk(name))
        await bench.stop()
        strengths = {
            (gateway, device.address[:2]): data.rssi for gateway in gateways for device, data in gateways[gateway].heard
        }
        return tags["red"].received, tags["blue"].received, sorted(echoes), strengths

    red, blue, echoes, strengths = run_virtual(main())
    assert red == [f"red {index}".encode() for index in range(5)]
    assert blue == [f"blue {index}".encode() for index in range(5)]
    assert echoes == sorted(
        [f"RED {index}".encode() for index in range(5)] + [f"BLUE {index}".encode() for index in range(5)]
    )
    assert strengths == {("red", "C1"): -60, ("red", "C2"): -60, ("blue", "C1"): -90, ("blue", "C2"): -60}


def test_of_two_gateways_that_wait_for_one_event_the_first_on_the_air_gets_it(bench):
    async def main():
        tag, first, second = await bench.tag(), await bench.gateway("first"), await bench.gateway("second")
        device = await asyncio.wait_for(find(tag, first), 5)
        clients = [gateway.client(device) for gateway in (second, first)]
        connects = [asyncio.create_task(client.connect()) for client in clients]
        await asyncio.sleep(1)
        await tag.beacon(3)
        connected = [client.is_connected for client in clients]
        await clients[1].disconnect()
        await tag.beacon(3)
        await asyncio.gather(*connects)
        await clients[0].disconnect()
        await bench.stop()
        return connected

    async def find(tag, gateway):
        beacons = asyncio.create_task(tag.beacon(3))
        device = await gateway.find()
        await beacons
        return device

    assert run_virtual(main()) == [False, True]


def test_a_gateways_address_belongs_to_its_name():
    address = static_address("kitchen")
    assert str(address) == str(static_address("kitchen"))
    assert address.is_static
    assert str(address) != str(static_address("cellar"))
