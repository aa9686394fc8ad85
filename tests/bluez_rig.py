"""Bluetooth for a test: a stand-in `org.bluez`, or the real one in QEMU (STRAPLINE_BLUEZ=qemu), and what is on its air."""

import asyncio
import os
import shutil
from contextlib import asynccontextmanager
from random import Random

import pytest
from bumble import att, gatt, hci
from bumble.core import UUID
from bumble.device import AdvertisingType, LegacyAdvertiser

from strapline_protocol.keys import centre_keys, gateway_keys
from strapline_simulator.advertising import with_service_data
from strapline_simulator.ble import Air
from strapline_simulator.ble.host import RadioHost, static_address
from strapline_simulator.bluez.bus import PrivateBus
from strapline_simulator.bluez.faults import Faults
from strapline_simulator.bluez.service import BluezService
from strapline_simulator.bodies import make_body
from strapline_simulator.real_time import LiveTag

IS_REAL = os.environ.get("STRAPLINE_BLUEZ") == "qemu"
only_stand_in = pytest.mark.skipif(IS_REAL, reason="a fault that the real bluetoothd does not show on demand")

thorough = pytest.mark.skipif("STRAPLINE_BLUEZ" not in os.environ, reason="takes long: make test-bluez")

LIMIT_S = 60.0 if IS_REAL else 20.0

TO = "7b1f0012-5a2e-4c55-9d3c-57524150a1e5"
FROM = "7b1f0013-5a2e-4c55-9d3c-57524150a1e5"
FIRM = "7b1f0014-5a2e-4c55-9d3c-57524150a1e5"
_FOREIGN = bytes((2, 0x01, 0x06, 5, 0xFF, 0xFF, 0xFF, 1, 2))  # flags, and data of company 0xFFFF
_SERVICE = "7b1f0011-5a2e-4c55-9d3c-57524150a1e5"


class Rig:
    """`reach` says at what RSSI a node is heard, None: out of reach. `bluez` is the stand-in or the guest."""

    def __init__(self, air, reach, bluez, address):
        self.air, self.reach, self.bluez, self.address = air, reach, bluez, address

    @property
    def faults(self):
        return self.bluez.faults

    @property
    def environment(self):
        """What a program needs to meet it."""
        return {"DBUS_SYSTEM_BUS_ADDRESS": self.address, **({"BLEAK_DBUS_AUTH_UID": "0"} if IS_REAL else {})}


@asynccontextmanager
async def bluetooth():
    reach = {}
    air = Air(lambda sender, receiver: reach.get(sender, reach.get(receiver, -60)), Random(1))
    if IS_REAL:
        from strapline_simulator.bluez.qemu import QemuBluez

        async with QemuBluez(air) as guest:
            yield Rig(air, reach, guest, guest.address)
        return
    if shutil.which("dbus-daemon") is None:
        reason = "no dbus-daemon on the PATH; install it (Debian: apt install dbus-daemon)"
        if os.environ.get("STRAPLINE_REQUIRE_DBUS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    async with (
        PrivateBus() as bus,
        BluezService(bus.address, air, Faults(disconnect_delay_s=0.1, kernel_scan_s=1.0)) as service,
    ):
        yield Rig(air, reach, service, bus.address)


class Wearer:
    """A tag's keys, as gateway and centre hold them."""

    def __init__(self, ident="7a900001", secret=bytes(range(16))):
        self.ident, self.secret = ident, secret
        self.gateway_keys = gateway_keys(ident, secret)
        self.centre_keys = centre_keys(ident, secret)

    def live(self, air, body="model", **settings):
        """The tag itself, on the air under its own id."""
        return LiveTag(self.ident, air, make_body(body), self.secret, settings)


class Peripheral:
    """A thing that advertises ten times a second, notifies what it is told to, and notes what is written to it."""

    def __init__(self, air, name="thing"):
        self.name = name
        self.address = str(static_address(name)).split("/")[0]
        self.written = []
        self.service_data = b"hello"
        """None: it advertises what is nobody's of ours."""
        self._radio = RadioHost(name, air)
        self._air = air
        self._central = None

    async def __aenter__(self):
        await self._radio.start()
        permissions, properties = gatt.Characteristic.Permissions, gatt.Characteristic.Properties
        to = gatt.Characteristic(
            UUID(TO),
            properties.WRITE | properties.WRITE_WITHOUT_RESPONSE,
            permissions.WRITEABLE,
            gatt.CharacteristicValue(write=lambda _central, value: self.written.append(bytes(value))),
        )
        self._from = gatt.Characteristic(UUID(FROM), properties.NOTIFY, permissions.READABLE)
        firm = gatt.Characteristic(
            UUID(FIRM),
            properties.READ | properties.WRITE,
            permissions.READABLE | permissions.WRITEABLE,
            gatt.CharacteristicValue(read=lambda _central: b"firm", write=_refuse),
        )
        device = self._radio.device
        device.gatt_server.max_mtu = 247
        device.add_service(gatt.Service(UUID(_SERVICE), [to, self._from, firm]))
        device.on(device.EVENT_CONNECTION, self._connected)
        self._advertising = asyncio.create_task(self._advertise())
        return self

    async def __aexit__(self, *_error):
        self._advertising.cancel()
        await asyncio.wait([self._advertising])
        await self._radio.stop()

    @property
    def is_connected(self):
        return bool(self._radio.controller.le_connections)

    def notify(self, value):
        pdu = att.ATT_Handle_Value_Notification(attribute_handle=self._from.handle, attribute_value=value)
        self._radio.device.gatt_server.send_gatt_pdu(self._central, bytes(pdu))

    def _connected(self, central):
        self._central = central

    async def _advertise(self):
        address = static_address(self.name)
        controller, device = self._radio.controller, self._radio.device
        controller.random_address = device.random_address = address
        while True:
            if not self.is_connected and device.legacy_advertiser is None:
                kind = AdvertisingType.UNDIRECTED_CONNECTABLE_SCANNABLE
                own, any_peer = hci.OwnAddressType.RANDOM, hci.Address.ANY
                device.legacy_advertiser = LegacyAdvertiser(device, kind, own, any_peer, auto_restart=False)
            data = _FOREIGN if self.service_data is None else with_service_data(self.service_data)
            self._air.advertise(controller, address, data, connectable=not self.is_connected)
            await asyncio.sleep(0.1)


def _refuse(_central, _value):
    raise att.ATT_Error(att.ErrorCode.INVALID_ATTRIBUTE_LENGTH)
