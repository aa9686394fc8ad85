"""A gateway and its links: they come and go with it."""

import asyncio

import pytest

from hand_made_tag import HandMadeTag
from radio_bench import StubRelay
from station_bench import until
from strapline_gateway.gateway import Gateway
from strapline_gateway.station import Record, Station
from strapline_gateway.transports import open_links
from strapline_protocol.errors import UserError


def gateway_of(tag, *texts):
    station = Station(0x6A7E00CE, [tag.gateway_keys], bytes, home=False)
    gateway, relay = Gateway(station), StubRelay()
    gateway.attach(relay)
    links = open_links(texts, station, gateway.drain_soon, gateway.tell)
    gateway.add_links(links)
    return gateway, links, relay


def test_what_comes_by_a_link_is_kept_and_what_came_last_too():
    async def main():
        tag = HandMadeTag()
        gateway, links, relay = gateway_of(tag, "tcp:127.0.0.1:0", "serial:/dev/there-is-none")
        async with gateway:
            reader, writer = await asyncio.open_connection(*links[0].addresses[0])
            writer.write(tag.hello(0.0))
            while tag.session is None:
                tag.receive(await reader.readuntil(b"\0"))
            sealed = [tag.event(), tag.event()]
            writer.write(tag.reply(0.0) + tag.send(sealed[0]))
            await until(lambda: any(isinstance(event, Record) for event in relay.kept))
            assert [(health.name, health.state) for health in gateway.health()] == [
                ("tcp:127.0.0.1:0", "up"),
                ("serial:/dev/there-is-none", "down"),
            ]
            links[0]._lines.receive(1, tag.send(sealed[1]))
        assert [event.sealed for event in relay.kept if isinstance(event, Record)] == sealed
        assert {health.state for health in gateway.health()} == {"closed"}
        writer.transport.abort()
        await asyncio.sleep(0)

    asyncio.run(main())


def test_a_link_that_cannot_be_opened_takes_the_others_along():
    async def main():
        gateway, links, _relay = gateway_of(HandMadeTag(), "tcp:127.0.0.1:0", "tcp:203.0.113.1:7070")
        with pytest.raises(UserError, match=r"tcp:203\.0\.113\.1:7070"):
            async with gateway:
                pytest.fail("nobody can listen there")
        assert [link.health.state for link in links] == ["closed", "closed"]

    asyncio.run(main())
