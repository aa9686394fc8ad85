"""The MQTT client of gateway and centre, and the contract that simulated brokers keep too. Nothing about topics' meaning."""

import asyncio
import itertools
import logging
import random
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple, Protocol

from strapline_protocol.broker import (
    BrokerError,
    BrokerUrl,
    Will,
    check_topic,
    parse_broker_url,
    topic_matches,
)
from strapline_protocol.paho_link import FIRST_PAUSE_S, WINDOW, PahoLink, back_off_s

__all__ = [
    "BrokerError",
    "BrokerUrl",
    "Listener",
    "MessageListener",
    "MqttClient",
    "PahoClient",
    "Will",
    "check_topic",
    "parse_broker_url",
    "topic_matches",
]

# How long `close` waits for PUBACKs, before it disconnects.
DRAIN_LIMIT_S = 4.0

_LOG = logging.getLogger(__name__)


class Listener(Protocol):
    """Whom a client tells, on the asyncio loop's thread only."""

    def mqtt_connected(self) -> None:
        """The broker has answered and acknowledged all subscriptions; at each connection, and before its messages."""

    def mqtt_disconnected(self, reason: str) -> None:
        """The connection is lost, and the client tries to get it back; not called for our own `close`."""

    def mqtt_message(self, topic: str, payload: bytes) -> None:
        """A message on a topic that a subscription covers; may come twice (QoS 1), retained ones at each connection."""

    def mqtt_published(self, token: int) -> None:
        """PUBACK: the broker has it. Never a proof that anyone else has."""


class MessageListener:
    """A `Listener` for whom only messages count: `tell(topic, payload)` is called for each."""

    def __init__(self, tell: Callable[[str, bytes], None]) -> None:
        self.mqtt_message = tell

    def mqtt_connected(self) -> None:
        """Nobody asks."""

    def mqtt_disconnected(self, reason: str) -> None:
        """The client comes back by itself."""

    def mqtt_published(self, token: int) -> None:
        """Nobody waits for a PUBACK."""


class MqttClient(Protocol):
    """One connection to one broker. Publishing is QoS 1 and in order."""

    async def connect(self, listener: Listener) -> None:
        """Return once `mqtt_connected` was called; BrokerError if that fails, after which it may be called again."""

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> int:
        """Queue a message, also while disconnected, and give its token; ValueError for a topic with wildcards.

        `expiry_s` counts from the moment it is sent to the broker, and on MQTT 5 only.
        """

    async def close(self) -> None:
        """Wait (bounded) for what is in flight, then disconnect without the will; no listener call comes afterwards."""


class _Outgoing(NamedTuple):
    token: int
    topic: str
    payload: bytes
    retain: bool
    expiry_s: int | None


def _no_hold(_name: str) -> AbstractContextManager[None]:
    return nullcontext()


