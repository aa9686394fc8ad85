# One bearer's connection: handshake, then records up and commands down. It decides which records go again for want of a receipt; that a
# frame crosses the line is the link's business, and what a command means the tag's.
from strapline_tag import outputs as out
from strapline_tag.deadline import sooner
from strapline_wire import frames
from strapline_wire.arq import QUEUE_LIMIT, WINDOW, ReliableLink
from strapline_wire.compat import const
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.session import Session, TagHandshake

# Places in the link's window that the rest leaves free, so that an alarm waits for nobody's acknowledgement.
_FOR_ALARMS = const(2)


class Uplink:
    def __init__(self, bearer: int, config, journal, seal_record):
        self.bearer = bearer
        self._config = config
        self._journal = journal
        self._seal_record = seal_record  # slot of the journal -> sealed record
        self._link_retry_ms = config.link_retry_ble_ms if bearer == out.BLE else config.link_retry_cellular_ms
        self._link: ReliableLink = None
        self._handshake: TagHandshake = None
        self._session: Session = None
        self._sent = set()
        self._filled = -1  # the journal's state of which all that may go is on its way
        self._wait_ms = 0
        self._retry_at: int = None
        self.rejected = 0  # frames that a gateway or a stranger sent and that were refused

    @property
    def stands(self) -> bool:
        return self._link is not None

    @property
    def is_open(self) -> bool:
        return self._session is not None

    @property
    def has_failed(self) -> bool:
        return self._link is not None and self._link.failed

    def up(self, handshake: TagHandshake, generation: int) -> None:
        # The connection stands; `generation` is the link's, drawn for it.
        self.down()
        self._handshake = handshake
        self._link = ReliableLink(generation, self._link_retry_ms)
        self._link.send(handshake.hello)

    def down(self) -> None:
        self._link = None
        self._handshake = None
        self._session = None
        self._sent = set()
        self._filled = -1
        self._retry_at = None
        self._wait_ms = self._config.receipt_wait_ms

    def receive(self, now: int, data: bytes) -> list:
        # What came: ("welcome", WELCOME) or ("command", sealed command).
        events = []
        if self._link is None:
            self.rejected += 1
            return events
        for frame in self._link.receive_data(data, now):
            try:
                event = self._take(frame)
                if event:
                    events.append(event)
            except RemoteProtocolError:
                self.rejected += 1
        return events

    def lines(self, now: int) -> list:
        # The bytes that go on the line now; asked for after everything that may have changed them.
        return self._link.data_to_send(now) if self._link is not None else []

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

    def reply(self, boot: int, uptime_s: int) -> None:
        # The first frame under the session key.
        self._send(frames.REPLY, frames.pack_reply((boot, uptime_s)))

    def send(self, sealed: bytes) -> None:
        # A sealed request: dropped where the link is full, as one that comes too late is worth nothing.
        if self._link.room():
            self._send(frames.RECORD, sealed)

    def _send(self, kind: int, body: bytes) -> None:
        self._link.send(self._session.seal(kind, body))

    def pump(self, now: int) -> None:
        # The records that may go now join the link. A new alarm goes past what waits for receipts, and waits no longer for its own than
        # the first record did.
        count, alarm = self._fill()
        if alarm:
            self._wait_ms = self._config.receipt_wait_ms
            if self._retry_at is not None:
                self._retry_at = min(self._retry_at, now + self._wait_ms)
        if count and self._retry_at is None:
            self._retry_at = now + self._wait_ms

    def _fill(self) -> tuple:
        # (records sent, whether an alarm is among them). Each lane has a window of its own, the head of what is pending: a receipt reaches
        # no further than 32 sequences past the oldest record that is missing, and that may be one of the other lane.
        count = 0
        alarm = False
        journal = self._journal
        if self._session is not None and self._filled != journal.changes:
            for slot in journal.pending(self._config.link_window):
                sequence = journal.sequence(slot)
                if sequence not in self._sent:
                    is_alarm = journal.is_alarm(slot)
                    if self._link.room() <= (0 if is_alarm else QUEUE_LIMIT - WINDOW + _FOR_ALARMS):
                        return count, alarm  # the next acknowledgement makes room
                    sealed = self._seal_record(slot)
                    if sealed:
                        self._sent.add(sequence)
                        alarm = alarm or is_alarm
                        count += 1
                        self._send(frames.RECORD, sealed)
            self._filled = journal.changes
        return count, alarm

    def receipted(self, now: int) -> None:
        # The journal has shrunk: forget what left it, and start the waiting anew.
        if self._sent:
            held = set()
            for slot in self._journal.pending(self._config.link_window):
                held.add(self._journal.sequence(slot))
            self._sent &= held
        self._wait_ms = self._config.receipt_wait_ms
        self._retry_at = now + self._wait_ms if self._sent else None

    def next_deadline(self) -> "int | None":
        return self._retry_at if self._link is None else sooner(self._retry_at, self._link.next_deadline())

    def handle_timer(self, now: int) -> None:
        if self._link is not None:
            self._link.handle_timer(now)
        if self._retry_at is not None and now >= self._retry_at:
            self._retry(now)

    def _retry(self, now: int) -> None:
        # No receipt in time: everything again, more patiently. While the link still has some of it on its way, no receipt can be here.
        if not self._link.idle:
            self._retry_at = now + self._wait_ms
            return
        self._sent = set()
        self._filled = -1
        self._wait_ms = min(self._wait_ms * 2, self._config.receipt_wait_longest_ms)
        count, _ = self._fill()
        self._retry_at = now + self._wait_ms if count else None
