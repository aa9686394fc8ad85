"""The brokers that a simulation can run on: in memory, amqtt on a thread of its own, or a real one elsewhere."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import Any, Protocol, Self, TypeVar

from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker as AmqttServer
from amqtt.contexts import BrokerConfig, ListenerConfig, ListenerType
from amqtt.plugins.base import BaseAuthPlugin
from amqtt.session import Session

from strapline_protocol.mqtt import BrokerError, MqttClient, PahoClient, Will, parse_broker_url
from strapline_simulator.clock import VirtualClockLoop
from strapline_simulator.memory_broker import MemoryBroker

__all__ = ["AmqttBroker", "Broker", "BrokerClient", "MemoryBroker", "NetworkClient", "RemoteBroker", "open_broker"]

# Shorter than the clock's HOLD_LIMIT_S, so that a broker's silence is a BrokerError and not an expired hold.
CONNECT_LIMIT_S = 8.0
STOP_LIMIT_S = 8.0

_USER = "{user}"

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")


class BrokerClient(MqttClient, Protocol):
    """A client whose line can be cut and mended."""

    def drop(self) -> None:
        """Lose the connection as a pulled cable would (the broker publishes the will), and stay away until `restore`."""

    async def restore(self) -> None:
        """Let the client come back; return once `mqtt_connected` was called."""


class Broker(Protocol):
    """What a simulation asks of a broker."""

    @property
    def name(self) -> str: ...

    def client(self, client_id: str, subscriptions: Sequence[str], will: Will | None = None) -> BrokerClient: ...


@asynccontextmanager
async def open_broker(spec: str) -> AsyncIterator[Broker]:
    """Give the broker for `memory`, `amqtt` or an `mqtt://` URL; BrokerError for anything else."""
    if spec == "memory":
        yield MemoryBroker()
    elif spec == "amqtt":
        async with AmqttBroker() as broker:
            yield broker
    elif spec.startswith(("mqtt://", "mqtts://")):
        yield RemoteBroker(spec)
    else:
        raise BrokerError("a broker is memory, amqtt or mqtt://[user:password@]host[:port]; choose one of them")


def _held(name: str) -> AbstractContextManager[None]:
    """Stop the running loop's clock, if it is a virtual one."""
    loop = asyncio.get_running_loop()
    return loop.held(name) if isinstance(loop, VirtualClockLoop) else nullcontext()


class NetworkClient(PahoClient):
    """`BrokerClient` over a network: virtual time stands still while it connects, closes and comes back."""

    def __init__(self, url: str, client_id: str, subscriptions: Sequence[str], will: Will | None = None) -> None:
        super().__init__(url, client_id, subscriptions, will, connect_timeout_s=CONNECT_LIMIT_S, hold=_held)
        self._is_up = threading.Event()

    def drop(self) -> None:
        self._is_up.clear()
        self._link.cut()
        self._down("the line is cut")

    async def restore(self) -> None:
        self._link.mend()
        await self._off_loop("restore", self._wait_until_up)

    def _wait_until_up(self) -> None:
        if not self._is_up.wait(CONNECT_LIMIT_S):
            raise BrokerError(f"{self._place}: the client did not come back; is the broker running there?")

    def _up(self, window: int) -> None:
        self._is_up.set()
        super()._up(window)

    def _pause_s(self, failures: int) -> float:
        return 0.1  # of real time, in which virtual time has nothing to wait for


class RemoteBroker:
    """A broker that somebody else runs; `{user}` in its URL stands for each client's own name: `centre`, or a gateway's id."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.name = str(parse_broker_url(url))

    def client(self, client_id: str, subscriptions: Sequence[str], will: Will | None = None) -> NetworkClient:
        url = self._url.replace(_USER, client_id.removeprefix("strapline-"))
        return NetworkClient(url, client_id, subscriptions, will)


class AdmitAll(BaseAuthPlugin):  # type: ignore[misc] # amqtt is untyped
    """No login, but not amqtt's "anonymous" either, whose sessions it forgets."""

    async def authenticate(self, *, session: Session) -> bool:
        return True


