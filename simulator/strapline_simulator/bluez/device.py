"""One remote device on D-Bus: found by its advertisements, connected and disconnected by call."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from bleak.exc import BleakError
from bumble import att, hci
from bumble.core import BaseBumbleError
from bumble.device import Connection
from dbus_fast import Message, Variant

from strapline_simulator.ble.advertisement import Heard
from strapline_simulator.ble.central import Central
from strapline_simulator.ble.scanner import advertisement_data
from strapline_simulator.bluez import errors
from strapline_simulator.bluez.attributes import Attributes
from strapline_simulator.bluez.faults import Faults
from strapline_simulator.bluez.objects import NOTHING, Answer, Interface, ObjectTree, Properties

DEVICE = "org.bluez.Device1"

_CONNECT_LIMIT_S = 20.0
"""HCI_LE_CONN_TIMEOUT of Linux: what has not come by then is given up."""


class Device:
    """`spawn` runs what outlives a call, with an owner."""

    def __init__(
        self,
        tree: ObjectTree,
        adapter: str,
        central: Central,
        faults: Faults,
        address: bytes,
        spawn: Callable[[Coroutine[Any, Any, None], str], "asyncio.Task[None]"],
    ) -> None:
        self.address = address.hex(":").upper()
        self.path = f"{adapter}/dev_{self.address.replace(':', '_')}"
        self.heard_at = 0.0
        self._tree = tree
        self._adapter = adapter
        self._central = central
        self._faults = faults
        self._spawn = spawn
        self._connection: Connection | None = None
        self._attributes: Attributes | None = None
        self._attempt: asyncio.Task[Connection] | None = None
        self._unanswered: asyncio.Event | None = None

    @property
    def connected(self) -> bool:
        """What D-Bus says; with a silent loss it is not true."""
        return bool(self._tree.get(self.path, DEVICE, "Connected"))

    @property
    def busy(self) -> bool:
        return self.connected or self._attempt is not None or self._unanswered is not None

    def show(self, heard: Heard) -> None:
        """It was found."""
        alias = self.address.replace(":", "-")
        properties: Properties = {
            "Address": Variant("s", self.address),
            "AddressType": Variant("s", "random"),
            "Alias": Variant("s", alias),
            "Paired": Variant("b", False),
            "Bonded": Variant("b", False),
            "Trusted": Variant("b", False),
            "Blocked": Variant("b", False),
            "LegacyPairing": Variant("b", False),
            "Connected": Variant("b", False),
            "UUIDs": Variant("as", []),
            "Adapter": Variant("o", self._adapter),
            "ServicesResolved": Variant("b", False),
            **_told_by(heard),
        }
        methods = {"Connect": self._connect, "Disconnect": self._disconnect}
        self._tree.add(self.path, {DEVICE: Interface(properties, methods, {"Trusted": self._trust})})

    def hear(self, heard: Heard) -> None:
        """It is still there. BlueZ tells of each advertisement, also of one like the last."""
        self._tree.change(self.path, DEVICE, _told_by(heard))

    def scan_ended(self) -> None:
        self._tree.change(self.path, DEVICE, {}, ("RSSI", "TxPower"))

    def forget_client(self, sender: str) -> None:
        if self._attributes is not None:
            self._attributes.forget_client(sender)

    async def _trust(self, value: Variant) -> None:
        self._tree.change(self.path, DEVICE, {"Trusted": value})

    # Connect.

    async def _connect(self, _message: Message) -> Answer:
        self._central_ready()
        if self._attempt is not None or self._faults.take("connects_in_progress"):
            raise errors.in_progress()
        if self.connected:
            return NOTHING
        if self._faults.take("connects_without_answer"):
            await self._never_answer()
        self._attempt = asyncio.create_task(
            self._central.connect(hci.Address(self.address)), name=f"connect to {self.address}"
        )
        try:
            async with asyncio.timeout(_CONNECT_LIMIT_S):
                connection = await self._attempt
            await self._stand(connection)
        except (asyncio.CancelledError, TimeoutError, BleakError, BaseBumbleError, att.ATT_Error):
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise errors.failed("le-connection-abort-by-local") from None
        finally:
            self._attempt = None
        return NOTHING

    def _central_ready(self) -> None:
        if not self._central.is_on:
            raise errors.not_ready()

    async def _never_answer(self) -> None:
        self._unanswered = asyncio.Event()
        try:
            await self._unanswered.wait()
        finally:
            self._unanswered = None
        raise errors.failed("le-connection-abort-by-local")

    async def _stand(self, connection: Connection) -> None:
        """The link is there: say so, agree on an MTU, and look for services while the caller already has an answer."""
        attributes = Attributes(self._tree, self.path, connection, self._faults)
        self._connection, self._attributes = connection, attributes
        connection.on(Connection.EVENT_DISCONNECTION, lambda _reason: self._link_gone(attributes))
        self._tree.change(self.path, DEVICE, {"Connected": Variant("b", True)})
        await attributes.exchange_mtu()
        self._spawn(self._explore(attributes), f"services of {self.address}")

    async def _explore(self, attributes: Attributes) -> None:
        try:
            await attributes.explore()
        except (BaseBumbleError, att.ATT_Error, asyncio.CancelledError):
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return  # the link is gone, which is told by itself
        if attributes is self._attributes and attributes.connected:
            changed = {"UUIDs": Variant("as", attributes.uuids), "ServicesResolved": Variant("b", True)}
            self._tree.change(self.path, DEVICE, changed)

    # Disconnect.

    async def _disconnect(self, _message: Message) -> Answer:
        if self._unanswered is not None:
            self._unanswered.set()
            return NOTHING
        if self._attempt is not None and not self._attempt.done():
            self._attempt.cancel()
            return NOTHING
        if not self.connected:
            raise errors.not_connected()
        await self.drop()
        return NOTHING

    async def drop(self) -> None:
        """End the link, if there is one, and say so."""
        connection, attributes = self._connection, self._attributes
        if attributes is not None and connection is not None:
            if attributes.connected and self._central.is_on:
                await self._central.close(connection)
            self._tell_gone(attributes)

    def abandon(self) -> None:
        """The radio is gone, and with it the attempt and the link."""
        if self._attempt is not None:
            self._attempt.cancel()
        if self._unanswered is not None:
            self._unanswered.set()
        if self._attributes is not None:
            self._tell_gone(self._attributes)

    def _link_gone(self, attributes: Attributes) -> None:
        attributes.connected = False
        if not self._faults.silent_loss:
            self._tell_gone(attributes)

    def _tell_gone(self, attributes: Attributes) -> None:
        if self._attributes is not attributes:
            return
        self._attributes = self._connection = None
        with suppress(Exception):
            attributes.hide()
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
