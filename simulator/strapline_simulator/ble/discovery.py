"""A peer's GATT services, found by bumble and told in bleak's words."""

from bleak.assigned_numbers import gatt_char_props_to_strs
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bumble.core import UUID
from bumble.gatt_client import CharacteristicProxy, Client, ServiceProxy

from strapline_simulator.advertising import uuid_text

_WRITE_HEADER = 3  # Core Specification, Vol 3, Part F, 3.4.5: opcode and handle come before the value


async def discover(client: Client, wanted: set[str] | None) -> BleakGATTServiceCollection:
    """All services, or those whose UUIDs (in bleak's spelling) are wanted; `obj` is bumble's proxy."""
    collection = BleakGATTServiceCollection()
    for service in await client.discover_services():
        if wanted is None or _text(service.uuid) in wanted:
            await _add_service(client, collection, service)
    return collection


async def _add_service(client: Client, collection: BleakGATTServiceCollection, service: ServiceProxy) -> None:
    entry = BleakGATTService(service, service.handle, _text(service.uuid))
    collection.add_service(entry)
    for characteristic in await client.discover_characteristics([], service):
        await _add_characteristic(client, collection, characteristic, entry)


async def _add_characteristic(
    client: Client,
    collection: BleakGATTServiceCollection,
    characteristic: CharacteristicProxy[bytes],
    service: BleakGATTService,
) -> None:
    entry = BleakGATTCharacteristic(
        characteristic,
        characteristic.handle,
        _text(characteristic.uuid),
        # Sorted, because the order of a set of strings depends on the hash seed.
        sorted(gatt_char_props_to_strs(characteristic.properties)),
        lambda: client.mtu - _WRITE_HEADER,
        service,
    )
    collection.add_characteristic(entry)
    for descriptor in await client.discover_descriptors(characteristic):
        collection.add_descriptor(BleakGATTDescriptor(descriptor, descriptor.handle, _text(descriptor.type), entry))
    # bumble reads this flag before it subscribes, and never sets it.
    characteristic.descriptors_discovered = True


def _text(uuid: UUID) -> str:
    return uuid_text(bytes(uuid))
