"""The station: which tags are here, what they have to say, and when to call on them. Bytes and `now` in, events out; no radio inside."""

from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from strapline_gateway.connection import Connection
from strapline_gateway.enrolment import Enrolled
from strapline_gateway.pseudonyms import PseudonymTable
from strapline_protocol.definitions import State
from strapline_protocol.keys import GatewayKeys
from strapline_wire import frames, seal
from strapline_wire.errors import RemoteProtocolError

CONTACT_PERIOD_S = 120.0
"""A tag that has nothing to say is still called on so often: the answer proves its uptime and tells it that it is at home."""

LEAVE_AFTER_S = 300.0
"""R15: debounce of leaving, outside curfew."""

IDLE_S = 3.0
"""A connection on which nothing has been said for so long is closed."""

REPLAY_TOLERANCE_S = 30.0
"""A heartbeat whose uptime is further off than this was recorded earlier and sent again."""

_RECONNECT_S = 5.0
_RECONNECT_LONGEST_S = 60.0


class Connect(NamedTuple):
    """Call on this tag at this address."""

    tag: str
    address: str


class Transmit(NamedTuple):
    """Bytes for a link."""

    link: int
    data: bytes


class HangUp(NamedTuple):
    """Close a link."""

    link: int


class Presence(NamedTuple):
    """A tag has come or gone."""

    tag: str
    present: bool
    rssi_dbm: int | None


class Provisional(NamedTuple):
    """A heartbeat told of an alarm whose record is still to come."""

    tag: str
    newest_alarm: int
    state: State


class Record(NamedTuple):
    """A sealed record that must reach the centre."""

    tag: str
    envelope: frames.Envelope
    sealed: bytes


class TimeRequest(NamedTuple):
    """A sealed request for the time: worth nothing in ten seconds."""

    tag: str
    sealed: bytes


Event = Connect | Transmit | HangUp | Presence | Provisional | Record | TimeRequest


