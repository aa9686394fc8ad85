"""A connected peer's GATT attributes as objects on D-Bus, and the calls on them."""

from bleak.assigned_numbers import gatt_char_props_to_strs
from bumble import att
from bumble.core import BaseBumbleError, UUID
from bumble.device import Connection
from bumble.gatt import GATT_GENERIC_ACCESS_SERVICE
from bumble.gatt_client import CharacteristicProxy, Client, DescriptorProxy
from dbus_fast import Message, Variant

from strapline_simulator.ble.advertisement import uuid_text
from strapline_simulator.bluez import errors
from strapline_simulator.bluez.faults import Faults
from strapline_simulator.bluez.objects import NOTHING, Answer, Interface, ObjectTree
from strapline_simulator.bluez.reading import SlowReader

SERVICE = "org.bluez.GattService1"
CHARACTERISTIC = "org.bluez.GattCharacteristic1"
DESCRIPTOR = "org.bluez.GattDescriptor1"

_MTU_WANTED = 517  # what BlueZ 5.66 asks for
_WRITE_HEADER = 3  # Core Specification, Vol 3, Part F, 3.4.5: opcode and handle come before the value


class Attributes:
    """Those of one connection. `explore` shows them, `hide` takes them away."""

    def __init__(self, tree: ObjectTree, device: str, connection: Connection, faults: Faults) -> None:
        self.tree = tree
        self.faults = faults
        self.client: Client = connection.gatt_client
        self.connected = True
        """False from the moment in which the link is gone, told or not."""
        self._device = device
        self._reader = SlowReader(lambda: faults.burst_limit)
        self._characteristics: list[_Characteristic] = []
        self.uuids: list[str] = []

    @property
    def notifications_lost(self) -> int:
        return self._reader.lost

    async def exchange_mtu(self) -> None:
        await self.client.request_mtu(_MTU_WANTED)

    async def explore(self) -> None:
        """Show every service but Generic Access, which bluetoothd keeps to itself. Raises bumble's errors."""
        for service in await self.client.discover_services():
            self.uuids.append(_text(service.uuid))
            characteristics = await self.client.discover_characteristics([], service)
            found = [(each, await self.client.discover_descriptors(each)) for each in characteristics]
            if service.uuid == GATT_GENERIC_ACCESS_SERVICE:
                continue
            path = f"{self._device}/service{service.handle:04x}"
            properties = {
                "UUID": Variant("s", _text(service.uuid)),
                "Device": Variant("o", self._device),
                "Primary": Variant("b", True),
                "Includes": Variant("ao", []),
            }
            self.tree.add(path, {SERVICE: Interface(properties)})
            for characteristic, descriptors in found:
                self._show(path, characteristic, descriptors)

    def _show(self, service: str, proxy: CharacteristicProxy[bytes], descriptors: list[DescriptorProxy]) -> None:
        # bumble reads this flag before it subscribes, and never sets it.
        proxy.descriptors_discovered = True
        shown = _Characteristic(self, service, proxy, self._reader)
        self._characteristics.append(shown)
        self.tree.add(shown.path, {CHARACTERISTIC: shown.interface})
        for descriptor in descriptors:
            path = f"{shown.path}/desc{descriptor.handle:04x}"
            self.tree.add(path, {DESCRIPTOR: _descriptor(self, shown.path, descriptor)})

    def forget_client(self, sender: str) -> None:
        """A program has left the bus."""
        for characteristic in self._characteristics:
            characteristic.sessions.discard(sender)

    def hide(self) -> None:
        self.connected = False
        self._reader.close()
        for characteristic in self._characteristics:
            characteristic.close()
        for path in self.tree.paths(f"{self._device}/service"):
            if path.count("/") == self._device.count("/") + 1:
                self.tree.remove(path)

    async def read(self, handle: int) -> bytes:
        self._require_link()
        try:
            return bytes(await self.client.read_value(handle))
        except att.ATT_Error as error:
            raise errors.of_att(error.error_code) from None
        except BaseBumbleError as error:
            raise errors.failed(str(error)) from None

    async def write(self, handle: int, value: bytes, *, with_response: bool) -> None:
        if not self.connected and self.faults.silent_loss:
            return
        self._require_link()
        try:
            await self.client.write_value(handle, value, with_response=with_response)
        except att.ATT_Error as error:
            raise errors.of_att(error.error_code) from None
        except BaseBumbleError as error:
            raise errors.failed(str(error)) from None

    def _require_link(self) -> None:
        if not self.connected:
            raise errors.failed("Not connected")


