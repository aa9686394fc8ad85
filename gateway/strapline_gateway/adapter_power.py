"""A Bluetooth adapter switched off and on, on Linux: what mends one that is deaf although it says that it scans."""

import asyncio
from typing import Any

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

_BLUEZ = "org.bluez"
_ADAPTER = "org.bluez.Adapter1"

_REST_S = 1.0
"""For the driver between off and on."""


async def power_cycle(adapter: str = "") -> None:
    """Of `adapter`, or of the first that there is. Raises `OSError` where BlueZ is not there or refuses; the caller bounds its time."""
    bus = MessageBus(bus_type=BusType.SYSTEM)
    try:
        await bus.connect()
        path = f"/org/bluez/{adapter}" if adapter else await _first(bus)
        await _call(bus, path, _powered(False))
        await asyncio.sleep(_REST_S)
        await _call(bus, path, _powered(True))
    finally:
        bus.disconnect()


async def _first(bus: MessageBus) -> str:
    objects = await _call(bus, "/", ("org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "", []))
    paths = sorted(path for path, interfaces in objects[0].items() if _ADAPTER in interfaces)
    if not paths:
        raise OSError("there is no Bluetooth adapter")
    return str(paths[0])


def _powered(on: bool) -> tuple[str, str, str, list[Any]]:
    return "org.freedesktop.DBus.Properties", "Set", "ssv", [_ADAPTER, "Powered", Variant("b", on)]


async def _call(bus: MessageBus, path: str, what: tuple[str, str, str, list[Any]]) -> list[Any]:
    interface, member, signature, body = what
    reply = await bus.call(
        Message(destination=_BLUEZ, path=path, interface=interface, member=member, signature=signature, body=body)
    )
    if reply is None or reply.message_type == MessageType.ERROR:
        raise OSError(f"BlueZ refuses {member}: {reply.error_name if reply else 'no answer'}")
    return list(reply.body)
