"""The centre's side of the MQTT contract: what gateways say goes in, and comes out checked and opened; what answers them is made here.

It keeps no record and connects to nothing. A centre around it does three things: hand in each message, write what comes back to its own
disk, publish what the desk has to say.
"""

import os
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from strapline_protocol import contract, rekeying
from strapline_protocol.codes import Kind
from strapline_protocol.commands import CommandSealer
from strapline_protocol.contract import Message, Passage, Topic
from strapline_protocol.keys import CentreKeys
from strapline_protocol.passages import Passages
from strapline_protocol.received import Journals, Received
from strapline_protocol.records import OpenedRecord, RecordOpener, TimeQuestion
from strapline_protocol.rekeying import Generation, KeyChange
from strapline_protocol.updates import Delivery
from strapline_wire import frames, seal
from strapline_wire.errors import LocalProtocolError, RemoteProtocolError

STATES = ("online", "offline", "lost")
CLOCKS = ("synchronised", "unsure", "set")


class Outgoing:
    """A message to publish, QoS 1, not retained: `client.publish(*outgoing)` gives it (topic, payload)."""

    __slots__ = ("_key", "message", "topic")

    def __init__(self, message: Message, key: bytes) -> None:
        self.message = message
        self.topic = str(message.topic)
        self._key = key

    def __iter__(self) -> Iterator[Any]:
        return iter((self.topic, self.payload))

    @property
    def payload(self) -> bytes:
        """The message as it travels, sealed."""
        return contract.encode(self.message, self._key)


class Arrival(NamedTuple):
    """A record of a tag, opened. Keep it, then `Desk.accept` it. It may come again: take each identity once."""

    gateway: str
    heard: datetime
    """When the gateway first had it (UTC, the gateway's clock)."""
    record: OpenedRecord
    sealed: bytes
    """As the tag sealed it: the proof."""
    keys: CentreKeys
    """Under which it did."""
    passage: Passage | None = None
    """How the gateway published it; None where it does not say so."""
    clock: str = ""
    """What the gateway's clock was worth at `heard`, as the contract has it; empty where it does not say so."""


class GatewayRecord(NamedTuple):
    """A record of a gateway: `presence` of a tag, a provisional `alarm`, or a `notice`. Keep it, then `Desk.accept` it."""

    gateway: str
    heard: datetime
    tag: str
    """Empty for a notice about no tag."""
    journal: int
    sequence: int
    channel: str
    data: dict[str, Any]
    passage: Passage | None = None
    """As of an `Arrival`."""
    clock: str = ""
    """As of an `Arrival`."""


class Refused(NamedTuple):
    """What was published as a tag's record and cannot be opened, so that nobody knows whose it is: a forgery, or a key that we lack.

    It never counts as received. Once `Desk.accept` has answered, the gateway lets go of just these bytes.
    """

    gateway: str
    heard: datetime
    tag: str
    """As the topic says it; a gateway may write any."""
    known: bool
    """Whether we have keys of that tag."""
    journal: int
    sequence: int
    sealed: bytes
    reason: str

    @property
    def digest(self) -> str:
        return contract.digest(self.sealed)


class TimeAsked(NamedTuple):
    """A tag has asked for the time; the desk has answered."""

    gateway: str
    question: TimeQuestion


class GatewayState(NamedTuple):
    """What a gateway's retained state says: `online` (also its beat), `offline` (a clean end) or `lost` (its last will)."""

    gateway: str
    state: str
    start: int = 0
    number: int = 0


class Keyed(NamedTuple):
    """A gateway takes a tag under the keys of this generation too."""

    gateway: str
    tag: str
    generation: int


Heard = Keyed | Arrival | GatewayRecord | Refused | TimeAsked | GatewayState


