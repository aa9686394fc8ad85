"""One connection on paho-mqtt that comes back by itself: its calls block, its events come on paho's thread. No asyncio."""

import logging
import math
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, cast

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from strapline_protocol import tls
from strapline_protocol.broker import VERSIONS, BrokerError, BrokerUrl, Will, topic_matches

KEEPALIVE_S = 30
# How long a broker keeps what it has for us while we are away (MQTT 5 only; on 3.1.1 the broker's own setting counts).
SESSION_EXPIRY_S = 7 * 24 * 3600
# Messages without a PUBACK that we allow ourselves; a broker's Receive Maximum lowers it.
WINDOW = 100
BACKOFF_CAP_S = 60.0
# 10,000 gateways come back at 500 a second (docs/delivery.md); one that has lost its line is away for 10 s on average.
FIRST_PAUSE_S = 20.0
SHORTEST_PAUSE_S = 0.5
# The first pause of one of a few, such as a centre; and at a start, where only those have company that a power failure has ended.
EAGER_PAUSE_S = 2.0
# A machine that started no longer ago may not be the only one.
JUST_BOOTED_S = 300.0
# How long the end of a connection may take.
STOP_LIMIT_S = 4.0

_LOG = logging.getLogger(__name__)


class LinkEvents(Protocol):
    """What a link tells, on paho's thread; none may raise."""

    def link_up(self, window: int) -> None:
        """The broker acknowledged all subscriptions and takes `window` messages without PUBACK; before any message."""

    def link_down(self, reason: str) -> None: ...

    def link_message(self, topic: str, payload: bytes) -> None: ...

    def link_acknowledged(self, mid: int, refusal: str | None) -> None: ...


class _Refusal(NamedTuple):
    reason: str
    mend: str
    try_older: bool = False
    try_other: bool = True
    """Another broker of the cluster may do better."""


