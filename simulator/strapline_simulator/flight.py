"""Virtual time stands still while a message is in flight on a broker. What is not published through a `FlightClient` is not seen.

Which of two messages in flight comes first is the threads' luck, so what has arrived waits until all that is in flight has, and
is then told in the order in which it was sent: a run gives the same frames on a busy machine.
"""

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple, Self

from strapline_protocol.mqtt import Listener, MqttClient, Will, topic_matches
from strapline_simulator.clock import VirtualClockLoop

# In real time. Longer than any broker or a busy machine takes, shorter than the clock's HOLD_LIMIT_S, which ends the run.
FLIGHT_LIMIT_S = 10.0


class _Sent(NamedTuple):
    topic: str
    payload: bytes
    retain: bool
    flights: "list[_Flight]"


class _Flight:
    """One message on its way to one client, or one PUBACK on its way back."""

    __slots__ = ("held_since", "key", "name", "receiver", "sender", "tell")

    def __init__(self, name: str, key: bytes, sender: "FlightClient | None", receiver: "FlightClient") -> None:
        self.name = name
        self.key = key
        self.sender = sender  # None once the broker has the message
        self.receiver = receiver
        self.held_since: float | None = None
        self.tell: Callable[[], None] | None = None  # set when it has arrived

    def is_moving(self) -> bool:
        return self.receiver.is_up and (self.sender is None or self.sender.is_up)


