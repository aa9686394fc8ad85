"""A device's GATT attributes as objects on D-Bus. They outlive a connection, as bluetoothd's cache does."""

from bleak.assigned_numbers import gatt_char_props_to_strs
from bumble import att
from bumble.core import UUID, BaseBumbleError
from bumble.device import Connection
from bumble.gatt import GATT_DEVICE_NAME_CHARACTERISTIC, GATT_GENERIC_ACCESS_SERVICE
from bumble.gatt_client import CharacteristicProxy, Client, DescriptorProxy, ServiceProxy
from dbus_fast import Message, Variant

from strapline_simulator.advertising import uuid_text
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
    """Those of one device, on one connection after the other."""

    def __init__(self, tree: ObjectTree, device: str, faults: Faults) -> None:
        self.tree = tree
        self.faults = faults
        self.client: Client | None = None
        """The connection's; None without one, told or not."""
        self.uuids: list[str] = []
        self.name = ""
        self._device = device
        self._reader = SlowReader(lambda: faults.burst_limit)
        self._shown: dict[str, _Characteristic] = {}

    async def bind(self, connection: Connection) -> None:
        """There is a link. Raises bumble's errors, as does `explore`."""
        self.client = connection.gatt_client
        await self.client.request_mtu(_MTU_WANTED)

    def unbind(self) -> None:
        """The link is gone, and what it brought and nobody has read yet."""
        self.client = None
        self._reader.close()
        for characteristic in self._shown.values():
            characteristic.subscribed = False

    async def explore(self) -> None:
        """Show every service but Generic Access, which bluetoothd keeps to itself, and notify those who still want it."""
        client = self.require_link()
        self.uuids = []
        for service in await client.discover_services():
            self.uuids.append(_text(service.uuid))
            characteristics = await client.discover_characteristics([], service)
            if service.uuid == GATT_GENERIC_ACCESS_SERVICE:
                await self._read_name(client, characteristics)
            else:
                await self._explore_service(client, service, characteristics)
        for characteristic in self._shown.values():
            if characteristic.sessions:
                await characteristic.subscribe()
                self.tree.change(characteristic.path, CHARACTERISTIC, {"Notifying": Variant("b", True)})

    async def _read_name(self, client: Client, characteristics: list[CharacteristicProxy[bytes]]) -> None:
        for each in characteristics:
            if each.uuid == GATT_DEVICE_NAME_CHARACTERISTIC:
                self.name = bytes(await client.read_value(each.handle)).decode(errors="replace")

    async def _explore_service(
        self, client: Client, service: ServiceProxy, characteristics: list[CharacteristicProxy[bytes]]
    ) -> None:
        path = f"{self._device}/service{service.handle:04x}"
        found = [(each, await client.discover_descriptors(each)) for each in characteristics]
        if path not in self.tree:
            properties = {
                "UUID": Variant("s", _text(service.uuid)),
                "Device": Variant("o", self._device),
                "Primary": Variant("b", True),
                "Includes": Variant("ao", []),
            }
            self.tree.add(path, {SERVICE: Interface(properties)})
        for proxy, descriptors in found:
            # bumble reads this flag before it subscribes, and never sets it.
            proxy.descriptors_discovered = True
            self._show(path, client.mtu, proxy, descriptors)

    def _show(
        self, service: str, mtu: int, proxy: CharacteristicProxy[bytes], descriptors: list[DescriptorProxy]
    ) -> None:
        path = f"{service}/char{proxy.handle - 1:04x}"  # BlueZ names it by its declaration, one before its value
        if path in self._shown:
            self._shown[path].proxy = proxy
            return
        characteristic = _Characteristic(self, path, proxy, self._reader)
        self._shown[path] = characteristic
        self.tree.add(path, {CHARACTERISTIC: characteristic.shown(service, mtu)})
        for descriptor in descriptors:
            self.tree.add(f"{path}/desc{descriptor.handle:04x}", {DESCRIPTOR: self._descriptor(path, descriptor)})

    def _descriptor(self, characteristic: str, proxy: DescriptorProxy) -> Interface:
        async def read(_message: Message) -> Answer:
            return "ay", [await self.read(proxy.handle)]

        async def write(message: Message) -> Answer:
            await self.write(proxy.handle, bytes(message.body[0]), with_response=True)
            return NOTHING

        properties = {
            "UUID": Variant("s", _text(proxy.type)),
            "Characteristic": Variant("o", characteristic),
            "Value": Variant("ay", b""),
        }
        return Interface(properties, {"ReadValue": read, "WriteValue": write})

    def forget_client(self, sender: str) -> None:
        """A program has left the bus."""
        for characteristic in self._shown.values():
            characteristic.sessions.discard(sender)

    def require_link(self) -> Client:
        if self.client is None:
            raise errors.failed("Not connected")
        return self.client

    async def read(self, handle: int) -> bytes:
        try:
            return bytes(await self.require_link().read_value(handle))
        except att.ATT_Error as error:
            raise errors.of_att(error.error_code) from None
        except BaseBumbleError as error:
            raise errors.failed(str(error)) from None

    async def write(self, handle: int, value: bytes, *, with_response: bool) -> None:
        if self.client is None and self.faults.silent_loss:
            return
        client = self.require_link()
        if not with_response and len(value) > client.mtu - _WRITE_HEADER:
            raise errors.failed("Failed to initiate write")
        try:
            await client.write_value(handle, value, with_response=with_response)
        except att.ATT_Error as error:
            raise errors.of_att(error.error_code) from None
        except BaseBumbleError as error:
            raise errors.failed(str(error)) from None


