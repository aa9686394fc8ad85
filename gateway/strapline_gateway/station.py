"""The station: which tags are here, what they have to say, and when to call on them. Bytes and `now` in, events out; no radio inside."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from strapline_gateway.connection import COMMAND_LIMIT, Connection
from strapline_gateway.enrolment import Enrolled, Keyset
from strapline_gateway.pseudonyms import PseudonymTable
from strapline_protocol.definitions import State
from strapline_protocol.keys import GatewayKeys
from strapline_protocol.notices import Notice
from strapline_wire import frames, seal
from strapline_wire.errors import RemoteProtocolError

CONTACT_PERIOD_S = 120.0
"""A tag that has nothing to say is still called on so often: the answer proves its uptime and tells it that it is at home."""

LEAVE_AFTER_S = 300.0
"""R15: debounce of leaving, outside curfew."""

IDLE_S = 3.0
"""A connection that we opened and on which the tag has said nothing for so long is closed."""

CALLER_IDLE_S = 120.0
"""The same where the tag called us: on a line that is paid for, it is the tag that hangs up."""

PROVE_WITHIN_S = 10.0
"""Whoever answers our call shows the tag's key in this time, or keeps it from the tag that waits elsewhere."""

CALLER_PROVE_WITHIN_S = 30.0
"""The same for a caller: a round trip over narrow-band cellular can take ten seconds."""

REPLAY_TOLERANCE_S = 30.0
"""A heartbeat whose uptime is further off than this was recorded earlier and sent again."""

_URGENT = (bytes([frames.LOCATE]), bytes([frames.MESSAGE]))
"""Commands for which a tag is worth waking; the kind is the first byte of the seal's envelope."""

ASKED_AFTER_S = 10.0
"""A tag that asks for a call so soon after the last contact has not noticed it yet."""

_NEXT = "+"
"""Behind a tag's id, before a generation: the name of its next keys among the pseudonyms."""

_EXPECTED = 2
"""Generations of a tag's keys that are expected at once: one that it has been given elsewhere, and the one after."""

_RECONNECT_S = 5.0
_RECONNECT_LONGEST_S = 60.0
_DOUBLINGS = 10


class Connect(NamedTuple):
    """Call on this tag at this address."""

    tag: str
    address: str


class Abandon(NamedTuple):
    """The call on this tag, which is not through yet, goes to an address that the tag has left: end it, then say `call_abandoned`."""

    tag: str


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


class Ring(NamedTuple):
    """An order waits for a tag that calls us and has no line: have its modem paged. Lost or repeated, it does no harm."""

    tag: str


Event = Notice | Ring | Connect | Abandon | Transmit | HangUp | Presence | Provisional | Record | TimeRequest


