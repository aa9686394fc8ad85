"""A broker in memory on the running loop: MQTT's semantics without a network, deterministic in virtual time."""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from strapline_protocol.mqtt import BrokerError, Listener, Will, check_topic, topic_matches


class _Outgoing(NamedTuple):
    topic: str
    payload: bytes
    retain: bool
    expiry_s: int | None


class _Message(NamedTuple):
    topic: str
    payload: bytes
    retain: bool
    expires: float | None = None

    def is_fresh(self) -> bool:
        return self.expires is None or asyncio.get_running_loop().time() < self.expires


class _Session:
    """What the broker keeps for a client id, connected or not."""

    def __init__(self) -> None:
        self.client: MemoryClient | None = None
        self.subscriptions: Sequence[str] = ()
        self.queue: deque[_Message] = deque()
        self.will: asyncio.TimerHandle | None = None


class MemoryBroker:
    """MQTT's semantics on the running loop without a network: QoS 1, retained messages, wills, sessions that persist.

    Deterministic: each publish, delivery and PUBACK is one `call_soon`, in order. Sessions queue without limit, unless `queue_limit`
    bounds what waits for a client that is away: what comes beyond has its PUBACK and is dropped, as by Mosquitto's `max_queued_messages`.
    """

    name = "memory"

    def __init__(self) -> None:
        self.running = True
        self.patient = False
        """Whether a client may begin while it is stopped, and come later."""
        self.queue_limit: int | None = None
        self.dropped = 0
        self.on_drop: Callable[[str, str, bytes], None] = lambda _client_id, _topic, _payload: None
        """Told of each message that a client will not have: its id, topic, payload."""
        self._retained: dict[str, _Message] = {}
        self._sessions: dict[str, _Session] = {}
        self._clients: list[MemoryClient] = []

    def client(self, client_id: str, subscriptions: Sequence[str], will: Will | None = None) -> "MemoryClient":
        if any(topic_filter.startswith("$share/") for topic_filter in subscriptions):
            raise BrokerError("memory: shared subscriptions need a real broker; open it with mqtt://host:port")
        client = MemoryClient(self, client_id, subscriptions, will)
        self._clients.append(client)
        return client

    def stop(self, *, forget: bool = False) -> None:
        """Go away as a crashed broker does: no wills; `forget` loses sessions and retained messages too."""
        self.running = False
        for client in list(self._clients):
            client.lose("the broker stopped")
        for session in self._sessions.values():
            _cancel_will(session)
        if forget:
            self._sessions.clear()
            self._retained.clear()

    def start(self, *, clients_wait: bool = False) -> None:
        """Come back, and so do the clients that were connected; with `clients_wait` none does before its `come_back`."""
        self.running = True
        for client in [] if clients_wait else list(self._clients):
            client.come_back()

    def attach(self, client: "MemoryClient") -> _Session:
        """Give the client its session, with the retained messages that match queued."""
        session = self._sessions.setdefault(client.client_id, _Session())
        if session.client is not None and session.client is not client:
            session.client.drop()  # MQTT 5, section 3.1.4: a second connection with the same id takes over
        _cancel_will(session)
        session.client = client
        session.subscriptions = client.subscriptions
        session.queue.extend(message for message in self._retained.values() if client.subscribes(message.topic))
        return session

    def route(self, message: _Message) -> None:
        """Store what is retained and queue for every session whose subscriptions match."""
        if message.retain and message.payload:
            self._retained[message.topic] = message
        elif message.retain:
            self._retained.pop(message.topic, None)
        for client_id, session in self._sessions.items():
            if any(topic_matches(topic_filter, message.topic) for topic_filter in session.subscriptions):
                self._queue(client_id, session, message)

    def _queue(self, client_id: str, session: _Session, message: _Message) -> None:
        if session.client is not None:
            session.queue.append(message)
            session.client.expect_one()
        elif self.queue_limit is None or len(session.queue) < self.queue_limit:
            session.queue.append(message)
        else:
            self.dropped += 1
            self.on_drop(client_id, message.topic, message.payload)

    def detach(self, client: "MemoryClient", will: Will | None) -> None:
        """The client is gone; publish its will after the will's delay, unless it comes back."""
        session = self._sessions.get(client.client_id)
        if session is None or session.client is not client:
            return
        session.client = None
        if will is not None and self.running:
            message = _Message(will.topic, will.payload, will.retain)
            session.will = asyncio.get_running_loop().call_later(will.delay_s, self.route, message)

    def forget_client(self, client: "MemoryClient") -> None:
        self._clients.remove(client)


