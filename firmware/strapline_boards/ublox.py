# u-blox M10 over UART, "u-blox M10 SPG 5.10 Interface description" (UBX-21035062): NMEA in, UBX out. It rests in backup mode while no
# position is wanted; its settings survive that in the battery-backed layer.
from strapline_boards.deadlines import NEVER
from strapline_wire.compat import const

_ACK = b"\xb5\x62\x05\x01\x02\x00\x06\x8a"  # UBX-ACK-ACK for UBX-CFG-VALSET
_MON_RF = b"\xb5\x62\x0a\x38"
_JAM_AT = const(26)  # behind the head: jamInd of the first block
# UBX-CFG-VALSET, version 0, into RAM and the battery-backed layer; then keys (section 6.9), values, least byte first: a fix a second; GPS,
# Galileo and BeiDou, no SBAS, QZSS and GLONASS; of NMEA only RMC and GGA (no GLL, GSA, GSV, VTG); UBX-MON-RF with each fix.
_SETTINGS = (
    b"\x00\x03\x00\x00"
    b"\x01\x00\x21\x30\xe8\x03"
    b"\x1f\x00\x31\x10\x01\x21\x00\x31\x10\x01\x22\x00\x31\x10\x01\x20\x00\x31\x10\x00\x24\x00\x31\x10\x00\x25\x00\x31\x10\x00"
    b"\xca\x00\x91\x20\x00\xc0\x00\x91\x20\x00\xc5\x00\x91\x20\x00\xb1\x00\x91\x20\x00\x5a\x03\x91\x20\x01"
)
# UBX-RXM-PMREQ, version 0, no end, flags backup and force, woken by an edge at UART RX.
_REST = b"\x00\x00\x00\x00\x00\x00\x00\x00\x06\x00\x00\x00\x08\x00\x00\x00"
_WAKE_MS = const(500)  # what comes sooner after the edge that wakes it may be lost
_ANSWER_MS = const(1000)
_TRIES = const(3)
_PORTION = const(256)


class Receiver:
    fault = 16

    def __init__(self, uart):
        self._uart = uart
        self._wanted = False
        self._tail = b""
        self._tries = _TRIES
        self.failed = False
        self.jam = 0
        self.tag = None
        self.due = _WAKE_MS

    def power(self, now: int, on: bool) -> None:
        self._wanted = on
        if on:
            self._uart.write(b"\xff")
            if self.failed:
                self._tries = _TRIES
            if self._tries:
                self.due = now + _WAKE_MS
        elif self.due == NEVER:
            self._send(0x02, 0x41, _REST)

    def handle_timer(self, now: int) -> None:
        if self._tries:
            self._tries -= 1
            self._send(0x06, 0x8A, _SETTINGS)
            self.due = now + _ANSWER_MS
        else:
            self._settled(True)

    def _settled(self, failed: bool) -> None:
        self.failed = failed
        self._tries = 0
        self.due = NEVER
        if not self._wanted:
            self._send(0x02, 0x41, _REST)

    def poll(self, now: int) -> bool:
        came = False
        while self._uart.any():
            data = self._uart.read(_PORTION)
            if not data:
                break
            came = True
            seen = self._tail + data
            if self.due != NEVER and _ACK in seen:
                self._settled(False)
            at = seen.find(_MON_RF) + _JAM_AT
            if _JAM_AT <= at < len(seen):
                self.jam = seen[at]
            self._tail = seen[-_JAM_AT:]
            self.tag.feed_gnss(now, data)
        return came

    def _send(self, group: int, ident: int, payload: bytes) -> None:
        # Section 3.4: an 8-bit Fletcher over class, identifier, length and payload.
        body = bytes((group, ident, len(payload), 0)) + payload
        a = b = 0
        for byte in body:
            a = (a + byte) & 255
            b = (b + a) & 255
        self._uart.write(b"\xb5\x62" + body + bytes((a, b)))