class Station:
    """One gateway's state machine.

    `gateway` is its id, `entropy(n)` gives n random bytes. `home` says whether its tags live here (a base station) or only pass
    through (the cellular ingress). Times are seconds on any clock that does not go back.
    """

    def __init__(
        self,
        gateway: int,
        tags: Iterable[GatewayKeys],
        entropy: Callable[[int], bytes],
        *,
        home: bool,
        now: float = 0.0,
    ) -> None:
        self._gateway = gateway
        self._entropy = entropy
        self._home = home
        self._tags: dict[str, Enrolled] = {}
        self._pseudonyms = PseudonymTable()
        self._connections: dict[int, Connection] = {}
        self._events: deque[Event] = deque()
        self._slots: dict[str, int] = {}
        self._next_link = 1
        self.accepted = 0
        self.rejected: Counter[str] = Counter()
        for keys in tags:
            self._tags[keys.tag] = Enrolled(keys)
            self._pseudonyms.add(keys.tag, self._tags[keys.tag].keys.header, now)

    def next_event(self) -> Event | None:
        return self._events.popleft() if self._events else None

    def resume(self, slots: Mapping[str, int]) -> None:
        """Go on with the slots (tag: index) that `take_slots` gave before a restart; tags that are not ours are passed over."""
        for tag in self._tags.keys() & slots.keys():
            self._pseudonyms.resume(tag, slots[tag])

    def take_slots(self) -> dict[str, int]:
        """The tags that were heard in a later slot since the last call, and the slot. Kept over a restart, they are found at once."""
        slots, self._slots = self._slots, {}
        return slots

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
            self._call_on(
                tag, address, now
            )  # a tag that has started again looks the same until it says so under a session key
            return
        self._move(tag, pseudonym, now)
        self.accepted += 1
        self._hear(tag, address, rssi_dbm, heartbeat, now)

    def _open_heartbeat(self, data: bytes, pseudonym: int, now: float) -> tuple[str, frames.Heartbeat]:
        refusal = RemoteProtocolError("unknown_tag")
        for tag, keys in self._candidates(pseudonym, now):
            try:
                _, body = seal.open_frame(data, keys.broadcast, keys.header, seal.UP, keys.window)
                heartbeat = frames.unpack_heartbeat(body)
            except RemoteProtocolError as error:
                refusal = error
                continue
            self._renew(tag, keys)
            return tag, heartbeat
        raise refusal

    def _candidates(self, pseudonym: int, now: float) -> Iterator[tuple[str, Keyset]]:
        for name in self._pseudonyms.find(pseudonym, now):
            tag, _, generation = name.partition(_NEXT)
            enrolled = self._tags[tag]
            yield tag, enrolled.next_keys[int(generation)] if generation else enrolled.keys

    # Keys.

    def expect_keys(self, keys: GatewayKeys, generation: int, now: float) -> bool:
        """The tag may come under these keys from now on; the first genuine frame under them ends those of earlier generations.

        False where it is no tag of ours, and for keys that are over: whoever repeats an old message brings none of them back.
        """
        enrolled = self._tags.get(keys.tag)
        if enrolled is None:
            self.rejected["unknown_tag"] += 1
            return False
        if generation <= enrolled.keys.generation:
            return generation == enrolled.keys.generation and enrolled.keys.is_of(keys)
        held = enrolled.next_keys.get(generation)
        if held is None or not held.is_of(keys):
            self._drop_keys(keys.tag, generation)
            enrolled.next_keys[generation] = Keyset(keys, generation)
            name = f"{keys.tag}{_NEXT}{generation}"
            self._pseudonyms.add(name, enrolled.next_keys[generation].header, now)
            self._pseudonyms.resume(name, self._pseudonyms.newest(keys.tag))
            for earlier in sorted(enrolled.next_keys)[:-_EXPECTED]:
                self._drop_keys(keys.tag, earlier)
        return generation in enrolled.next_keys

    def _drop_keys(self, tag: str, generation: int) -> None:
        dropped = self._tags[tag].next_keys.pop(generation, None)
        if dropped is not None:
            dropped.ended = True
        self._pseudonyms.forget(f"{tag}{_NEXT}{generation}")

    def _renew(self, tag: str, keys: Keyset) -> None:
        enrolled = self._tags[tag]
        if enrolled.next_keys.get(keys.generation) is keys:
            enrolled.keys.ended = True
            enrolled.keys = enrolled.next_keys.pop(keys.generation)
            self._pseudonyms.take_over(tag, f"{tag}{_NEXT}{keys.generation}")
            for earlier in [generation for generation in enrolled.next_keys if generation < keys.generation]:
                self._drop_keys(tag, earlier)
            self._hang_up_old(tag)

    def _hang_up_old(self, tag: str) -> None:
        # What is open under the old keys may be anyone's who had them. The tag comes again under the new ones, with what was not receipted.
        for link, connection in self._connections.items():
            if connection.tag == tag and connection.keys is not self._tags[tag].keys and not connection.hanging_up:
                connection.hanging_up = True
                self._events.append(HangUp(link))

    def _move(self, tag: str, pseudonym: int, now: float) -> None:
        if self._pseudonyms.heard(tag, pseudonym, now):
            self._slots[tag] = self._pseudonyms.newest(tag)

    def _hear(self, tag: str, address: str, rssi_dbm: int, heartbeat: frames.Heartbeat, now: float) -> None:
        enrolled = self._tags[tag]
        if enrolled.is_believed(now, LEAVE_AFTER_S):
            enrolled.heard_at = now
            if not enrolled.present:
                enrolled.present = True
                self._events.append(Presence(tag, True, rssi_dbm))
        if enrolled.calling not in (None, address):
            enrolled.calling = None
            self._events.append(Abandon(tag))
        state = State(heartbeat.flags)
        news = State.ALARM_PENDING in state and heartbeat.newest_alarm != enrolled.told_alarm
        if news:
            self._events.append(Provisional(tag, heartbeat.newest_alarm, state))
            enrolled.call_again_at = now
        enrolled.told_alarm = heartbeat.newest_alarm if State.ALARM_PENDING in state else None
        waiting = State.PENDING in state and now >= enrolled.collect_again_at
        overdue = now - enrolled.contact_at >= CONTACT_PERIOD_S
        asked = State.ASKS in state and now - enrolled.contact_at >= ASKED_AFTER_S
        if news or waiting or asked or enrolled.mailbox or overdue or enrolled.offset_s is None:
            self._call_on(tag, address, now)

    def _call_on(self, tag: str, address: str, now: float) -> None:
        enrolled = self._tags[tag]
        if enrolled.link is None and not enrolled.in_call and now >= enrolled.call_again_at:
            enrolled.in_call = True
            enrolled.calling = address
            self._events.append(Connect(tag, address))

    def call_failed(self, tag: str, now: float) -> None:
        """The connection that `Connect` asked for did not come about."""
        enrolled = self._tags[tag]
        enrolled.in_call = False
        enrolled.calling = None
        enrolled.call_again_at = now + _pause_s(enrolled.failures, _RECONNECT_LONGEST_S)
        enrolled.failures += 1

    def call_abandoned(self, tag: str) -> None:
        """The call that `Abandon` named is ended: nobody's failure, and the next heartbeat may bring another."""
        self._tags[tag].in_call = False
        self._tags[tag].calling = None

    # Links.

    def open_link(self, now: float, tag: str | None = None) -> int:
        """A connection stands; gives its number. `tag` where we called: until it has proved itself that is only a supposition."""
        if tag is not None:
            self._tags[tag].calling = None
        link = self._next_link
        self._next_link += 1
        self._connections[link] = Connection(self._gateway, self._home, self._entropy, now, called=tag)
        return link

    def tag_of(self, link: int) -> str | None:
        """The tag that has proved itself on this link; None while nobody has."""
        connection = self._connections.get(link)
        return None if connection is None else connection.tag

    def close_link(self, link: int, now: float) -> None:
        """The connection is gone, whoever ended it."""
        connection = self._connections.pop(link)
        if connection.tag is not None:
            self._leave(connection.tag, link, connection, now)
        if connection.called is not None and connection.called != connection.tag:
            self.call_failed(connection.called, now)
        elif connection.called is not None:
            self._tags[connection.called].in_call = False

    def _leave(self, tag: str, link: int, connection: Connection, now: float) -> None:
        enrolled = self._tags[tag]
        if enrolled.link == link:
            enrolled.link = None
        if connection.brought_records and not connection.took_commands:
            enrolled.collect_again_at = now + _pause_s(enrolled.unanswered, CONTACT_PERIOD_S)
            enrolled.unanswered += 1

    def receive_data(self, link: int, data: bytes, now: float) -> None:
        """Bytes from a link, in any portions."""
        connection = self._connections.get(link)
        if connection is None:
            self.rejected["closed_link"] += 1
            return
        for frame in connection.frames(data, now):
            try:
                self._take(link, connection, frame, now)
                self.accepted += 1
            except RemoteProtocolError as error:
                self.rejected[error.reason] += 1
        if connection.tag is not None:
            self._deliver(connection.tag, now)  # an acknowledgement may have made room
        self._transmit(link, connection, now)

    def _transmit(self, link: int, connection: Connection, now: float) -> None:
        if not connection.hanging_up:
            self._events.extend(Transmit(link, line) for line in connection.lines(now))

    def _take(self, link: int, connection: Connection, frame: bytes, now: float) -> None:
        kind, pseudonym = seal.peek(frame)
        if kind == frames.HELLO:
            self._greet(connection, frame, pseudonym, now)
            return
        before = connection.tag
        kind, body = connection.open(frame)
        tag = connection.tag
        assert tag is not None
        assert connection.keys is not None
        self._renew(tag, connection.keys)
        connection.active_at = now
        if self._tags[tag].link != link:
            self._prove(tag, before, link, now)
        if kind == frames.REPLY:
            self._confirm(tag, frames.unpack_reply(body), pseudonym, now)
        elif kind == frames.RECORD:
            envelope = seal.peek_envelope(body)
            is_request = envelope.kind == frames.TIME_REQUEST
            connection.brought_records |= not is_request
            self._events.append(TimeRequest(tag, body) if is_request else Record(tag, envelope, body))
        else:
            raise RemoteProtocolError("unexpected")

    def _greet(self, connection: Connection, frame: bytes, pseudonym: int, now: float) -> None:
        refusal = RemoteProtocolError("unknown_tag")
        for tag, keys in self._candidates(pseudonym, now):
            try:
                connection.greet(frame, tag, keys)
            except RemoteProtocolError as error:
                refusal = error
                continue
            return
        raise refusal

    def _prove(self, tag: str, before: str | None, link: int, now: float) -> None:
        # Only a frame under the session key shows that HELLO was not an old recording.
        if before is not None and before != tag and self._tags[before].link == link:
            self._tags[before].link = None
        enrolled = self._tags[tag]
        enrolled.link = link
        enrolled.contact_at = now
        enrolled.failures = 0
        enrolled.call_again_at = now
        self._deliver(tag, now)

    def _confirm(self, tag: str, reply: frames.Reply, pseudonym: int, now: float) -> None:
        enrolled = self._tags[tag]
        enrolled.offset_s = now - reply.uptime_s
        if enrolled.boot not in (None, reply.boot):
            enrolled.told_alarm = None  # its journal begins anew, and so may the number of its alarm
        enrolled.boot = reply.boot
        self._move(tag, pseudonym, now)

    # Downlink.

    def send_command(self, tag: str, sealed: bytes, now: float) -> bool:
        """A sealed command for a tag: sent at once where it is connected, else at its next contact.

        False where the tag is not ours, and for what no frame has room for.
        """
        enrolled = self._tags.get(tag)
        if enrolled is None or len(sealed) > COMMAND_LIMIT:
            self.rejected["unknown_tag" if enrolled is None else "oversized"] += 1
            return False
        enrolled.mailbox.append(sealed)
        self._deliver(tag, now)
        if enrolled.mailbox and not self._home and enrolled.link is None and sealed[:1] in _URGENT:
            self._events.append(Ring(tag))
        return True

    def _deliver(self, tag: str, now: float) -> None:
        enrolled = self._tags[tag]
        if enrolled.link is None or (connection := self._connections[enrolled.link]).hanging_up:
            return
        while enrolled.mailbox and connection.has_room:
            connection.send_command(enrolled.mailbox.popleft())
            connection.active_at = now
            enrolled.unanswered = 0
            enrolled.collect_again_at = now
        self._transmit(enrolled.link, connection, now)

    # Time.

    def next_deadline(self) -> float | None:
        deadlines = [_due(c) for c in self._connections.values() if not c.hanging_up]
        deadlines += [t.heard_at + LEAVE_AFTER_S for t in self._tags.values() if t.present]
        return min(deadlines, default=None)

    def handle_timer(self, now: float) -> None:
        for link, connection in self._connections.items():
            connection.handle_timer(now)
            if not connection.hanging_up and (connection.has_failed or now >= _patience(connection)):
                connection.hanging_up = True
                self._events.append(HangUp(link))
            self._transmit(link, connection, now)
        for tag, enrolled in self._tags.items():
            if enrolled.present and now >= enrolled.heard_at + LEAVE_AFTER_S:
                enrolled.present = False
                self._events.append(Presence(tag, False, None))


def _patience(connection: Connection) -> float:
    """Until when a connection may stay as quiet as it is; only frames under the session key prolong it."""
    if connection.tag is None:
        return connection.opened_at + (PROVE_WITHIN_S if connection.called else CALLER_PROVE_WITHIN_S)
    return connection.active_at + (IDLE_S if connection.called else CALLER_IDLE_S)


def _due(connection: Connection) -> float:
    again_at = connection.next_deadline()
    return _patience(connection) if again_at is None else min(_patience(connection), again_at)


def _pause_s(times: int, longest_s: float) -> float:
    """The pause after something has failed `times` times before: doubling, up to a limit."""
    return min(_RECONNECT_S * (1 << min(times, _DOUBLINGS)), longest_s)
