"""The two airs by their names: `ble` carries whole Bluetooth stacks, `frames` what they would have carried."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, NamedTuple, Protocol

from strapline_protocol.errors import UserError
from strapline_simulator.advertising import Medium

BLE, FRAMES = "ble", "frames"


class Air(Protocol):
    """Who hears whom."""

    loss: float
    """Probability that one listener misses one advertising event."""
    on_advertisement: Callable[[float, str, bytes, bytes], None] | None
    """Told of each event as it is sent: loop time, sender's name, address, advertising data."""
    medium: Medium | None
    """Where several send at once; None: they never meet."""


class Radio(Protocol):
    """Of a node."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class TagRadio(Radio, Protocol):
    """Advertises when told to and serves one central at a time."""

    def advertise(self, address: bytes, service_data: bytes) -> None: ...

    def send(self, data: bytes) -> None: ...

    def disconnect(self) -> None: ...


class GatewayRadio(Radio, Protocol):
    """One adapter, as backends for bleak."""

    @property
    def scanner_backend(self) -> type[Any]: ...

    @property
    def client_backend(self) -> type[Any]: ...


class Ether(NamedTuple):
    """One air, and the radios that fit it."""

    air: Air
    tag_radio: Callable[..., TagRadio]
    """(name, on_link_up=, on_data=, on_link_down=)"""
    gateway_radio: Callable[[str], GatewayRadio]
    options: Mapping[str, Any] | None = None
    """Of a real adapter's `BleLink`: bleak's own backends hear there, and no fault stands between."""


def require_air(kind: str) -> None:
    """Raises `UserError` for an air that there is not: told once, before many runs."""
    if kind not in (BLE, FRAMES):
        raise UserError(
            f"{kind!r} is no air: write --air {BLE} (whole Bluetooth stacks) or --air {FRAMES} (frames alone, faster)"
        )


def open_ether(
    kind: str,
    rssi_dbm: Callable[[str, str], int | None],
    reaches: Callable[[str, str], bool],
    random: Random,
    loss: float,
) -> Ether:
    """Raises `UserError` for an air that there is not."""
    require_air(kind)
    # Each is imported where it is wanted: a Bluetooth stack takes half a second.
    air: Any
    if kind == FRAMES:
        from strapline_simulator.frame_air import FrameAir, FrameGatewayRadio, FrameTagRadio

        air = FrameAir(rssi_dbm, random, loss, reaches)
        return Ether(air, _on(air, FrameTagRadio), lambda name: FrameGatewayRadio(name, air))
    from strapline_simulator import ble

    air = ble.Air(rssi_dbm, random, loss, reaches)
    return Ether(air, _on(air, ble.TagRadio), lambda name: ble.GatewayRadio(name, air))


def _on(air: Any, radio: Callable[..., TagRadio]) -> Callable[..., TagRadio]:
    return lambda name, **callbacks: radio(name, air, **callbacks)
