"""Everybody's line to the broker, and what a scenario may do to lines and broker."""

from collections.abc import Sequence
from contextlib import ExitStack
from random import Random
from types import TracebackType
from typing import Self

from strapline_protocol.errors import UserError
from strapline_protocol.mqtt import MqttClient, Will
from strapline_simulator.broker_outage import BrokerOutage
from strapline_simulator.brokers import Broker, BrokerClient
from strapline_simulator.chain.pace import Flights, Pace
from strapline_simulator.memory_broker import MemoryBroker, MemoryClient
from strapline_simulator.tampering import TamperedClient, Tampering
from strapline_simulator.taps import MqttTap, TappedClient


class BrokerLines:
    """Use as a context manager, around all that is connected."""

    def __init__(self, broker: Broker, seed: int, pace: Pace) -> None:
        self._pace = pace
        self._broker = broker
        self._stack = ExitStack()
        self._flights: Flights
        self._clients: dict[str, BrokerClient] = {}
        self.tampering = Tampering(Random(f"{seed}/broker"))
        self.outage = BrokerOutage(broker, self._clients, seed)
        self.on_mqtt: MqttTap | None = None

    def __enter__(self) -> Self:
        self._flights = self._stack.enter_context(self._pace.flights())
        if isinstance(self._broker, MemoryBroker):
            self._broker.on_drop = self._flights.lose
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, at)

    def client(self, ident: str, subscriptions: Sequence[str], will: Will | None = None) -> MqttClient:
        """A line for one part; a new one where it had one."""
        client = self._clients[ident] = self._broker.client(f"strapline-{ident}", subscriptions, will)
        tampered = TamperedClient(self._flights.client(client, subscriptions, will), self.tampering)
        return TappedClient(tampered, self._published)

    def cut(self, ident: str) -> None:
        """Its line is gone, and the network tells nobody."""
        self._clients[ident].drop()

    def is_cut(self, ident: str) -> bool:
        client = self._clients[ident]
        return isinstance(client, MemoryClient) and client.line_cut

    async def restore(self, ident: str) -> None:
        """Its line is there again; where the broker is not, it looks for it."""
        await self._clients[ident].restore()
        self.outage.seek(ident)

    def limit_queue(self, limit: int | None) -> None:
        """How much the broker keeps for who is away; None: all. Mosquitto's own is 1,000."""
        if not isinstance(self._broker, MemoryBroker):
            raise UserError("broker_queue needs the broker in memory: run it without --broker")
        self._broker.queue_limit = limit

    def forget(self) -> None:
        """The broker, which is stopped, has lost all that it kept."""
        self.outage.forget()
        self._flights.forget()

    def _published(self, topic: str, payload: bytes) -> None:
        if self.on_mqtt is not None:
            self.on_mqtt(topic, payload)
