# SIM7080 modem over UART: "SIM7070_SIM7080_SIM7090 Series AT Command Manual" V1.05, the chapters on AT+CNACT and AT+CAOPEN; the power
# key by the "SIM7080G Hardware Design", section on power on. It is off, or stands by: registered, so that a line takes 2 s and not 20.
from strapline_boards.deadlines import NEVER
from strapline_tag import outputs as out
from strapline_wire.compat import const

_KEY_MS = const(1100)  # 1 s switches it on, 1.2 s would switch one off that is on
_PORTION = const(512)  # AT+CASEND takes 1,459
_LINE_LIMIT = const(160)  # AT+CPSI? gives some 90
_QUEUE_LIMIT = const(4096)
_ERROR_MS = const(1000)
_LEVEL_MS = const(10000)
_ANSWER_MS = const(15000)
_SEARCH_MS = const(300000)  # where there was no network, standing by looks again so much later

# What opens a line: the command, what must be heard beside OK, how often it is asked, and how long each time.
_DIAL = (
    ("AT", b"", 20, 1000),  # it answers some 2 s after the key
    ("ATE0", b"", 3, 1000),
    ("AT+CPIN?", b"READY", 10, 1000),
    ('AT+CNCFG=0,1,"%s"', b"", 3, 2000),  # context 0, IPv4, access point
    ("AT+CEREG?", b"0,1\n|0,5\n", 280, 1000),  # registered at home, roaming: a cold search takes 2 to 3 min
    ("AT+CPSI?", b"+CPSI: ", 3, 1000),
    ("AT+CNACT=0,1", b"0,ACTIVE", 3, 30000),
    ('AT+CAOPEN=0,0,"TCP","%s",%d', b"+CAOPEN: 0,0\n", 1, 60000),
)
_RSRP = const(11)  # its place in AT+CPSI?, dBm
_OFF = const(-2)
_KEY = const(-1)
_READY = const(7)  # all but the line
_LINE = const(8)


def _number(text: bytes) -> int:
    return int(text) if text.isdigit() and len(text) < 5 else 0


