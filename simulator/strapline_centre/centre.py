"""The reference centre around a `Desk`: ledger entries, alerts, and when to answer. Whoever has no receipt from here sends again."""

import logging
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from strapline_centre.alerts import Alert, AlertBook, Change
from strapline_centre.database import LedgerDownError, TakenOverError
from strapline_centre.entries import CONFLICT, conflict_of, entry_of, refused_entry_of
from strapline_centre.escalation import STEPS, Step
from strapline_centre.leaving import Leaving
from strapline_centre.ledger import Entry, Ledger, Outcome, RefusedEntry
from strapline_centre.orders import OpenOrders
from strapline_centre.readers import Readers
from strapline_centre.schedule import Schedule
from strapline_centre.sentry import LIMITS, Limits, Parts, Sentry
from strapline_centre.telling import Person, Telling
from strapline_protocol.codes import ALARMS
from strapline_protocol.contract import Message
from strapline_protocol.desk import (
    Arrival,
    Desk,
    GatewayRecord,
    GatewayState,
    Heard,
    Outgoing,
    Refused,
    TimeAsked,
    subscriptions,
)
from strapline_protocol.notices import Notice

__all__ = ["Centre", "Limits", "Person", "subscriptions"]

_LOG = logging.getLogger(__name__)

_GROUP = 500
"""Messages in one transaction, at most."""

_WAITING_LIMIT = 20_000
"""Messages that wait for a database that is away; what comes beyond has no receipt and is sent again."""

TAMPERED_FROM = 10
"""So many messages that are not genuine are an alert (R41): nothing that is honest flips bits between a gateway and its centre."""

_TAMPERED_EVERY = timedelta(minutes=1)

_CHANGES_KEPT = 1000

_ALARMS_REMEMBERED = 2000
"""Of the newest records: so many are looked through at a start for alarms whose provisional word may still come."""