class PahoLink:
    """MQTT 5, or 3.1.1 where the broker or the URL says so; a session that the broker keeps; back-off with jitter."""

    def __init__(
        self,
        url: BrokerUrl,
        client_id: str,
        subscriptions: Sequence[str],
        will: Will | None,
        events: LinkEvents,
        *,
        timeout_s: float,
        pause_s: Callable[[int], float],
    ) -> None:
        self._url = url
        self._client_id = client_id
        self._subscriptions = tuple(subscriptions)
        self._will = will
        self._events = events
        self._timeout = timeout_s
        self._pause_s = pause_s
        self._paho: Client | None = None
        self._tls: tls.ClientContext | None = None
        self._addresses = url.addresses
        self._at = 0
        """Which of them is connected, or tried next."""
        # Gets one answer per attempt to open; None is success.
        self._outcome: queue.SimpleQueue[_Refusal | None] = queue.SimpleQueue()
        self._opening = False
        self._line_cut = False
        self._watchdog: threading.Timer | None = None
        self._window = WINDOW
        self._subscribed = False
        self._early: list[tuple[str, bytes]] = []
        self._failures = 0

    @property
    def is_open(self) -> bool:
        return self._paho is not None

    def open(self) -> None:
        """Connect and subscribe, or BrokerError; within the time-out, and `abandon` ends it at once."""
        if self._url.scheme == "mqtts":
            tls.warn_of_expiry(self._url, tls.utc_now())
        deadline = time.monotonic() + self._timeout
        refusal = None
        for left in range(len(self._addresses), 0, -1):
            refusal = self._try_versions((deadline - time.monotonic()) / min(left, 2))
            if refusal is None:
                return
            if not refusal.try_other:
                break
            self._at = (self._at + 1) % len(self._addresses)
        assert refusal is not None
        raise BrokerError(f"{self._url.place}: {refusal.reason}; {refusal.mend}")

    def _try_versions(self, limit_s: float) -> _Refusal | None:
        versions = [self._url.version] if self._url.version else list(VERSIONS)
        deadline = time.monotonic() + limit_s
        while True:
            version = versions.pop(0)
            refusal = self._attempt(version, (deadline - time.monotonic()) / (1 + len(versions)))
            if refusal is None or not (versions and refusal.try_older):
                return refusal

    def abandon(self) -> None:
        """End `open` early, from another thread."""
        self._outcome.put(_Refusal("given up", "try again", try_other=False))

    def publish(self, topic: str, payload: bytes, *, retain: bool, expiry_s: int | None) -> int:
        """Send with QoS 1 and give paho's message id, or 0 if the link was stopped; a reconnection repeats what is open."""
        if (client := self._paho) is None:
            return 0
        properties = None
        if expiry_s is not None and client.protocol is MQTTProtocolVersion.MQTTv5:
            properties = _properties(PacketTypes.PUBLISH, MessageExpiryInterval=expiry_s)
        return client.publish(topic, payload, 1, retain, properties).mid

    def stop(self) -> None:
        """Disconnect and end paho's thread, within `STOP_LIMIT_S` or the time-out of a connection being made."""
        if (client := self._paho) is None:
            return
        client.on_pre_connect = _refuse_to_reconnect
        client.on_connect = _hang_up
        client.disconnect()
        limit = threading.Timer(STOP_LIMIT_S, _end_connection, (client,))
        limit.start()
        client.loop_stop()
        limit.cancel()
        limit.join()
        self._disarm()
        if self._watchdog is not None:
            self._watchdog.join()
        self._paho = None

    def cut(self) -> None:
        """Lose the connection as a pulled cable would, and stay away until `mend`: a fault for simulations."""
        self._line_cut = True
        if self._paho is not None:
            _end_connection(self._paho)

    def mend(self) -> None:
        self._line_cut = False

    def _attempt(self, version: str, limit_s: float) -> _Refusal | None:
        deadline = time.monotonic() + limit_s
        self._outcome = queue.SimpleQueue()
        self._opening = True
        self._paho = client = self._new_client(version)
        client.connect_timeout = max(0.1, limit_s)
        try:
            self._aim(client)
            client.reconnect()
            client.loop_start()
            refusal = self._outcome.get(timeout=max(0.0, deadline - time.monotonic()))
        except OSError as error:
            refusal = _refusal_of(error, self._url)
        except queue.Empty:
            refusal = _Refusal(f"no answer within {self._timeout:g} s", "is it an MQTT broker?", try_older=True)
        if refusal is not None:
            self.stop()
        return refusal

    def _aim(self, client: Client) -> None:
        """The next connection goes to the broker whose turn it is."""
        host, port = self._addresses[self._at]
        if client.protocol is MQTTProtocolVersion.MQTTv5:
            properties = _properties(PacketTypes.CONNECT, SessionExpiryInterval=SESSION_EXPIRY_S)
            client.connect_async(host, port, KEEPALIVE_S, clean_start=False, properties=properties)
        else:
            client.connect_async(host, port, KEEPALIVE_S)

    def _new_client(self, version: str) -> Client:
        if version == "5":
            client = Client(CallbackAPIVersion.VERSION2, self._client_id, protocol=MQTTProtocolVersion.MQTTv5)
        else:
            client = Client(CallbackAPIVersion.VERSION2, self._client_id, clean_session=False)
        client.max_queued_messages_set(0)
        client.max_inflight_messages_set(WINDOW)
        client.username_pw_set(self._url.user, self._url.password)
        if self._url.scheme == "mqtts":
            self._tls = tls.client_context(self._url, tls.utc_now())
            client.tls_set_context(self._tls)
        if (will := self._will) is not None:
            has_delay = will.delay_s and version == "5"
            delay = _properties(PacketTypes.WILLMESSAGE, WillDelayInterval=will.delay_s) if has_delay else None
            client.will_set(will.topic, will.payload, will.qos, will.retain, delay)
        client.on_socket_open = _send_at_once
        client.on_pre_connect = self._on_pre_connect
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        return client

    # On paho's thread

    def _on_pre_connect(self, client: Client, _userdata: Any) -> None:
        if self._line_cut:
            raise ConnectionAbortedError("the line is cut")
        if self._tls is not None:
            self._tls.alert = ""
        if not self._opening:
            self._renew_certificate()
            self._watchdog = threading.Timer(self._timeout, _end_connection, (client,))
            self._watchdog.daemon = True
            self._watchdog.start()

    def _renew_certificate(self) -> None:
        if self._tls is not None:
            try:
                tls.load_certificate(self._tls, self._url, tls.utc_now())
            except BrokerError as error:
                _LOG.warning("%s", error)

    def _on_connect(
        self, client: Client, _userdata: Any, _flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            older = reason.getName() == "Unsupported protocol version"
            self._refused(_Refusal(f"refused: {reason}", "check user name, password and access rules", older))
            return
        self._window = min(WINDOW, getattr(properties, "ReceiveMaximum", WINDOW))
        if self._subscriptions:
            client.subscribe([(topic_filter, 1) for topic_filter in self._subscriptions])
        else:
            self._ready()

    def _on_subscribe(
        self, client: Client, _userdata: Any, _mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        refused = [name for name, reason in zip(self._subscriptions, reasons, strict=False) if reason.is_failure]
        if refused:
            self._refused(_Refusal(f"refused a subscription to {refused[0]}", "check the broker's access rules"))
            _end_connection(client)
        else:
            self._ready()

    def _ready(self) -> None:
        self._disarm()
        self._failures = 0
        self._subscribed = True
        self._events.link_up(self._window)
        for topic, payload in self._early:
            self._events.link_message(topic, payload)
        self._early.clear()
        if self._opening:
            self._opening = False  # here, and not when `open` wakes up: the connection may be lost before that
            self._outcome.put(None)

    def _refused(self, refusal: _Refusal) -> None:
        if self._opening:
            self._outcome.put(refusal)
        else:
            _LOG.warning("%s: %s; %s", self._url.place, refusal.reason, refusal.mend)

    def _on_message(self, client: Client, _userdata: Any, message: MQTTMessage) -> None:
        _acknowledge_at_once(client)
        try:
            topic, payload = message.topic, bytes(message.payload)
        except UnicodeDecodeError:
            return
        # A session that the broker kept may hold older subscriptions, and amqtt sends other clients' retained messages.
        if not any(topic_matches(topic_filter, topic) for topic_filter in self._subscriptions):
            return
        if self._subscribed:
            self._events.link_message(topic, payload)
        else:
            self._early.append((topic, payload))

    def _on_publish(
        self, client: Client, _userdata: Any, mid: int, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        _acknowledge_at_once(client)
        self._events.link_acknowledged(mid, str(reason) if reason.is_failure else None)

    def _on_disconnect(
        self,
        client: Client,
        _userdata: Any,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._disarm()
        self._subscribed = False
        if self._opening:
            client.on_pre_connect = _refuse_to_reconnect
            self._refused(self._hung_up())
        place = self._addresses[self._at]
        self._events.link_down(f"{place}: {reason}{self._alert()}")
        self._back_off(client)

    def _alert(self) -> str:
        told = "" if self._tls is None else self._tls.alert
        return f" ({told.replace('_', ' ').lower()})" if told else ""

    def _hung_up(self) -> _Refusal:
        if self._tls is not None and self._tls.alert:
            mend = "renew cert= or have it signed by the broker's CA" if self._url.cert else "give cert= and key="
            return _Refusal(f"refuses our certificate{self._alert()}", mend)
        mend = (
            "is it an MQTT broker?" if self._tls is None else "is it an MQTT broker, and does it know our certificate?"
        )
        return _Refusal("closed the connection without an answer", mend, try_older=True)

    def _on_connect_fail(self, client: Client, _userdata: Any) -> None:
        self._disarm()
        self._back_off(client)

    def _back_off(self, client: Client) -> None:
        """Choose paho's next pause; paho itself doubles without jitter, declares whole seconds, computes with floats."""
        self._failures += 1
        # While opening, `stop` comes next and must not wait for a pause.
        pause = cast("int", 0.05 if self._opening else self._pause_s(self._failures))
        client.reconnect_delay_set(pause, pause)
        if not self._opening and len(self._addresses) > 1:
            self._at = (self._at + 1) % len(self._addresses)
            self._aim(client)

    def _disarm(self) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()


def back_off_s(failures: int, fraction: float, first_s: float = FIRST_PAUSE_S) -> float:
    """The pause before attempt `failures`; `fraction` (of 1) is drawn at random.

    The first is drawn from all of `first_s`: a broker that restarts loses everyone in the same moment, and a pause with a part in
    common would bring everyone back in one. Those after it double up to `BACKOFF_CAP_S`, and one half of each is drawn.
    """
    if failures <= 1:
        return SHORTEST_PAUSE_S + (first_s - SHORTEST_PAUSE_S) * fraction
    return min(BACKOFF_CAP_S, math.ldexp(first_s, min(failures - 1, 10))) * (0.5 + 0.5 * fraction)


def start_pause_s(up_s: float, fraction: float) -> float:
    """The pause before the first connection of a machine that has been up for `up_s`: after a power failure all boot alike."""
    return FIRST_PAUSE_S * fraction if up_s < JUST_BOOTED_S else 0.0


# paho packs them at each use and changes nothing; making them costs as much as the rest of a message.
@lru_cache(maxsize=64)
def _properties(kind: int, **values: int) -> Properties:
    properties = Properties(kind)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(properties, name, value)
    return properties


def _refusal_of(error: OSError, url: BrokerUrl) -> _Refusal:
    if isinstance(error, ssl.SSLCertVerificationError):
        mend = f"is ca={url.ca} the CA that signed it?" if url.ca else "install the CA that signed it, or give ca="
        return _Refusal(f"its certificate is not trusted ({error.verify_message})", mend)
    if isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or ""):
        told = str(error.reason).replace("_", " ").lower()
        return _Refusal(f"refuses our certificate ({told})", "give cert= and key= that the broker's CA has signed")
    if isinstance(error, ssl.SSLError):
        return _Refusal("no TLS there", "is this the broker's TLS port?")
    if isinstance(error, socket.gaierror):
        return _Refusal("the host name is not known", "check the host in the broker's URL")
    if isinstance(error, TimeoutError):
        return _Refusal("cannot be reached in time", "check the address and the network")
    return _Refusal(error.strerror or type(error).__name__, "is the broker running there?")


# A packet that follows a PUBACK waits some 40 ms for the other end's delayed TCP acknowledgement (RFC 896 meets RFC 1122),
# in either direction: a stock Mosquitto does not set TCP_NODELAY. Round trips over it are 40 times as fast with these two.
def _send_at_once(_client: Client, _userdata: Any, connection: Any) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _acknowledge_at_once(client: Client) -> None:
    connection = cast("socket.socket | None", client.socket())
    if connection is not None and hasattr(socket, "TCP_QUICKACK"):  # on Linux; the kernel forgets it
        with suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def _refuse_to_reconnect(_client: Client, _userdata: Any) -> None:
    raise ConnectionAbortedError("closing")


def _hang_up(client: Client, *_details: object) -> None:
    client.disconnect()


def _end_connection(client: Client) -> None:
    """Without a DISCONNECT; paho's thread notices and goes on from there."""
    connection = cast("socket.socket | None", client.socket())
    if connection is not None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
