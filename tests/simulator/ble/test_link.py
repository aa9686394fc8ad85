"""What a connection does when its ends part, come back, or fall silent."""

import asyncio

import pytest

from strapline_simulator.clock import run_virtual
from strapline_wire import gatt


def test_silence_ends_the_connection_at_both_ends(bench):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        client = await bench.connected(tag, gateway)
        await client.start_notify(gatt.FROM_TAG_UUID, lambda *_: None)
        await asyncio.sleep(10)
        assert client.is_connected
        bench.dbm["tag", "gateway"] = None
        gone = asyncio.get_running_loop().time()
        await asyncio.sleep(20)
        await bench.stop()
        return client.is_connected, [at - gone for at in gateway.lost], [(at - gone, what) for at, what in tag.events]

    is_connected, lost, [_up, (tag_lost, what)] = run_virtual(main())
    assert not is_connected
    assert what == "down"
    assert 4.0 <= lost[0] <= 4.6
    assert tag_lost == lost[0]
    assert len(lost) == 1


def test_what_is_sent_out_of_reach_arrives_in_order_after_the_return(bench):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        client = await bench.connected(tag, gateway)
        notified = []
        await client.start_notify(gatt.FROM_TAG_UUID, lambda _, data: notified.append(bytes(data)))
        bench.dbm["tag", "gateway"] = None
        for index in range(5):
            tag.radio.send(bytes((index,)))
            await client.write_gatt_char(gatt.TO_TAG_UUID, bytes((index,)), response=False)
            await asyncio.sleep(0.7)
        during = list(notified), list(tag.received)
        del bench.dbm["tag", "gateway"]
        await asyncio.sleep(0.2)
        after = list(notified), list(tag.received)
        await asyncio.sleep(60)
        assert client.is_connected
        await client.disconnect()
        await bench.stop()
        return during, after

    during, after = run_virtual(main())
    everything = [bytes((index,)) for index in range(5)]
    assert during == ([], [])
    assert after == (everything, everything)


def test_sending_does_not_put_off_the_time_out(bench):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        client = await bench.connected(tag, gateway)
        bench.dbm["tag", "gateway"] = None
        gone = asyncio.get_running_loop().time()
        while client.is_connected:
            await client.write_gatt_char(gatt.TO_TAG_UUID, b"x", response=False)
            await asyncio.sleep(0.05)
        await bench.stop()
        return gateway.lost[0] - gone

    assert 3.999 <= run_virtual(main()) <= 4.1


@pytest.mark.parametrize("who", ["tag", "gateway"])
def test_a_radio_that_is_switched_off_is_missed_by_its_peer_only_after_the_time_out(bench, who):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        client = await bench.connected(tag, gateway)
        await client.start_notify(gatt.FROM_TAG_UUID, lambda *_: None)
        off = asyncio.get_running_loop().time()
        await {"tag": tag, "gateway": gateway}[who].radio.stop()
        await asyncio.sleep(10)
        await bench.stop()
        return gateway.lost[0] - off, tag.events[-1][0] - off

    at_gateway, at_tag = run_virtual(main())
    own, peer = (at_tag, at_gateway) if who == "tag" else (at_gateway, at_tag)
    assert own == pytest.approx(0)
    assert 4.0 <= peer <= 4.6


def test_a_tag_that_hangs_up_out_of_reach_is_free_at_once_and_the_gateway_learns_by_time_out(bench):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        client = await bench.connected(tag, gateway)
        await client.start_notify(gatt.FROM_TAG_UUID, lambda *_: None)
        bench.dbm["tag", "gateway"] = None
        gone = asyncio.get_running_loop().time()
        tag.radio.disconnect()
        await asyncio.sleep(10)
        await bench.stop()
        return tag.events[-1][0] - gone, gateway.lost[0] - gone

    at_tag, at_gateway = run_virtual(main())
    assert at_tag == pytest.approx(0)
    assert 3.999 <= at_gateway <= 4.6


def test_a_restarted_tag_is_connected_again(bench):
    async def main():
        tag, gateway = await bench.tag(), await bench.gateway()
        first = await bench.connected(tag, gateway)
        await tag.radio.stop()
        await tag.radio.start()
        await asyncio.sleep(1)
        assert first.is_connected
        second = await bench.connected(tag, gateway, timeout=10.0)
        assert not first.is_connected
        await second.write_gatt_char(gatt.TO_TAG_UUID, b"again", response=True)
        await second.disconnect()
        await bench.stop()
        return tag.received

    assert run_virtual(main()) == [b"again"]