class _SteadyDict(dict[str, Any]):
    """Iterates over a copy."""

    def __iter__(self) -> Iterator[str]:
        return iter(list(self.keys()))

    def items(self) -> Any:
        return list(super().items())


class _AmqttServer(AmqttServer):  # type: ignore[misc] # amqtt is untyped
    """amqtt 0.12 without two faults that show once there are retained messages.

    Clients that connect at the same time broke each other's sessions (a dict changed while it was iterated over), and
    each got the retained messages of everyone's subscriptions. Both are in private methods: a test pins the cure.
    """

    def __init__(self, config: BrokerConfig) -> None:
        super().__init__(config)
        self._subscriptions = _SteadyDict()

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        if subscription[1]:  # on connecting, amqtt asks with QoS 0 for every filter it knows
            await super()._publish_retained_messages_for_subscription(subscription, session)


class AmqttBroker:
    """amqtt (MQTT 3.1.1) on a thread and a loop of its own, on a loopback port that the system chooses; quiet."""

    name = "amqtt"

    def __init__(self) -> None:
        self.url = ""
        self._thread = threading.Thread(target=self._run, name="strapline-amqtt", daemon=True)
        self._user: asyncio.AbstractEventLoop
        self._ready: asyncio.Future[str]
        self._ended: asyncio.Future[None]
        self._server: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()

    def client(self, client_id: str, subscriptions: Sequence[str], will: Will | None = None) -> NetworkClient:
        return NetworkClient(self.url, client_id, subscriptions, will)

    async def __aenter__(self) -> Self:
        for name in ("amqtt", "transitions"):
            if logging.getLogger(name).level == logging.NOTSET:
                logging.getLogger(name).setLevel(logging.CRITICAL)
        self._user = asyncio.get_running_loop()
        self._ready = self._user.create_future()
        self._ended = self._user.create_future()
        with _held("amqtt starts"):
            self._thread.start()
            self.url = await self._ready
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._server is not None:
            with _held("amqtt stops"):
                self._server.call_soon_threadsafe(self._stop.set)
                await self._ended
        self._thread.join()

    # On the broker's thread

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # noqa: BLE001 - the top of a thread
            failure = BrokerError(f"127.0.0.1: amqtt failed ({error!r}); use memory or a broker of your own")
            self._user.call_soon_threadsafe(_settle, self._ready, "", failure)
        self._user.call_soon_threadsafe(_settle, self._ended, None)

    async def _serve(self) -> None:
        self._server = asyncio.get_running_loop()
        self._server.set_exception_handler(_log_quietly)
        plugins: dict[str, Any] = {f"{AdmitAll.__module__}.{AdmitAll.__qualname__}": {}}
        amqtt = _AmqttServer(BrokerConfig({"default": ListenerConfig(ListenerType.EXTERNAL)}, plugins=plugins))
        await amqtt.start()

        accepted: set[asyncio.StreamWriter] = set()

        async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted.add(writer)
            await amqtt.external_connected(StreamReaderAdapter(reader), StreamWriterAdapter(writer), "default")

        listening = await asyncio.start_server(serve_one, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        self._user.call_soon_threadsafe(_settle, self._ready, f"mqtt://127.0.0.1:{port}?version=3.1.1")
        await self._stop.wait()
        listening.close()
        async with asyncio.timeout(STOP_LIMIT_S):
            await amqtt.shutdown()
        for writer in accepted:  # amqtt leaves one open whose client came, or went, while it was closing
            writer.transport.abort()
        await asyncio.sleep(0)  # aborted transports close their sockets on the loop's next turn


def _settle(future: asyncio.Future[_T], result: _T, error: Exception | None = None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


def _log_quietly(_loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    _LOG.debug("amqtt: %s", context)
