"""The reference centre around a `Desk`: ledger entries, alerts, and when to answer. Whoever has no receipt from here sends again."""

import hashlib
import heapq
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from strapline_centre.alerts import AlertBook
from strapline_centre.ledger import Entry, Ledger, Outcome, RefusedEntry
from strapline_centre.orders import OpenOrders, Order
from strapline_centre.schedule import Schedule
from strapline_protocol.codes import Kind
from strapline_protocol.definitions import EventCode
from strapline_protocol.desk import (
    Arrival,
    Desk,
    GatewayRecord,
    GatewayState,
    Outgoing,
    Refused,
    TimeAsked,
    subscriptions,
)
from strapline_protocol.keys import CentreKeys
from strapline_protocol.notices import Notice
from strapline_protocol.rekeying import SALT_SIZE, next_generation, root_of
from strapline_wire.errors import LocalProtocolError

__all__ = ["Centre", "Person", "subscriptions"]


class Person(NamedTuple):
    """What the centre knows of one monitored person: the tag's key and the schedule, no name."""

    keys: CentreKeys
    schedule: Schedule | None = None
    other_keys: tuple[CentreKeys, ...] = ()
    """Further keys of the same tag that its records may be sealed with: of before it was provisioned anew, say."""
    gateways: tuple[str, ...] | None = None
    """Ids of the gateways that hold this tag's keys: new keys go to them, and wait until each has them. None: all of the centre's."""


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
        self.ledger = ledger
        self.alerts = AlertBook()
        self._utc = utc
        keys = [key for person in self._persons.values() for key in (person.keys, *person.other_keys)]
        number = int.from_bytes(entropy(4), "big") >> 1
        epoch = ledger.claim_epoch(epoch)
        self.desk = Desk(keys, gateways, utc=utc, epoch=epoch, number=number, journals=ledger.journals, entropy=entropy)
        self._entropy = entropy
        self._gateways = tuple(sorted(gateways))
        self._orders: dict[str, OpenOrders] = defaultdict(OpenOrders)
        self._newest = 0
        """The last revision, or id of a message."""
        self._judges_itself: set[str] = set()
        """Tags that have taken a curfew: with trusted time their word goes."""
        self._out: dict[str, bool] = {}
        """Who has left and told it without trusted time, and whether that is an alert by now."""
        self._proved: dict[str, int] = {}
        """The generation of keys that the ledger knows a tag to have come under, where it is not the provisioned one."""
        for tag in self._persons:
            self._resume_keys(tag)
        self.gateway_states: dict[str, str] = {}
        # Alerts outlive a restart: whoever had to look at them has not yet.
        kept: Iterable[Entry | RefusedEntry] = ledger.entries()
        for told in heapq.merge(kept, list(ledger.refused()), key=lambda told: told.centre_utc):
            self._judge(told)

    @property
    def rejected(self) -> Counter[str]:
        """Messages that were not genuine or made no sense, and records that were refused, by reason."""
        return self.desk.rejected

    def next_message(self) -> Outgoing | None:
        return self.desk.next_message()

    def receive(self, topic: str, payload: bytes) -> Entry | None:
        """One message from the broker; gives the ledger entry where it brought a new one."""
        heard = self.desk.receive(topic, payload)
        self._look_after_the_untrusted()
        entry = None
        if isinstance(heard, Arrival):
            entry = self._keep(heard, _entry_of(heard, self._utc()))
        elif isinstance(heard, GatewayRecord):
            entry = self._keep(heard, _own_entry_of(heard, self._utc()))
        elif isinstance(heard, Refused):
            self._refuse(heard)
        elif isinstance(heard, TimeAsked):
            self._note_keys(heard.question.tag)
        elif isinstance(heard, GatewayState):
            self._note_state(heard)
        return entry

    def issue_arm(self, tag: str, key_id: int) -> bytes:
        """The sealed ARM that an electronic key carries to this tag; it works once."""
        return self.desk.sealer(tag).arm(key_id, self._utc())

    def issue_disarm(self, tag: str, key_id: int) -> bytes:
        """The same for the end of monitoring."""
        return self.desk.sealer(tag).disarm(key_id, self._utc())

    # What a tag is told. It goes through all gateways that have the tag's keys, since nobody knows which of them it meets next; the tag
    # takes it once. It goes again when the tag is heard without having answered.

    def send_curfew(self, tag: str, schedule: Schedule | None = None) -> int:
        """Give the tag its wearer's schedule, or from now on this one; gives the revision. From then on the tag itself judges."""
        if schedule is not None:
            self._persons[tag] = self._persons[tag]._replace(schedule=schedule)
        kept = self._persons[tag].schedule
        if kept is None:
            raise LocalProtocolError("this wearer has no schedule", tag)
        values = kept.curfew(self._utc())
        sealer = self.desk.sealer(tag)
        return self._order(tag, Kind.CURFEW, lambda revision: sealer.curfew(revision, **values._asdict()))

    def send_config(self, tag: str, *, homes: Iterable[int] = (), settings: Iterable[Sequence[int]] = ()) -> int:
        """As `CommandSealer.config`; gives the revision. What was set before stays, but for `homes`: they are those given now."""
        chosen, values = tuple(homes), tuple(settings)
        sealer = self.desk.sealer(tag)
        return self._order(tag, Kind.CONFIG, lambda revision: sealer.config(revision, homes=chosen, settings=values))

    def send_message(self, tag: str, text: str, *, language: str = "", flags: int = 0, answer_within_s: int = 0) -> int:
        """As `CommandSealer.message`; gives the message's id."""
        sealer = self.desk.sealer(tag)

        def seal(ident: int) -> tuple[bytes, ...]:
            return (sealer.message(ident, text, language=language, flags=flags, answer_within_s=answer_within_s),)

        return self._order(tag, Kind.MESSAGE, seal)

    def set_zones(self, tag: str, zones: Iterable[Sequence[Any]]) -> int:
        """As `CommandSealer.zones`; gives their revision."""
        chosen = tuple(zones)
        sealer = self.desk.sealer(tag)
        return self._order(tag, Kind.ZONES, lambda revision: sealer.zones(revision, chosen))

    def locate(self, tag: str, within_s: int) -> int:
        """Ask for a position now; gives the id under which the answer comes."""
        sealer = self.desk.sealer(tag)
        return self._order(tag, Kind.LOCATE, lambda request: (sealer.locate(request, within_s),))

    def _order(self, tag: str, kind: Kind, seal: Callable[[int], tuple[bytes, ...]]) -> int:
        # Unix time rises over restarts too.
        identity = max(self._newest + 1, int(self._utc().timestamp())) & 0x7FFFFFFF
        order = Order(kind, identity, lambda: seal(identity))
        self._say(tag, order)
        self._newest = identity
        self._orders[tag].add(order, self._utc())
        return identity

    def _say(self, tag: str, order: Order) -> None:
        sealed = order.seal()
        for gateway in self._gateways_of(tag):
            self.desk.send(tag, gateway, *sealed)

    def rekey(self, tag: str) -> int:
        """Begin to give a tag new keys; gives their generation. One that is under way already goes on instead of a further one."""
        known = self.rekeyings(tag)
        if known and not known[-1][2]:
            return known[-1][0]
        number, salt = len(known) + 1, self._entropy(SALT_SIZE)
        generation = next_generation(self.desk.keys(tag)[0], number, salt)
        self.ledger.begin_rekeying(tag, self._root(tag), number, salt)
        self.desk.rekey(generation, self._gateways_of(tag))
        return number

    def rekeyings(self, tag: str) -> list[tuple[int, bytes, bool]]:
        """As `Ledger.rekeyings`, since the tag was provisioned last."""
        return self.ledger.rekeyings(tag, self._root(tag))

    def _root(self, tag: str) -> str:
        return root_of(self._persons[tag].keys)

    def _gateways_of(self, tag: str) -> tuple[str, ...]:
        chosen = self._persons[tag].gateways
        return self._gateways if chosen is None else chosen

    def _resume_keys(self, tag: str) -> None:
        known = self.rekeyings(tag)
        newest = self._proved[tag] = max((number for number, _, proved in known if proved), default=0)
        for number, salt, proved in known:
            generation = next_generation(self.desk.keys(tag)[0], number, salt)
            self.desk.rekey(generation, self._gateways_of(tag) if number >= newest else (), proved=proved)

    def _keep(self, heard: Arrival | GatewayRecord, entry: Entry) -> Entry | None:
        outcome = self.ledger.add(entry)
        if outcome is Outcome.CONFLICT:
            digest = hashlib.sha256(entry.content).hexdigest()
            self.alerts.conflict(entry.source, self._utc(), f"{entry.journal:08x}-{entry.sequence}-{digest}")
        elif outcome is Outcome.NEW:
            self._judge(entry)
        self.desk.accept(heard, new=outcome is Outcome.NEW)
        if isinstance(heard, Arrival):
            self._note_keys(entry.source)
            for order in self._orders[entry.source].due(self._utc()):
                self._say(entry.source, order)
        return entry if outcome is Outcome.NEW else None

    def _note_keys(self, tag: str) -> None:
        generation = self.desk.generation(tag) or 0
        if generation > self._proved.get(tag, 0):
            self.ledger.prove_rekeying(tag, self._root(tag), generation)
            self._proved[tag] = generation

    def _refuse(self, heard: Refused) -> None:
        identity = heard.journal, heard.sequence
        times = heard.heard, self._utc()
        told = RefusedEntry(
            heard.gateway, heard.tag, heard.known, *identity, heard.sealed, heard.digest, heard.reason, *times
        )
        self.ledger.refuse(told)
        self._judge(told)
        self.desk.accept(heard)

    def _judge(self, told: Entry | RefusedEntry) -> None:
        if isinstance(told, RefusedEntry):
            self.alerts.refused(told.gateway, told.account, told.centre_utc)
            return
        fields, now, heard = told.fields, told.centre_utc, told.gateway_utc
        if told.kind == "event":
            code = int(fields["code"])
            self._follow(told, code)
            allowed = code != EventCode.LEFT_HOME or self._tag_judges(told) or self._may_be_out(told)
            self.alerts.event(told.source, told.sequence, code, now, allowed=allowed, heard=heard)
        elif told.kind == "raw":
            self.alerts.unreadable(told.source, now)
        elif told.kind == "notice":
            self.alerts.notice(told.source, Notice(fields["code"], fields["tag"] or "", fields["detail"] or {}), now)
        elif told.kind == "alarm":
            self.alerts.provisional(str(fields["tag"]), int(fields["newest_alarm"]), now, heard)

    def _follow(self, told: Entry, code: int) -> None:
        tag, detail = told.source, int(told.fields["detail"])
        self._orders[tag].answered(code, detail)
        if code == EventCode.APPLIED and detail >> 24 == Kind.CURFEW:
            self._judges_itself.add(tag)
        elif code in (EventCode.CAME_HOME, EventCode.DISARMED):
            self._out.pop(tag, None)
        elif code == EventCode.LEFT_HOME and not self._tag_judges(told):
            self._out[tag] = not self._may_be_out(told)

    def _tag_judges(self, told: Entry) -> bool:
        return told.source in self._judges_itself and int(told.fields["flags"]) >> 1 & 3 != 0

    def _look_after_the_untrusted(self) -> None:
        """A tag without trusted time tells of leaving and coming, and no more: who is out longer than allowed shows here."""
        for tag, alerted in self._out.items():
            schedule = self._persons[tag].schedule if tag in self._persons else None
            if not alerted and schedule is not None and not schedule.may_be_out(self._utc()):
                self._out[tag] = True
                self.alerts.overdue(tag, self._utc())

    def _may_be_out(self, entry: Entry) -> bool:
        # `detail` tells how long ago home was last heard: the moment of leaving is that, not when the tag was sure of it.
        person = self._persons.get(entry.source)
        if person is None or person.schedule is None:
            return True
        told = int(entry.fields["utc_s"])
        moment = datetime.fromtimestamp(told, UTC) if told else entry.gateway_utc
        return person.schedule.may_be_out(moment - timedelta(seconds=int(entry.fields["detail"])))

    def _note_state(self, told: GatewayState) -> None:
        if told.state == "lost" and self.gateway_states.get(told.gateway) != "lost":
            self.alerts.silent(told.gateway, self._utc())
        self.gateway_states[told.gateway] = told.state


def _entry_of(arrival: Arrival, now: datetime) -> Entry:
    record = arrival.record
    identity = record.tag, record.journal, record.sequence
    said = record.name, record.content, record.fields
    return Entry(*identity, *said, arrival.gateway, arrival.heard, now, arrival.sealed)


_FIELDS = {
    "presence": ("tag", "present", "rssi_dbm"),
    "alarm": ("tag", "newest_alarm", "state"),
    "notice": ("tag", "code", "detail"),
}


def _own_entry_of(told: GatewayRecord, now: datetime) -> Entry:
    content = repr(sorted(told.data.items())).encode()
    fields = {name: told.data.get(name) for name in _FIELDS[told.channel]}
    identity = told.gateway, told.journal, told.sequence
    return Entry(*identity, told.channel, content, fields, told.gateway, told.heard, now)
