"""Callers on byte streams: how they are served, and how they end."""

import asyncio

import pytest

from hand_made_tag import HandMadeTag, frame_of
from strapline_gateway.station import CALLER_IDLE_S, CALLER_PROVE_WITHIN_S, Record, Station
from strapline_gateway.stream import StreamLinks
from strapline_simulator.clock import run_virtual


class Pipe:
    """A stream whose other end is the test."""

    def __init__(self):
        self._arrived = asyncio.Queue()
        self.written = []
        self.closed = 0

    async def read(self):
        what = await self._arrived.get()
        if isinstance(what, Exception):
            raise what
        return what

    def write(self, data):
        self.written.append(data)

    def close(self):
        self.closed += 1
        self._arrived.put_nowait(b"")

    def arrive(self, what):
        self._arrived.put_nowait(what)


class Ingress:
    def __init__(self, tag):
        self.station = Station(0x6A7E00CE, [tag.gateway_keys], bytes, home=False)
        self.streams = StreamLinks(self.station, self.drain)
        self.events = []

    def drain(self):
        while (event := self.station.next_event()) is not None:
            self.events.append(event)
            if hasattr(event, "link"):
                assert self.streams.perform(event)

    async def tick(self):
        """What a gateway's timer does."""
        while True:
            await asyncio.sleep(1)
            self.station.handle_timer(asyncio.get_running_loop().time())
            self.drain()

    def records(self):
        return [event.sealed for event in self.events if isinstance(event, Record)]


def on_stream(story):
    async def main():
        tag = HandMadeTag()
        ingress, pipe = Ingress(tag), Pipe()
        ticking = asyncio.create_task(ingress.tick())
        serving = asyncio.create_task(ingress.streams.serve(pipe))
        await asyncio.sleep(0)
        await story(ingress, pipe, tag, serving)
        pipe.arrive(b"")
        await serving
        assert pipe.closed >= 1
        assert ingress.station._connections == {}
        assert ingress.streams.health.connections == 0
        ticking.cancel()
        await asyncio.wait([ticking])

    run_virtual(main())


async def settle():
    await asyncio.sleep(0.001)


async def greet(pipe, tag):
    pipe.arrive(tag.hello(0.0))
    await settle()
    tag.receive(pipe.written.pop())
    pipe.arrive(tag.reply(0.0))
    await settle()


def test_a_caller_is_greeted_and_listened_to():
    async def story(ingress, pipe, tag, _serving):
        await greet(pipe, tag)
        sealed = tag.event()
        for byte in tag.send(sealed):
            pipe.arrive(bytes((byte,)))
        await settle()
        assert ingress.records() == [sealed]
        assert tag.welcome.flags == 0

    on_stream(story)


@pytest.mark.parametrize("error", [ConnectionResetError(), OSError(113, "no route to host"), TimeoutError()])
def test_whatever_the_network_does_ends_the_connection_quietly(error):
    async def story(_ingress, pipe, tag, serving):
        await greet(pipe, tag)
        pipe.arrive(error)
        await settle()
        assert serving.done()
        assert serving.exception() is None

    on_stream(story)


def test_a_caller_that_proves_nothing_is_let_go_however_much_it_says():
    async def story(_ingress, pipe, tag, serving):
        recorded = tag.hello(0.0)
        for _ in range(int(CALLER_PROVE_WITHIN_S) + 2):
            pipe.arrive(recorded + bytes(100))
            await asyncio.sleep(1)
        assert serving.done()
        assert len([line for line in pipe.written if frame_of(line)]) < 10

    on_stream(story)


def test_a_caller_that_falls_silent_is_let_go():
    async def story(_ingress, pipe, tag, serving):
        await greet(pipe, tag)
        await asyncio.sleep(CALLER_IDLE_S - 2)
        assert not serving.done()
        await asyncio.sleep(4)
        assert serving.done()

    on_stream(story)


def test_a_command_goes_to_the_caller_it_is_for():
    async def story(ingress, pipe, tag, _serving):
        await greet(pipe, tag)
        ingress.station.send_command(tag.ident, b"sealed", 0.0)
        ingress.drain()
        for data in pipe.written:
            tag.receive(data)
        assert tag.taken == [b"sealed"]

    on_stream(story)
