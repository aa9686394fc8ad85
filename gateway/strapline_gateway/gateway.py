"""A whole gateway: station, links, outbox and relay around one loop. It feeds, drains, transmits and re-arms; the parts decide."""

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from types import TracebackType
from typing import Any, Self

from strapline_gateway.ble import BleLink
from strapline_gateway.relay import Relay
from strapline_gateway.station import (
    Abandon,
    Connect,
    HangUp,
    Presence,
    Provisional,
    Record,
    Ring,
    Station,
    TimeRequest,
    Transmit,
)
from strapline_gateway.stream import StreamLinks
from strapline_protocol.keys import GatewayKeys
from strapline_protocol.notices import Notice

_LOG = logging.getLogger(__name__)

_UNKEPT = 1000
"""Events that wait in memory for a disk that works again."""

_DISK_RETRY_S = 10.0


class Gateway:
    """Use as an asynchronous context manager around a connected relay; `ble` options are those of `BleLink`, None for no radio."""

    def __init__(self, station: Station, ble: dict[str, Any] | None) -> None:
        self.station = station
        self.streams = StreamLinks(station, self.drain)
        self._ble = None if ble is None else BleLink(station, self.drain, **ble)
        self._relay: Relay | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._disk_rests_until = float("-inf")
        self._unkept: deque[Presence | Provisional | Notice] = deque(maxlen=_UNKEPT)
        self.disk_faults = 0
        """How often the outbox could not be written: tags keep their records meanwhile, and the rest waits here."""
        self._stack = AsyncExitStack()
        self.on_event: Callable[[Record | Presence | Provisional | Notice], None] | None = None
        """Told of everything that is kept, for a log or a live view."""
        self.on_ring: Callable[[str], None] | None = None
        """Has a tag's modem paged, by a short message or as the operator offers it; without it orders wait for the tag's next call."""

    def attach(self, relay: Relay) -> None:
        self._relay = relay
        relay.on_change = self._arm
        self.station.resume(relay.slots())

    async def __aenter__(self) -> Self:
        if self._ble is not None:
            await self._stack.enter_async_context(self._ble)
        self.drain()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._stack.__aexit__(kind, error, traceback)
        finally:
            self._closed = True
            self._arm()

    def command(self, tag: str, sealed: bytes) -> None:
        """A command from the centre for one of our tags."""
        self.station.send_command(tag, sealed, asyncio.get_running_loop().time())
        self.drain()

    def expect_keys(self, keys: GatewayKeys, generation: int) -> bool:
        """The next keys of one of our tags, from the centre; False as in `Station.expect_keys`."""
        return self.station.expect_keys(keys, generation, asyncio.get_running_loop().time())

    def tell(self, notice: Notice) -> None:
        """The gateway has something to tell of itself: from a sensor of its own, a link, the clock, the disk."""
        self._keep(notice)
        self._arm()

    def drain(self) -> None:
        """Carry out everything that the station wants now, then wait for its next deadline."""
        for _ in range(len(self._unkept)):
            self._keep(self._unkept.popleft())
        while (event := self.station.next_event()) is not None:
            if isinstance(event, Record | Presence | Provisional | Notice):
                self._keep(event)
            elif isinstance(event, TimeRequest):
                if self._relay is not None:
                    self._relay.ask_time(event)
            elif isinstance(event, Ring):
                if self.on_ring is not None:
                    self.on_ring(event.tag)
            else:
                self._perform(event)
        if self._relay is not None and (slots := self.station.take_slots()):
            with self._disk():
                self._relay.keep_slots(slots)
        self._arm()

    def _keep(self, event: Record | Presence | Provisional | Notice) -> None:
        assert self._relay is not None, "a gateway without a relay would lose what it hears"
        kept = False
        with self._disk():
            self._relay.keep(event)
            kept = True
        if not kept and not isinstance(event, Record):
            self._unkept.append(event)
        if kept and self.on_event is not None:
            self.on_event(event)

    @contextmanager
    def _disk(self) -> Iterator[None]:
        """A disk that is full or broken must not end the gateway: what a tag has no receipt for, it sends again."""
        try:
            yield
        except sqlite3.Error as error:
            self.disk_faults += 1
            self._disk_rests_until = asyncio.get_running_loop().time() + _DISK_RETRY_S
            _LOG.error("the outbox cannot be used: %s", error)

    def _perform(self, event: Connect | Abandon | Transmit | HangUp) -> None:
        if self._ble is not None and self._ble.perform(event):
            return
        if not isinstance(event, Connect | Abandon):
            self.streams.perform(event)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._closed:
            return
        deadlines = [self.station.next_deadline()]
        if self._unkept:
            deadlines.append(self._disk_rests_until)
        if self._relay is not None:
            with self._disk():
                due = self._relay.next_deadline()
                deadlines.append(None if due is None else max(due, self._disk_rests_until))
        soonest = min([d for d in deadlines if d is not None], default=None)
        if soonest is not None:
            self._timer = asyncio.get_running_loop().call_at(soonest, self._handle_timer)

    def _handle_timer(self) -> None:
        self.station.handle_timer(asyncio.get_running_loop().time())
        if self._relay is not None:
            with self._disk():
                self._relay.publish_due()
        self.drain()
