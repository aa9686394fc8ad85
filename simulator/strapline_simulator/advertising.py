"""Legacy advertising data in bytes, and what a listener learns of it; nothing about who carries it."""

import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from strapline_wire import gatt

ADVERTISING_DATA_MAX = 31  # Core Specification, Vol 6, Part B, 2.3.1: AdvData is 0 to 31 octets
SERVICE_DATA_MAX = ADVERTISING_DATA_MAX - 7  # after flags (3) and the header of service data (4)

SERVICE_DATA_16 = 0x16  # AD type, Assigned Numbers, 2.3
_SERVICE_DATA_HEAD = struct.Struct("<BBH")  # length, AD type, UUID
# Core Specification Supplement, Part A, 1.3: LE General Discoverable Mode, BR/EDR Not Supported
_FLAGS = bytes((2, 0x01, 0x06))

_BASE_UUID = "0000%04x-0000-1000-8000-00805f9b34fb"


def require_static(address: bytes) -> bytes:
    """A random static address of 6 bytes, most significant first (Vol 6, Part B, 1.3.2.1); ValueError for any other."""
    if len(address) != 6 or address[0] < 0xC0:
        raise ValueError(f"{address.hex(':')} is not a random static address")
    return address


def with_service_data(service_data: bytes) -> bytes:
    """Flags and the service data of our 16-bit UUID; ValueError when it does not fit a legacy advertisement."""
    if len(service_data) > SERVICE_DATA_MAX:
        raise ValueError(f"{len(service_data)} bytes of service data do not fit the {SERVICE_DATA_MAX} there are")
    head = _SERVICE_DATA_HEAD.pack(3 + len(service_data), SERVICE_DATA_16, gatt.SERVICE_DATA_UUID16)
    return _FLAGS + head + service_data


class Heard(NamedTuple):
    """What a scanner learns from one advertising event."""

    address: bytes  # most significant byte first
    rssi_dbm: int
    data: bytes


def reported(rssi_dbm: int) -> int:
    """Cut to what a report can say (Vol 4, Part E, 7.7.65.2): -127 to 20."""
    return min(max(rssi_dbm, -127), 20)


def structures(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(AD type, AD data) of each structure, up to the first that is malformed (Vol 3, Part C, 11)."""
    offset = 0
    while offset < len(data) and (size := data[offset]) and offset + size < len(data):
        yield data[offset + 1], data[offset + 2 : offset + 1 + size]
        offset += 1 + size


@lru_cache(maxsize=64)
def uuid_text(uuid: bytes) -> str:
    """A UUID of 2 or 16 bytes, least significant first, in bleak's spelling."""
    return _BASE_UUID % int.from_bytes(uuid, "little") if len(uuid) == 2 else str(UUID(bytes=uuid[::-1]))


class Medium(Protocol):
    """Where several send at once: when each event is over, and who cannot read it."""

    def send(self, sender: str, now: float) -> Any:
        """An event that is asked for now; it is over at `end_s` of what this gives."""

    def drowned(self, sending: Any, listener: str) -> bool:
        """Whether another event covers it for this listener."""
