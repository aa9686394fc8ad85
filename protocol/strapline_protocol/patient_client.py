"""An MQTT client that need not find its broker at the start: it goes on trying, and tells what is in the way."""

import asyncio
import logging
import random
from collections.abc import Callable

from strapline_protocol.mqtt import BrokerError, Listener, MqttClient
from strapline_protocol.paho_link import EAGER_PAUSE_S, back_off_s

_LOG = logging.getLogger(__name__)

_GENERATION = 1 << 40
"""Tokens of one client; those of the next one begin after them, so that none is taken for another."""


class PatientClient:
    """`MqttClient` around clients of `make`, of which each new one may have another will.

    `connect` comes back only once there is a broker; `publish` before that goes nowhere, as with everything that a relay holds for later.
    """

    def __init__(
        self, make: Callable[[], MqttClient], *, jitter: Callable[[], float] = random.random, first_pause_s: float = 0.0
    ) -> None:
        self._make = make
        self._first_pause_s = first_pause_s
        self._jitter = jitter
        self._client: MqttClient | None = None
        self._first_token = 0
        self._changed = asyncio.Event()
        self.on_connected: Callable[[], None] = lambda: None
        """Told at each connection, after the listener."""
        self.trouble = ""
        """Why there was no first connection yet; empty once there was."""

    async def connect(self, listener: Listener) -> None:
        failures = 0
        pause_s, self._first_pause_s = self._first_pause_s, 0.0
        await asyncio.sleep(pause_s)
        client = self._make()
        while True:
            try:
                self._client = client
                await client.connect(_Tokens(listener, self._first_token, self.on_connected))
            except BrokerError as error:
                failures += 1
                level = logging.WARNING if str(error) != self.trouble else logging.DEBUG
                _LOG.log(level, "no broker yet: %s", error)
                self.trouble = str(error)
                await asyncio.sleep(back_off_s(failures, self._jitter(), EAGER_PAUSE_S))
            else:
                self.trouble = ""
                return

    async def run(self, listener: Listener) -> None:
        """Stay connected until cancelled, with a new client after each `renew`."""
        while True:
            await self.connect(listener)
            await self._changed.wait()
            self._changed.clear()
            listener.mqtt_disconnected("a new connection is made")  # before: what is published now would go nowhere
            await self.close()
            self._first_token += _GENERATION

    def renew(self) -> None:
        """Make the connection anew, with another client."""
        self._changed.set()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> int:
        if self._client is None:
            return -1
        return self._first_token + self._client.publish(topic, payload, retain=retain, expiry_s=expiry_s)

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()


class _Tokens:
    """A listener that knows tokens of all clients."""

    def __init__(self, listener: Listener, first: int, on_connected: Callable[[], None]) -> None:
        self._first = first
        self._on_connected = on_connected
        self._listener = listener
        self.mqtt_message = listener.mqtt_message

    def mqtt_connected(self) -> None:
        _LOG.info("connected with the broker")
        self._listener.mqtt_connected()
        self._on_connected()

    def mqtt_disconnected(self, reason: str) -> None:
        _LOG.warning("the connection with the broker is lost: %s", reason)
        self._listener.mqtt_disconnected(reason)

    def mqtt_published(self, token: int) -> None:
        self._listener.mqtt_published(self._first + token)
