"""A whole gateway: station, links, outbox and relay around one loop. It feeds, drains, transmits and re-arms; the parts decide."""

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AsyncExitStack, contextmanager
from types import TracebackType
from typing import Any, Self

from strapline_gateway import store
from strapline_gateway.ble import BleLink
from strapline_gateway.health import Health
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
from strapline_gateway.transports import Link
from strapline_protocol.errors import UserError
from strapline_protocol.keys import GatewayKeys
from strapline_protocol.notices import Notice, NoticeCode

_LOG = logging.getLogger(__name__)

_UNKEPT = 1000
"""Events that wait in memory for a disk that works again."""

_DISK_RETRY_S = 10.0

_RECEIPTS_WAIT_S = 0.05


class Gateway:
    """Use as an asynchronous context manager around a connected relay; `ble` options are those of `BleLink`, None for no radio.

    More links come with `add_links(open_links(texts, station, gateway.drain_soon, gateway.tell))` before it is entered.
    """

    def __init__(self, station: Station, ble: dict[str, Any] | None = None) -> None:
        self.station = station
        self.streams = StreamLinks(station, self.drain_soon)
        self._ble = None if ble is None else BleLink(station, self.drain_soon, tell=self.tell, **ble)
        self._links: list[Link] = [] if self._ble is None else [self._ble]
        self._draining = False
        self._relay: Relay | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._disk_rests_until = float("-inf")
        self._unkept: deque[Presence | Provisional | Notice] = deque(maxlen=_UNKEPT)
        self._heard: list[Record | Presence | Provisional | Notice] = []
        """Since the last commit; all that this turn of the loop brings, from whatever link, is one."""
        self._slots: dict[str, int] = {}
        self._flush_handle: asyncio.Handle | None = None
        self._flushes_late = False
        self._full_told = False
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
        relay.defer = self._receipt_came
        self.station.resume(relay.slots())

    def add_links(self, links: Iterable[Link]) -> None:
        """These are the gateway's from now on: it enters and leaves them."""
        self._links += links

    def health(self) -> list[Health]:
        """Of each link."""
        return [link.health for link in self._links]

    async def __aenter__(self) -> Self:
        async with self._stack:  # a link that cannot be opened takes those before it along
            for link in self._links:
                await self._stack.enter_async_context(link)
            self._stack = self._stack.pop_all()
        self.drain()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._stack.__aexit__(kind, error, traceback)
        finally:
            self.drain()  # what came last waits for the loop's next turn
            self._flush()
            self._closed = True
            self._arm()

    def command(self, tag: str, sealed: bytes) -> None:
        """A command from the centre for one of our tags."""
        self.station.send_command(tag, sealed, asyncio.get_running_loop().time())
        self.drain()

    def expect_keys(self, keys: GatewayKeys, generation: int) -> bool:
        """The next keys of one of our tags, from the centre; False as in `Station.expect_keys`."""
        return self.station.expect_keys(keys, generation, asyncio.get_running_loop().time())

    def set_schedule(self, tag: str, revision: int, curfew: bytes) -> bool:
        """A tag's schedule to judge by, from the centre; as `Station.set_schedule`."""
        taken = self.station.set_schedule(tag, revision, curfew, asyncio.get_running_loop().time())
        self.drain()
        return taken

    def tell(self, notice: Notice) -> None:
        """The gateway has something to tell of itself: from a sensor of its own, a link, the clock, the disk."""
        self._heard.append(notice)
        self._flush_soon()

    def drain_soon(self) -> None:
        """Drain in the loop's next turn: once, for whatever all links bring in this one."""
        if not self._draining:
            self._draining = True
            asyncio.get_running_loop().call_soon(self._drain_now)

    def _drain_now(self) -> None:
        self._draining = False
        if not self._closed:
            self.drain()

    def drain(self) -> None:
        """Carry out everything that the station wants now, then wait for its next deadline."""
        while (event := self.station.next_event()) is not None:
            if isinstance(event, Record | Presence | Provisional | Notice):
                self._heard.append(event)
            elif isinstance(event, TimeRequest):
                if self._relay is not None:
                    self._relay.ask_time(event)
            elif isinstance(event, Ring):
                if self.on_ring is not None:
                    self.on_ring(event.tag)
            else:
                self._perform(event)
        self._slots |= self.station.take_slots()
        if (self._heard or self._unkept or self._slots) and not self._flush_soon():
            self._flush()  # a link that closes last
        self._arm()

    def _flush_soon(self) -> bool:
        """Within this turn of the loop what was heard is on the disk; what further links bring until then goes with it."""
        if self._closed:
            return False
        if self._flush_handle is not None and self._flushes_late:
            self._flush_handle.cancel()
            self._flush_handle = None
        if self._flush_handle is None:
            self._flush_handle = asyncio.get_running_loop().call_soon(self._flush)
            self._flushes_late = False
        return True

    def _receipt_came(self) -> bool:
        """Letting go can wait a little for what is heard next, and then costs the disk nothing: what is lost with us comes again."""
        if self._closed:
            return False
        if self._flush_handle is None:
            self._flush_handle = asyncio.get_running_loop().call_later(_RECEIPTS_WAIT_S, self._flush)
            self._flushes_late = True
        return True

    def _flush(self) -> None:
        """One transaction for all that was heard, the receipts that came, and where the tags were; then it is published."""
        assert self._relay is not None, "a gateway without a relay would lose what it hears"
        if self._flush_handle is not None:
            self._flush_handle.cancel()
            self._flush_handle = None
        heard, self._heard = [*self._unkept, *self._heard], []
        self._unkept.clear()
        kept = False
        with self._disk():
            self._relay.keep_all(heard, self._slots)
            kept = True
        if kept:
            self._slots.clear()
            self._full_told = False
            if self.on_event is not None:
                for event in heard:
                    self.on_event(event)
        else:
            self._unkept.extend(event for event in heard if not isinstance(event, Record))
        self._arm()

    @contextmanager
    def _disk(self) -> Iterator[None]:
        """A disk that is full or broken must not end the gateway: what a tag has no receipt for, it sends again."""
        try:
            yield
        except sqlite3.Error as error:
            self.disk_faults += 1
            self._disk_rests_until = asyncio.get_running_loop().time() + _DISK_RETRY_S
            _LOG.error("the outbox cannot be used: %s", error)
            self._look_at_disk(error)

    def _look_at_disk(self, error: sqlite3.Error) -> None:
        if store.is_full(error) and not self._full_told:
            self._full_told = True
            self._unkept.append(Notice(NoticeCode.DISK_FULL))
        elif store.is_damage(error) and self._relay is not None:
            try:
                self._relay.mend()
            except (sqlite3.Error, UserError) as further:
                _LOG.error("the outbox cannot be mended: %s", further)

    def _perform(self, event: Connect | Abandon | Transmit | HangUp) -> None:
        if any(link.perform(event) for link in self._links) or self.streams.perform(event):
            return
        if isinstance(event, Connect):  # whoever heard it is not there any more
            self.station.call_failed(event.tag, asyncio.get_running_loop().time())

    def _arm(self) -> None:
        if self._closed:
            self._disarm()
            return
        deadlines = [self.station.next_deadline()]
        if self._unkept:
            deadlines.append(self._disk_rests_until)
        if self._relay is not None:
            with self._disk():
                due = self._relay.next_deadline()
                deadlines.append(None if due is None else max(due, self._disk_rests_until))
        soonest = min([d for d in deadlines if d is not None], default=None)
        # A timer that is too early does no harm, and to set it anew for each frame costs more than that it runs once in vain.
        if soonest is not None and (self._timer is None or soonest < self._timer.when()):
            self._disarm()
            self._timer = asyncio.get_running_loop().call_at(soonest, self._handle_timer)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _handle_timer(self) -> None:
        self._timer = None
        self.station.handle_timer(asyncio.get_running_loop().time())
        if self._relay is not None:
            with self._disk():
                self._relay.publish_due()
        self.drain()
