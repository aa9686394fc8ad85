"""The tags' records that gateways publish: those in a trace, and those that come from a broker now."""

import asyncio
import secrets
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from strapline_protocol import contract
from strapline_protocol.mqtt import MessageListener, PahoClient
from strapline_simulator.traces.reading import Reading
from strapline_wire.errors import RemoteProtocolError

_CHANNELS = ("event", "position")


def record_in(topic: str, payload: bytes) -> bytes | None:
    """The sealed record of a publication; None where it carries none."""
    try:
        if contract.parse_topic(topic).channel not in _CHANNELS:
            return None
        return contract.octets(contract.read_unchecked(topic, payload).data, "record")
    except RemoteProtocolError:
        return None


def records_published(readings: Iterable[Reading]) -> set[bytes]:
    """Those in a trace."""
    found = set()
    for reading in readings:
        if reading.packet.interface == "mqtt":
            topic, _, payload = reading.packet.data.partition(b"\0")
            found.add(record_in(topic.decode(errors="replace"), payload))
    return {record for record in found if record is not None}


class PublishedRecords:
    """Hears them at a broker. An asynchronous context manager; entering raises UserError where there is none."""

    def __init__(self, url: str) -> None:
        ident = f"strapline-replay-{secrets.token_hex(4)}"
        self._client = PahoClient(url, ident, [f"{contract.ROOT}/+/{channel}/+" for channel in _CHANNELS])
        self._heard: set[bytes] = set()
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._client.connect(MessageListener(self._hear))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._client.close()

    def _hear(self, topic: str, payload: bytes) -> None:
        record = record_in(topic, payload)
        if record is not None:
            self._heard.add(record)
            self._changed.set()

    async def missing(self, expected: set[bytes], wait_s: float) -> list[bytes]:
        """Those that have not come by then."""
        try:
            async with asyncio.timeout(wait_s):
                while not expected <= self._heard:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pass
        return sorted(expected - self._heard)
