"""One remote device on D-Bus: found by its advertisements, connected and disconnected by call."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from bleak.exc import BleakError
from bumble import att, hci
from bumble.core import BaseBumbleError
from bumble.device import Connection
from dbus_fast import DBusError, Message, Variant

from strapline_simulator.advertising import Heard
from strapline_simulator.ble.central import Central, is_cancelled
from strapline_simulator.bluez import errors
from strapline_simulator.bluez.attributes import Attributes
from strapline_simulator.bluez.faults import Faults
from strapline_simulator.bluez.objects import NOTHING, Answer, Interface, ObjectTree, Properties
from strapline_simulator.scanning import advertisement_data

DEVICE = "org.bluez.Device1"

_CONNECT_LIMIT_S = 40.0
"""Linux gives up an LE connection after 20 s (HCI_LE_CONN_TIMEOUT), and bluetoothd tries twice: 41 s measured."""

Spawn = Callable[[Coroutine[Any, Any, None], str], "asyncio.Task[None]"]


class Device:
    """`spawn` runs what outlives a call, with an owner."""

    def __init__(
        self, tree: ObjectTree, adapter: str, central: Central, faults: Faults, address: bytes, spawn: Spawn
    ) -> None:
        self.address = address.hex(":").upper()
        self.path = f"{adapter}/dev_{self.address.replace(':', '_')}"
        self.heard_at = 0.0
        self.kept = False
        """It has been connected: bluetoothd keeps it from then on, also on its disk."""
        self._tree = tree
        self._adapter = adapter
        self._central = central
        self._faults = faults
        self._spawn = spawn
        self._connection: Connection | None = None
        self._attributes = Attributes(tree, self.path, faults)
        self._attempt: asyncio.Task[Connection] | None = None
        self._unanswered: asyncio.Event | None = None

    @property
    def connected(self) -> bool:
        """What D-Bus says; with a silent loss it is not true."""
        return bool(self._tree.get(self.path, DEVICE, "Connected"))

    @property
    def busy(self) -> bool:
        return self.connected or self._attempt is not None or self._unanswered is not None

    # What is shown.

    def show(self, heard: Heard | None) -> None:
        """It was found; or, without an advertisement, bluetoothd still knows it from its disk."""
        name = self._attributes.name
        properties: Properties = {
            "Address": Variant("s", self.address),
            "AddressType": Variant("s", "random"),
            "Alias": Variant("s", name or self.address.replace(":", "-")),
            "Paired": Variant("b", False),
            "Bonded": Variant("b", False),
            "Trusted": Variant("b", False),
            "Blocked": Variant("b", False),
            "LegacyPairing": Variant("b", False),
            "Connected": Variant("b", False),
            "UUIDs": Variant("as", self._attributes.uuids),
            "Adapter": Variant("o", self._adapter),
            "ServicesResolved": Variant("b", False),
        }
        if name:
            properties["Name"] = Variant("s", name)
        if heard is not None:
            properties |= _told_by(heard)
        methods = {"Connect": self._connect, "Disconnect": self._disconnect}
        self._tree.add(self.path, {DEVICE: Interface(properties, methods, {"Trusted": self._trust})})

    def stored(self) -> "Device":
        """As a bluetoothd that starts finds it on its disk."""
        address = bytes.fromhex(self.address.replace(":", ""))
        again = Device(self._tree, self._adapter, self._central, self._faults, address, self._spawn)
        again.kept = True
        again._attributes.uuids, again._attributes.name = self._attributes.uuids, self._attributes.name
        return again

    def hear(self, heard: Heard) -> None:
        """It is still there. BlueZ tells the RSSI of each advertisement, and of the rest what has changed."""
        told = _told_by(heard)
        news = {k: v for k, v in told.items() if k == "RSSI" or not self._tree.holds(self.path, DEVICE, k, v)}
        self._tree.change(self.path, DEVICE, news)

    def scan_ended(self) -> None:
        self._tree.change(self.path, DEVICE, {}, ("RSSI", "TxPower"))

    def forget_client(self, sender: str) -> None:
        self._attributes.forget_client(sender)

    async def _trust(self, value: Variant) -> None:
        self._tree.change(self.path, DEVICE, {"Trusted": value})

    # Connect.

    async def _connect(self, _message: Message) -> Answer:
        if not self._central.is_on:
            raise errors.failed("Input/output error")
        if self._attempt is not None:
            raise errors.failed("Operation already in progress")
        if self._faults.take("connects_in_progress"):
            raise errors.in_progress()
        if self.connected:
            return NOTHING
        if self._faults.take("connects_without_answer"):
            await self._never_answer()
        self.kept = True
        try:
            await self._stand(await self._reach())
        finally:
            self._attempt = None
        return NOTHING

    async def _never_answer(self) -> None:
        self._unanswered = asyncio.Event()
        try:
            await self._unanswered.wait()
        finally:
            self._unanswered = None
        raise errors.failed("br-connection-canceled")

    async def _reach(self) -> Connection:
        self._attempt = asyncio.create_task(
            self._central.connect(hci.Address(self.address)), name=f"connect to {self.address}"
        )
        try:
            async with asyncio.timeout(_CONNECT_LIMIT_S):
                return await self._attempt
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            raise errors.failed("br-connection-canceled") from None
        except (TimeoutError, BleakError):
            raise errors.failed("le-connection-abort-by-local") from None

    async def _stand(self, connection: Connection) -> None:
        """The link is there: say so, agree on an MTU, and look for services while the caller already has an answer."""
        self._connection = connection
        connection.on(Connection.EVENT_DISCONNECTION, lambda _reason: self._link_gone(connection))
        self._tree.change(self.path, DEVICE, {"Connected": Variant("b", True)})
        try:
            await self._attributes.bind(connection)
        except (BaseBumbleError, att.ATT_Error, asyncio.CancelledError):
            if is_cancelled():
                raise
            raise errors.failed("le-connection-abort-by-local") from None
        self._spawn(self._explore(connection), f"services of {self.address}")

    async def _explore(self, connection: Connection) -> None:
        attributes = self._attributes
        try:
            await attributes.explore()
        except (BaseBumbleError, att.ATT_Error, DBusError, asyncio.CancelledError):
            if is_cancelled():
                raise
            return  # the link is gone, which is told by itself
        if connection is not self._connection:
            return
        changed = {"UUIDs": Variant("as", attributes.uuids), "ServicesResolved": Variant("b", True)}
        if attributes.name:
            changed |= {"Name": Variant("s", attributes.name), "Alias": Variant("s", attributes.name)}
        news = {k: v for k, v in changed.items() if not self._tree.holds(self.path, DEVICE, k, v)}
        self._tree.change(self.path, DEVICE, news)

    # Disconnect.

    async def _disconnect(self, _message: Message) -> Answer:
        if self._unanswered is not None:
            self._unanswered.set()
        elif self._attempt is not None and not self._attempt.done():
            self._attempt.cancel()
        elif self.connected:
            self._tree.change(self.path, DEVICE, {"ServicesResolved": Variant("b", False)})
            await asyncio.sleep(self._faults.disconnect_delay_s)
            await self.drop()
        return NOTHING  # also where there is nothing to end

    async def drop(self) -> None:
        """End the link now, if there is one, and say so."""
        connection = self._connection
        if connection is not None:
            if self._attributes.client is not None and self._central.is_on:
                await self._central.close(connection)
            self._tell_gone(connection)

    def abandon(self) -> None:
        """The radio is gone, and with it the attempt and the link."""
        if self._attempt is not None:
            self._attempt.cancel()
        if self._unanswered is not None:
            self._unanswered.set()
        if self._connection is not None:
            self._tell_gone(self._connection)

    def _link_gone(self, connection: Connection) -> None:
        if self._connection is connection:
            self._attributes.unbind()
            if not self._faults.silent_loss:
                self._tell_gone(connection)

    def _tell_gone(self, connection: Connection) -> None:
        if self._connection is not connection:
            return
        self._connection = None
        self._attributes.unbind()
        changed = {"ServicesResolved": Variant("b", False), "Connected": Variant("b", False)}
        self._tree.change(self.path, DEVICE, changed)


def _told_by(heard: Heard) -> Properties:
    """What one advertisement says."""
    said = advertisement_data(heard)
    properties: Properties = {"RSSI": Variant("n", heard.rssi_dbm)}
    if said.local_name:
        properties |= {"Name": Variant("s", said.local_name), "Alias": Variant("s", said.local_name)}
    if said.tx_power is not None:
        properties["TxPower"] = Variant("n", said.tx_power)
    if said.service_uuids:
        properties["UUIDs"] = Variant("as", said.service_uuids)
    if said.service_data:
        data = {uuid: Variant("ay", value) for uuid, value in said.service_data.items()}
        properties["ServiceData"] = Variant("a{sv}", data)
    if said.manufacturer_data:
        made = {company: Variant("ay", value) for company, value in said.manufacturer_data.items()}
        properties["ManufacturerData"] = Variant("a{qv}", made)
    return properties
