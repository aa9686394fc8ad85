"""A station behind links of real sockets and ports: it is drained as a gateway does, and what it heard is noted."""

import asyncio
from contextlib import asynccontextmanager

from strapline_gateway.station import Record, Station


async def until(condition, limit_s=10.0):
    """Wait until it holds; a real time-out, because what is waited for is real."""
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.005)


class StationBench:
    def __init__(self, tags):
        self.station = Station(0x6A7E00CE, [tag.gateway_keys for tag in tags], bytes, home=False)
        self.link = None
        self.events = []

    def drain(self):
        while (event := self.station.next_event()) is not None:
            self.events.append(event)
            if hasattr(event, "link"):
                self.link.perform(event)

    @property
    def records(self):
        return [event.sealed for event in self.events if isinstance(event, Record)]

    @property
    def failures(self):
        return self.link.health.failures

    @asynccontextmanager
    async def running(self, link):
        self.link = link
        async with link:
            yield link
        assert self.station._connections == {}

    def let_time_pass(self, seconds):
        """The station's timer, as if so much time had passed."""
        self.station.handle_timer(asyncio.get_running_loop().time() + seconds)
        self.drain()