def _cancel_will(session: _Session) -> None:
    if session.will is not None:
        session.will.cancel()
        session.will = None


class MemoryClient:
    """`BrokerClient` of a MemoryBroker."""

    def __init__(self, broker: MemoryBroker, client_id: str, subscriptions: Sequence[str], will: Will | None) -> None:
        self.client_id = client_id
        self.subscriptions = tuple(subscriptions)
        self._broker = broker
        self._will = will
        self._listener: Listener | None = None
        self._session: _Session | None = None
        self.line_cut = False
        self._connection = 0  # its number: what was under way on an earlier connection is void
        self._tokens = itertools.count(1)
        self._unacknowledged: dict[int, _Outgoing] = {}
        self._closing = False
        self._drained = asyncio.Event()

    @property
    def is_connected(self) -> bool:
        return self._session is not None

    def subscribes(self, topic: str) -> bool:
        return any(topic_matches(topic_filter, topic) for topic_filter in self.subscriptions)

    async def connect(self, listener: Listener) -> None:
        if not self._broker.running and not self._broker.patient:
            raise BrokerError("memory: the broker is stopped; start it first")
        self._listener = listener
        self.come_back()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> int:
        check_topic(topic)
        if self._closing:
            raise RuntimeError("publish after close")
        token = next(self._tokens)
        self._unacknowledged[token] = _Outgoing(topic, payload, retain, expiry_s)
        if self._session is not None:
            asyncio.get_running_loop().call_soon(self._send, self._connection, token)
        return token

    async def close(self) -> None:
        if self._listener is None:
            return
        self._closing = True
        self._note_drained()
        await self._drained.wait()
        self._listener = self._session = None
        self._broker.detach(self, None)
        self._broker.forget_client(self)

    def drop(self) -> None:
        self.line_cut = True
        if self._session is not None:
            self._broker.detach(self, self._will)
        self.lose("the line is cut")

    async def restore(self) -> None:
        self.line_cut = False
        self.come_back()

    def lose(self, reason: str) -> None:
        """The connection has ended; the client stays ready to come back."""
        if self._session is not None and self._listener is not None:
            self._broker.detach(self, None)
            self._session = None
            self._note_drained()
            self._listener.mqtt_disconnected(reason)

    def come_back(self) -> None:
        """Connect unless the client is closed, cut off, or connected already."""
        if self._listener is None or self.line_cut or self._session is not None or not self._broker.running:
            return
        self._connection += 1
        self._session = self._broker.attach(self)
        loop = asyncio.get_running_loop()
        for token in self._unacknowledged:
            loop.call_soon(self._send, self._connection, token)
        for _ in self._session.queue:
            self.expect_one()
        self._listener.mqtt_connected()

    def expect_one(self) -> None:
        """One more message is in the session's queue."""
        asyncio.get_running_loop().call_soon(self._take, self._connection)

    def _send(self, connection: int, token: int) -> None:
        if self._session is not None and connection == self._connection:
            loop = asyncio.get_running_loop()
            topic, payload, retain, expiry_s = self._unacknowledged[token]
            expires = None if expiry_s is None else loop.time() + expiry_s
            self._broker.route(_Message(topic, payload, retain, expires))
            loop.call_soon(self._acknowledge, connection, token)

    def _acknowledge(self, connection: int, token: int) -> None:
        if self._session is not None and self._listener is not None and connection == self._connection:
            del self._unacknowledged[token]
            self._note_drained()
            self._listener.mqtt_published(token)

    def _note_drained(self) -> None:
        if self._closing and (self._session is None or not self._unacknowledged):
            self._drained.set()

    def _take(self, connection: int) -> None:
        if self._session is not None and self._listener is not None and connection == self._connection:
            message = self._session.queue.popleft()
            if not message.is_fresh():
                self._broker.on_drop(self.client_id, message.topic, message.payload)
            else:
                self._listener.mqtt_message(message.topic, message.payload)