class Desk:
    """One centre's desk.

    `tags` are the tags' keys; where a tag has several, the current one first. `gateways` maps gateway ids to their 32-byte keys. `utc()`
    is the wall clock. `epoch` and `number` are as `CommandSealer` wants them. `journals` is what the centre has from before; without it
    the receipts begin anew, which costs tags nothing but a few more receipts. `entropy(n)` gives n random bytes.
    """

    def __init__(
        self,
        tags: Iterable[CentreKeys],
        gateways: Mapping[str, bytes],
        *,
        utc: Callable[[], datetime],
        epoch: int,
        number: int = 0,
        journals: Journals | None = None,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._opener = RecordOpener(tags)
        self._number = number
        self._sealers = {
            tag: CommandSealer(self._opener.keys(tag)[0], epoch, number=number) for tag in self._opener.tags
        }
        self._gateways = dict(gateways)
        self._utc = utc
        self._epoch = epoch
        self.journals = Journals() if journals is None else journals
        self.rejected: Counter[str] = Counter()
        """Messages that were not genuine or made no sense, by reason."""
        self.passages = Passages()
        """What the way from each gateway does to its messages."""
        self.tampered: Counter[str] = Counter()
        """Messages on a known gateway's topics that its key did not seal as they came; whoever watches it sets it back."""
        self._outgoing: deque[Outgoing] = deque()
        self._said = 0
        self._entropy = entropy
        self._changes: dict[str, KeyChange] = {}
        """The last change of keys of each tag that has had one."""
        self._deliveries: dict[str, Delivery] = {}
        self._due: dict[tuple[str, str, int], set[int]] = {}
        """(gateway, source, journal): sequences that were accepted and are not answered for yet."""
        self._states: dict[str, tuple[int, int]] = {}
        """(start, number) of each gateway's newest state."""
        self._lost: set[str] = set()
        """Gateways that are gone, as their wills have said: not even their newest word from before is believed again."""

    # In.

    def receive(self, topic: str, payload: bytes) -> Heard | None:
        """One message from the broker; None for what is not genuine, which is counted in `rejected`, as is what comes back as `Refused`.

        None too, and not counted, for a gateway's state that came before.
        """
        key = None
        try:
            gateway = contract.parse_topic(topic).gateway
            key = self._gateways.get(gateway)
            if key is None:
                raise RemoteProtocolError("unknown_gateway", gateway)
            return self._hear(contract.decode(topic, payload, key))
        except RemoteProtocolError as error:
            self.rejected[error.reason] += 1
            if key is not None and error.reason in ("forged", "malformed", "oversized"):
                self.tampered[gateway] += 1
            return None

    def receive_message(self, message: Message) -> Heard | None:
        """The same of one that has come without a broker, from a gateway of ours in this process: nobody can have altered it."""
        try:
            return self._hear(message)
        except RemoteProtocolError as error:
            self.rejected[error.reason] += 1
            return None

    def _hear(self, message: Message) -> Heard | None:
        self._note_passage(message)
        return self._read(message)

    def _note_passage(self, message: Message) -> None:
        """Of all that is genuine, what cannot be opened included: it has come."""
        about = message.topic.subject or message.data.get("tag", "")
        if message.passage is not None and isinstance(about, str) and (not about or about in self._opener.tags):
            self.passages.note(message.topic.gateway, about, message.passage, self._utc().timestamp())

    def _read(self, message: Message) -> Heard | None:
        channel = message.topic.channel
        if (channel in contract.ABOUT_A_TAG) != bool(message.topic.subject):
            raise RemoteProtocolError("topic", str(message.topic))
        if channel in ("event", "position"):
            return self._record(message)
        if channel in ("presence", "alarm"):
            return self._gateway_record(message)
        if channel == "notice":
            return self._notice(message)
        if channel == "time":
            return self._answer_time(message)
        if channel == "keyed":
            return self._confirmed(message)
        if channel != "state":
            raise RemoteProtocolError("topic", str(message.topic))
        return self._state(message)

    def _state(self, message: Message) -> GatewayState | None:
        gateway, state = message.topic.gateway, message.data.get("state")
        if state not in STATES:
            raise RemoteProtocolError("malformed", "state")
        start = contract.number(message.data, "start", 1) if "start" in message.data else 0
        number = contract.number(message.data, "number") if "number" in message.data else 0
        connection = contract.number(message.data, "connection", 1) if "connection" in message.data else 0
        last = self._states.get(gateway, (0, 0))
        if start and (start, number) == last and state != "lost" and gateway not in self._lost:
            return None  # the retained one, which each new connection of ours brings again
        # A broker may repeat what it has been given: an old `online` must not hide a loss. A will carries no number.
        if start < last[0] or (state != "lost" and start and (start, number) <= last):
            raise RemoteProtocolError("old_state", gateway)
        self._states[gateway] = max(last, (start, number))
        (self._lost.add if state == "lost" else self._lost.discard)(gateway)
        self.passages.gateway_state(gateway, start, connection)
        if state == "online" and (start != last[0] or not start):
            for tag in self._changes:
                self._hand_out(tag, gateway)
        return GatewayState(gateway, state, start, number)

    def resume_state(self, gateway: str, start: int, number: int) -> None:
        """After a restart: the newest state that this gateway is known to have said."""
        self._states[gateway] = max(self._states.get(gateway, (0, 0)), (start, number))

    def _record(self, message: Message) -> Arrival | Refused:
        gateway, tag = message.topic.gateway, message.topic.subject
        heard, sealed = contract.moment(message.data, "heard"), contract.octets(message.data, "record")
        try:
            record = self._opener.open_record(tag, sealed)
            keys = self._opener.keys(tag)[record.key]
            return Arrival(gateway, heard, record, sealed, keys, message.passage, _clock(message.data))
        except RemoteProtocolError as error:
            identity = _identity(message.data, sealed)
            self.rejected[error.reason] += 1
            return Refused(gateway, heard, tag, tag in self._opener.tags, *identity, sealed, error.reason)

    def _gateway_record(self, message: Message) -> GatewayRecord:
        data, channel, tag = message.data, message.topic.channel, message.topic.subject
        if data.get("tag") != tag:
            raise RemoteProtocolError("malformed", "tag")
        if tag not in self._opener.tags:
            raise RemoteProtocolError("unknown_tag", tag)
        journal, sequence = contract.number(data, "journal"), contract.number(data, "sequence", 1)
        if channel == "alarm":
            contract.number(data, "newest_alarm", 0, 255)
        heard = contract.moment(data, "heard")
        at = heard, tag, journal, sequence
        return GatewayRecord(message.topic.gateway, *at, channel, data, message.passage, _clock(data))

    def _notice(self, message: Message) -> GatewayRecord:
        data, tag = message.data, message.data.get("tag", "")
        if tag and tag not in self._opener.tags:
            raise RemoteProtocolError("unknown_tag", str(tag))
        code, detail = data.get("code"), data.get("detail", {})
        if not isinstance(code, str) or not _NOTICE.fullmatch(code):
            raise RemoteProtocolError("malformed", "code")
        if (
            not isinstance(detail, dict)
            or len(detail) > _NOTICE_DETAILS
            or any(type(v) is not int for v in detail.values())
        ):
            raise RemoteProtocolError("malformed", "detail")
        journal, sequence = contract.number(data, "journal"), contract.number(data, "sequence", 1)
        heard = contract.moment(data, "heard")
        at = heard, tag, journal, sequence
        return GatewayRecord(message.topic.gateway, *at, "notice", data, message.passage, _clock(data))

    def _answer_time(self, message: Message) -> TimeAsked:
        tag, gateway = message.topic.subject, message.topic.gateway
        question = self._opener.open_time_request(tag, contract.octets(message.data, "request"))
        self._prove(tag, self._opener.keys(tag)[question.key])
        self.send(tag, gateway, self._sealers[tag].time(question.nonce, self._utc()))
        return TimeAsked(gateway, question)

    # Out.

    def next_message(self) -> Outgoing | None:
        """What is to be published next."""
        return self._outgoing.popleft() if self._outgoing else None

    def accept(self, heard: Heard | None, *, new: bool | None = None, later: bool = False) -> None:
        """It is on your disk, or was before: now answer for it. After this the gateway and the tag may forget it.

        `new` says whether it was not there before; without it, the desk's own journals do. `later`: its receipt waits for
        `say_receipts`, which answers for many records at once. Of states, questions and None there is nothing to accept.
        """
        if isinstance(heard, Arrival):
            self._accept_record(heard, new, later=later)
        elif isinstance(heard, GatewayRecord):
            self.journals.add(heard.gateway, heard.journal, heard.sequence)
            self._receipt(heard.gateway, heard.gateway, heard.journal, heard.sequence, later=later)
        elif isinstance(heard, Refused):
            base, bitmap = self.journals.of(heard.tag, heard.journal).receipt()
            refused = {"sequence": heard.sequence, "digest": heard.digest}
            data = {"source": heard.tag, "journal": heard.journal, "base": base, "bitmap": bitmap, "refused": refused}
            self._publish(Topic(heard.gateway, "receipt"), data)

    @property
    def receipts_due(self) -> int:
        """Records that were accepted and wait for `say_receipts`."""
        return sum(map(len, self._due.values()))

    def say_receipts(self) -> None:
        """Answer for all that was accepted with `later`: few receipts, for one covers what lies beside it in its journal."""
        due, self._due = self._due, {}
        for (gateway, source, journal), sequences in due.items():
            received = self.journals.of(source, journal)
            base, said = received.receipt()[0], False
            waiting = deque(sorted(sequences))
            while waiting or not said:
                while waiting and waiting[0] <= base + 32:
                    waiting.popleft()
                first = waiting[0] if waiting else base
                if waiting or not said:
                    self._say_receipt(gateway, source, journal, received, first)
                    said = True
                while waiting and waiting[0] <= first + 32:
                    waiting.popleft()

    def send(self, tag: str, gateway: str, *commands: bytes) -> None:
        """Publish commands that `sealer` has made for this tag, through this gateway."""
        if gateway not in self._gateways:
            raise LocalProtocolError("no such gateway", gateway)
        for command in commands:
            self._publish(Topic(gateway, "command", tag), {"command": contract.text_of(command)})

    def beat(self, gateway: str) -> None:
        """Tell a gateway that the centre is there."""
        self._publish(Topic(gateway, "beat"), {"epoch": self._epoch & 0xFFFFFFFF, "number": self._said & 0xFFFFFFFF})

    def send_schedule(self, tag: str, gateway: str, revision: int, curfew: bytes) -> None:
        """Give a gateway a tag's schedule to judge by, or take it away again (empty)."""
        if gateway not in self._gateways:
            raise LocalProtocolError("no such gateway", gateway)
        self._publish(Topic(gateway, "schedule", tag), {"revision": revision, "curfew": contract.text_of(curfew)})

    def sealer(self, tag: str) -> CommandSealer:
        """Where the commands for a tag are made; `LocalProtocolError` for a tag without keys."""
        if tag not in self._sealers:
            raise LocalProtocolError("no keys of this tag", tag)
        return self._sealers[tag]

    def keys(self, tag: str) -> tuple[CentreKeys, ...]:
        """As `RecordOpener.keys`."""
        return self._opener.keys(tag)

    def use_keys(self, tag: str, keys: Sequence[CentreKeys]) -> None:
        """From now on this tag has these keys: records are opened with any of them, commands sealed with the first."""
        self._opener.use_keys(tag, keys)
        if tag in self._sealers:
            self._sealers[tag].use_keys(keys[0])
        else:
            self._sealers[tag] = CommandSealer(keys[0], self._epoch, number=self._number)

    # New firmware.

    def update(self, tag: str, gateway: str, stream: bytes, ident: int) -> Delivery:
        """Send a tag a signed image; its `progress` tells how it goes. `ident` is another for each delivery to this tag.

        What the tag's events call for goes through the gateway that brought them, as they are accepted. When nothing moves for long, or
        after a restart of the desk, say it again: the tag goes on where it was. LocalProtocolError for what is no signed image.
        """
        delivery = Delivery(self.sealer(tag), stream, ident)
        self.deliver(tag, gateway, delivery)
        return delivery

    def deliver(self, tag: str, gateway: str, delivery: Delivery) -> None:
        """As `update`, with a delivery that is there already."""
        self.send(tag, gateway, *delivery.begin())
        self._deliveries[tag] = delivery

    # New keys.

    def rekey(self, generation: Generation, gateways: Iterable[str], *, proved: bool = False) -> None:
        """Give a tag its next keys: first to these gateways, and when each has confirmed its share, to the tag itself.

        Keep generation number and salt before; after a restart say it again, with `proved` where the tag has come under them already:
        first the last one that it has, then one that is under way. The tag obeys one generation after the other, so only one can be
        under way: `LocalProtocolError` for another.
        """
        tag = generation.centre.tag
        last = self._changes.get(tag)
        if last is not None and last.generation != generation and not last.proved:
            raise LocalProtocolError("another change of keys is under way", tag)
        before = None if last is None else last.before if last.generation == generation else last.generation
        change = KeyChange(generation, set(gateways), proved=proved, before=before)
        if unknown := change.gateways - self._gateways.keys():
            raise LocalProtocolError("no such gateway", min(unknown))
        keys = [one for one in self._opener.keys(tag) if one != generation.centre]
        if not keys:
            raise LocalProtocolError("no keys of this tag", tag)
        self._changes[tag] = change
        self.use_keys(tag, [generation.centre, *keys] if proved else [keys[0], generation.centre, *keys[1:]])
        for gateway in sorted(change.gateways):
            self._hand_out(tag, gateway)

    def _hand_out(self, tag: str, gateway: str) -> None:
        change = self._changes[tag]
        if gateway in change.gateways:
            topic = Topic(gateway, "keys", tag)
            for one in change.valid:
                key, nonce = self._gateways[gateway], self._entropy(13)
                self._publish(topic, rekeying.wrap(one.gateways, one.number, str(topic), key, nonce))

    def _confirmed(self, message: Message) -> Keyed:
        gateway, tag = message.topic.gateway, message.topic.subject
        number = contract.number(message.data, "generation", 1)
        change = self._changes.get(tag)
        if change is not None and number == change.generation.number and gateway in change.gateways:
            was_ready = change.ready
            change.confirmed.add(gateway)
            if change.ready and not change.proved and not was_ready:
                for one in sorted(change.gateways):
                    self._order(tag, change, one)
        return Keyed(gateway, tag, number)

    def _order(self, tag: str, change: KeyChange, gateway: str) -> None:
        self.send(tag, gateway, self._sealers[tag].rekey(change.generation.number, change.generation.salt))

    def _prove(self, tag: str, keys: CentreKeys) -> None:
        change = self._changes.get(tag)
        if change is not None and not change.proved and keys == change.generation.centre:
            change.proved = True
            self.use_keys(tag, [keys, *(one for one in self._opener.keys(tag) if one != keys)])

    def _follow(self, arrival: Arrival) -> None:
        """A record shows under which keys the tag is: under the next ones it has obeyed, under the old ones it may not have heard."""
        tag = arrival.record.tag
        self._prove(tag, arrival.keys)
        change = self._changes.get(tag)
        if change is not None and not change.proved and self._utc() >= change.again_at:
            change.again_at = self._utc() + rekeying.ORDER_AGAIN
            if change.ready:
                self._order(tag, change, arrival.gateway)
            for gateway in sorted(change.gateways - change.confirmed):
                self._hand_out(tag, gateway)

    def generation(self, tag: str) -> int | None:
        """The generation of keys that the tag has come under last; None where it has those that it was given at the desk's start."""
        change = self._changes.get(tag)
        come_under = None if change is None else change.generation if change.proved else change.before
        return None if come_under is None else come_under.number

    def _accept_record(self, arrival: Arrival, new: bool | None, *, later: bool) -> None:
        record, gateway = arrival.record, arrival.gateway
        tag, journal, sequence = record.tag, record.journal, record.sequence
        is_first = keep(self.journals, record)
        self._follow(arrival)
        self._receipt(gateway, tag, journal, sequence, later=later)
        # Sequences begin at 1, and REFUSED can name no other.
        if not (is_first if new is None else new):
            return
        if record.refusal is not None and sequence:
            self.send(tag, gateway, self._sealers[tag].refused(journal, sequence, record.refusal))
        if isinstance(record.body, frames.Event) and tag in self._deliveries:
            self.send(tag, gateway, *self._deliveries[tag].heard(record.body.code, record.body.detail))

    def _receipt(self, gateway: str, source: str, journal: int, sequence: int, *, later: bool) -> None:
        if later:
            self._due.setdefault((gateway, source, journal), set()).add(sequence)
        else:
            self._say_receipt(gateway, source, journal, self.journals.of(source, journal), sequence)

    def _say_receipt(self, gateway: str, source: str, journal: int, received: Received, sequence: int) -> None:
        sealer = None if source == gateway else self._sealers[source]
        base, bitmap = received.receipt()
        data: dict[str, Any] = {"source": source, "journal": journal, "base": base, "bitmap": bitmap}
        far = received.receipt_far(sequence)
        if far is not None:
            data["first"], data["far_bitmap"] = sequence, far
        if sealer is not None and far is not None:
            data["command"] = contract.text_of(sealer.receipt_far(journal, sequence, far))
        elif sealer is not None:
            data["command"] = contract.text_of(sealer.receipt(journal, base, bitmap))
        self._publish(Topic(gateway, "receipt"), data)

    def _publish(self, topic: Topic, data: dict[str, Any]) -> None:
        self._said += 1
        message = Message(topic, f"centre-{self._epoch}-{self._said}", self._utc(), data)
        self._outgoing.append(Outgoing(message, self._gateways[topic.gateway]))


_NOTICE = re.compile(r"[a-z_]{1,32}")
_NOTICE_DETAILS = 16


def _clock(data: dict[str, Any]) -> str:
    told = data.get("clock")
    return told if isinstance(told, str) and told in CLOCKS else ""


def _identity(data: dict[str, Any], sealed: bytes) -> tuple[int, int]:
    """(journal, sequence) under which a gateway holds something that cannot be opened."""
    if len(sealed) >= seal.ENVELOPE_OVERHEAD:
        envelope = seal.peek_envelope(sealed)
        return envelope.origin, envelope.number
    return contract.number(data, "journal"), contract.number(data, "sequence")


def keep(journals: Journals, record: OpenedRecord) -> bool:
    """Enter a record into the journals; gives whether it was not there before. `Desk.accept` does it; a store at its start may too.

    Of two with one identity the first counts.
    """
    droppable = record.body is None or record.kind == Kind.FIX
    is_first = journals.add(record.tag, record.journal, record.sequence, droppable=droppable)
    if is_first and isinstance(record.body, frames.Tombstone):
        journals.bury(record.tag, record.journal, record.body)
    return is_first


def utc_now() -> datetime:
    """The wall clock of this machine, for `Desk`'s `utc`."""
    return datetime.now(UTC)


def subscriptions() -> list[str]:
    """The topic filters of a centre."""
    return [
        f"{contract.ROOT}/+/{channel}" + ("/+" if channel in contract.ABOUT_A_TAG else "")
        for channel in contract.FROM_GATEWAYS
    ]
