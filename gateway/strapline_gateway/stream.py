"""Links that are plain byte streams: the cellular ingress, where tags call us. A stream is anything that reads and writes bytes."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from strapline_gateway.station import HangUp, Station, Transmit

READ_LIMIT_S = 120.0
"""A caller that says nothing for so long is hung up on."""


class ByteStream(Protocol):
    """One connection."""

    async def read(self) -> bytes:
        """What has come; empty at the end."""

    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class StreamLinks:
    """All the streams of one gateway."""

    def __init__(self, station: Station, on_change: Callable[[], None]) -> None:
        self._station = station
        self._on_change = on_change
        self._streams: dict[int, ByteStream] = {}

    async def serve(self, stream: ByteStream) -> None:
        """Carry one connection to its end."""
        loop = asyncio.get_running_loop()
        link = self._station.open_link(loop.time())
        self._streams[link] = stream
        try:
            while True:
                async with asyncio.timeout(READ_LIMIT_S):
                    data = await stream.read()
                if not data:
                    return
                self._station.receive_data(link, data, loop.time())
                self._on_change()
        except OSError:  # a time-out and whatever a network may do to a connection
            return
        finally:
            del self._streams[link]
            stream.close()
            self._station.close_link(link, loop.time())
            self._on_change()

    def perform(self, event: Transmit | HangUp) -> bool:
        """Do what the station asks; False where the link is not one of ours."""
        stream = self._streams.get(event.link)
        if stream is None:
            return False
        if isinstance(event, Transmit):
            stream.write(event.data)
        else:
            stream.close()
        return True
