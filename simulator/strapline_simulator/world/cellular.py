"""The cellular network: whether there is coverage, and byte streams between a tag that dials and the gateway that answers."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Self

from strapline_gateway.stream import ByteStream

DIAL_S = 2.0
"""From idle to a standing connection on LTE-M, roughly."""

RING_S = 10.24
"""Half of an eDRX cycle of 20.48 s (3GPP TS 36.304), in which a sleeping modem listens once."""

NO_COVERAGE_S = 10.0
LATENCY_S = 0.08


class _Stream:
    """One end of a connection, as the gateway sees it."""

    def __init__(self, network: "Cellular") -> None:
        self._network = network
        self._arrived: asyncio.Queue[bytes] = asyncio.Queue()
        self._ended = False
        # TCP keeps the order; an event loop does not, of what is due at the same moment.
        self.upward: deque[bytes] = deque()
        self.downward: deque[bytes] = deque()

    async def read(self) -> bytes:
        return b"" if self._ended and self._arrived.empty() else await self._arrived.get()

    def write(self, data: bytes) -> None:
        self._network.down(self, data)

    def close(self) -> None:
        self._network.ended(self)

    def arrive(self) -> None:
        """The oldest of what is under way upward is there."""
        self._arrived.put_nowait(self.upward.popleft())

    def end(self) -> None:
        if not self._ended:
            self._ended = True
            self._arrived.put_nowait(b"")


class Cellular:
    """One tag's modem and the network behind it; `serve` is the far end. Use as an asynchronous context manager.

    Callbacks come from the loop.
    """

    def __init__(
        self,
        serve: Callable[[ByteStream], Coroutine[Any, Any, None]],
        *,
        on_up: Callable[[], None],
        on_data: Callable[[bytes], None],
        on_down: Callable[[], None],
        on_ring: Callable[[], None] = lambda: None,
    ) -> None:
        self._serve = serve
        self._on_up = on_up
        self._on_data = on_data
        self._on_down = on_down
        self._on_ring = on_ring
        self._ring_waits = False
        self._stream: _Stream | None = None
        self._tasks = asyncio.TaskGroup()
        self._coverage = True
        self.tap: Callable[[bool, bytes], None] | None = None
        """Told of all bytes: (towards the centre?, data)."""

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._stream is not None:
            self._stream.end()
            self._stream = None
        await self._tasks.__aexit__(None, None, None)

    def set_coverage(self, there: bool) -> None:
        """Coverage comes or goes; a standing connection dies with it."""
        self._coverage = there
        if not there:
            self.hang_up()
        elif self._ring_waits:
            self.ring()

    def ring(self) -> None:
        """Page the modem; the network keeps it until there is coverage."""
        self._ring_waits = True
        asyncio.get_running_loop().call_later(RING_S, self._ring)

    def _ring(self) -> None:
        if self._ring_waits and self._coverage:
            self._ring_waits = False
            self._on_ring()

    def dial(self) -> None:
        """The tag wants a connection: `on_up` or `on_down` follows."""
        loop = asyncio.get_running_loop()
        loop.call_later(DIAL_S if self._coverage else NO_COVERAGE_S, self._dialled)

    def _dialled(self) -> None:
        if not self._coverage or self._stream is not None:
            self._on_down()
            return
        self._stream = _Stream(self)
        self._tasks.create_task(self._serve(self._stream))
        self._on_up()

    def send(self, data: bytes) -> None:
        """Bytes from the tag."""
        stream = self._stream
        if stream is not None:
            if self.tap:
                self.tap(True, data)
            stream.upward.append(data)
            asyncio.get_running_loop().call_later(LATENCY_S, stream.arrive)

    def hang_up(self) -> None:
        """The connection ends, by the tag or by the network."""
        stream = self._stream
        if stream is not None:
            self.ended(stream)

    def down(self, stream: _Stream, data: bytes) -> None:
        """Bytes from the gateway."""
        if stream is self._stream:
            if self.tap:
                self.tap(False, data)
            stream.downward.append(data)
            asyncio.get_running_loop().call_later(LATENCY_S, self._arrive, stream)

    def _arrive(self, stream: _Stream) -> None:
        data = stream.downward.popleft()
        if stream is self._stream:
            self._on_data(data)

    def ended(self, stream: _Stream) -> None:
        """Either side closed this connection."""
        if stream is self._stream:
            self._stream = None
            stream.end()
            self._on_down()