class PahoClient:
    """`MqttClient` on paho-mqtt: tries MQTT 5, then 3.1.1, unless the URL says which; reconnects by itself.

    No wait depends on the loop's clock, so that the loop may be in virtual time; `hold(name)` is entered while
    connecting and closing, to make such a clock stand still. `jitter` gives fractions of 1 for the back-off; a centre,
    which is one of a few, takes `EAGER_PAUSE_S` for its `first_pause_s`.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        subscriptions: Sequence[str],
        will: Will | None = None,
        *,
        connect_timeout_s: float = 10.0,
        hold: Callable[[str], AbstractContextManager[None]] = _no_hold,
        jitter: Callable[[], float] = random.random,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        self._place = parse_broker_url(url).place
        self._hold = hold
        self._jitter = jitter
        self._first_pause_s = first_pause_s
        self._link = PahoLink(
            parse_broker_url(url),
            client_id,
            subscriptions,
            will,
            self,
            timeout_s=connect_timeout_s,
            pause_s=self._pause_s,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listener: Listener | None = None
        self._tokens = itertools.count(1)
        self._waiting: deque[_Outgoing] = deque()
        self._in_flight: dict[int, _Outgoing] = {}
        self._window = WINDOW
        self._connected = False
        self._closing = False
        self._drained = threading.Event()
        self._posts: deque[tuple[Callable[..., None], tuple[object, ...]]] = deque()
        self._woken = False

    async def connect(self, listener: Listener) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._closing = False
        self._waiting.extendleft(reversed(self._in_flight.values()))
        self._in_flight.clear()
        try:
            await self._off_loop("connect", self._link.open)
        except asyncio.CancelledError:
            self._link.stop()
            raise

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> int:
        check_topic(topic)
        if self._closing:
            raise RuntimeError("publish after close")
        token = next(self._tokens)
        self._waiting.append(_Outgoing(token, topic, payload, retain, expiry_s))
        self._feed()
        return token

    async def close(self) -> None:
        if not self._link.is_open:
            return
        self._closing = True
        self._drained.clear()
        self._note_drained()
        await self._off_loop("close", self._drain_and_stop)
        self._connected = False
        self._listener = None

    async def _off_loop(self, name: str, work: Callable[[], None]) -> None:
        """Run blocking work, which bounds itself, on a thread that ends with it."""
        loop = asyncio.get_running_loop()
        with self._hold(f"{name} {self._place}"), ThreadPoolExecutor(1, "strapline-mqtt") as pool:
            try:
                await loop.run_in_executor(pool, work)
            except asyncio.CancelledError:
                self._link.abandon()
                self._drained.set()
                raise

    def _drain_and_stop(self) -> None:
        self._drained.wait(DRAIN_LIMIT_S)
        self._link.stop()

    def _note_drained(self) -> None:
        if not self._connected or not (self._waiting or self._in_flight):
            self._drained.set()

    def _pause_s(self, failures: int) -> float:
        return back_off_s(failures, self._jitter(), self._first_pause_s)

    def _feed(self) -> None:
        """Hand paho no more than the window: after a reconnection it would send everything that it has at once."""
        while self._connected and self._waiting and len(self._in_flight) < self._window:
            message = self._waiting.popleft()
            mid = self._link.publish(message.topic, message.payload, retain=message.retain, expiry_s=message.expiry_s)
            self._in_flight[mid] = message

    def _up(self, window: int) -> None:
        self._window = window
        self._connected = True
        if self._listener is not None:
            self._listener.mqtt_connected()
        self._feed()

    def _down(self, reason: str) -> None:
        was_connected, self._connected = self._connected, False
        self._note_drained()
        if was_connected and not self._closing and self._listener is not None:
            self._listener.mqtt_disconnected(reason)

    def _received(self, topic: str, payload: bytes) -> None:
        # Who closes could not answer it any more; what has no receipt comes again.
        if self._listener is not None and not self._closing:
            self._listener.mqtt_message(topic, payload)

    def _acknowledged(self, mid: int, refusal: str | None) -> None:
        message = self._in_flight.pop(mid, None)
        self._feed()
        self._note_drained()
        if message is None or self._listener is None:
            return
        if refusal is None:
            self._listener.mqtt_published(message.token)
        else:
            _LOG.warning("%s refused a message on %s: %s", self._place, message.topic, refusal)

    # LinkEvents, on paho's thread

    def link_up(self, window: int) -> None:
        self._post(self._up, window)

    def link_down(self, reason: str) -> None:
        self._post(self._down, reason)

    def link_message(self, topic: str, payload: bytes) -> None:
        self._post(self._received, topic, payload)

    def link_acknowledged(self, mid: int, refusal: str | None) -> None:
        self._post(self._acknowledged, mid, refusal)

    def _post(self, call: Callable[..., None], *arguments: object) -> None:
        """Have it called on the loop, in order. The loop is woken once for a burst: waking it costs as much as a message."""
        self._posts.append((call, arguments))
        if self._loop is not None and not self._woken:
            self._woken = True
            try:
                self._loop.call_soon_threadsafe(self._take_posts)
            except RuntimeError:  # the loop has ended, and nobody is left to tell
                self._woken = False

    def _take_posts(self) -> None:
        self._woken = False  # before the first is taken: what is posted from here on wakes the loop again
        try:
            for _ in range(len(self._posts)):
                call, arguments = self._posts.popleft()
                call(*arguments)
        finally:
            if self._posts and self._loop is not None and not self._woken:  # a listener has raised
                self._woken = True
                self._loop.call_soon(self._take_posts)
