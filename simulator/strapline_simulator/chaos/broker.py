"""An MQTT broker in memory that does what brokers do to messages: it keeps, repeats, overtakes, drops and forgets them."""

import itertools
from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

from strapline_protocol.mqtt import Will, topic_matches
from strapline_simulator.chaos.timeline import Timeline

STOCK_QUEUE = 1000
"""Messages for a client that is away; more are dropped without a word (mosquitto.conf, max_queued_messages)."""


class Message(NamedTuple):
    """One message."""

    topic: str
    payload: bytes


class Weather:
    """What the way between broker and clients is like. With no jitter everything arrives in the order in which it was sent."""

    def __init__(self) -> None:
        self.jitter_s = 0.0
        self.doubling = 0.0


class _Session:
    def __init__(self) -> None:
        self.subscriptions: tuple[str, ...] = ()
        self.take: Callable[[str, bytes], None] | None = None
        self.queue: list[Message] = []
        self.under_way: dict[int, Message] = {}
        self.free_at = 0.0
        self.connection = 0
        self.will: Will | None = None


class Broker:
    """QoS 1, sessions, retained messages, wills. Clients are told nothing of a stop; whoever drives them notices in its time."""

    def __init__(self, timeline: Timeline, dice: Random, weather: Weather) -> None:
        self._timeline = timeline
        self._dice = dice
        self._weather = weather
        self._sessions: dict[str, _Session] = {}
        self._retained: dict[str, Message] = {}
        self._numbers = itertools.count()
        self.running = True
        self.queue_limit = STOCK_QUEUE
        self.dropped = 0
        self.carried = 0

    # The broker's own life.

    def stop(self, *, forget: bool) -> None:
        """Gone; `forget`: with its sessions and what it had retained."""
        self.running = False
        for session in self._sessions.values():
            self._detach(session)
            session.will = None
        if forget:
            self.dropped += sum(len(session.queue) for session in self._sessions.values())
            self._sessions.clear()
            self._retained.clear()

    def start(self) -> None:
        """There again."""
        self.running = True

    # Clients.

    def connect(
        self, client: str, subscriptions: Sequence[str], take: Callable[[str, bytes], None], will: Will | None = None
    ) -> None:
        """A connection with a session that is kept; what waits for it comes at once, the retained messages first."""
        session = self._sessions.setdefault(client, _Session())
        self._detach(session)
        session.subscriptions, session.take, session.will = tuple(subscriptions), take, will
        session.connection += 1
        waiting, session.queue = session.queue, []
        retained = [message for message in self._retained.values() if _covers(session, message.topic)]
        for message in (*retained, *waiting):
            self._send(session, message)

    def disconnect(self, client: str) -> None:
        """The connection has broken: what was under way waits in the session, and the will is told after its delay."""
        session = self._sessions.get(client)
        if session is None or session.take is None:
            return
        self._detach(session)
        if session.will is not None:
            self._timeline.after(session.will.delay_s, self._tell_will, session, session.connection, session.will)

    def publish(self, client: str, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Take a message (PUBACK), or not."""
        session = self._sessions.get(client)
        if not self.running or session is None or session.take is None:
            return False
        self._route(Message(topic, payload), retain=retain)
        return True

    def _route(self, message: Message, *, retain: bool) -> None:
        self.carried += 1
        if retain:
            self._retained[message.topic] = message
        for session in self._sessions.values():
            if not _covers(session, message.topic):
                continue
            if session.take is not None:
                self._send(session, message)
            elif len(session.queue) < self.queue_limit:
                session.queue.append(message)
            else:
                self.dropped += 1

    def _tell_will(self, session: _Session, connection: int, will: Will) -> None:
        # A broker that has stopped meanwhile knows of no will any more.
        if self.running and session.connection == connection and session.take is None and session.will is will:
            self._route(Message(will.topic, will.payload), retain=will.retain)

    # On the way.

    def _send(self, session: _Session, message: Message) -> None:
        number = next(self._numbers)
        session.under_way[number] = message
        copies = 2 if self._dice.random() < self._weather.doubling else 1
        for _ in range(copies):
            at = self._timeline.now + 0.02 + self._dice.random() * 0.03
            if self._weather.jitter_s:
                at += self._dice.random() * self._weather.jitter_s
            else:
                at = session.free_at = max(at, session.free_at)
            self._timeline.at(at, self._arrive, session, session.connection, number, message)

    def _arrive(self, session: _Session, connection: int, number: int, message: Message) -> None:
        if session.take is not None and session.connection == connection:
            session.under_way.pop(number, None)
            session.take(message.topic, message.payload)

    def _detach(self, session: _Session) -> None:
        session.queue = [*session.under_way.values(), *session.queue]
        session.under_way = {}
        session.take = None


def _covers(session: _Session, topic: str) -> bool:
    return any(topic_matches(one, topic) for one in session.subscriptions)
