"""A gateway as a service: assembled from its configuration, run until it is told to end, and ended in good order."""

import asyncio
import logging
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager

from strapline_gateway import logs
from strapline_gateway.config import Config
from strapline_gateway.gateway import Gateway
from strapline_gateway.outbox import Outbox
from strapline_gateway.patient_client import PatientClient
from strapline_gateway.relay import Relay, state_will, subscriptions, utc_now
from strapline_gateway.state_folder import held
from strapline_gateway.station import Station
from strapline_protocol.keyring import read_gateway_keys
from strapline_protocol.mqtt import MqttClient, PahoClient
from strapline_protocol.notices import Notice, NoticeCode
from strapline_protocol.paho_link import start_pause_s
from strapline_protocol.private_file import read_link_keys

_LOG = logging.getLogger(__name__)

END_LIMIT_S = 5.0
"""A clean end takes no longer; what is not said by then is left to the broker's last will."""


def run(config: Config) -> None:
    """Run a gateway in this process until SIGTERM or SIGINT; UserError for what the user can mend."""
    logs.configure(config.log.format, config.log.level)
    with held(config.gateway.state):
        asyncio.run(Service(config).run())


class Service:
    """One gateway's process."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._end = asyncio.Event()

    async def run(self) -> None:
        """Until it is told to end."""
        config = self.config
        with _signals({signal.SIGTERM: self.end, signal.SIGINT: self.end}), _last_resort() as begin_end:
            async with AsyncExitStack() as stack:
                outbox = Outbox(config.gateway.state / "outbox.sqlite")
                stack.callback(outbox.close)
                tags = read_gateway_keys(config.tags_file) if config.tags_file.exists() else []
                if not tags:
                    _LOG.warning("no tag is enrolled: %s", config.tags_file)
                loop = asyncio.get_running_loop()
                home = config.gateway.profile != "ingress"
                ident = config.gateway.id
                station = Station(int(ident, 16), tags, os.urandom, home=home, now=loop.time())
                (key, *_) = read_link_keys(config.keys.centre)
                url = config.broker_url()

                def make_client() -> MqttClient:
                    will = state_will(ident, key, utc_now(), outbox.start)
                    return PahoClient(
                        url,
                        f"strapline-{ident}",
                        subscriptions(ident),
                        will,
                        connect_timeout_s=config.broker.connect_timeout_s,
                    )

                client = PatientClient(make_client, first_pause_s=_first_pause_s())
                uses_ble = any(link.startswith("ble:") for link in config.gateway.links)
                gateway = Gateway(station, {} if uses_ble else None)
                relay = Relay(
                    ident,
                    key,
                    outbox,
                    client,
                    utc=utc_now,
                    clock=loop.time,
                    on_command=gateway.command,
                    on_keys=gateway.expect_keys,
                    entropy=os.urandom,
                )
                gateway.attach(relay)
                stack.push_async_callback(client.close)
                stack.callback(relay.say_goodbye)
                await stack.enter_async_context(gateway)
                tasks = await stack.enter_async_context(asyncio.TaskGroup())
                gateway.tell(Notice(NoticeCode.STARTED))
                running = [tasks.create_task(client.run(relay), name="broker")]
                for link in config.gateway.links:
                    if link.startswith("tcp:"):
                        running.append(tasks.create_task(_serve_tcp(link, gateway), name=link))
                _LOG.info("gateway %s runs with %d tags", ident, len(tags))
                await self._end.wait()
                begin_end()
                _LOG.info("the gateway ends")
                for task in running:
                    task.cancel()
        _LOG.info("ended")

    def end(self) -> None:
        """End in good order."""
        self._end.set()


def _first_pause_s() -> float:
    """R42: where systemd has started us with the machine, others may have started in the same second: a street's power is back."""
    return start_pause_s(time.monotonic(), random.random()) if "INVOCATION_ID" in os.environ else 0.0


class _SocketStream:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self) -> bytes:
        return await self._reader.read(4096)

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def close(self) -> None:
        self._writer.close()


async def _serve_tcp(link: str, gateway: Gateway) -> None:
    host, _, port = link.removeprefix("tcp:").rpartition(":")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gateway.streams.serve(_SocketStream(reader, writer))

    server = await asyncio.start_server(serve, host, int(port))
    _LOG.info("tcp: listening on %s", server.sockets[0].getsockname())
    async with server:
        await server.serve_forever()


@contextmanager
def _signals(handlers: dict[signal.Signals, Callable[[], None]]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)


@contextmanager
def _last_resort() -> Iterator[Callable[[], None]]:
    """Gives what to call when the end begins: an attempt to connect blocks its thread, and must not hold up the end."""
    timer = threading.Timer(END_LIMIT_S, os._exit, (0,))
    timer.daemon = True
    try:
        yield timer.start
    finally:
        timer.cancel()