class Centre(Telling):
    """The rules of one centre.

    `gateways` maps gateway ids to their 32-byte keys; `utc()` is the wall clock; `epoch` is a number that rises with every start
    (Unix time), so that no command number is ever used twice: a number used twice would be a nonce used twice. Where it does not rise
    (two starts in a second, a clock that was set back) the ledger's last one does. A ledger restored from a backup under a clock that is
    behind knows of none that rises; for it the numbers within an epoch begin where `entropy(n)` (n random bytes) says.

    `clock()` counts the seconds in which silence is measured; without it, `utc` does. `sites` is as in `Readers`. Whatever is received is
    in the ledger, with the alerts that it raised, before it is answered; while the ledger is away nothing is answered (`LedgerDownError`),
    and what has come waits.
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
        clock: Callable[[], float] | None = None,
        limits: Limits = LIMITS,
        steps: Sequence[Step] = STEPS,
        sites: Mapping[str, str] | None = None,
    ) -> None:
        self._persons = {person.keys.tag: person for person in persons}
        self.ledger = ledger
        self._utc = utc
        self._clock = clock or (lambda: utc().timestamp())
        keys = [key for person in self._persons.values() for key in (person.keys, *person.other_keys)]
        number = int.from_bytes(entropy(4), "big") >> 1
        epoch = ledger.claim_epoch(epoch)
        self.desk = Desk(keys, gateways, utc=utc, epoch=epoch, number=number, journals=ledger.journals, entropy=entropy)
        self._entropy = entropy
        self._gateways = tuple(sorted(gateways))
        self.alerts = AlertBook(ledger.alerts)
        self.orders = OpenOrders(ledger.orders)
        self.readers = Readers(sites or {})
        self._leaving = Leaving(ledger.notes, self._schedule_of)
        self._newest = self._resume_newest()
        self._judging: dict[str, set[str]] = {}
        for tag, person in self._persons.items():
            for gateway in person.judged_by:
                self._judging.setdefault(gateway, set()).add(tag)
        self._scheduled: dict[str, int] = {}
        self._proved: dict[str, int] = {}
        """The generation of keys that the ledger knows a tag to have come under, where it is not the provisioned one."""
        for tag in self._persons:
            self._resume_keys(tag)
        self.gateway_states: dict[str, str] = {}
        self._resume_states()
        self._waiting: deque[Heard] = deque()
        self._is_stale = False
        self.changes: deque[Change] = deque(maxlen=_CHANGES_KEPT)
        """What happened to alerts, committed, for whoever shows it."""
        self._tampered_told: dict[str, datetime] = {}
        self.dropped = 0
        """Messages that came while too many waited for the database."""
        if self._are_alerts_missing():
            self._judge_again()
        self._remember_alarms()
        parts = Parts(
            self.desk, ledger, self.alerts, self.readers, self._leaving, self._gateways, self.now, utc, self.commit
        )
        self.sentry = Sentry(parts, limits, steps)
        self.alerts.changes.clear()

    @property
    def rejected(self) -> Counter[str]:
        """Messages that were not genuine or made no sense, and records that were refused, by reason."""
        return self.desk.rejected

    @property
    def gateways(self) -> tuple[str, ...]:
        return self._gateways

    @property
    def tags(self) -> tuple[str, ...]:
        return tuple(self._persons)

    @property
    def monitored(self) -> Mapping[str, bool]:
        """Tags that were armed, and whether they still are."""
        return self._leaving.monitored

    @property
    def leaving(self) -> Leaving:
        return self._leaving

    def now(self) -> float:
        """As the constructor's `clock`."""
        return self._clock()

    def utc(self) -> datetime:
        return self._utc()

    def connected(self) -> None:
        """There is a broker again; what it has kept for us meanwhile has holes for which nobody is to blame."""
        self.desk.passages.centre_connected(self._utc().timestamp())
        self.sentry.line(up=True)

    def disconnected(self) -> None:
        """There is none: nobody can be heard, and nobody is to blame for it."""
        self.sentry.line(up=False)

    def next_message(self) -> Outgoing | None:
        return self.desk.next_message()

    # In.

    def receive(self, topic: str, payload: bytes) -> Entry | None:
        """One message from the broker; gives the ledger entry where it brought a new one. It is committed and answered for at once."""
        entries = self.receive_all([(topic, payload)], gather=False)
        return entries[-1] if entries else None

    def receive_all(self, messages: Iterable[tuple[str, bytes]], *, gather: bool = True) -> list[Entry]:
        """Several messages, committed together; gives the new entries. Receipts for history wait for `Desk.say_receipts`."""
        for topic, payload in messages:
            self._queue(self.desk.receive(topic, payload))
        return self.work(gather=gather)

    def receive_message(self, message: Message) -> Entry | None:
        """As `receive`, for one that comes without a broker (`Desk.receive_message`)."""
        self._queue(self.desk.receive_message(message))
        entries = self.work(gather=False)
        return entries[-1] if entries else None

    def _queue(self, heard: Heard | None) -> None:
        if heard is None:
            return
        if len(self._waiting) >= _WAITING_LIMIT:
            self.dropped += 1
        else:
            self._waiting.append(heard)

    @property
    def waiting(self) -> int:
        """Messages that have come and are not committed yet."""
        return len(self._waiting)

    def work(self, *, gather: bool = True) -> list[Entry]:
        """Take what waits; gives the new entries. `LedgerDownError` leaves it waiting: say it again later."""
        entries: list[Entry] = []
        if not self._waiting and not self._leaving.anybody_out and not self._tampered_with():
            return entries
        size = _GROUP
        while True:
            group = [self._waiting[at] for at in range(min(size, len(self._waiting)))]
            tampered = self._tampered_with()
            try:
                outcomes = self.commit(partial(self._take_all, group, tampered))
            except (LedgerDownError, TakenOverError):
                raise
            except Exception:  # a fault of ours in one message must not keep all others from their receipts
                if not group:
                    raise
                size = 1
                if len(group) == 1:
                    self._give_up(self._waiting.popleft())
                continue
            for gateway in tampered:
                self.desk.tampered[gateway] = 0
                self._tampered_told[gateway] = self._utc()
            for heard, (entry, outcome) in zip(group, outcomes, strict=True):
                self._waiting.popleft()
                self._accept(heard, entry, outcome, gather=gather)
                if entry is not None and outcome is Outcome.NEW:
                    entries.append(entry)
            if not self._waiting:
                return entries

    def _give_up(self, heard: Heard) -> None:
        """It has no receipt, comes again, and a person is told."""
        _LOG.exception("a genuine message could not be taken")
        self.rejected["fault"] += 1
        subject = str(getattr(heard, "gateway", "centre"))
        self.tell(
            subject, "fault", "a genuine message could not be taken, by a fault of the centre; its log says which"
        )

    # A person.

    def acknowledge(self, ident: int, note: str, by: str) -> Alert:
        """As `AlertBook.acknowledge`; committed when it returns."""
        done: Alert = self.commit(lambda: self.alerts.acknowledge(ident, note, by, self._utc()))
        return done

    def tell(self, subject: str, code: str, text: str) -> None:
        """Raise an alert that nothing of the rules has found."""
        self.commit(lambda: self.alerts.tell(subject, code, text, self._utc()))

    def _tampered_with(self) -> list[str]:
        """Gateways in whose name so much came that is not genuine that it is no accident; each once a minute."""
        counts = self.desk.tampered
        if not counts:
            return []
        told, now = self._tampered_told, self._utc()
        return [
            gateway
            for gateway, count in counts.items()
            if count >= TAMPERED_FROM and (gateway not in told or now - told[gateway] >= _TAMPERED_EVERY)
        ]

    def _take_all(self, group: list[Heard], tampered: Iterable[str]) -> list[tuple[Entry | None, Outcome | None]]:
        for gateway in tampered:
            self.alerts.tampered(gateway, self._utc())
        return [self._take(heard) for heard in group]

    def commit(self, work: Callable[[], Any]) -> Any:
        """Do it in one transaction, with the alerts that it raises. Where that fails, memory goes back to what is in the ledger."""
        try:
            self._refresh()
            with self.ledger.transaction():
                for tag in list(self._leaving.overdue(self._utc())):
                    self.alerts.overdue(tag, self._utc())
                self.orders.expire(self._utc())
                result = work()
                self.alerts.save()
        except BaseException:
            self._is_stale = True
            raise
        self.alerts.saved()
        self.sentry.follow(self.alerts)
        self.changes.extend(self.alerts.changes)
        self.alerts.changes.clear()
        return result

    def _refresh(self) -> None:
        """After a failure: what was noted in memory and not in the ledger is forgotten."""
        if self._is_stale:
            self.alerts.reload()
            self.orders.reload()
            self._leaving.reload()
            self._proved.clear()
            for tag in self._persons:
                known = self.rekeyings(tag)
                self._proved[tag] = max((number for number, _, proved in known if proved), default=0)
            self.sentry.reload(self.alerts)
            self._is_stale = False

    def _take(self, heard: Heard) -> tuple[Entry | None, Outcome | None]:
        now = self._utc()
        if isinstance(heard, Arrival | GatewayRecord):
            return self._keep(heard, entry_of(heard, now))
        if isinstance(heard, Refused):
            refused = refused_entry_of(heard, now)
            self.ledger.refuse(refused)
            self._judge(refused)
        elif isinstance(heard, GatewayState):
            self._note_state(heard)
        return None, None

    def _accept(self, heard: Heard, entry: Entry | None, outcome: Outcome | None, *, gather: bool) -> None:
        """It is committed: now it is answered for."""
        if isinstance(heard, Refused):
            self.desk.accept(heard)
        elif isinstance(heard, GatewayState) and heard.state == "online":
            self._follow_start(heard.gateway, heard.start)
        elif isinstance(heard, TimeAsked):
            self._note_keys(heard.question.tag)
        if entry is None or not isinstance(heard, Arrival | GatewayRecord):
            return
        urgent = heard.record.alarm if isinstance(heard, Arrival) else heard.channel == "alarm"
        self.desk.accept(heard, new=outcome is Outcome.NEW, later=gather and not urgent)
        if outcome is Outcome.NEW:
            self.sentry.record(entry)
        if isinstance(heard, Arrival):
            self._note_keys(entry.source)
            for order in self.orders.due(entry.source, self._utc()):
                self._say(entry.source, order)

    def _keep(self, heard: Arrival | GatewayRecord, entry: Entry) -> tuple[Entry, Outcome]:
        outcome = self.ledger.add(entry)
        if outcome is Outcome.CONFLICT:
            if self.ledger.refuse(conflict_of(entry)):  # the other content is kept too, and told once
                self.alerts.conflict(entry.source, entry.centre_utc)
        elif outcome is Outcome.NEW:
            self._judge(entry)
        return entry, outcome

    def _note_keys(self, tag: str) -> None:
        generation = self.desk.generation(tag) or 0
        if generation > self._proved.get(tag, 0):
            with suppress(LedgerDownError):  # the next record shows it again
                self.ledger.prove_rekeying(tag, self._root(tag), generation)
                self._proved[tag] = generation

    def _judge(self, told: Entry | RefusedEntry) -> None:
        if isinstance(told, RefusedEntry):
            if told.reason != CONFLICT:
                self.alerts.refused(told.gateway, told.account, told.centre_utc)
            return
        fields, now, heard = told.fields, told.centre_utc, told.gateway_utc
        if told.kind == "event":
            code = int(fields["code"])
            self.orders.answered(told.source, code, int(fields["detail"]))
            self._leaving.follow(told, code)
            allowed = self._leaving.is_allowed(told, code)
            self.alerts.event(told.source, told.sequence, code, now, allowed=allowed, heard=heard)
        elif told.kind == "raw":
            self.alerts.unreadable(told.source, now)
        elif told.kind == "notice":
            self.alerts.notice(told.source, Notice(fields["code"], fields["tag"] or "", fields["detail"] or {}), now)
        elif told.kind == "alarm":
            self.alerts.provisional(str(fields["tag"]), int(fields["newest_alarm"]), now, heard, told.gateway)
        elif told.kind == "presence":
            self._judge_presence(told)

    def _judge_presence(self, told: Entry) -> None:
        tag, rssi = str(told.fields["tag"]), told.fields.get("rssi_dbm")
        rssi_dbm = rssi if type(rssi) is int else None
        present, times = bool(told.fields.get("present")), {"heard": told.gateway_utc, "utc": self._utc()}
        why = self.readers.presence(tag, told.gateway, rssi_dbm, self._clock(), present=present, **times)
        if why is not None:
            self.alerts.tell(tag, "two_places", f"the tag cannot be one: {why}", told.centre_utc)

    def _schedule_of(self, tag: str) -> Schedule | None:
        person = self._persons.get(tag)
        return None if person is None else person.schedule

    def _note_state(self, told: GatewayState) -> None:
        known, now = self.gateway_states.get(told.gateway), self._utc()
        if told.state == "lost" and known != "lost":
            self.alerts.lost(told.gateway, now)
        self.gateway_states[told.gateway] = told.state
        self.ledger.notes.put(_STATE + told.gateway, [told.start, told.number])
        self.sentry.state(told)

    # At a start.

    def _resume_states(self) -> None:
        for gateway, (start, number) in self.ledger.notes.all(_STATE).items():
            self.desk.resume_state(gateway, start, number)

    def _are_alerts_missing(self) -> bool:
        """Whether no centre of this version has worked here before: an earlier one may have."""
        return not self.ledger.notes.all(_JUDGED)

    def _judge_again(self) -> None:
        """Alerts outlive an upgrade: whoever had to look at what an earlier version has shown has not said so yet."""
        with self.ledger.transaction():
            told: list[Entry | RefusedEntry] = [*self.ledger.entries(), *self.ledger.refused()]
            for one in sorted(told, key=lambda one: one.centre_utc):
                self._judge(one)
            self.alerts.save()
            self.ledger.notes.put(_JUDGED + "by", 2)
        self.alerts.saved()

    def _remember_alarms(self) -> None:
        for entry in self.ledger.newest(_ALARMS_REMEMBERED):
            if entry.kind == "event" and entry.fields["code"] in ALARMS:
                self.alerts.remember(entry.source, entry.sequence, entry.gateway_utc)


_STATE = "state/"
_JUDGED = "judged/"
