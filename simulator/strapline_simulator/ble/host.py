"""A bumble host on the air: one node's Device, Host and controller, from power-on to power-off."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any

from bumble import hci
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.host import Host

from strapline_simulator.advertising import require_static
from strapline_simulator.ble.advertisement import is_report
from strapline_simulator.ble.air import Air
from strapline_simulator.ble.controller import AirController
from strapline_simulator.ble.lean import make_lean

make_lean()

_Command = hci.HCI_SyncCommand[Any] | hci.HCI_AsyncCommand
_Response = hci.HCI_Command_Complete_Event[Any] | hci.HCI_Command_Status_Event


def static_address(name: str) -> hci.Address:
    """A random static address (Vol 6, Part B, 1.3.2.1: the two most significant bits are 1) that belongs to a name."""
    digest = hashlib.sha256(name.encode()).digest()
    return random_address(bytes((digest[0] | 0xC0,)) + digest[1:6])


def random_address(address: bytes) -> hci.Address:
    """Of 6 bytes, most significant first; ValueError unless they are a random static address."""
    return hci.Address(require_static(address)[::-1], hci.Address.RANDOM_DEVICE_ADDRESS)


class _LeanHost(Host):
    """bumble's host without its log lines, which render each packet as text, and with a short way for reports."""

    def __init__(self, name: str, air: Air) -> None:
        super().__init__()
        self._name = name
        self._air = air
        self.on_report: Callable[[bytes], None] | None = None
        self._exchanges: set[asyncio.Task[_Response]] = set()

    def on_packet(self, packet: bytes) -> None:
        if self._air.on_hci is not None:
            self._air.on_hci(self._name, True, packet)
        if self.on_report is not None and is_report(packet):
            self.on_report(packet)
        else:
            super().on_packet(packet)

    def on_hci_packet(self, packet: hci.HCI_Packet) -> None:
        if isinstance(packet, hci.HCI_Event):
            self.on_hci_event_packet(packet)
        elif isinstance(packet, hci.HCI_AclDataPacket):
            self.on_hci_acl_data_packet(packet)

    def send_acl_sdu(self, connection_handle: int, sdu: bytes) -> None:
        # The layers above may have begun to answer when the connection was closed.
        if connection_handle in self.connections:
            super().send_acl_sdu(connection_handle, sdu)

    async def _send_command(self, command: _Command, response_timeout: float | None = None) -> _Response:
        """Wait for the response even if our caller is cancelled: bumble would take it for that of the next command."""
        exchange = asyncio.create_task(super()._send_command(command, response_timeout), name=f"HCI of {command.name}")
        self._exchanges.add(exchange)
        exchange.add_done_callback(self._exchanges.discard)
        return await asyncio.shield(exchange)

    def send_hci_packet(self, packet: hci.HCI_Packet) -> None:
        if self.hci_sink:
            data = bytes(packet)
            if self._air.on_hci is not None:
                self._air.on_hci(self._name, False, data)
            self.hci_sink.on_packet(data)


class RadioHost:
    """One node's radio. Each start is a new Device, as after a reset."""

    def __init__(self, name: str, air: Air) -> None:
        self.name = name
        self.air = air
        self._device: Device | None = None
        self._host: _LeanHost | None = None
        self._controller: AirController | None = None

    @property
    def is_on(self) -> bool:
        return self._device is not None

    @property
    def device(self) -> Device:
        """Raises RuntimeError while the radio is off, as do `host` and `controller`."""
        if self._device is None:
            raise RuntimeError(f"the radio of {self.name} is off")
        return self._device

    @property
    def host(self) -> _LeanHost:
        if self._host is None:
            raise RuntimeError(f"the radio of {self.name} is off")
        return self._host

    @property
    def controller(self) -> AirController:
        if self._controller is None:
            raise RuntimeError(f"the radio of {self.name} is off")
        return self._controller

    async def start(self) -> None:
        """Join the air and power on; RuntimeError if it is on already."""
        if self._device is not None:
            raise RuntimeError(f"the radio of {self.name} is on already")
        self._controller = AirController(self.name, self.air)
        self._host = _LeanHost(self.name, self.air)
        self._host.controller = self._controller
        configuration = DeviceConfiguration(name=self.name, address=static_address(self.name))
        self._device = Device(config=configuration, host=self._host)
        await self._device.power_on()

    async def close(self, connection: Connection) -> None:
        """Close a connection and return when it is closed, whichever end was first."""
        gone = asyncio.Event()
        connection.on(Connection.EVENT_DISCONNECTION, lambda _reason: gone.set())
        if connection.handle in self.device.connections:
            reason = hci.HCI_ErrorCode.REMOTE_USER_TERMINATED_CONNECTION_ERROR
            command = hci.HCI_Disconnect_Command(connection_handle=connection.handle, reason=reason)
            await self.host.send_async_command(command)
            await gone.wait()

    async def stop(self) -> None:
        """Fall silent at once, without a word to peers: they see the supervision time-out."""
        device, controller = self._device, self._controller
        if device is None or controller is None:
            return
        self.air.remove_controller(controller)
        await device.power_off()
        # What the controller had still to say reaches nobody.
        self.host.ready = False
        controller.host = None
        controller.le_connections.clear()
        self._device = self._host = self._controller = None
