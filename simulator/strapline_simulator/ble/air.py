"""The one simulated air: which node hears which, at what strength, and in which order."""

import asyncio
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, NamedTuple

from bumble import hci, ll
from bumble.controller import Connection, Controller
from bumble.core import PhysicalTransport
from bumble.link import LocalLink

from strapline_simulator.advertising import Medium
from strapline_simulator.air_link import Link
from strapline_simulator.ble.advertisement import Report
from strapline_simulator.ble.controller import AirController, ConnectionRequest, supervision_s


class End(NamedTuple):
    """One side of a connection."""

    controller: AirController
    connection: Connection

    @property
    def open(self) -> bool:
        """Whether the controller still has this very connection."""
        return self.controller.le_connections.get(self.connection.peer_address) is self.connection

    def time_out(self) -> None:
        """The controller tells its host that the connection has been silent for too long."""
        self.controller.on_le_disconnected(self.connection, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)


class _Way(NamedTuple):
    """Where packets from one address to another go."""

    link: Link[End]
    receiver: End


class Air(LocalLink):
    """bumble controllers meet here. The same calls in the same order give the same air, whatever the hash seed."""

    def __init__(
        self,
        rssi_dbm: Callable[[str, str], int | None],
        random: Random,
        loss: float = 0.0,
        reaches: Callable[[str, str], bool] | None = None,
    ) -> None:
        """`rssi_dbm(sender, receiver)` takes node names and gives None out of reach.

        A connection asks `reaches(peripheral, central)`, without it `rssi_dbm`. `loss` is the probability that one listener
        misses one advertising event; connections lose nothing. Packets take no time.
        """
        super().__init__()  # type: ignore[no-untyped-call]  # bumble leaves this one constructor without types
        self.rssi_dbm = rssi_dbm
        self._reaches = reaches or (lambda sender, receiver: rssi_dbm(sender, receiver) is not None)
        self.loss = loss
        # (loop time, sender's name, address most significant byte first, advertising data), at sending
        self.on_advertisement: Callable[[float, str, bytes, bytes], None] | None = None
        self.on_hci: Callable[[str, bool, bytes], None] | None = None
        """Told of each packet between a node's host and its controller: (node, towards the host?, H4 packet)."""
        self.medium: Medium | None = None
        self._random = random
        self._nodes: dict[str, AirController] = {}
        self._listeners: tuple[AirController, ...] | None = None
        self._ways: dict[tuple[bytes, bytes], _Way] = {}

    def add_controller(self, controller: Controller) -> None:
        """Controllers must be AirControllers, each of another name."""
        if not isinstance(controller, AirController):
            raise TypeError(f"{controller.name} is not an AirController")
        if controller.name in self._nodes:
            raise ValueError(f"two nodes on the air are called {controller.name}")
        super().add_controller(controller)
        self._nodes[controller.name] = controller
        controller.on_listening_changed = self._forget_listeners

    def remove_controller(self, controller: Controller) -> None:
        """The node falls silent; whoever is connected to it finds out by the supervision time-out."""
        super().remove_controller(controller)
        del self._nodes[controller.name]
        self._forget_listeners()

    def advertise(self, sender: AirController, address: hci.Address, data: bytes, *, connectable: bool) -> None:
        """One legacy advertising event now. The first node in the order of joining that waits for it is connected."""
        loop = asyncio.get_running_loop()
        if self.on_advertisement is not None:
            self.on_advertisement(loop.time(), sender.name, address.address_bytes[::-1], data)
        if self.medium is None:
            loop.call_soon(self._deliver, sender, address, data, connectable, None)
        else:
            sending = self.medium.send(sender.name, loop.time())
            loop.call_at(sending.end_s, self._deliver, sender, address, data, connectable, sending)

    def _deliver(
        self, sender: AirController, address: hci.Address, data: bytes, connectable: bool, sending: Any
    ) -> None:
        report = Report(address, data, connectable=connectable)
        for listener in self._listening():
            if listener is sender:
                continue
            rssi = self.rssi_dbm(sender.name, listener.name)
            if rssi is None or (self.loss and self._random.random() < self.loss):
                continue
            if self.medium is not None and sending is not None and self.medium.drowned(sending, listener.name):
                continue
            if listener.le_scan_enable:
                listener.send_event(report.event(rssi))
            if connectable and (request := listener.take_request(address)) is not None:
                self._connect(listener, sender, address, request)
                connectable = False

    def _listening(self) -> tuple[AirController, ...]:
        if self._listeners is None:
            self._listeners = tuple(node for node in self._nodes.values() if node.listening)
        return self._listeners

    def _forget_listeners(self) -> None:
        self._listeners = None

    def _connect(
        self, central: AirController, peripheral: AirController, address: hci.Address, request: ConnectionRequest
    ) -> None:
        own_address = central.address_for(request)
        near = End(central, central.open_connection(hci.Role.CENTRAL, own_address, address, request))
        far = End(peripheral, peripheral.open_connection(hci.Role.PERIPHERAL, address, own_address, request))
        link = Link(
            near,
            far,
            in_reach=partial(self._in_reach, peripheral, central),
            supervision_s=supervision_s(request),
            on_closed=self._forget_link,
        )
        # By the addresses of the connection: those of the nodes may change while it is up.
        self._ways[bytes(own_address), bytes(address)] = _Way(link, far)
        self._ways[bytes(address), bytes(own_address)] = _Way(link, near)

    def _in_reach(self, peripheral: AirController, central: AirController) -> bool:
        is_on = self._nodes.get(peripheral.name) is peripheral and self._nodes.get(central.name) is central
        return is_on and self._reaches(peripheral.name, central.name)

    def _forget_link(self, link: Link[End]) -> None:
        self._ways = {addresses: way for addresses, way in self._ways.items() if way.link is not link}

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        """Advertising on bumble's own timer; connections are made by `advertise`, without a CONNECT_IND."""
        if isinstance(sender_controller, AirController) and isinstance(packet, ll.AdvInd | ll.AdvNonConnInd):
            connectable = isinstance(packet, ll.AdvInd)
            self.advertise(sender_controller, packet.advertiser_address, packet.data, connectable=connectable)

    def send_acl_data(
        self,
        sender_controller: Controller,
        destination_address: hci.Address,
        transport: PhysicalTransport,
        data: bytes,
    ) -> None:
        connection = sender_controller.le_connections.get(destination_address)
        if connection is not None:
            self._send(
                connection.self_address,
                destination_address,
                lambda end: end.controller.on_link_acl_data(end.connection.peer_address, transport, data),
            )

    def send_ll_control_pdu(
        self, sender_address: hci.Address, receiver_address: hci.Address, packet: ll.ControlPdu
    ) -> None:
        self._send(
            sender_address,
            receiver_address,
            lambda end: end.controller.on_ll_control_pdu(end.connection.peer_address, packet),
        )

    def _send(self, sender: hci.Address, receiver: hci.Address, hand_over: Callable[[End], None]) -> None:
        way = self._ways.get((bytes(sender), bytes(receiver)))
        if way is not None:
            way.link.carry(way.receiver, hand_over)
