"""Legacy advertising data and its HCI report, in bytes: on this path bumble's own objects would be most of the cost."""

import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from bumble import hci

from strapline_wire import gatt

ADVERTISING_DATA_MAX = 31  # Core Specification, Vol 6, Part B, 2.3.1: AdvData is 0 to 31 octets
SERVICE_DATA_MAX = ADVERTISING_DATA_MAX - 7  # after flags (3) and the header of service data (4)

SERVICE_DATA_16 = 0x16  # AD type, Assigned Numbers, 2.3
_SERVICE_DATA_HEAD = struct.Struct("<BBH")  # length, AD type, UUID
# Core Specification Supplement, Part A, 1.3: LE General Discoverable Mode, BR/EDR Not Supported
_FLAGS = bytes((2, 0x01, 0x06))

_EVENT, _LE_META, _ADVERTISING_REPORT = 0x04, 0x3E, 0x02
_CONNECTABLE, _NON_CONNECTABLE = 0x00, 0x03
# packet type, event, length, subevent, number of reports, event type, address type, address, data length
_REPORT_HEAD = struct.Struct("<BBBBBBB6sB")
_REPORT_PREFIX = bytes((_EVENT, _LE_META))
_BASE_UUID = "0000%04x-0000-1000-8000-00805f9b34fb"


def with_service_data(service_data: bytes) -> bytes:
    """Flags and the service data of our 16-bit UUID; ValueError when it does not fit a legacy advertisement."""
    if len(service_data) > SERVICE_DATA_MAX:
        raise ValueError(f"{len(service_data)} bytes of service data do not fit the {SERVICE_DATA_MAX} there are")
    head = _SERVICE_DATA_HEAD.pack(3 + len(service_data), SERVICE_DATA_16, gatt.SERVICE_DATA_UUID16)
    return _FLAGS + head + service_data


class Report:
    """The LE Advertising Report (Vol 4, Part E, 7.7.65.2) of one event, made once for all its listeners."""

    __slots__ = ("_head",)

    def __init__(self, address: hci.Address, data: bytes, *, connectable: bool) -> None:
        kind = _CONNECTABLE if connectable else _NON_CONNECTABLE
        size = len(data)
        self._head = (
            _REPORT_HEAD.pack(
                _EVENT,
                _LE_META,
                size + 12,
                _ADVERTISING_REPORT,
                1,
                kind,
                address.address_type,
                address.address_bytes,
                size,
            )
            + data
        )

    def event(self, rssi_dbm: int) -> bytes:
        """The HCI event for a listener that hears it at `rssi_dbm`, cut to what the event can say (-127 to 20)."""
        return self._head + bytes((min(max(rssi_dbm, -127), 20) & 0xFF,))


def is_report(packet: bytes) -> bool:
    """Whether an HCI packet is an LE Advertising Report."""
    return packet[:2] == _REPORT_PREFIX and packet[3] == _ADVERTISING_REPORT


class Heard(NamedTuple):
    """What a scanner learns from one report."""

    address: bytes  # most significant byte first
    rssi_dbm: int
    data: bytes


def read_report(packet: bytes) -> Heard:
    """The report that `Report.event` made."""
    rssi = packet[-1]
    return Heard(packet[12:6:-1], rssi - 256 if rssi > 127 else rssi, packet[14:-1])


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
