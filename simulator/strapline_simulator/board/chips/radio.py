"""The BLE radio and the stack on it, as MicroPython's `bluetooth` shows them: one service, advertising, one central."""

import struct
from collections.abc import Callable

from strapline_simulator.board.circuit import EINVAL, ENODEV, ENOMEM, RADIO, Circuit
from strapline_wire import gatt

CONNECT, DISCONNECT, WRITE, MTU_EXCHANGED = 1, 2, 3, 21
_DISALLOWED = 0x0C
_ADVERTISING_HEAD = b"\x02\x01\x06"
_SHORTEST_US = 20000
_CENTRAL = bytes.fromhex("c0ffee000001")


class RefusedError(Exception):
    """The call raises an OSError on the board."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Radio:
    """`on_advertise(address, service data)`, `on_send(data)` and `on_hang_up()` are the air's side."""

    def __init__(
        self,
        circuit: Circuit,
        *,
        on_advertise: Callable[[bytes, bytes], None],
        on_send: Callable[[bytes], None],
        on_hang_up: Callable[[], None],
    ) -> None:
        self._circuit = circuit
        self._on_advertise, self._on_send, self._on_hang_up = on_advertise, on_send, on_hang_up
        self.present = True
        self.central_mtu = 247
        self.buffers: int | None = None
        """How many notifications find room until `free_buffers`; None: all."""
        self.events = 0
        self._active = False
        self._address = bytes.fromhex("c00000000000")
        self._drawn = 0
        self._mtu = 23
        self._advertising = 0  # number of the current advertisement; 0: none
        self._begun = 0
        self._connected = False
        self._connectable = False
        self._handles: dict[str, int] = {}

    # The board's side: what `bluetooth.py` asks, by letter.

    def obey(self, argument: int, letter: str, data: bytes) -> bytes:
        if not self.present:
            raise RefusedError(ENODEV)
        if letter == "A":
            self._active = bool(argument)
            self._advertising = 0
            return b""
        if not self._active:
            raise RefusedError(ENODEV)
        answer = {
            "R": self._address_mode,
            "M": self._set_mtu,
            "m": self._mac,
            "H": self._hci,
            "G": self._advertise,
            "S": self._stop,
            "C": self._characteristic,
            "N": self._notify,
            "D": self._disconnect,
        }[letter](argument, data)
        return answer or b""

    def _address_mode(self, mode: int, _data: bytes) -> None:
        if mode == 1:  # the stack draws another static address
            self._drawn += 1
            self._address = bytes((0xC0, 0x57, 0xAC, 0x00)) + self._drawn.to_bytes(2, "big")

    def _set_mtu(self, _argument: int, data: bytes) -> None:
        self._mtu = struct.unpack("<H", data)[0]

    def _mac(self, _argument: int, _data: bytes) -> bytes:
        return self._address

    def _hci(self, group: int, data: bytes) -> bytes:
        command, parameters = struct.unpack_from("<H", data)[0], data[2:]
        if (group, command) != (8, 5) or len(parameters) != 6:
            return b"\x01"  # unknown HCI command
        if self._advertising:
            return bytes([_DISALLOWED])
        self._address = parameters[::-1]
        return b"\x00"

    def _advertise(self, connectable: int, data: bytes) -> None:
        if self._connected and connectable:
            raise RefusedError(ENOMEM)  # no connection is left for another central
        interval_us = struct.unpack_from("<I", data)[0]
        payload = data[4:]
        if interval_us < _SHORTEST_US or len(payload) > 31:
            raise RefusedError(EINVAL)
        self._connectable = bool(connectable)
        self._begun += 1
        self._advertising = self._begun
        self._event(self._begun, interval_us // 1000, payload)

    def _event(self, number: int, interval_ms: int, payload: bytes) -> None:
        if number != self._advertising:
            return
        self.events += 1
        size = payload[3] if len(payload) > 3 else 0
        uuid = gatt.SERVICE_DATA_UUID16.to_bytes(2, "little")
        if payload[:3] == _ADVERTISING_HEAD and payload[4:7] == b"\x16" + uuid and len(payload) == 4 + size:
            self._on_advertise(self._address, payload[7:])
        self._circuit.later(interval_ms, lambda: self._event(number, interval_ms, payload))

    def _stop(self, _argument: int, _data: bytes) -> None:
        self._advertising = 0

    def _characteristic(self, handle: int, data: bytes) -> None:
        self._handles[data[2:].decode()] = handle

    def _notify(self, _connection: int, data: bytes) -> None:
        handle, value = struct.unpack_from("<H", data)[0], data[2:]
        if not self._connected:
            raise RefusedError(ENODEV)
        if self.buffers is not None:
            if self.buffers <= 0:
                raise RefusedError(ENOMEM)
            self.buffers -= 1
        if handle == self._handles.get(gatt.FROM_TAG_UUID):
            self._on_send(value[: min(self._mtu, self.central_mtu) - 3])

    def _disconnect(self, _connection: int, _data: bytes) -> bytes:
        if not self._connected:
            return b"\x00"
        self._on_hang_up()
        return b"\x01"

    # The air's side.

    def connected(self) -> None:
        """A central has connected, exchanged the MTU and subscribed."""
        if self._connected:
            return
        self._connected = True
        self._advertising = 0
        self._circuit.interrupt(RADIO, CONNECT, b"\x00" + _CENTRAL)
        mtu = min(self._mtu, self.central_mtu)
        if mtu > 23:
            self._circuit.interrupt(RADIO, MTU_EXCHANGED, struct.pack("<BH", 0, mtu))

    def written(self, data: bytes) -> None:
        """The central writes, in portions of the MTU."""
        portion = min(self._mtu, self.central_mtu) - 3
        handle = self._handles.get(gatt.TO_TAG_UUID, 0)
        for start in range(0, len(data), portion) if self._connected else ():
            part = data[start : start + portion]
            self._circuit.interrupt(RADIO, WRITE, struct.pack("<BH", 0, handle) + part)

    def disconnected(self) -> None:
        if self._connected:
            self._connected = False
            self._circuit.interrupt(RADIO, DISCONNECT, b"\x00" + _CENTRAL)
