# One bearer's connection: handshake, then records up and commands down. It decides what to send again; what a command means is the tag's.
from strapline_wire import frames, link
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.session import Session, TagHandshake


class Uplink:
    def __init__(self, bearer: int, config, journal, seal_record):
        self.bearer = bearer
        self._config = config
        self._journal = journal
        self._seal_record = seal_record  # slot of the journal -> sealed record
        self._deframer = link.Deframer()
        self._handshake: TagHandshake = None
        self._session: Session = None
        self._sent = set()
        self._wait_ms = 0
        self.retry_at: int = None
        self.rejected = 0  # frames that a gateway or a stranger sent and that were refused

    @property
    def is_open(self) -> bool:
        return self._session is not None

    def up(self, handshake: TagHandshake) -> bytes:
        # The connection stands: gives the bytes of HELLO.
        self.down()
        self._handshake = handshake
        return link.encode(handshake.hello)

    def down(self) -> None:
        self._deframer = link.Deframer()
        self._handshake = None
        self._session = None
        self._sent = set()
        self.retry_at = None
        self._wait_ms = self._config.receipt_wait_ms

    def receive(self, data: bytes) -> list:
        # What came: ("welcome", WELCOME) or ("command", sealed command).
        events = []
        for frame in self._deframer.feed(data):
            try:
                event = self._take(frame)
                if event:
                    events.append(event)
            except RemoteProtocolError:
                self.rejected += 1
        return events

    def _take(self, frame: bytes):
        if self._session is None:
            if self._handshake is None:
                raise RemoteProtocolError("unexpected")
            welcome, self._session = self._handshake.receive(frame)
            self._handshake = None
            return "welcome", welcome
        kind, body = self._session.open(frame)
        if kind != frames.COMMAND:
            raise RemoteProtocolError("unexpected")
        return "command", body

    def reply(self, boot: int, uptime_s: int) -> bytes:
        # The first frame under the session key.
        return link.encode(self._session.seal(frames.REPLY, frames.pack_reply((boot, uptime_s))))

    def send(self, sealed: bytes) -> bytes:
        # A sealed record or request as bytes for the line.
        return link.encode(self._session.seal(frames.RECORD, sealed))

    def pump(self, now: int) -> list:
        # The records that go out now, as bytes for the line. A new alarm goes past what waits for receipts, and waits no longer for
        # its own than the first record did.
        lines, alarm = self._fill()
        if alarm:
            self._wait_ms = self._config.receipt_wait_ms
            if self.retry_at is not None:
                self.retry_at = min(self.retry_at, now + self._wait_ms)
        if lines and self.retry_at is None:
            self.retry_at = now + self._wait_ms
        return lines

    def _fill(self) -> tuple:
        # (lines, whether an alarm is among them). Each lane has a window of its own, the head of what is pending: a receipt reaches no
        # further than 32 sequences past the oldest record that is missing, and that may be one of the other lane.
        lines = []
        alarm = False
        if self._session is not None:
            journal = self._journal
            alarms = rest = self._config.link_window
            for slot in journal.pending():
                is_alarm = journal.is_alarm(slot)
                if is_alarm:
                    alarms -= 1
                    if alarms < 0:
                        continue
                else:
                    rest -= 1
                    if rest < 0:
                        break
                sequence = journal.sequence(slot)
                if sequence not in self._sent:
                    self._sent.add(sequence)
                    alarm = alarm or is_alarm
                    lines.append(self.send(self._seal_record(slot)))
        return lines, alarm

    def receipted(self, now: int) -> None:
        # The journal has shrunk: forget what left it, and start the waiting anew.
        sent = set()
        if self._sent:
            for slot in range(len(self._journal)):
                sequence = self._journal.sequence(slot)
                if sequence in self._sent:
                    sent.add(sequence)
        self._sent = sent
        self._wait_ms = self._config.receipt_wait_ms
        self.retry_at = now + self._wait_ms if self._sent else None

    def retry(self, now: int) -> list:
        # No receipt in time: everything again, more patiently.
        self._sent = set()
        self._wait_ms = min(self._wait_ms * 2, self._config.receipt_wait_longest_ms)
        lines, _ = self._fill()
        self.retry_at = now + self._wait_ms if lines else None
        return lines
