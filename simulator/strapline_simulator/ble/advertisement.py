"""An advertising event's HCI report, in bytes: on this path bumble's own objects would be most of the cost."""

import struct

from bumble import hci

from strapline_simulator.advertising import Heard, reported

_EVENT, _LE_META, _ADVERTISING_REPORT = 0x04, 0x3E, 0x02
_CONNECTABLE, _NON_CONNECTABLE = 0x00, 0x03
# packet type, event, length, subevent, number of reports, event type, address type, address, data length
_REPORT_HEAD = struct.Struct("<BBBBBBB6sB")
_REPORT_PREFIX = bytes((_EVENT, _LE_META))


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
        return self._head + bytes((reported(rssi_dbm) & 0xFF,))


def is_report(packet: bytes) -> bool:
    """Whether an HCI packet is an LE Advertising Report."""
    return packet[:2] == _REPORT_PREFIX and packet[3] == _ADVERTISING_REPORT


def read_report(packet: bytes) -> Heard:
    """The report that `Report.event` made."""
    rssi = packet[-1]
    return Heard(packet[12:6:-1], rssi - 256 if rssi > 127 else rssi, packet[14:-1])
