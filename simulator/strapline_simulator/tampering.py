"""Somebody dishonest between the clients and the broker: what they publish may be altered, dropped, repeated, held back or forged.

The sender has its PUBACK all the same, as from a broker that lies. It works on every broker of a simulation.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Mapping
from random import Random

from strapline_protocol import contract
from strapline_protocol.mqtt import Listener, MqttClient

WAYS = ("alter", "drop", "replay", "reorder", "forge")

_REMEMBERED = 200
"""Messages of earlier on that a replay chooses from."""

_HELD_S = 20.0
"""A message that is held back is overtaken by all that are published within this time."""


class Tampering:
    """One such, for all clients of a run; `draw` decides. It does nothing before `begin`."""

    def __init__(self, draw: Random) -> None:
        self._draw = draw
        self._shares: Mapping[str, float] = {}
        self._remembered: deque[tuple[str, bytes]] = deque(maxlen=_REMEMBERED)
        self.done = dict.fromkeys(WAYS, 0)
        """How often each has been done."""

    def begin(self, shares: Mapping[str, float]) -> None:
        """From now on this share of the messages (0 … 1) meets with each of `WAYS`."""
        self._shares = dict(shares)

    def end(self) -> None:
        self._shares = {}

    def meddle(self, topic: str, payload: bytes) -> list[tuple[str, bytes, float]]:
        """What goes on in place of a message: topic, payload and how much later (s)."""
        if not self._shares:
            self._remembered.append((topic, payload))
            return [(topic, payload, 0.0)]
        hold_s = self._draw.uniform(0.0, _HELD_S) if self._does("reorder") else 0.0
        going = [] if self._does("drop") else [(topic, self._altered(payload), hold_s)]
        if self._does("replay"):
            going.append((topic, payload, hold_s))
            going += [(*self._draw.choice(self._remembered), 0.0)] if self._remembered else []
        if self._does("forge"):
            going.append((topic, self._forged(topic, payload), 0.0))
        self._remembered.append((topic, payload))
        return going

    def _does(self, way: str) -> bool:
        chosen = self._draw.random() < self._shares.get(way, 0.0)
        self.done[way] += chosen
        return chosen

    def _altered(self, payload: bytes) -> bytes:
        if not self._does("alter"):
            return payload
        changed, at = bytearray(payload), self._draw.randrange(8 * len(payload))
        changed[at // 8] ^= 1 << at % 8
        return bytes(changed)

    def _forged(self, topic: str, payload: bytes) -> bytes:
        """The same content under a key of his own: he knows all but the right one."""
        parsed = contract.parse_topic(topic)
        now = contract.moment({"time": "2026-01-01T00:00:00Z"}, "time")
        content = {"record": contract.text_of(payload[:64])}
        return contract.encode(contract.Message(parsed, "forged", now, content), self._draw.randbytes(32))


class TamperedClient:
    """An `MqttClient` whose publications somebody meddles with."""

    def __init__(self, inner: MqttClient, tampering: Tampering) -> None:
        self._inner = inner
        self._tampering = tampering
        self._listener: Listener | None = None
        self._tokens = itertools.count(1)
        self._ours: dict[int, int] = {}
        """Our tokens, by those of the client within."""
        self._timers: set[asyncio.TimerHandle] = set()

    async def connect(self, listener: Listener) -> None:
        self._listener = listener
        await self._inner.connect(self)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> int:
        token = next(self._tokens)
        going = self._tampering.meddle(topic, payload)
        at_once = [told for told in going if not told[2]]
        for index, (where, what, _) in enumerate(at_once):
            within = self._inner.publish(where, what, retain=retain, expiry_s=expiry_s)
            if index == 0:
                self._ours[within] = token
        if not at_once:
            self._later(0.0, self._acknowledge, token)
        for where, what, later_s in going:
            if later_s:
                self._later(later_s, self._inner_publish, where, what, retain, expiry_s)
        return token

    def _inner_publish(self, topic: str, payload: bytes, retain: bool, expiry_s: int | None) -> None:
        self._inner.publish(topic, payload, retain=retain, expiry_s=expiry_s)

    def _later(self, delay_s: float, call: object, *arguments: object) -> None:
        assert callable(call)

        def due() -> None:
            self._timers.discard(timer)
            call(*arguments)

        timer = asyncio.get_running_loop().call_later(delay_s, due)
        self._timers.add(timer)

    def _acknowledge(self, token: int) -> None:
        if self._listener is not None:
            self._listener.mqtt_published(token)

    async def close(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        await self._inner.close()

    # A listener before the client's own.

    def mqtt_connected(self) -> None:
        if self._listener is not None:
            self._listener.mqtt_connected()

    def mqtt_disconnected(self, reason: str) -> None:
        if self._listener is not None:
            self._listener.mqtt_disconnected(reason)

    def mqtt_message(self, topic: str, payload: bytes) -> None:
        if self._listener is not None:
            self._listener.mqtt_message(topic, payload)

    def mqtt_published(self, token: int) -> None:
        if (ours := self._ours.pop(token, None)) is not None:
            self._acknowledge(ours)
