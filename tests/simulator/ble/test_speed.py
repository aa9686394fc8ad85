"""What virtual time costs in real time."""

import asyncio
import time

from strapline_simulator.clock import run_virtual
from strapline_wire import gatt

EVENTS = 20_000


def test_advertising_events_are_cheap(bench):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        async with gateway.scanner():
            started = time.perf_counter()
            await tag.beacon(EVENTS)
            elapsed = time.perf_counter() - started
        await bench.stop()
        return len(gateway.heard), EVENTS / elapsed

    heard, rate = run_virtual(main())
    print(f"\n{rate:,.0f} advertising events a second through bleak's callback")
    assert heard == EVENTS
    assert rate > 3_000


def test_an_open_connection_costs_little_while_nothing_is_said(bench):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        client = await bench.connected(tag, gateway)
        started = time.perf_counter()
        await asyncio.sleep(86_400)
        day = time.perf_counter() - started
        assert client.is_connected
        await client.disconnect()
        started = time.perf_counter()
        await asyncio.sleep(86_400)
        idle = time.perf_counter() - started
        await bench.stop()
        return day, idle

    day, idle = run_virtual(main())
    print(f"\na day takes {day:.2f} s with a connection up, {idle * 1e3:.1f} ms without")
    assert day < 30
    assert idle < 1


def test_connecting_is_cheap(bench):
    visits = 100

    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        started = time.perf_counter()
        for _ in range(visits):
            client = await bench.connected(tag, gateway)
            await client.start_notify(gatt.FROM_TAG_UUID, lambda *_: None)
            await client.write_gatt_char(gatt.TO_TAG_UUID, b"hello", response=True)
            await client.disconnect()
            await asyncio.sleep(60)
        elapsed = time.perf_counter() - started
        await bench.stop()
        return visits / elapsed

    rate = run_virtual(main())
    print(f"\n{rate:,.0f} visits a second (scan, connect, discover, subscribe, write, disconnect)")
    assert rate > 10
