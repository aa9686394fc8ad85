"""ST25DV04K: ST DS10925. The mailbox between an NFC reader and the board, and no memory."""

import struct

from strapline_simulator.board.circuit import Circuit, NackError

MB_CTRL, MB_LEN, MAILBOX = 0x2006, 0x2007, 0x2008
_ENABLED, _RF_PUT, _RF_MISSED = 1, 4, 0x20
_PULSE_MS = 1


class St25dv:
    """`hold(message)` is a reader that puts a message; `busy` while it serves the field."""

    def __init__(self, circuit: Circuit, pin: int) -> None:
        self._circuit = circuit
        self._pin = pin
        self.present = True
        self.busy = False
        self._control = 0
        self._message = b""
        circuit.levels[pin] = 1

    def hold(self, message: bytes) -> bool:
        """False where the mailbox is off or full, or the message longer than it."""
        if not self._control & _ENABLED or self._control & _RF_PUT or not 0 < len(message) <= 256:
            return False
        self._message = message
        self._control |= _RF_PUT
        self._circuit.drive(self._pin, 0)
        self._circuit.later(_PULSE_MS, lambda: self._circuit.drive(self._pin, 1))
        return True

    def transfer(self, data: bytes, size: int) -> bytes:
        if not self.present or self.busy:
            raise NackError
        if len(data) < 2:
            return bytes(size)
        register = struct.unpack_from(">H", data)[0]
        if len(data) > 2 and register == MB_CTRL:
            self._control = data[2] & _ENABLED  # off and on empties it
            self._message = b""
        read = bytes([self._control, max(len(self._message) - 1, 0)]) + self._message.ljust(256, b"\0")
        if register < MB_CTRL:
            return bytes(size)
        part = read[register - MB_CTRL :][:size]
        if self._message and register <= MAILBOX and register + size >= MAILBOX + len(self._message):
            self._message = b""  # its last byte was read
            self._control &= _ENABLED
        return part
