"""SIM7080: the AT commands that the board uses, one TCP connection, and the power key. The network behind it is the world's."""

import re
from collections.abc import Callable

from strapline_simulator.board.circuit import Circuit

ON_MS, OFF_MS = 1000, 1200
"""How long the key is held."""

BOOT_MS = 1900
_ANSWER_MS = 5
_SENSITIVITY_DBM = -125
"""LTE-M finds a cell down to about here, as SIMCom states for the module."""

_SERVICE = b"+CPSI: LTE CAT-M1,Online,001-01,0x0001,1,1,EUTRAN-BAND20,6300,3,3,-11,%d,-65,12"

_MESSAGES = 10
_SEND_LIMIT, _READ_LIMIT = 1459, 1459


class Sim7080:
    """`on_open`, `on_send(data)` and `on_close` are the network's side; it answers by `opened`, `came` and `closed`."""

    def __init__(
        self,
        circuit: Circuit,
        uart: int,
        *,
        on_open: Callable[[], None],
        on_send: Callable[[bytes], None],
        on_close: Callable[[], None],
    ) -> None:
        self._circuit = circuit
        self._uart = uart
        self._on_open, self._on_send, self._on_close = on_open, on_send, on_close
        self.present = True
        self.is_on = False
        self.registered = True
        self.level = -85
        """What AT+CPSI? gives as RSRP, dBm."""
        self.messages = 0
        self.errors: list[bytes] = []
        """Commands that are answered with ERROR, once each, by their beginning."""
        self._key_since: int | None = None
        self._lives = 0
        self._reset()

    def _reset(self) -> None:
        self._ready = False
        self._echo = True
        self._line = b""
        self._wanted = 0  # bytes that the prompt asked for
        self._content = b""
        self._active = False
        self._state = ""  # "", "opening", "open"
        self._buffer = b""

    def key(self, level: int) -> None:
        """The transistor at PWRKEY."""
        if level:
            self._key_since = self._circuit.now
        elif self._key_since is not None:
            held, self._key_since = self._circuit.now - self._key_since, None
            if not self.is_on and held >= ON_MS:
                self.is_on = True
                self._lives += 1
                life = self._lives
                self._circuit.later(BOOT_MS, lambda: self._booted(life))
            elif self.is_on and held >= OFF_MS:
                self._power_down()

    def _booted(self, life: int) -> None:
        if self.is_on and life == self._lives:
            self._ready = True
            self._say(b"RDY", b"+CFUN: 1")

    def _power_down(self) -> None:
        if self._ready:
            self._say(b"NORMAL POWER DOWN")
        was = self._state
        self.is_on = False
        self._reset()
        if was:
            self._on_close()

    # The network's side.

    def hears(self, dbm: int) -> None:
        """The level at its antenna, of the cell's reference signal (RSRP)."""
        self.level = dbm
        self.registered = dbm >= _SENSITIVITY_DBM

    def ring(self) -> None:
        """A short message for it, where it is on and the network has it and its memory has room."""
        if self._ready and self.registered and self.messages < _MESSAGES:
            self.messages += 1
            self._say(b'+CMTI: "SM",%d' % self.messages)

    def opened(self) -> None:
        if self._state == "opening":
            self._state = "open"
            self._say(b"+CAOPEN: 0,0", b"OK")

    def came(self, data: bytes) -> None:
        if self._state == "open":
            if not self._buffer:
                self._say(b"+CADATAIND: 0")
            self._buffer += data

    def closed(self) -> None:
        if self._state == "opening":
            self._state = ""
            self._say(b"+CAOPEN: 0,27", b"OK")
        elif self._state == "open":
            self._state = ""
            self._buffer = b""
            self._say(b"+CASTATE: 0,0")

    # The board's side.

    def _say(self, *lines: bytes) -> None:
        if self.present:
            self._circuit.send(self._uart, b"".join(b"\r\n" + line + b"\r\n" for line in lines))

    def receive(self, data: bytes) -> None:
        if not (self._ready and self.present):
            return
        if self._echo and not self._wanted:
            self._circuit.send(self._uart, data)
        for at in range(len(data)):
            byte = data[at : at + 1]
            if self._wanted:
                self._content += byte
                self._wanted -= 1
                if not self._wanted:
                    content, self._content = self._content, b""
                    self._circuit.later(_ANSWER_MS, lambda sent=content: self._sent(sent))  # type: ignore[misc]
            elif byte == b"\r":
                line, self._line = self._line, b""
                self._circuit.later(_ANSWER_MS, lambda command=line: self._obey(command))  # type: ignore[misc]
            elif byte != b"\n":
                self._line += byte

    def _sent(self, content: bytes) -> None:
        if self._state == "open":
            self._on_send(content)
            self._say(b"OK")
        else:
            self._say(b"ERROR")

    def _obey(self, command: bytes) -> None:
        if not self.is_on or not command:
            return
        for begin in self.errors:
            if command.startswith(begin):
                self.errors.remove(begin)
                self._say(b"ERROR")
                return
        if command in (b"AT", b"ATE0", b"ATE1"):
            self._echo = self._echo if command == b"AT" else command == b"ATE1"
            self._say(b"OK")
        elif command == b"AT+CPIN?":
            self._say(b"+CPIN: READY", b"OK")
        elif command == b"AT+CPSI?":
            self._say(_SERVICE % self.level if self.registered else b"+CPSI: NO SERVICE,Online", b"OK")
        elif command == b"AT+CEREG?":
            self._say(b"+CEREG: 0,1" if self.registered else b"+CEREG: 0,2", b"OK")
        elif command == b"AT+CMGD=1,4":
            self.messages = 0
            self._say(b"OK")
        elif command == b"AT+CPOWD=1":
            self._power_down()
        else:
            self._obey_connection(command)

    def _obey_connection(self, command: bytes) -> None:
        if re.fullmatch(rb'AT\+CNCFG=0,1,"[^"]*"', command):
            self._say(b"OK")
        elif command == b"AT+CNACT=0,1":
            self._active = True
            self._say(b"OK", b"+APP PDP: 0,ACTIVE")
        elif re.fullmatch(rb'AT\+CAOPEN=0,0,"TCP","[^"]+",\d{1,5}', command) and self._active and not self._state:
            self._state = "opening"
            self._on_open()
        elif (match := re.fullmatch(rb"AT\+CASEND=0,(\d+)", command)) and self._state == "open":
            size = int(match[1])
            if 0 < size <= _SEND_LIMIT:
                self._wanted = size
                self._circuit.send(self._uart, b"\r\n> ")
            else:
                self._say(b"ERROR")
        elif (match := re.fullmatch(rb"AT\+CARECV=0,(\d+)", command)) and 0 < int(match[1]) <= _READ_LIMIT:
            self._read(int(match[1]))
        elif command == b"AT+CACLOSE=0" and self._state:
            self._state = ""
            self._on_close()
            self._say(b"OK")
        else:
            self._say(b"ERROR")

    def _read(self, limit: int) -> None:
        part, self._buffer = self._buffer[:limit], self._buffer[limit:]
        if part:
            self._say(b"+CARECV: %d,%b" % (len(part), part), b"OK")
        else:
            self._say(b"+CARECV: 0", b"OK")