class Station:
    """One gateway's state machine.

    `gateway` is its id, `entropy(n)` gives n random bytes. `home` says whether its tags live here (a base station) or only pass
    through (the cellular ingress). Times are seconds on any clock that does not go back.
    """

    def __init__(
        self, gateway: int, tags: Iterable[GatewayKeys], entropy: Callable[[int], bytes], *, home: bool, now: float = 0.0
    ) -> None:
        self._gateway = gateway
        self._entropy = entropy
        self._home = home
        self._tags: dict[str, Enrolled] = {}
        self._pseudonyms = PseudonymTable()
        self._connections: dict[int, Connection] = {}
        self._events: deque[Event] = deque()
        self._next_link = 1
        self.accepted = 0
        self.rejected: Counter[str] = Counter()
        for keys in tags:
            self._tags[keys.tag] = Enrolled(keys)
            self._pseudonyms.add(keys.tag, self._tags[keys.tag].header, now)

    def next_event(self) -> Event | None:
        return self._events.popleft() if self._events else None

    # The radio.

    def receive_advertisement(self, address: str, rssi_dbm: int, data: bytes, now: float) -> None:
        """The service data of one advertisement. What is not ours or not genuine is counted in `rejected`."""
        try:
            kind, pseudonym = seal.peek(data)
            if kind != frames.HEARTBEAT:
                raise RemoteProtocolError("unexpected")
            tag, heartbeat = self._open_heartbeat(data, pseudonym, now)
        except RemoteProtocolError as error:
            self.rejected[error.reason] += 1
            return
        enrolled = self._tags[tag]
        if not enrolled.uptime_fits(heartbeat.uptime_4s, now, REPLAY_TOLERANCE_S):
            self.rejected["delayed_replay"] += 1
            self._call_on(tag, address, now)
            return
        self.accepted += 1
        self._hear(tag, address, rssi_dbm, heartbeat, now)

    def _open_heartbeat(self, data: bytes, pseudonym: int, now: float) -> tuple[str, frames.Heartbeat]:
        refusal = RemoteProtocolError("unknown_tag")
        for tag in self._pseudonyms.find(pseudonym, now):
            enrolled = self._tags[tag]
            try:
                _, body = seal.open_frame(data, enrolled.broadcast, enrolled.header, seal.UP, enrolled.window)
                heartbeat = frames.unpack_heartbeat(body)
            except RemoteProtocolError as error:
                refusal = error
                continue
            self._pseudonyms.heard(tag, pseudonym, now)
            return tag, heartbeat
        raise refusal

    def _hear(self, tag: str, address: str, rssi_dbm: int, heartbeat: frames.Heartbeat, now: float) -> None:
        enrolled = self._tags[tag]
        enrolled.heard_at = now
        if not enrolled.present:
            enrolled.present = True
            self._events.append(Presence(tag, True, rssi_dbm))
        state = State(heartbeat.flags)
        if State.ALARM_PENDING in state and heartbeat.newest_alarm != enrolled.told_alarm:
            enrolled.told_alarm = heartbeat.newest_alarm
            self._events.append(Provisional(tag, heartbeat.newest_alarm, state))
        overdue = now - enrolled.contact_at >= CONTACT_PERIOD_S
        if State.PENDING in state or enrolled.mailbox or overdue or enrolled.offset_s is None:
            self._call_on(tag, address, now)

    def _call_on(self, tag: str, address: str, now: float) -> None:
        enrolled = self._tags[tag]
        if enrolled.link is None and not enrolled.calling and now >= enrolled.call_again_at:
            enrolled.calling = True
            self._events.append(Connect(tag, address))

    def call_failed(self, tag: str, now: float) -> None:
        """The connection that `Connect` asked for did not come about."""
        enrolled = self._tags[tag]
        enrolled.calling = False
        enrolled.failures += 1
        enrolled.call_again_at = now + min(_RECONNECT_S * 2 ** (enrolled.failures - 1), _RECONNECT_LONGEST_S)

    # Links.

    def open_link(self, now: float, tag: str | None = None) -> int:
        """A connection stands; gives its number. `tag` where we called: until HELLO it is only a supposition."""
        link = self._next_link
        self._next_link += 1
        self._connections[link] = Connection(self._gateway, self._home, self._entropy, now, called=tag)
        if tag is not None:
            self._tags[tag].calling = False
            self._tags[tag].failures = 0
            self._tags[tag].link = link
        return link

    def close_link(self, link: int, now: float) -> None:
        """The connection is gone, whoever ended it."""
        connection = self._connections.pop(link)
        for tag in {connection.tag, connection.called} - {None}:
            enrolled = self._tags[str(tag)]
            if enrolled.link == link:
                enrolled.link = None
                enrolled.call_again_at = now if connection.tag else now + _RECONNECT_S

    def receive_data(self, link: int, data: bytes, now: float) -> None:
        """Bytes from a link, in any portions."""
        connection = self._connections[link]
        connection.active_at = now
        for frame in connection.frames(data):
            try:
                self._take(link, connection, frame, now)
                self.accepted += 1
            except RemoteProtocolError as error:
                self.rejected[error.reason] += 1

    def _take(self, link: int, connection: Connection, frame: bytes, now: float) -> None:
        kind, pseudonym = seal.peek(frame)
        if connection.session is None or kind == frames.HELLO:
            self._greet(link, connection, frame, pseudonym, now)
            return
        kind, body = connection.open(frame)
        tag = connection.tag
        assert tag is not None
        if kind == frames.REPLY:
            self._confirm(tag, link, frames.unpack_reply(body), pseudonym, now)
        elif kind == frames.RECORD:
            envelope = seal.peek_envelope(body)
            is_request = envelope.kind == frames.TIME_REQUEST
            self._events.append(TimeRequest(tag, body) if is_request else Record(tag, envelope, body))
        else:
            raise RemoteProtocolError("unexpected")

    def _greet(self, link: int, connection: Connection, frame: bytes, pseudonym: int, now: float) -> None:
        refusal = RemoteProtocolError("unknown_tag")
        for tag in self._pseudonyms.find(pseudonym, now):
            try:
                answer = connection.greet(frame, tag, self._tags[tag])
            except RemoteProtocolError as error:
                refusal = error
                continue
            self._events.append(Transmit(link, answer))
            self._tags[tag].link = link
            self._deliver(tag)
            return
        raise refusal

    def _confirm(self, tag: str, link: int, reply: frames.Reply, pseudonym: int, now: float) -> None:
        # Only a frame under the session key shows that HELLO was not an old recording.
        enrolled = self._tags[tag]
        enrolled.contact_at = now
        enrolled.link = link
        enrolled.offset_s = now - reply.uptime_s
        self._pseudonyms.heard(tag, pseudonym, now)

    # Downlink.

    def send_command(self, tag: str, sealed: bytes, now: float) -> bool:
        """A sealed command for a tag: sent at once where it is connected, else at its next contact; False where the tag is not ours."""
        enrolled = self._tags.get(tag)
        if enrolled is None:
            return False
        enrolled.mailbox.append(sealed)
        self._deliver(tag, now)
        return True

    def _deliver(self, tag: str, now: float | None = None) -> None:
        enrolled = self._tags[tag]
        connection = self._connections.get(enrolled.link) if enrolled.link is not None else None
        if connection is None or connection.session is None:
            return
        if now is not None:
            connection.active_at = now
        while enrolled.mailbox:
            line = connection.seal_command(enrolled.mailbox.popleft())
            assert enrolled.link is not None
            self._events.append(Transmit(enrolled.link, line))

    # Time.

    def next_deadline(self) -> float | None:
        deadlines = [c.active_at + IDLE_S for c in self._connections.values() if c.called and not c.hanging_up]
        deadlines += [t.heard_at + LEAVE_AFTER_S for t in self._tags.values() if t.present]
        return min(deadlines, default=None)

    def handle_timer(self, now: float) -> None:
        for link, connection in self._connections.items():
            if connection.called and not connection.hanging_up and now >= connection.active_at + IDLE_S:
                connection.hanging_up = True
                self._events.append(HangUp(link))
        for tag, enrolled in self._tags.items():
            if enrolled.present and now >= enrolled.heard_at + LEAVE_AFTER_S:
                enrolled.present = False
                self._events.append(Presence(tag, False, None))
