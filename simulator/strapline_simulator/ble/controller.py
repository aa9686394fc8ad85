"""bumble's controller, repaired where it leaves the specification; who hears whom is the air's business."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from bumble import hci, ll
from bumble.controller import Connection, Controller, LegacyAdvertiser
from bumble.core import PhysicalTransport
from bumble.link import LocalLink

_SLOT_S = 0.625e-3  # Core Specification, Vol 4, Part E, 7.8.5: "Time = N * 0.625 ms"
_TIMEOUT_UNIT_S = 0.01  # Core Specification, Vol 4, Part E, 7.8.12: supervision "Time = N * 10 ms"
_AdvertisingType = hci.HCI_LE_Set_Advertising_Parameters_Command.AdvertisingType
# The air carries legacy advertising and whole addresses only, so hosts must not ask for more.
_NOT_ON_THIS_AIR = (
    hci.LeFeatureMask.LL_PRIVACY | hci.LeFeatureMask.LE_EXTENDED_ADVERTISING | hci.LeFeatureMask.LE_PERIODIC_ADVERTISING
)

ConnectionRequest = hci.HCI_LE_Create_Connection_Command


@dataclass
class _Advertiser(LegacyAdvertiser):
    """Legacy advertising on a timer; bumble takes the interval for milliseconds and sends connectable events only."""

    def _on_timer_fired(self) -> None:
        self.send_advertising_data()
        self.timer_handle = asyncio.get_running_loop().call_later(
            self.advertising_interval_min * _SLOT_S, self._on_timer_fired
        )

    def send_advertising_data(self) -> None:
        if self.enabled and self.advertising_type == _AdvertisingType.ADV_IND:
            self.controller.send_advertising_pdu(ll.AdvInd(self.address, self.advertising_data))
        elif self.enabled:
            self.controller.send_advertising_pdu(ll.AdvNonConnInd(self.address, self.advertising_data))


class AirController(Controller):
    """The controller of one node. Its name is the node's name on the air."""

    # Whole link-layer packets (Vol 6, Part B, 2.4): bumble's 27 would cut each notification into ten.
    le_acl_data_packet_length = 251
    supported_max_tx_octets = 251
    supported_max_rx_octets = 251
    le_features = Controller.le_features & ~_NOT_ON_THIS_AIR

    def __init__(self, name: str, air: LocalLink) -> None:
        self.on_listening_changed: Callable[[], None] | None = None
        super().__init__(name, link=air)
        self.le_legacy_advertiser = _Advertiser(self)

    @property
    def listening(self) -> bool:
        """Whether an advertisement can have any effect here."""
        return self.le_scan_enable or self.pending_le_connection is not None

    def take_request(self, address: hci.Address) -> ConnectionRequest | None:
        """The connection that is pending to `address`, if any; from now on it is pending no longer."""
        request = self._pending()
        if request is None or request.peer_address != address or address in self.le_connections:
            return None
        self._settle_request()
        return request

    def address_for(self, request: ConnectionRequest) -> hci.Address:
        """The own address that a connection was asked for with."""
        is_public = request.own_address_type == hci.OwnAddressType.PUBLIC
        return self.public_address if is_public else self.random_address

    def open_connection(
        self, role: hci.Role, own: hci.Address, peer: hci.Address, request: ConnectionRequest
    ) -> Connection:
        """One end of a new connection, announced to the host with the parameters that were asked for."""
        connection = Connection(
            controller=self,
            handle=self.allocate_connection_handle(),
            role=role,
            self_address=own,
            peer_address=peer,
            link=self.link,
            transport=PhysicalTransport.LE,
            link_type=hci.HCI_Connection_Complete_Event.LinkType.ACL,
        )
        self.le_connections[peer] = connection
        self._complete_connection(hci.HCI_ErrorCode.SUCCESS, connection.handle, role, peer, request)
        if role == hci.Role.PERIPHERAL:
            self.le_legacy_advertiser.stop()
        return connection

    def send_event(self, packet: bytes) -> None:
        """Hand the host an HCI event that is already in bytes."""
        if self.host:
            asyncio.get_running_loop().call_soon(self.host.on_packet, packet)

    def send_hci_packet(self, packet: hci.HCI_Packet) -> None:
        # Without bumble's log line, which renders each packet as text whether anybody reads it or not.
        self.send_event(bytes(packet))

    def on_hci_packet(self, packet: hci.HCI_Packet) -> None:
        if isinstance(packet, hci.HCI_AclDataPacket):
            self.on_hci_acl_data_packet(packet)
        elif isinstance(packet, hci.HCI_Command):
            self.on_hci_command_packet(packet)

    def on_hci_acl_data_packet(self, packet: hci.HCI_AclDataPacket) -> None:
        connection = self.find_le_connection_by_handle(packet.connection_handle)
        # None is no fault: a host hears a moment later that a connection is closed.
        if connection is not None:
            connection.on_hci_acl_data_packet(packet)

    def on_hci_le_set_scan_enable_command(
        self, command: hci.HCI_LE_Set_Scan_Enable_Command
    ) -> hci.HCI_StatusReturnParameters:
        result = super().on_hci_le_set_scan_enable_command(command)
        self._listening_changed()
        return result

    def on_hci_le_create_connection_command(self, command: ConnectionRequest) -> None:
        super().on_hci_le_create_connection_command(command)
        self._listening_changed()

    def on_hci_le_create_connection_cancel_command(
        self, _command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Vol 4, Part E, 7.8.13: the cancelled connection completes with Unknown Connection Identifier (0x02)."""
        request = self._pending()
        if request is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        self._settle_request()
        # Later, because the completion of the command itself comes first.
        asyncio.get_running_loop().call_soon(
            self._complete_connection,
            hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
            0,
            hci.Role.CENTRAL,
            request.peer_address,
            request,
        )
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def _pending(self) -> ConnectionRequest | None:
        request = self.pending_le_connection
        return request if isinstance(request, ConnectionRequest) else None

    def _settle_request(self) -> None:
        self.pending_le_connection = None
        self._listening_changed()

    def _listening_changed(self) -> None:
        if self.on_listening_changed is not None:
            self.on_listening_changed()

    def _complete_connection(
        self,
        status: hci.HCI_ErrorCode,
        handle: int,
        role: hci.Role,
        peer: hci.Address,
        request: ConnectionRequest,
    ) -> None:
        self.send_hci_packet(
            hci.HCI_LE_Connection_Complete_Event(
                status=status,
                connection_handle=handle,
                role=role,
                peer_address_type=peer.address_type,
                peer_address=peer,
                connection_interval=request.connection_interval_min,
                peripheral_latency=request.max_latency,
                supervision_timeout=request.supervision_timeout,
                central_clock_accuracy=0,
            )
        )


def supervision_s(request: ConnectionRequest) -> float:
    """The supervision time-out that a connection was asked for, in seconds."""
    return request.supervision_timeout * _TIMEOUT_UNIT_S