class _Characteristic:
    """One characteristic on D-Bus."""

    def __init__(
        self, attributes: Attributes, path: str, proxy: CharacteristicProxy[bytes], reader: SlowReader
    ) -> None:
        self.path = path
        self.proxy = proxy
        self.sessions: set[str] = set()
        """Who has called StartNotify: they are notified on every later connection, until they stop it or leave the bus."""
        self.subscribed = False
        self._attributes = attributes
        self._reader = reader
        self._flags = sorted(gatt_char_props_to_strs(proxy.properties))

    def shown(self, service: str, mtu: int) -> Interface:
        properties = {
            "UUID": Variant("s", _text(self.proxy.uuid)),
            "Service": Variant("o", service),
            "Value": Variant("ay", b""),
            "Flags": Variant("as", self._flags),
            "MTU": Variant("q", mtu),
        }
        if self._notifies:
            properties["Notifying"] = Variant("b", False)
        methods = {
            "ReadValue": self._read,
            "WriteValue": self._write,
            "StartNotify": self._start_notify,
            "StopNotify": self._stop_notify,
        }
        return Interface(properties, methods)

    @property
    def _notifies(self) -> bool:
        return not {"notify", "indicate"}.isdisjoint(self._flags)

    async def _read(self, _message: Message) -> Answer:
        value = await self._attributes.read(self.proxy.handle)
        self._changed(value)  # BlueZ tells of what is read as it does of a notification
        return "ay", [value]

    async def _write(self, message: Message) -> Answer:
        value, options = message.body
        kind = options["type"].value if "type" in options else ""
        with_response = kind != "command" if kind else "write" in self._flags
        await self._attributes.write(self.proxy.handle, bytes(value), with_response=with_response)
        return NOTHING

    async def _start_notify(self, message: Message) -> Answer:
        if not self._notifies:
            raise errors.not_supported()
        if message.sender in self.sessions:
            if not self.subscribed:
                raise errors.gatt_in_progress()  # it waits for the next connection
            return NOTHING
        await self.subscribe()
        if not self.sessions:
            self._attributes.tree.change(self.path, CHARACTERISTIC, {"Notifying": Variant("b", True)})
        self.sessions.add(message.sender or "")
        return NOTHING

    async def _stop_notify(self, message: Message) -> Answer:
        if message.sender not in self.sessions:
            raise errors.failed("No notify session started")
        self.sessions.discard(message.sender)
        if not self.sessions:
            self._attributes.tree.change(self.path, CHARACTERISTIC, {"Notifying": Variant("b", False)})
            client, self.subscribed = self._attributes.client, False
            if client is not None:
                await client.unsubscribe(self.proxy, self._notified)
        return NOTHING

    async def subscribe(self) -> None:
        """Write the peer's client configuration, unless it is written already."""
        if self.subscribed or (self._attributes.client is None and self._attributes.faults.silent_loss):
            return
        try:
            await self._attributes.require_link().subscribe(self.proxy, self._notified)
        except att.ATT_Error as error:
            raise errors.of_att(error.error_code) from None
        except BaseBumbleError as error:
            raise errors.failed(str(error)) from None
        self.subscribed = True

    def _notified(self, value: bytes) -> None:
        for _ in self.sessions:  # BlueZ tells it once for each of them
            self._reader.take(lambda: self._changed(value))

    def _changed(self, value: bytes) -> None:
        self._attributes.tree.change(self.path, CHARACTERISTIC, {"Value": Variant("ay", value)})


def _text(uuid: UUID) -> str:
    return uuid_text(bytes(uuid))
