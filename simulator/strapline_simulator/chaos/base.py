"""One gateway in the world: the lives of its process, its lines to tags, and its connection with the broker."""

import hashlib
import itertools
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from strapline_protocol.keys import GatewayKeys
from strapline_protocol.mqtt import Will
from strapline_protocol.paho_link import back_off_s
from strapline_simulator.chaos.broker import Broker
from strapline_simulator.chaos.child import Birth, Reply
from strapline_simulator.chaos.process import GatewayProcess, Nursery
from strapline_simulator.chaos.timeline import EPOCH_S, Timeline
from strapline_simulator.chaos.wearer import Wearer
from strapline_tag import outputs

_ROUND_TRIP_S = 0.05


class Air:
    """How it is between tags and gateways now."""

    def __init__(self) -> None:
        self.in_reach = True
        self.coverage = True
        self.loss = 0.05
        self.corruption = 0.0


class Shared(NamedTuple):
    """What all parts of one world share."""

    timeline: Timeline
    dice: Random
    broker: Broker
    air: Air
    nursery: Nursery
    digest: Any
    folder: Path
    seed: str


class Line:
    """One connection of a tag with a gateway: in order, in portions, and dead at any moment."""

    def __init__(self, base: "Base", wearer: Wearer, bearer: int, handle: int) -> None:
        self._base = base
        self.wearer = wearer
        self.bearer = bearer
        self.handle = handle
        self.alive = True
        self._free_at = {True: 0.0, False: 0.0}

    def send(self, data: bytes, *, up: bool) -> None:
        shared = self._base.shared
        middle = shared.dice.randrange(len(data) + 1)
        for portion in (data[:middle], data[middle:]):
            for piece in self._spoilt(portion):
                self._free_at[up] = max(self._free_at[up], shared.timeline.now) + shared.dice.randrange(1, 60) / 1000
                shared.timeline.at(self._free_at[up], self._arrive, piece, up)

    def _spoilt(self, portion: bytes) -> list[bytes]:
        dice = self._base.shared.dice
        if not portion or dice.random() >= self._base.shared.air.corruption:
            return [portion] if portion else []
        at = dice.randrange(len(portion))
        flipped = portion[:at] + bytes((portion[at] ^ dice.randrange(1, 256),)) + portion[at + 1 :]
        return dice.choice(([], [portion, portion], [flipped]))

    def _arrive(self, portion: bytes, up: bool) -> None:
        if not self.alive:
            return
        if up:
            self._base.tell("link_data", self.handle, portion)
        else:
            self.wearer.link_data(self.bearer, portion)

    def cut(self) -> None:
        """Gone, at both ends."""
        if self.alive:
            self.alive = False
            del self._base.lines[self.handle]
            self._base.tell("link_down", self.handle)
            self.wearer.link_down(self.bearer)


