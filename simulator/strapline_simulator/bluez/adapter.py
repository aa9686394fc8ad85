"""One adapter on D-Bus: power, discovery, and the devices that it has found."""

import asyncio

from bleak.exc import BleakError
from dbus_fast import Message, Variant

from strapline_simulator.advertising import Heard
from strapline_simulator.ble.air import Air
from strapline_simulator.ble.central import Central
from strapline_simulator.ble.host import static_address
from strapline_simulator.bluez import errors
from strapline_simulator.bluez.device import Device, Spawn
from strapline_simulator.bluez.faults import Deafness, Faults
from strapline_simulator.bluez.objects import NOTHING, Answer, Interface, ObjectTree

ADAPTER = "org.bluez.Adapter1"

_TEMPORARY_S = 30.0
"""TemporaryTimeout of bluetoothd's main.conf: a device that was only heard is forgotten so long after the last time."""

_SWEEP_S = 5.0

_SUPERVISION_MS = 420
"""Linux asks for it where nobody chooses another (hci_alloc_dev: le_supv_timeout 0x002a)."""


class Adapter:
    """`name` is the adapter's (hci0) and the node's on the air."""

    def __init__(
        self,
        tree: ObjectTree,
        air: Air,
        faults: Faults,
        spawn: Spawn,
        name: str = "hci0",
    ) -> None:
        self.path = f"/org/bluez/{name}"
        self.is_plugged = False
        self._name = name
        self._tree = tree
        self._faults = faults
        self._spawn = spawn
        self._central = Central(name, air, _SUPERVISION_MS)
        self._devices: dict[bytes, Device] = {}
        self._sessions: set[str] = set()
        """Who has called StartDiscovery."""
        self._scans_since = 0.0
        self._kernel_scans_until = 0.0
        self._sweeping: asyncio.TimerHandle | None = None

    @property
    def kept(self) -> list[str]:
        """Addresses of the devices that bluetoothd would have on its disk."""
        return [device.address for device in self._devices.values() if device.kept]

    # Life.

    async def plug_in(self) -> None:
        """It appears, switched on."""
        self.is_plugged = True
        await self._central.start()
        self._faults.powered_anew()
        self.show()
        self._sweep()

    async def unplug(self) -> None:
        """It is pulled out: its objects go, and nobody is asked."""
        self.is_plugged = False
        self._sessions.clear()
        self._kernel_scans_until = 0.0
        await self._central.stop()
        for device in self._devices.values():
            device.abandon()
        self._tree.change(self.path, ADAPTER, {"Powered": Variant("b", False), "Discovering": Variant("b", False)})
        self._tree.remove(self.path)
        self._keep_known()
        if self._sweeping is not None:
            self._sweeping.cancel()

    def show(self) -> None:
        """On a bus where it was not yet."""
        address = str(static_address(self._name)).split("/", maxsplit=1)[0]
        properties = {
            "Address": Variant("s", address),
            "AddressType": Variant("s", "public"),
            "Name": Variant("s", "strapline"),
            "Alias": Variant("s", "strapline"),
            "Class": Variant("u", 0),
            "Powered": Variant("b", self._central.is_on),
            "Discoverable": Variant("b", False),
            "DiscoverableTimeout": Variant("u", 180),
            "Pairable": Variant("b", False),
            "PairableTimeout": Variant("u", 0),
            "Discovering": Variant("b", False),
            "UUIDs": Variant("as", []),
            "Modalias": Variant("s", "usb:v1D6Bp0246d0542"),
            "Roles": Variant("as", ["central", "peripheral"]),
        }
        methods = {
            "StartDiscovery": self._start_discovery,
            "StopDiscovery": self._stop_discovery,
            "SetDiscoveryFilter": self._set_filter,
            "GetDiscoveryFilters": self._get_filters,
            "RemoveDevice": self._remove_device,
        }
        self._tree.add(self.path, {ADAPTER: Interface(properties, methods, {"Powered": self._set_power})})
        for device in self._devices.values():
            device.show(None)

    def _keep_known(self) -> None:
        """What bluetoothd has on its disk; the rest is forgotten."""
        self._devices = {address: device.stored() for address, device in self._devices.items() if device.kept}

    async def bluetoothd_gone(self) -> None:
        """The process behind the objects has died: its links end, the radio stays on, and the kernel scans to the end of its phase."""
        loop, phase_s = asyncio.get_running_loop(), self._faults.kernel_scan_s
        if self._sessions:
            self._kernel_scans_until = loop.time() + phase_s - (loop.time() - self._scans_since) % phase_s
        await self._end_discovery()
        for device in list(self._devices.values()):
            await device.drop()
        self._keep_known()

    async def forget_client(self, sender: str) -> None:
        """A program has left the bus: its scan and its notifications end, its connections stay."""
        for device in self._devices.values():
            device.forget_client(sender)
        if sender in self._sessions:
            self._sessions.discard(sender)
            await self._settle_discovery()

    async def _set_power(self, value: Variant) -> None:
        if value.value and not self._central.is_on:
            await self._central.start()
            self._faults.powered_anew()
        elif not value.value and self._central.is_on:
            await self._end_discovery()
            await self._central.stop()
            for device in self._devices.values():
                device.abandon()
        self._tree.change(self.path, ADAPTER, {"Powered": value})

    # Discovery.

    async def _start_discovery(self, message: Message) -> Answer:
        if not self._central.is_on:
            raise errors.not_ready()
        kernel_scans = asyncio.get_running_loop().time() < self._kernel_scans_until
        if message.sender in self._sessions or kernel_scans or self._faults.take("scans_in_progress"):
            raise errors.in_progress()
        self._sessions.add(message.sender or "")
        self._faults.scanning_anew()
        await self._settle_discovery()
        return NOTHING

    async def _stop_discovery(self, message: Message) -> Answer:
        if not self._central.is_on:
            raise errors.not_ready()
        if message.sender not in self._sessions:
            raise errors.failed("No discovery started")
        self._sessions.discard(message.sender)
        await self._settle_discovery()
        return NOTHING

    async def _settle_discovery(self) -> None:
        scans = bool(self._tree.get(self.path, ADAPTER, "Discovering"))
        if self._sessions and not scans:
            try:
                await self._central.start_scan(self._heard, active=True)
            except BleakError as error:
                raise errors.failed(str(error)) from None
            self._scans_since = asyncio.get_running_loop().time()
            self._tree.change(self.path, ADAPTER, {"Discovering": Variant("b", True)})
        elif not self._sessions and scans:
            await self._central.stop_scan(self._heard)
            for device in self._devices.values():
                device.scan_ended()
            self._tree.change(self.path, ADAPTER, {"Discovering": Variant("b", False)})

    async def _end_discovery(self) -> None:
        self._sessions.clear()
        await self._settle_discovery()

    async def _set_filter(self, message: Message) -> Answer:
        """Taken, and without effect: all that is on this air is LE, and each advertisement is told."""
        if not self._central.is_on:
            raise errors.not_ready()
        return NOTHING

    async def _get_filters(self, _message: Message) -> Answer:
        names = ["UUIDs", "RSSI", "Pathloss", "Transport", "DuplicateData", "Discoverable", "Pattern"]
        return "as", [names]

    def _heard(self, heard: Heard) -> None:
        if self._faults.deaf is not Deafness.HEARS:
            return
        device = self._devices.get(heard.address)
        if device is None:
            device = Device(self._tree, self.path, self._central, self._faults, heard.address, self._spawn)
            self._devices[heard.address] = device
            device.show(heard)
        else:
            device.hear(heard)
        device.heard_at = asyncio.get_running_loop().time()

    # Devices.

    async def _remove_device(self, message: Message) -> Answer:
        for address, device in self._devices.items():
            if device.path == message.body[0]:
                await device.drop()
                self._forget(address)
                return NOTHING
        raise errors.does_not_exist()

    def _forget(self, address: bytes) -> None:
        self._tree.remove(self._devices.pop(address).path)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        for address, device in list(self._devices.items()):
            if not device.kept and not device.busy and loop.time() - device.heard_at > _TEMPORARY_S:
                self._forget(address)
        self._sweeping = loop.call_later(_SWEEP_S, self._sweep)
