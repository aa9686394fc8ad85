"""What a tag's GATT server declares, as a client on the whole air finds it."""

from collections.abc import Callable
from typing import NamedTuple

from bleak.assigned_numbers import CharacteristicPropertyName
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection

from strapline_wire import gatt

_ASSIGNED = "0000%04x-0000-1000-8000-00805f9b34fb"
_CLIENT_CONFIGURATION = _ASSIGNED % 0x2902

DEVICE_NAME, APPEARANCE = 3, 5
TO_TAG, FROM_TAG, SUBSCRIPTION = 8, 10, 11


class _Characteristic(NamedTuple):
    handle: int
    uuid: str
    properties: list[CharacteristicPropertyName]
    descriptors: tuple[tuple[int, str], ...] = ()


# Handles count up by one attribute at a time: a service, then for each characteristic its declaration and its value.
_SERVICES: list[tuple[int, str, list[_Characteristic]]] = [
    (1, _ASSIGNED % 0x1800, [
        _Characteristic(DEVICE_NAME, _ASSIGNED % 0x2A00, ["read"]),
        _Characteristic(APPEARANCE, _ASSIGNED % 0x2A01, ["read"]),
    ]),
    (6, gatt.SERVICE_UUID, [
        _Characteristic(TO_TAG, gatt.TO_TAG_UUID, ["write", "write-without-response"]),
        _Characteristic(FROM_TAG, gatt.FROM_TAG_UUID, ["notify"], ((SUBSCRIPTION, _CLIENT_CONFIGURATION),)),
    ]),
]  # fmt: skip


def services(wanted: set[str] | None, write_max: Callable[[], int]) -> BleakGATTServiceCollection:
    """All services, or those whose UUIDs (in bleak's spelling) are wanted."""
    collection = BleakGATTServiceCollection()
    for handle, uuid, characteristics in _SERVICES:
        if wanted is not None and uuid not in wanted:
            continue
        service = BleakGATTService(None, handle, uuid)
        collection.add_service(service)
        for one in characteristics:
            entry = BleakGATTCharacteristic(None, one.handle, one.uuid, one.properties, write_max, service)
            collection.add_characteristic(entry)
            for number, kind in one.descriptors:
                collection.add_descriptor(BleakGATTDescriptor(None, number, kind, entry))
    return collection
