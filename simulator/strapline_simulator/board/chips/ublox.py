"""u-blox M10: the UBX messages that the board sends, and the sentences that the world gives it. Where it is, it does not know."""

from collections.abc import Callable

from strapline_simulator.board.circuit import Circuit

WAKE_MS = 100
"""After the edge that wakes it: what comes sooner is lost."""

_ANSWER_MS = 10
_MON_RF_UART1 = 0x2091035A
_VALSET, _PMREQ = (0x06, 0x8A), (0x02, 0x41)
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8}
"""Bytes of a value by bits 30 to 28 of its key."""


class Ublox:
    """`on_power(on)` hears of what it does to itself; `emit` gives it what an antenna would."""

    def __init__(self, circuit: Circuit, uart: int, on_power: Callable[[bool], None]) -> None:
        self._circuit = circuit
        self._uart = uart
        self._on_power = on_power
        self.present = True
        self.awake = True
        self._deaf_until = 0
        self._held = b""
        self.settings: dict[int, int] = {}
        self.refused = 0
        self.jam = 0

    def epoch(self, data: bytes) -> None:
        """What it says of itself where it was asked to, then an epoch's sentences."""
        if self.settings.get(_MON_RF_UART1) and data.startswith(b"$"):
            self.emit(mon_rf(self.jam))
        self.emit(data)

    def emit(self, data: bytes) -> None:
        if self.present and self.awake:
            self._circuit.send(self._uart, data)

    def receive(self, data: bytes) -> None:
        if not self.present:
            return
        if not self.awake:
            self.awake = True
            self._deaf_until = self._circuit.now + WAKE_MS
            self._on_power(True)
        if self._circuit.now < self._deaf_until:
            return
        self._held += data
        while (at := self._held.find(b"\xb5\x62")) >= 0 and len(self._held) >= at + 8:
            frame = self._held[at:]
            size = 8 + int.from_bytes(frame[4:6], "little")
            if len(frame) < size:
                return
            self._held = frame[size:]
            if checksum(frame[2 : size - 2]) == frame[size - 2 : size]:
                self._take((frame[2], frame[3]), frame[6 : size - 2])

    def _take(self, kind: tuple[int, int], payload: bytes) -> None:
        if kind == _VALSET:
            known = self._set(payload)
            self.refused += not known
            answer = ubx(5, 1 if known else 0, bytes(kind))
            self._circuit.later(_ANSWER_MS, lambda: self.emit(answer))
        elif kind == _PMREQ and len(payload) == 16 and payload[8] & 2:
            self.awake = False
            self._held = b""
            self._on_power(False)

    def _set(self, payload: bytes) -> bool:
        """Keys with values, all or none."""
        settings, at = {}, 4
        while at < len(payload):
            key = int.from_bytes(payload[at : at + 4], "little")
            size = _SIZES.get(key >> 28 & 7)
            if size is None or at + 4 + size > len(payload):
                return False
            settings[key] = int.from_bytes(payload[at + 4 : at + 4 + size], "little")
            at += 4 + size
        self.settings |= settings
        return True


def checksum(body: bytes) -> bytes:
    a = b = 0
    for byte in body:
        a = (a + byte) & 255
        b = (b + a) & 255
    return bytes((a, b))


def ubx(group: int, ident: int, payload: bytes) -> bytes:
    body = bytes((group, ident)) + len(payload).to_bytes(2, "little") + payload
    return b"\xb5\x62" + body + checksum(body)


def mon_rf(jam: int) -> bytes:
    """UBX-MON-RF with one block."""
    return ubx(0x0A, 0x38, bytes((0, 1, 0, 0)) + bytes(16) + bytes((jam,)) + bytes(7))
