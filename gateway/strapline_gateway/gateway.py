"""A whole gateway: station, links, outbox and relay around one loop. It feeds, drains, transmits and re-arms; the parts decide."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from strapline_gateway.ble import BleLink
from strapline_gateway.relay import Relay
from strapline_gateway.station import Connect, HangUp, Presence, Provisional, Record, Station, TimeRequest, Transmit
from strapline_gateway.stream import StreamLinks


class Gateway:
    """Use as an asynchronous context manager around a connected relay; `ble` options are those of `BleLink`, None for no radio."""

    def __init__(self, station: Station, ble: dict[str, Any] | None) -> None:
        self.station = station
        self.streams = StreamLinks(station, self.drain)
        self._ble = None if ble is None else BleLink(station, self.drain, **ble)
        self._relay: Relay | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stack = AsyncExitStack()
        self.on_event: Callable[[Record | Presence | Provisional], None] | None = None
        """Told of everything that is kept, for a log or a live view."""

    def attach(self, relay: Relay) -> None:
        self._relay = relay

    async def __aenter__(self) -> "Gateway":
        if self._ble is not None:
            await self._stack.enter_async_context(self._ble)
        self.drain()
        return self

    async def __aexit__(self, *error: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._stack.__aexit__(*error)

    def command(self, tag: str, sealed: bytes) -> None:
        """A command from the centre for one of our tags."""
        self.station.send_command(tag, sealed, asyncio.get_running_loop().time())
        self.drain()

    def drain(self) -> None:
        """Carry out everything that the station wants now, then wait for its next deadline."""
        while (event := self.station.next_event()) is not None:
            if isinstance(event, Record | Presence | Provisional):
                self._keep(event)
            elif isinstance(event, TimeRequest):
                if self._relay is not None:
                    self._relay.ask_time(event)
            else:
                self._perform(event)
        self._arm()

    def _keep(self, event: Record | Presence | Provisional) -> None:
        assert self._relay is not None, "a gateway without a relay would lose what it hears"
        self._relay.keep(event)
        if self.on_event is not None:
            self.on_event(event)

    def _perform(self, event: Connect | Transmit | HangUp) -> None:
        if self._ble is not None and self._ble.perform(event):
            return
        if not isinstance(event, Connect):
            self.streams.perform(event)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadlines = [self.station.next_deadline(), self._relay.next_deadline() if self._relay else None]
        soonest = min([d for d in deadlines if d is not None], default=None)
        if soonest is not None:
            self._timer = asyncio.get_running_loop().call_at(soonest, self._handle_timer)

    def _handle_timer(self) -> None:
        now = asyncio.get_running_loop().time()
        self.station.handle_timer(now)
        if self._relay is not None:
            self._relay.publish_due()
        self.drain()
