"""The broker ends and starts again; each client comes back when its own back-off lets it (R42)."""

import asyncio
from collections.abc import Mapping
from random import Random

from strapline_protocol.errors import UserError
from strapline_protocol.paho_link import EAGER_PAUSE_S, FIRST_PAUSE_S, back_off_s
from strapline_simulator.brokers import Broker, BrokerClient
from strapline_simulator.memory_broker import MemoryBroker, MemoryClient


class BrokerOutage:
    """Stops and starts a broker in memory. Who loses it tries again after the network client's own pauses, drawn from the seed."""

    def __init__(self, broker: Broker, clients: Mapping[str, BrokerClient], seed: int) -> None:
        self._broker = broker
        self._clients = clients
        self._seed = seed
        self._tries: list[asyncio.Task[None]] = []
        self.returns: list[tuple[str, float]] = []
        """Who came back, and when on the loop's clock."""

    def stop(self) -> None:
        broker = self._of_ours()
        if not broker.running:
            raise UserError("stop: broker: it is stopped already; start it first")
        self._end_tries()
        lost = [(name, client) for name, client in self._clients.items() if _is_there(client)]
        broker.stop()
        broker.patient = True  # who starts meanwhile looks for it too
        self._tries = [asyncio.create_task(self._try_again(name, client)) for name, client in lost]

    def start(self) -> None:
        self._of_ours().start(clients_wait=True)

    def forget(self) -> None:
        """While it is stopped: it loses its sessions and what it has retained."""
        self._of_ours().stop(forget=True)

    def seek(self, name: str) -> None:
        """A client that begins while the broker is away looks for it, as those do that have lost it."""
        if isinstance(self._broker, MemoryBroker) and not self._broker.running:
            self._tries.append(asyncio.create_task(self._try_again(name, self._clients[name])))

    async def end(self) -> None:
        self._end_tries()

    def _end_tries(self) -> None:
        for task in self._tries:
            task.cancel()

    def _of_ours(self) -> MemoryBroker:
        if not isinstance(self._broker, MemoryBroker):
            raise UserError("stop: broker needs the broker in memory: run it without --broker")
        return self._broker

    async def _try_again(self, name: str, client: BrokerClient) -> None:
        draw = Random(f"{self._seed}/back-off/{name}")
        first_s = EAGER_PAUSE_S if name == "centre" else FIRST_PAUSE_S
        failures = 0
        while True:
            failures += 1
            await asyncio.sleep(back_off_s(failures, draw.random(), first_s))
            if self._of_ours().running:
                break
        if isinstance(client, MemoryClient):
            client.come_back()
        if _is_there(client):
            self.returns.append((name, asyncio.get_running_loop().time()))


def _is_there(client: BrokerClient) -> bool:
    return isinstance(client, MemoryClient) and client.is_connected