class Modem:
    fault = 32

    # key: the pin that pulls PWRKEY low while it is 1; tag: who is called back.
    def __init__(self, uart, key, settings: dict):
        self._uart = uart
        self._key = key
        self._arguments = {3: (settings.get("apn", ""),), 7: (settings.get("host"), settings.get("port"))}
        self.tag = None
        self.failed = False
        self.cell_dbm = 0
        self._wanted = False  # the tag waits for a line, or has one
        self._stands_by = self._rung = False
        self._forget(_OFF)

    def _forget(self, step: int) -> None:
        self._step = step
        self._tries = 0
        self._busy = False  # a command waits for its OK
        self._heard = b""  # what else came since the command
        self._line = b""
        self._queue = b""
        self._sending = b""  # what the prompt asks for
        self._raw = 0  # so many bytes of the line's data are still to come
        self._more = False  # the modem holds data
        self.due = NEVER

    def stand_by(self, now: int, on: bool) -> None:
        self._stands_by = on
        if on:
            if self._step == _OFF and self.due == NEVER:
                self._switch_on(now)
        elif not self._wanted:
            self._off(now)

    def dial(self, now: int) -> None:
        self._wanted = True
        if self._step == _OFF:
            self._switch_on(now)
        elif self._step == _READY:
            self.handle_timer(now)

    def _switch_on(self, now: int) -> None:
        if not self._arguments[7][0]:
            self._end(now, _OFF, b"")  # a tag without a cellular ingress
            return
        self._forget(_KEY)
        self._key(1)
        self.due = now + _KEY_MS

    def send(self, now: int, data: bytes) -> None:
        if self._step == _LINE and len(self._queue) < _QUEUE_LIMIT:
            self._queue += data
            self._work(now)

    def hang_up(self, now: int) -> None:
        if self._step == _LINE and self._stands_by:
            self._end(now, _READY, b"AT+CACLOSE=0\r")
        else:
            self._off(now)

    def _off(self, now: int) -> None:
        # It closes the connection as it goes.
        self._key(0)
        self._end(now, _OFF, b"AT+CPOWD=1\r")
        if self._stands_by:
            self.due = now + _SEARCH_MS

    def _end(self, now: int, step: int, command: bytes) -> None:
        self._forget(step)
        if step == _READY:
            self.due = now + _LEVEL_MS
        self._uart.write(command)
        if self._wanted:
            self._wanted = False
            self.tag.feed_link_down(now, out.CELLULAR)  # type: ignore[attr-defined]

    def handle_timer(self, now: int) -> None:
        self.due = NEVER
        if self._step == _OFF:
            self._switch_on(now)
            return
        if self._step == _KEY:
            self._key(0)
            self._step = 0
        if self._step == _LINE or self._tries >= _DIAL[self._step][2]:
            if self._step == 0:
                self.failed = True
            elif self._step < _READY:
                self.cell_dbm = -140  # no network
            self._off(now)
            return
        if self._step == _READY and not self._wanted:
            # Standing by: short messages go, so that there is room for the next, or else how well it hears.
            self._command(now, "AT+CMGD=1,4" if self._rung else "AT+CPSI?", _LEVEL_MS)
            self._rung = False
            return
        self._tries += 1
        command, _, _, wait_ms = _DIAL[self._step]
        arguments = self._arguments.get(self._step)
        self._command(now, command % arguments if arguments else command, wait_ms)

    def _command(self, now: int, command: str, wait_ms: int) -> None:
        self._heard = b""
        self._busy = True
        self._uart.write((command + "\r").encode())
        self.due = now + wait_ms

    def poll(self, now: int) -> bool:
        came = False
        while self._uart.any():
            data = self._uart.read(_PORTION)
            if not data:
                break
            came = True
            self._take(now, data)
        return came

    def _take(self, now: int, data: bytes) -> None:
        at = 0
        while at < len(data) and self._step >= 0:
            if self._raw:
                part = data[at : at + self._raw]
                at += len(part)
                self._raw -= len(part)
                self.tag.feed_link(now, out.CELLULAR, part)  # type: ignore[attr-defined]
                continue
            byte = data[at : at + 1]
            at += 1
            if byte == b">" and self._sending and not self._line:
                self._uart.write(self._sending)
                self._sending = b""
            elif byte == b"," and self._line.startswith(b"+CARECV: "):
                self._raw = _number(self._line[9:])
                self._more = True  # until it says that there is nothing left
                self._line = b""
            elif byte == b"\n" or byte == b"\r":
                line = self._line
                self._line = b""
                if line:
                    self._answer(now, line)
            elif len(self._line) < _LINE_LIMIT:
                self._line += byte

    def _answer(self, now: int, line: bytes) -> None:
        in_line = self._step == _LINE
        if line == b"NORMAL POWER DOWN" or line.startswith(b"+APP PDP: 0,DEACT"):
            self._off(now)
            return
        if in_line and line.startswith(b"+CASTATE: 0,0"):
            self.hang_up(now)
            return
        if line == b"ERROR" or line.startswith(b"+CME ERROR"):
            if in_line:
                self._off(now)
            elif self._busy:
                self._busy = False
                self.due = now + _ERROR_MS
            return
        if line == b"OK":
            if in_line and self._busy:
                self._busy = False
                self.due = NEVER
        elif line.startswith(b"+CADATAIND: 0"):
            self._more = True
        elif line.startswith(b"+CMTI"):  # a short message is there, and what it says is of no matter
            self._rung = True
            self.tag.feed_ring(now)  # type: ignore[attr-defined]
        if in_line:
            self._work(now)
        elif self._busy and len(self._heard) < _LINE_LIMIT:
            self._heard += line + b"\n"
            self._step_on(now)

    def _step_on(self, now: int) -> None:
        heard = self._heard
        if b"OK\n" not in heard:
            return
        at = heard.find(b"+CPSI: ")
        if at >= 0:
            # Not AT+CSQ: it ends at -113 dBm, where a cell has 12 dB to go still, and what is lost there looks like much at once.
            fields = heard[at:].split(b"\n")[0].split(b",")
            level = -_number(fields[_RSRP][1:]) if len(fields) > _RSRP else 0
            self.cell_dbm = level or -140  # NO SERVICE has no level
        if self._step == _READY and not self._wanted:
            self._busy = False
            self.due = now + _LEVEL_MS
            return
        for text in _DIAL[self._step][1].split(b"|"):
            if text in heard:
                self._tries = 0
                self._step += 1
                self._busy = self.failed = False
                if self._step == _LINE:
                    self.due = NEVER
                    self.tag.feed_link_up(now, out.CELLULAR)  # type: ignore[attr-defined]
                else:
                    self.handle_timer(now)
                return
        if b"+CAOPEN" in heard:
            self._off(now)  # it was refused

    def _work(self, now: int) -> None:
        # The next command on a line that stands: what has come first, so that the modem's buffer does not fill.
        if self._busy:
            return
        if self._more:
            self._more = False
            self._command(now, "AT+CARECV=0,%d" % _PORTION, _ANSWER_MS)
        elif self._queue:
            self._sending = self._queue[:_PORTION]
            self._queue = self._queue[_PORTION:]
            self._command(now, "AT+CASEND=0,%d" % len(self._sending), _ANSWER_MS)
