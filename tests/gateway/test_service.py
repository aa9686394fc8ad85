"""The gateway as its own process: a real broker, a real tag's bytes over TCP, real signals."""

import asyncio
import signal

import pytest

from gateway_process import GatewayProcess, calling, centre_behind, until
from hand_made_tag import HandMadeTag
from strapline_wire import frames


@pytest.fixture
def house(tmp_path, mosquitto):
    tag = HandMadeTag()
    process = GatewayProcess(tmp_path / "gateway", mosquitto.url, tag)
    process.tag = tag
    yield process
    process.close()


def kinds(centre):
    return [entry.kind for entry in centre.ledger.entries()]


def test_a_record_travels_to_the_centre_and_its_receipt_back(house, mosquitto):
    async def main():
        async with centre_behind(mosquitto.url, house.tag) as centre:
            house.start()
            async with calling(await house.port(), house.tag) as call:
                call.send(house.tag.event(frames.EVENT_STRAP_OPEN))
                envelope, _ = house.tag.open_command(await call.receipt())
            assert envelope.kind == frames.RECEIPT
            await until(lambda: {"event", "notice"} <= set(kinds(centre)))
            assert house.end() == 0
            await until(lambda: "offline" in centre.gateway_states.values())

    asyncio.run(main())


def test_a_killed_gateway_delivers_what_it_had_after_its_next_start(house, mosquitto):
    async def main():
        house.start()
        port = await house.port()
        async with calling(port, house.tag) as call:
            call.send(house.tag.event(frames.EVENT_STRAP_OPEN))
            await until(lambda: house.waiting("event") == 1)
        assert house.end(signal.SIGKILL) == -signal.SIGKILL
        async with centre_behind(mosquitto.url, house.tag) as centre:
            house.start()
            await until(lambda: "event" in kinds(centre))
        assert house.end() == 0

    asyncio.run(main())