class FlightControl:
    """Holds the clock for every PUBACK and every delivery that the clients it made have coming, while they are connected.

    What does not arrive within `limit_s` of real time is `lost`, and time goes on. A context manager: it ends its timer.
    """

    def __init__(self, loop: VirtualClockLoop, *, limit_s: float = FLIGHT_LIMIT_S) -> None:
        self.lost = 0
        self._loop = loop
        self._limit_s = limit_s
        self._timer: threading.Timer | None = None
        self._clients: list[FlightClient] = []
        self._flights: dict[_Flight, None] = {}  # in the order of sending
        self._waiting: dict[tuple[FlightClient, bytes], deque[_Flight]] = {}  # of these, what has not arrived
        self._retained: dict[str, bytes] = {}
        loop.add_courier(self._hand_over_all)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def client(self, inner: MqttClient, subscriptions: Sequence[str], will: Will | None = None) -> "FlightClient":
        """Wrap a client that was made with the same subscriptions and will."""
        client = FlightClient(self, inner, subscriptions, will)
        self._clients.append(client)
        return client

    def close(self) -> None:
        """Release every hold and end the timer's thread."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
            self._timer = None
        self._loop.remove_courier(self._hand_over_all)
        for flight in self._flights:
            self._release(flight)
        self._flights.clear()
        self._waiting.clear()

    # For the clients

    def take_off(self, sender: "FlightClient | None", topic: str, payload: bytes) -> list[_Flight]:
        """Expect the message at every session that subscribes to its topic; `sender` is None if the broker has it already."""
        key = _key_of(topic, payload)
        receivers = [client for client in self._clients if client.has_session and client.subscribes(topic)]
        return [self.expect(topic, key, sender, receiver) for receiver in receivers]

    def retain(self, topic: str, payload: bytes) -> None:
        """The broker has it; an empty payload clears the topic."""
        self._retained.pop(topic, None)
        if payload:
            self._retained[topic] = payload

    def expect(self, name: str, key: bytes, sender: "FlightClient | None", receiver: "FlightClient") -> _Flight:
        flight = _Flight(name, key, sender, receiver)
        self._flights[flight] = None
        self._waiting.setdefault((receiver, key), deque()).append(flight)
        self._review(flight)
        return flight

    def expect_retained(self, receiver: "FlightClient") -> None:
        """The broker sends it the retained messages that it subscribes to; of what is under way nobody knows whether it is retained yet."""
        unsure = {topic for client in self._clients for topic in client.retaining()}
        for topic, payload in self._retained.items():
            key = _key_of(topic, payload)
            if topic in unsure:
                continue
            if receiver.subscribes(topic) and (receiver, key) not in self._waiting:
                self.expect(topic, key, None, receiver)

    def arrive(self, receiver: "FlightClient", key: bytes, tell: Callable[[], None]) -> None:
        """The oldest such flight has arrived, and `tell` is called in its turn; at once, if nobody expects it."""
        if not (waiting := self._waiting.get((receiver, key))):
            tell()
            return
        flight = waiting[0]
        self._stop_waiting(flight)
        flight.tell = tell
        self._review(flight)

    def lose(self, client_id: str, topic: str, payload: bytes) -> None:
        """The broker has dropped this message for the client of that id."""
        key = _key_of(topic, payload)
        receivers = [client for client in self._clients if client.client_id == client_id]
        for flight in [f for f in self._flights if f.receiver in receivers and f.key == key and f.tell is None][:1]:
            self._give_up_on(flight)

    def forget(self) -> None:
        """The broker has lost its sessions and what it retained; what waits for a PUBACK is sent again."""
        self._retained.clear()
        for client in self._clients:
            client.has_session = False
        for flight in [f for f in self._flights if f.tell is None and f.sender is not f.receiver]:
            self._give_up_on(flight)

    def review(self) -> None:
        """A client has come or gone: hold the clock for what moves, and for nothing else."""
        for flight in list(self._flights):
            self._review(flight)

    def hand_over(self, receiver: "FlightClient") -> None:
        """Tell one client, whose connection has ended, what had arrived."""
        for flight in [each for each in self._flights if each.receiver is receiver and each.tell is not None]:
            self._land(flight)

    def leave(self, client: "FlightClient") -> None:
        """Nothing reaches this client any more."""
        if client in self._clients:
            self._clients.remove(client)
        for flight in [each for each in self._flights if each.receiver is client]:
            self._give_up_on(flight)

    def _hand_over_all(self) -> bool:
        """Called when nothing else is left to do at this moment of virtual time."""
        arrived = [flight for flight in self._flights if flight.tell is not None]
        if not arrived or any(flight.tell is None and flight.is_moving() for flight in self._flights):
            return False
        for flight in arrived:
            self._loop.call_soon(self._land, flight)
        return True

    def _land(self, flight: _Flight) -> None:
        if flight not in self._flights:
            return
        del self._flights[flight]
        try:
            if flight.tell is not None:
                flight.tell()
        finally:
            self._release(flight)

    def _give_up_on(self, flight: _Flight) -> None:
        del self._flights[flight]
        if flight.tell is None:
            self._stop_waiting(flight)
        self._release(flight)

    def _stop_waiting(self, flight: _Flight) -> None:
        waiting = self._waiting[flight.receiver, flight.key]
        waiting.remove(flight)
        if not waiting:
            del self._waiting[flight.receiver, flight.key]

    def _review(self, flight: _Flight) -> None:
        if flight.tell is None and not flight.is_moving():
            self._release(flight)
        elif flight.held_since is None:
            flight.held_since = time.monotonic()
            self._loop.hold(flight.name)
            self._arm(self._limit_s)

    def _release(self, flight: _Flight) -> None:
        if flight.held_since is not None:
            flight.held_since = None
            self._loop.release(flight.name)

    def _arm(self, after_s: float) -> None:
        if self._timer is None:
            self._timer = threading.Timer(after_s, self._on_timer)
            self._timer.daemon = True
            self._timer.start()

    def _on_timer(self) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._give_up)

    def _give_up(self) -> None:
        self._timer = None
        now = time.monotonic()
        held = [(now - each.held_since, each) for each in self._flights if each.held_since is not None]
        missing = [(age_s, flight) for age_s, flight in held if flight.tell is None]
        for age_s, flight in missing:
            if age_s >= self._limit_s:
                self.lost += 1
                self._give_up_on(flight)
        if ages := [age_s for age_s, _ in missing if age_s < self._limit_s]:
            self._arm(self._limit_s - max(ages))


class FlightClient:
    """`MqttClient` around another; made by `FlightControl.client`."""

    def __init__(
        self, control: FlightControl, inner: MqttClient, subscriptions: Sequence[str], will: Will | None
    ) -> None:
        self.is_up = False
        self.has_session = False
        self.client_id = str(getattr(inner, "client_id", ""))
        self._control = control
        self._inner = inner
        self._subscriptions = tuple(subscriptions)
        self._will = will
        self._listener: Listener | None = None
        self._unacknowledged: dict[int, _Sent] = {}

    def subscribes(self, topic: str) -> bool:
        return any(topic_matches(topic_filter, topic) for topic_filter in self._subscriptions)

    def retaining(self) -> list[str]:
        """Topics of what is to be retained and has no PUBACK."""
        return [sent.topic for sent in self._unacknowledged.values() if sent.retain]

    async def connect(self, listener: Listener) -> None:
        self._listener = listener
        await self._inner.connect(self)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> int:
        token = self._inner.publish(topic, payload, retain=retain, expiry_s=expiry_s)
        self._unacknowledged[token] = _Sent(topic, payload, retain, self._control.take_off(self, topic, payload))
        self._control.expect(f"PUBACK for {topic}", _puback(token), self, self)
        return token

    async def close(self) -> None:
        self._control.hand_over(self)  # as long as it can answer
        await self._inner.close()
        self._listener = None
        if self.is_up or self.has_session:
            self.is_up = self.has_session = False
            self._control.leave(self)
            self._control.review()

    # Listener

    def mqtt_connected(self) -> None:
        self.is_up = True
        self.has_session = True
        self._control.review()
        self._control.expect_retained(self)
        if self._listener is not None:
            self._listener.mqtt_connected()

    def mqtt_disconnected(self, reason: str) -> None:
        self.is_up = False
        self._control.hand_over(self)
        self._control.review()
        if (will := self._will) is not None and not will.delay_s:
            self._control.take_off(None, will.topic, will.payload)
            if will.retain:
                self._control.retain(will.topic, will.payload)
        if self._listener is not None:
            self._listener.mqtt_disconnected(reason)

    def mqtt_message(self, topic: str, payload: bytes) -> None:
        self._control.arrive(self, _key_of(topic, payload), partial(self._tell_message, topic, payload))

    def mqtt_published(self, token: int) -> None:
        if (sent := self._unacknowledged.pop(token, None)) is not None:
            for flight in sent.flights:
                flight.sender = None
            if sent.retain:
                self._control.retain(sent.topic, sent.payload)
        self._control.arrive(self, _puback(token), partial(self._tell_published, token))

    def _tell_message(self, topic: str, payload: bytes) -> None:
        if self._listener is not None:
            self._listener.mqtt_message(topic, payload)

    def _tell_published(self, token: int) -> None:
        if self._listener is not None:
            self._listener.mqtt_published(token)


def _key_of(topic: str, payload: bytes) -> bytes:
    return hashlib.blake2b(b"%b\0%b" % (topic.encode(), payload), digest_size=16).digest()


def _puback(token: int) -> bytes:
    return token.to_bytes(8)
