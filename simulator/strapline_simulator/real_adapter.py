"""An ether that nobody simulates: the base station hears by a Bluetooth adapter of this machine, and the tag has a radio of its own."""

import sys
from collections.abc import Callable
from typing import Any

from strapline_simulator.advertising import Medium
from strapline_simulator.airs import Ether


def adapter_ether(adapter: str = "") -> Ether:
    """Of this adapter; of the system's first where none is named."""
    return Ether(
        _Air(),
        lambda _name, **_callbacks: _Nobodys(),
        lambda _name: _Nobodys(),
        options={"adapter": adapter, **_reset()},
    )


def _reset() -> dict[str, Any]:
    if not sys.platform.startswith("linux"):
        return {}
    from strapline_gateway.adapter_power import power_cycle

    return {"reset": power_cycle}


class _Air:
    """What is on it only the adapter knows."""

    loss = 0.0
    on_advertisement: Callable[[float, str, bytes, bytes], None] | None = None
    medium: Medium | None = None


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
