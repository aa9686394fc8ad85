"""The centre's rules: messages in; ledger entries, alerts, receipts and commands out. Whoever has no receipt from here sends again."""

import hashlib
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from strapline_centre.alerts import AlertBook
from strapline_centre.ledger import Entry, Ledger, Outcome
from strapline_centre.schedule import Schedule
from strapline_protocol import contract
from strapline_protocol.cipher import HostCipher
from strapline_protocol.contract import Message, Topic
from strapline_protocol.definitions import EventCode
from strapline_protocol.keys import CentreKeys
from strapline_wire import frames, seal
from strapline_wire.errors import RemoteProtocolError

_STATES = ("online", "offline", "lost")

_YEARS = range(1970, 2200)
"""In which a gateway can have heard something, its clock unset included. With a time at the calendar's end nobody could reckon."""


class Out(NamedTuple):
    """A message to publish."""

    topic: str
    payload: bytes


class Person(NamedTuple):
    """What the centre knows of one monitored person: the tag's key and the schedule, no name."""

    keys: CentreKeys
    schedule: Schedule | None = None


class Centre:
    """The rules of one centre.

    `gateways` maps gateway ids to their 32-byte keys; `utc()` is the wall clock; `epoch` is a number that rises with every start
    (Unix time), so that no command number is ever used twice: a number used twice would be a nonce used twice. Where it does not rise
    (two starts in a second, a clock that was set back) the ledger's last one does. A ledger restored from a backup under a clock that is
    behind knows of none that rises; for it the numbers within an epoch begin where `entropy(n)` (n random bytes) says.
    """

    def __init__(
        self,
        persons: Iterable[Person],
        gateways: Mapping[str, bytes],
        ledger: Ledger,
        *,
        utc: Callable[[], datetime],
        epoch: int,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._persons = {person.keys.tag: person for person in persons}
        self._ciphers = {tag: HostCipher(person.keys.end_to_end) for tag, person in self._persons.items()}
        self._gateways = dict(gateways)
        self.ledger = ledger
        self.alerts = AlertBook()
        self._utc = utc
        self._epoch = ledger.claim_epoch(epoch)
        self._first_number = int.from_bytes(entropy(4), "big") >> 1
        self._numbers: Counter[str] = Counter()
        self._outbox: deque[Out] = deque()
        self._said = 0
        self.rejected: Counter[str] = Counter()
        self.gateway_states: dict[str, str] = {}
        for entry in ledger.entries():  # alerts outlive a restart: whoever had to look at them has not yet
            self._judge(entry)

    def next_message(self) -> Out | None:
        return self._outbox.popleft() if self._outbox else None

    def receive(self, topic: str, payload: bytes) -> Entry | None:
        """One message from the broker; gives the ledger entry where it brought a new one. What is not genuine is counted in `rejected`."""
        try:
            gateway = contract.parse_topic(topic).gateway
            key = self._gateways.get(gateway)
            if key is None:
                raise RemoteProtocolError("unknown_gateway", gateway)
            message = contract.decode(topic, payload, key)
            return self._take(message)
        except RemoteProtocolError as error:
            self.rejected[error.reason] += 1
            return None

    def _take(self, message: Message) -> Entry | None:
        channel = message.topic.channel
        if channel in ("event", "position"):
            return self._record(message)
        if channel in ("presence", "alarm"):
            return self._own_record(message)
        if channel == "time":
            self._tell_time(message)
        elif channel == "state":
            self._state(message)
        else:
            raise RemoteProtocolError("topic", str(message.topic))
        return None

    # Records.

    def _record(self, message: Message) -> Entry | None:
        tag = message.topic.subject
        sealed = contract.octets(message.data, "record")
        envelope, body = seal.open_envelope(sealed, self._cipher(tag), seal.UP)
        if envelope.kind == frames.TIME_REQUEST:
            raise RemoteProtocolError("unexpected")
        kind, fields = _opened(envelope.kind, body)
        entry = self._entry(message, tag, envelope.origin, envelope.number, kind, sealed, fields)
        outcome = self._add(entry)
        self._receipt(message.topic.gateway, tag, envelope.origin, envelope.number, tag)
        return entry if outcome is Outcome.NEW else None

    def _own_record(self, message: Message) -> Entry | None:
        data, gateway, tag = message.data, message.topic.gateway, message.topic.subject
        if data.get("tag") != tag:
            raise RemoteProtocolError("malformed", "tag")
        self._cipher(tag)
        journal, sequence = contract.number(data, "journal"), contract.number(data, "sequence", 1)
        content = repr(sorted(data.items())).encode()
        fields = {name: data.get(name) for name in ("tag", "present", "rssi_dbm", "newest_alarm", "state")}
        if message.topic.channel == "alarm":
            contract.number(data, "newest_alarm", 0, 255)
        entry = self._entry(message, gateway, journal, sequence, message.topic.channel, content, fields)
        outcome = self._add(entry)
        self._receipt(gateway, gateway, journal, sequence, None)
        return entry if outcome is Outcome.NEW else None

    def _entry(
        self,
        message: Message,
        source: str,
        journal: int,
        sequence: int,
        kind: str,
        content: bytes,
        fields: dict[str, Any],
    ) -> Entry:
        try:
            told = datetime.fromisoformat(str(message.data["heard"]))
            heard = told.astimezone(UTC)
        except (KeyError, ValueError, OverflowError):
            raise RemoteProtocolError("malformed", "heard") from None
        if told.tzinfo is None or heard.year not in _YEARS:
            raise RemoteProtocolError("malformed", "heard")
        return Entry(source, journal, sequence, kind, content, fields, message.topic.gateway, heard, self._utc())

    def _add(self, entry: Entry) -> Outcome:
        outcome = self.ledger.add(entry)
        if outcome is Outcome.CONFLICT:
            digest = hashlib.sha256(entry.content).hexdigest()
            self.alerts.conflict(entry.source, self._utc(), f"{entry.journal:08x}-{entry.sequence}-{digest}")
        elif outcome is Outcome.NEW:
            self._judge(entry)
        return outcome

    def _judge(self, entry: Entry) -> None:
        fields, now, heard = entry.fields, entry.centre_utc, entry.gateway_utc
        if entry.kind == "event":
            code = int(fields["code"])
            allowed = code != EventCode.LEFT_HOME or self._may_be_out(entry)
            self.alerts.event(entry.source, entry.sequence, code, now, allowed=allowed, heard=heard)
        elif entry.kind == "raw":
            self.alerts.unreadable(entry.source, now)
        elif entry.kind == "alarm":
            self.alerts.provisional(str(fields["tag"]), int(fields["newest_alarm"]), now, heard)

    def _may_be_out(self, entry: Entry) -> bool:
        # `detail` tells how long ago home was last heard: the moment of leaving is that, not when the tag was sure of it.
        person = self._persons.get(entry.source)
        if person is None or person.schedule is None:
            return True
        told = int(entry.fields["utc_s"])
        moment = datetime.fromtimestamp(told, UTC) if told else entry.gateway_utc
        return person.schedule.may_be_out(moment - timedelta(seconds=int(entry.fields["detail"])))

    # What goes back.

    def _receipt(self, gateway: str, source: str, journal: int, sequence: int, tag: str | None) -> None:
        base, bitmap = self.ledger.receipt(source, journal)
        data: dict[str, Any] = {"source": source, "journal": journal, "base": base, "bitmap": bitmap}
        far = self.ledger.receipt_far(source, journal, sequence)
        if far is not None:
            data["first"], data["far_bitmap"] = sequence, far
        if tag is not None and far is not None:
            body = frames.pack_receipt_far((journal, sequence, far))
            data["command"] = contract.text_of(self._seal(tag, frames.RECEIPT_FAR, body))
        elif tag is not None:
            body = frames.pack_receipt((journal, base, bitmap))
            data["command"] = contract.text_of(self._seal(tag, frames.RECEIPT, body))
        self._publish(Topic(gateway, "receipt"), data)

    def _tell_time(self, message: Message) -> None:
        tag = message.topic.subject
        envelope, _ = seal.open_envelope(contract.octets(message.data, "request"), self._cipher(tag), seal.UP)
        if envelope.kind != frames.TIME_REQUEST:
            raise RemoteProtocolError("unexpected")
        nonce = envelope.origin.to_bytes(4, "big") + envelope.number.to_bytes(4, "big")
        now = self._utc()
        body = frames.pack_time((nonce, int(now.timestamp()), now.microsecond // 1000))
        data = {"command": contract.text_of(self._seal(tag, frames.TIME, body))}
        self._publish(Topic(message.topic.gateway, "command", tag), data)

    def issue_arm(self, tag: str, key_id: int) -> bytes:
        """The sealed ARM that an electronic key carries to this tag; it works once."""
        return self._seal(tag, frames.ARM, frames.pack_arm((key_id, int(self._utc().timestamp()))))

    def _seal(self, tag: str, kind: int, body: bytes) -> bytes:
        self._numbers[tag] += 1
        number = self._first_number + self._numbers[tag]
        return seal.seal_envelope((kind, 0, self._epoch, number), body, self._cipher(tag), seal.DOWN)

    def _publish(self, topic: Topic, data: dict[str, Any]) -> None:
        self._said += 1
        message = Message(topic, f"centre-{self._epoch}-{self._said}", self._utc(), data)
        self._outbox.append(Out(str(topic), contract.encode(message, self._gateways[topic.gateway])))

    def _cipher(self, tag: str) -> HostCipher:
        if tag not in self._ciphers:
            raise RemoteProtocolError("unknown_tag", tag)
        return self._ciphers[tag]

    def _state(self, message: Message) -> None:
        state = message.data.get("state")
        if state not in _STATES:
            raise RemoteProtocolError("malformed", "state")
        gateway = message.topic.gateway
        if state == "lost" and self.gateway_states.get(gateway) != "lost":
            self.alerts.silent(gateway, self._utc())
        self.gateway_states[gateway] = state


def _opened(kind: int, body: bytes) -> tuple[str, dict[str, Any]]:
    """What is genuine and cannot be read is kept raw, and receipted: one record without a receipt would hold up all that follow."""
    try:
        if kind == frames.EVENT:
            return "event", frames.unpack_event(body)._asdict()
        if kind == frames.FIX:
            return "fix", frames.unpack_fix(body)._asdict()
        reason = "unknown_kind"
    except RemoteProtocolError as error:
        reason = str(error.reason)
    return "raw", {"kind": kind, "body": contract.text_of(body), "reason": reason}


def subscriptions() -> list[str]:
    """The topic filters of a centre."""
    return [
        f"{contract.ROOT}/+/state",
        *(f"{contract.ROOT}/+/{c}/+" for c in ("event", "position", "presence", "alarm", "time")),
    ]
