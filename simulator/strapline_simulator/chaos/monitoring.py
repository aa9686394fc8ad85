"""The real centre in the world: on its ledger's file, started again on it, cut off from the broker and back."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from strapline_centre.centre import Centre, Person, subscriptions
from strapline_centre.ledger import Entry, Ledger
from strapline_centre.service import CentreService
from strapline_protocol.keys import CentreKeys
from strapline_protocol.mqtt import MqttClient
from strapline_simulator.chaos.base import Shared
from strapline_simulator.chaos.timeline import EPOCH_S

_CLIENT = "centre"

_TICK_S = 1.0
"""It does not look more often, whatever is due."""


class Arrived(NamedTuple):
    """A record that was new to the ledger, when it came."""

    at: float
    entry: Entry


class MonitoringCentre:
    """Centre, service and ledger on the shared broker; a `Machine`, since a centre beats and watches for silence."""

    def __init__(self, shared: Shared, tags: Sequence[CentreKeys], gateways: Mapping[str, bytes]) -> None:
        self._shared = shared
        self._tags = tags
        self._gateways = gateways
        self._path: Path = shared.folder / "ledger.sqlite"
        self._starts = 0
        self.reachable = True
        self._next_tick = 0.0
        self.arrived: list[Arrived] = []
        self.duplicates = 0
        """Copies that came and were not stored."""
        self.ledger: Ledger
        self.centre: Centre
        self.service: CentreService
        self.start()

    def utc(self) -> datetime:
        """The centre's clock is right."""
        return datetime.fromtimestamp(EPOCH_S, UTC) + timedelta(milliseconds=self._shared.timeline.now_ms)

    def start(self) -> None:
        """On its ledger's file; it knows what that knows."""
        self._starts += 1
        self.ledger = Ledger(f"sqlite:///{self._path}")
        persons = [Person(keys) for keys in self._tags]
        epoch = int(self.utc().timestamp())
        entropy = _draw(f"{self._shared.seed}/centre/{self._starts}")
        self.centre = Centre(persons, self._gateways, self.ledger, utc=self.utc, epoch=epoch, entropy=entropy)
        client: MqttClient = self  # type: ignore[assignment] # the service only publishes
        self.service = CentreService(self.centre, client, self._entered)
        if self.reachable:
            self.connect()

    def next_deadline(self) -> float | None:
        """When its sentry has something to do."""
        return max(self._next_tick, self.centre.sentry.next_deadline() - EPOCH_S)

    def handle_timer(self) -> None:
        """What is due with time."""
        self._next_tick = self._shared.timeline.now + _TICK_S
        self.service.tick()
        self.service.publish()

    def stop(self) -> None:
        """What it had not said yet is never said."""
        self.leave()
        self.duplicates += self.ledger.duplicates
        self.ledger.close()

    def leave(self) -> None:
        """Away from the broker."""
        self._shared.broker.disconnect(_CLIENT)

    def connect(self) -> None:
        """At the broker again, where there is one."""
        if self.reachable and self._shared.broker.running:
            self._shared.broker.connect(_CLIENT, subscriptions(), self._message)
            self.service.mqtt_connected()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> int:
        """As `MqttClient.publish`."""
        del expiry_s
        self._shared.digest.update(f"{self._shared.timeline.now_ms} {topic} ".encode() + payload)
        self._shared.broker.publish(_CLIENT, topic, payload, retain=retain)
        return 0

    def _message(self, topic: str, payload: bytes) -> None:
        self.service.mqtt_message(topic, payload)

    def _entered(self, entry: Entry) -> None:
        self.arrived.append(Arrived(self._shared.timeline.now, entry))


def _draw(seed: str) -> Callable[[int], bytes]:
    count = 0

    def draw(size: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.sha256(f"{seed}/{count}".encode()).digest()[:size]

    return draw
