"""An ether that nobody simulates: the base station hears by a Bluetooth adapter of this machine, and the tag has a radio of its own."""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

from strapline_gateway.tap import Tap
from strapline_simulator.advertising import Medium
from strapline_simulator.airs import Ether
from strapline_wire import gatt

_SERVICE_DATA = gatt.SERVICE_DATA_UUID16.to_bytes(2, "little")


def adapter_ether(adapter: str = "") -> Ether:
    """Of this adapter; of the system's first where none is named."""
    air = RoomAir()
    options = {"adapter": adapter, "tap": _Ear(air), **_reset()}
    return Ether(air, lambda _name, **_callbacks: _Nobodys(), lambda _name: _Nobodys(), options)


def _reset() -> dict[str, Any]:
    if not sys.platform.startswith("linux"):
        return {}
    from strapline_gateway.adapter_power import power_cycle

    return {"reset": power_cycle}


class RoomAir:
    """What is on it only the adapter knows; it tells what it has heard."""

    def __init__(self) -> None:
        self.loss = 0.0
        self.medium: Medium | None = None
        self.on_advertisement: Callable[[float, str, bytes, bytes], None] | None = None
        self.on_heartbeat: Callable[[bytes], None] | None = None
        """Told of each frame that was advertised, whoever's it is."""

    def heard(self, address: str, frame: bytes) -> None:
        if self.on_heartbeat is not None:
            self.on_heartbeat(frame)
        if self.on_advertisement is not None:
            now_s = asyncio.get_running_loop().time()
            self.on_advertisement(now_s, address, address.encode(), _SERVICE_DATA + frame)


class _Ear(Tap):
    """Hears what the base station's link hears."""

    def __init__(self, air: RoomAir) -> None:
        super().__init__()
        self._air = air

    def note(self, interface: str, data: bytes, *, inbound: bool, line: int = 0, **notes: object) -> None:
        if interface == "air" and not line:
            self._air.heard(str(notes.get("address", "")), data)


class _Nobodys:
    """A radio that is not ours to switch or to send with."""

    scanner_backend: type[Any] = object
    client_backend: type[Any] = object

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    def advertise(self, address: bytes, service_data: bytes) -> None:
        pass

    def send(self, data: bytes) -> None:
        pass

    def disconnect(self) -> None:
        pass
