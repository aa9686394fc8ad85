"""Who hears which advertising event, and whom it connects. The same draws in the same order as the whole air's."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any, Protocol

from strapline_simulator.advertising import Heard, Medium, reported
from strapline_simulator.air_link import Link
from strapline_simulator.frame_air.end import End


class Node(Protocol):
    """A radio that is on."""

    name: str


class Peripheral(Node, Protocol):
    """It advertises, and one connection is its own."""

    def take(self, end: End) -> None:
        """It is connected from now on."""


class Listener(Node, Protocol):
    """It hears advertising events, and may wait to connect."""

    def wants(self, address: bytes) -> bool:
        """Whether it waits to be connected by this address."""

    def hear(self, heard: Heard) -> None:
        """One event, if it scans."""

    def take(self, end: End) -> None:
        """It is connected to what it waited for."""

    @property
    def listening(self) -> bool:
        """Whether an advertisement can have any effect here."""

    @property
    def supervision_s(self) -> float:
        """For how long a connection of it may be silent."""


class FrameAir:
    """The nodes, in the order of joining; packets take no time."""

    def __init__(
        self,
        rssi_dbm: Callable[[str, str], int | None],
        random: Random,
        loss: float = 0.0,
        reaches: Callable[[str, str], bool] | None = None,
    ) -> None:
        """As `ble.Air` has it: `rssi_dbm(sender, receiver)` for events, `reaches(peripheral, central)` for connections."""
        self.rssi_dbm = rssi_dbm
        self.loss = loss
        self.on_advertisement: Callable[[float, str, bytes, bytes], None] | None = None
        self.medium: Medium | None = None
        self._reaches = reaches or (lambda sender, receiver: rssi_dbm(sender, receiver) is not None)
        self._random = random
        self._nodes: dict[str, Node] = {}
        self._listeners: dict[str, Listener] = {}

    def join(self, node: Node) -> None:
        """ValueError if another node of this name is there."""
        if node.name in self._nodes:
            raise ValueError(f"two nodes on the air are called {node.name}")
        self._nodes[node.name] = node

    def join_listener(self, node: Listener) -> None:
        """As `join`, for one that may hear."""
        self.join(node)
        self._listeners[node.name] = node

    def leave(self, node: Node) -> None:
        """The node falls silent; whoever is connected to it finds out by the supervision time-out."""
        del self._nodes[node.name]
        self._listeners.pop(node.name, None)

    def advertise(self, sender: Peripheral, address: bytes, data: bytes, *, connectable: bool) -> None:
        """One legacy advertising event now. The first node in the order of joining that waits for it is connected."""
        loop = asyncio.get_running_loop()
        if self.on_advertisement is not None:
            self.on_advertisement(loop.time(), sender.name, address, data)
        if self.medium is None:
            loop.call_soon(self._deliver, sender, address, data, connectable, None)
        else:
            sending = self.medium.send(sender.name, loop.time())
            loop.call_at(sending.end_s, self._deliver, sender, address, data, connectable, sending)

    def _deliver(self, sender: Peripheral, address: bytes, data: bytes, connectable: bool, sending: Any) -> None:
        for listener in list(self._listeners.values()):
            if not listener.listening:
                continue
            rssi = self.rssi_dbm(sender.name, listener.name)
            if rssi is None or (self.loss and self._random.random() < self.loss):
                continue
            if self.medium is not None and sending is not None and self.medium.drowned(sending, listener.name):
                continue
            listener.hear(Heard(address, reported(rssi), data))
            if connectable and listener.wants(address):
                self._connect(listener, sender)
                connectable = False

    def _connect(self, central: Listener, peripheral: Peripheral) -> None:
        near, far = End(central), End(peripheral)

        def in_reach() -> bool:
            is_on = self._nodes.get(peripheral.name) is peripheral and self._nodes.get(central.name) is central
            return is_on and not (near.dark or far.dark) and self._reaches(peripheral.name, central.name)

        link: Link[End] = Link(
            near, far, in_reach=in_reach, supervision_s=central.supervision_s, on_closed=lambda _link: None
        )
        near.join(link, far)
        far.join(link, near)
        peripheral.take(far)
        central.take(near)
