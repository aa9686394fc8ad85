"""An adapter switched off and on, against a service that calls itself BlueZ on a bus of its own."""

import asyncio
import shutil
import subprocess

import pytest
from dbus_fast import BusType, PropertyAccess
from dbus_fast.aio import MessageBus
from dbus_fast.service import ServiceInterface, dbus_property

from strapline_gateway import adapter_power
from strapline_gateway.adapter_power import power_cycle


class Adapter(ServiceInterface):
    def __init__(self):
        super().__init__("org.bluez.Adapter1")
        self.seen = []

    @dbus_property(access=PropertyAccess.READWRITE)
    def Powered(self) -> "b":  # noqa: N802, F821 - D-Bus names and types
        return bool(self.seen and self.seen[-1])

    @Powered.setter
    def powered(self, on: "b"):  # noqa: F821
        self.seen.append(on)


@pytest.fixture
def bus_address(tmp_path, monkeypatch):
    if shutil.which("dbus-daemon") is None:
        pytest.skip("no dbus-daemon")
    address = f"unix:path={tmp_path}/bus"
    command = ["dbus-daemon", "--session", "--nofork", "--print-address", f"--address={address}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout.readline()
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        monkeypatch.setattr(adapter_power, "_REST_S", 0.01)
        yield address
        daemon.terminate()


async def standing_in(paths):
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    adapters = {path: Adapter() for path in paths}
    for path, adapter in adapters.items():
        bus.export(path, adapter)
    await bus.request_name("org.bluez")
    return bus, adapters


@pytest.mark.parametrize(("named", "switched"), [("", "/org/bluez/hci0"), ("hci1", "/org/bluez/hci1")])
def test_the_adapter_that_is_meant_goes_off_and_on(bus_address, named, switched):
    async def main():
        bus, adapters = await standing_in(["/org/bluez/hci1", "/org/bluez/hci0"])
        await power_cycle(named)
        assert adapters.pop(switched).seen == [False, True]
        assert [other.seen for other in adapters.values()] == [[]]
        bus.disconnect()

    asyncio.run(main())


@pytest.mark.parametrize("paths", [None, []])
def test_no_bluez_and_no_adapter_are_told(bus_address, paths):
    async def main():
        bus = None if paths is None else (await standing_in(paths))[0]
        with pytest.raises(OSError, match=r"BlueZ refuses GetManagedObjects|no Bluetooth adapter"):
            await power_cycle()
        if bus is not None:
            bus.disconnect()

    asyncio.run(main())