class Base:
    """One gateway; a `Machine`. What its process has said is carried out at the time at which it said it."""

    def __init__(
        self, shared: Shared, ident: str, bearer: int, tags: tuple[GatewayKeys, ...], wearers: dict[str, Wearer]
    ) -> None:
        self.shared = shared
        self.ident = ident
        self.bearer = bearer
        self.key = hashlib.sha256(f"{shared.seed}/key/{ident}".encode()).digest()
        self._tags = tags
        self._wearers = wearers
        self._path = str(shared.folder / f"{ident}.sqlite")
        self._process: GatewayProcess | None = None
        self._deadline: float | None = None
        self._handles = itertools.count(1)
        self.lines: dict[int, Line] = {}
        self.clock_off_s = 0.0
        self.line_cut = False
        self.connected = False
        self._failures = 0
        self._dialling = 0
        self._subscriptions: tuple[str, ...] = ()
        self._will: Will | None = None
        self.kills: dict[str, int] = {"at rest": 0, "at work": 0}
        self.lives = 0
        self.published: list[tuple[str, bytes]] = []
        self.complaints = 0
        self.status: tuple[int, int] = (0, 0)

    # Its process.

    @property
    def alive(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        """Its process begins anew, on what the last one left on disk."""
        if self._process is not None:
            return
        self.lives += 1
        timeline = self.shared.timeline
        seed = f"{self.shared.seed}/{self.ident}/{self.lives}"
        birth = Birth(
            self.ident,
            self.bearer == outputs.BLE,
            self.key,
            self._tags,
            self._path,
            seed,
            timeline.now,
            self._utc_s(),
        )
        self._process = GatewayProcess(self.shared.nursery, birth)
        self._take(self._process.first)
        self._failures = 0
        timeline.after(0.2, self._connect_mqtt, self.lives)

    def kill(self) -> None:
        """From outside, while it waits."""
        if self._process is not None:
            self._process.kill()
            self.kills["at rest"] += 1
            self._died()

    def order_death(self, operations: int) -> None:
        """It kills itself in the middle of whatever it does after so many operations more."""
        if self._process is not None:
            self._process.ordered_to_die = True
            self.tell("die_at", operations)

    def kill_if_doomed(self) -> None:
        """Where it still waits for the operation at which it is to die."""
        if self._process is not None and self._process.ordered_to_die:
            self.kill()

    def end(self) -> None:
        """Let its process end by itself."""
        if self._process is not None:
            self._process.end()
            self._process = None

    def tell(self, *happened: Any) -> None:
        """Something has happened to it; nobody is there where its process is dead."""
        if self._process is not None:
            timeline = self.shared.timeline
            self._take(self._process.step(timeline.now, self._utc_s(), happened))

    def next_deadline(self) -> float | None:
        return self._deadline

    def handle_timer(self) -> None:
        if self._process is not None:
            self._take(self._process.step(self.shared.timeline.now, self._utc_s()))

    def _utc_s(self) -> float:
        return EPOCH_S + self.shared.timeline.now + self.clock_off_s

    def _take(self, reply: Reply | None) -> None:
        if reply is None:
            self.kills["at work"] += 1
            self._died()
            return
        now = self.shared.timeline.now
        self._deadline = None if reply.deadline is None else max(reply.deadline, now + 0.001)
        for name, *fields in reply.said:
            getattr(self, f"_said_{name}")(*fields)

    def _died(self) -> None:
        self._process = None
        self._deadline = None
        self.connected = False
        self.shared.broker.disconnect(self.ident)
        for line in list(self.lines.values()):
            line.cut()

    # What it says.

    def _said_born(self, subscriptions: tuple[str, ...], will: tuple[Any, ...]) -> None:
        self._subscriptions = subscriptions
        self._will = Will(*will)

    def _said_publish(self, token: int, topic: str, payload: bytes, retain: bool, _expiry_s: int | None) -> None:
        self.shared.digest.update(f"{self.shared.timeline.now_ms} {topic} ".encode() + payload)
        self.published.append((topic, payload))
        if self.shared.broker.publish(self.ident, topic, payload, retain=retain):
            self.shared.timeline.after(_ROUND_TRIP_S, self._acknowledged, self.lives, token)

    def _acknowledged(self, life: int, token: int) -> None:
        if life == self.lives and self.connected:
            self.tell("puback", token)

    def _said_connect(self, tag: str, _address: str) -> None:
        self.shared.timeline.after(self.shared.dice.uniform(0.1, 1.5), self._call, self.lives, tag)

    def _said_abandon(self, _tag: str) -> None:
        """Calls are through before anybody could end them."""

    def _said_transmit(self, handle: int, data: bytes) -> None:
        if handle in self.lines:
            self.lines[handle].send(data, up=False)

    def _said_hang_up(self, handle: int) -> None:
        if handle in self.lines:
            self.shared.timeline.after(0.01, self.lines[handle].cut)

    def _said_status(self, *status: int) -> None:
        self.status = status[0], status[1]

    def _said_complaint(self, _text: str) -> None:
        self.complaints += 1

    # Tags.

    def hear(self, address: str, data: bytes) -> None:
        if self.shared.air.in_reach and self.shared.dice.random() >= self.shared.air.loss:
            self.tell("advertisement", address, -60, data)

    def line_of(self, wearer: Wearer) -> Line | None:
        return next((line for line in self.lines.values() if line.wearer is wearer), None)

    def _call(self, life: int, tag: str) -> None:
        if life != self.lives or not self.alive:
            return
        wearer = self._wearers[tag]
        if not self.shared.air.in_reach or wearer.tag is None or self.line_of(wearer):
            self.tell("call_failed", tag)
        else:
            self.open_line(wearer, tag)

    def open_line(self, wearer: Wearer, called: str | None) -> None:
        """A connection stands; `called`: it was we who called."""
        line = Line(self, wearer, self.bearer, next(self._handles))
        self.lines[line.handle] = line
        self.tell("link_up", line.handle, called)
        if line.alive:
            wearer.link_up(self.bearer)

    # The broker.

    def lose_mqtt(self, reason: str) -> None:
        """The connection is gone, and the client tries to get it back."""
        self.shared.broker.disconnect(self.ident)
        if self.connected:
            self.connected = False
            self.tell("mqtt_down", reason)
        self._retry()

    def dial_now(self) -> None:
        """The client's next attempt to reach the broker is at this moment."""
        self._dialling += 1
        self._connect_mqtt(self.lives, self._dialling)

    def _retry(self) -> None:
        self._dialling += 1
        self._failures += 1
        pause_s = back_off_s(self._failures, self.shared.dice.random())
        self.shared.timeline.after(pause_s, self._connect_mqtt, self.lives, self._dialling)

    def _connect_mqtt(self, life: int, dialling: int | None = None) -> None:
        if life != self.lives or not self.alive or self.connected or dialling not in (None, self._dialling):
            return
        if self.line_cut or not self.shared.broker.running:
            self._retry()
            return
        self._failures = 0
        self.connected = True
        self.shared.broker.connect(self.ident, self._subscriptions, self._message, self._will)
        self.tell("mqtt_up")

    def _message(self, topic: str, payload: bytes) -> None:
        if self.connected:
            self.tell("mqtt_message", topic, payload)
