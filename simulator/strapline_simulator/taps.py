"""Listening in: what a tag says and hears, and a client that tells of everything it publishes."""

from collections.abc import Callable
from typing import NamedTuple

from strapline_protocol.mqtt import Listener, MqttClient

MqttTap = Callable[[str, bytes], None]


class Passage(NamedTuple):
    """One frame at the tag."""

    t_s: float
    """Since its first start, by its own clock."""
    bearer: int | None
    """None: an advertisement, whose frame stands behind six bytes of address."""
    sent: bool
    data: bytes


PassageTap = Callable[[Passage], None]


class TappedClient:
    """An `MqttClient` around another; `tap(topic, payload)` is called before each publication."""

    def __init__(self, inner: MqttClient, tap: MqttTap) -> None:
        self._inner = inner
        self._tap = tap

    async def connect(self, listener: Listener) -> None:
        await self._inner.connect(listener)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> int:
        self._tap(topic, payload)
        return self._inner.publish(topic, payload, retain=retain, expiry_s=expiry_s)

    async def close(self) -> None:
        await self._inner.close()