class _Characteristic:
    """One characteristic on D-Bus."""

    def __init__(
        self, attributes: Attributes, service: str, proxy: CharacteristicProxy[bytes], reader: SlowReader
    ) -> None:
        self.path = f"{service}/char{proxy.handle - 1:04x}"  # BlueZ names it by its declaration, one before its value
        self.sessions: set[str] = set()
        """Who has called StartNotify."""
        self._attributes = attributes
        self._proxy = proxy
        self._reader = reader
        self._flags = sorted(gatt_char_props_to_strs(proxy.properties))
        self._subscribed = False
        properties = {
            "UUID": Variant("s", _text(proxy.uuid)),
            "Service": Variant("o", service),
            "Value": Variant("ay", b""),
            "Flags": Variant("as", self._flags),
            "MTU": Variant("q", attributes.client.mtu),
        }
        if self._notifies:
            properties["Notifying"] = Variant("b", False)
        methods = {
            "ReadValue": self._read,
            "WriteValue": self._write,
            "StartNotify": self._start_notify,
            "StopNotify": self._stop_notify,
        }
        self.interface = Interface(properties, methods)

    @property
    def _notifies(self) -> bool:
        return not {"notify", "indicate"}.isdisjoint(self._flags)

    async def _read(self, _message: Message) -> Answer:
        value = await self._attributes.read(self._proxy.handle)
        self._changed(value)  # BlueZ tells of what is read as it does of a notification
        return "ay", [value]

    async def _write(self, message: Message) -> Answer:
        value, options = message.body
        kind = options["type"].value if "type" in options else ""
        with_response = kind != "command" if kind else "write" in self._flags
        await self._attributes.write(self._proxy.handle, bytes(value), with_response=with_response)
        return NOTHING

    async def _start_notify(self, message: Message) -> Answer:
        if not self._notifies:
            raise errors.not_supported()
        if message.sender in self.sessions:
            raise errors.gatt_in_progress()
        await self._subscribe()
        self.sessions.add(message.sender or "")
        self._attributes.tree.change(self.path, CHARACTERISTIC, {"Notifying": Variant("b", True)})
        return NOTHING

    async def _stop_notify(self, message: Message) -> Answer:
        if message.sender not in self.sessions:
            raise errors.failed("No notify session started")
        self.sessions.discard(message.sender)
        if not self.sessions:
            self._attributes.tree.change(self.path, CHARACTERISTIC, {"Notifying": Variant("b", False)})
            await self._unsubscribe()
        return NOTHING

    async def _subscribe(self) -> None:
        if self._subscribed or (not self._attributes.connected and self._attributes.faults.silent_loss):
            return
        self._attributes._require_link()  # noqa: SLF001 - of the same module
        try:
            await self._attributes.client.subscribe(self._proxy, self._notified)
        except att.ATT_Error as error:
            raise errors.of_att(error.error_code) from None
        except BaseBumbleError as error:
            raise errors.failed(str(error)) from None
        self._subscribed = True

    async def _unsubscribe(self) -> None:
        self._subscribed = False
        if self._attributes.connected:
            await self._attributes.client.unsubscribe(self._proxy, self._notified)

    def _notified(self, value: bytes) -> None:
        self._reader.take(lambda: self._hand_over(value))

    def _hand_over(self, value: bytes) -> None:
        if self.sessions:
            self._changed(value)

    def _changed(self, value: bytes) -> None:
        self._attributes.tree.change(self.path, CHARACTERISTIC, {"Value": Variant("ay", value)})

    def close(self) -> None:
        self.sessions.clear()


def _descriptor(attributes: Attributes, characteristic: str, proxy: DescriptorProxy) -> Interface:
    async def read(_message: Message) -> Answer:
        return "ay", [await attributes.read(proxy.handle)]

    async def write(message: Message) -> Answer:
        await attributes.write(proxy.handle, bytes(message.body[0]), with_response=True)
        return NOTHING

    properties = {
        "UUID": Variant("s", _text(proxy.type)),
        "Characteristic": Variant("o", characteristic),
        "Value": Variant("ay", b""),
    }
    return Interface(properties, {"ReadValue": read, "WriteValue": write})


def _text(uuid: UUID) -> str:
    return uuid_text(bytes(uuid))
