"""The centre of one home: the reference centre's own rules on a ledger in memory, and a duty desk that looks at each alert in time."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from strapline_centre.centre import Centre, Limits, Person
from strapline_centre.ledger import Entry, Ledger
from strapline_protocol.contract import Message
from strapline_simulator.fleet.agenda import Agenda
from strapline_simulator.fleet.engine_ledger import MemoryLedger
from strapline_simulator.fleet.engine_post import MQTT_LATENCY_MS, Post

ACKNOWLEDGED_AFTER_MS = 600_000
"""A person acknowledges an alert within the quarter of an hour that R28 gives; what comes later is another alert."""

_SOON_MS = 10_000
"""After something has happened the sentry is asked for its next deadline: none that it sets is sooner."""

_NEVER_S = 1e12

_LIMITS = Limits(gateway_silent_s=_NEVER_S, beat_s=_NEVER_S)
"""No beats: whether a gateway is there its line tells, and the broker its loss."""


class CentreUnit:
    """An actor of the agenda."""

    def __init__(
        self,
        agenda: Agenda,
        start: datetime,
        persons: Iterable[Person],
        keys: Mapping[str, bytes],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._agenda = agenda
        self._start = self._utc = start.astimezone(UTC)  # sums of local times jump with the clocks
        self._utc_ms = 0
        self.ledger = MemoryLedger()
        self.posts: dict[str, Post] = {}
        self.on_entry: Callable[[Entry], None] = _ignore
        self.on_change: Callable[[str, Any], None] = _ignore
        self._looks_ms: int | None = None
        self.centre = Centre(
            persons,
            keys,
            cast("Ledger", self.ledger),
            utc=self.utc,
            epoch=int(start.timestamp()),
            entropy=entropy,
            clock=self.now_s,
            limits=_LIMITS,
        )

    def now_s(self) -> float:
        return self._agenda.now_ms / 1000

    def utc(self) -> datetime:
        now_ms = self._agenda.now_ms
        if now_ms != self._utc_ms:
            self._utc_ms, self._utc = now_ms, self._start + timedelta(milliseconds=now_ms)
        return self._utc

    def start(self) -> None:
        """There is a broker from the beginning."""
        self.centre.connected()
        self.settle()

    def receive(self, message: Message) -> None:
        """A message from a gateway."""
        entry = self.centre.receive_message(message)
        if entry is not None:
            self.on_entry(entry)
        self.settle()

    def settle(self) -> None:
        """After anything: publish what the centre says, take note of its alerts, look after it in time."""
        self._take_note()
        self._look_at(self._agenda.now_ms + _SOON_MS)

    def _take_note(self) -> None:
        centre = self.centre
        while (outgoing := centre.next_message()) is not None:
            self._agenda.after(MQTT_LATENCY_MS, self._deliver, outgoing.message)
        while centre.changes:
            change = centre.changes.popleft()
            self.on_change(change.what, change.alert)
            if change.what == "raised":
                self._agenda.after(ACKNOWLEDGED_AFTER_MS, self._acknowledge, change.alert.id)

    def _deliver(self, message: Message) -> None:
        self.posts[message.topic.gateway].receive(message)

    def _acknowledge(self, ident: int) -> None:
        alert = self.centre.alerts.get(ident)
        if alert is not None and alert.is_open:
            self.centre.acknowledge(ident, "looked into", "duty desk")
            self.settle()

    @property
    def next_ms(self) -> int:
        """When time alone gives it something to do."""
        return round(min(self.centre.sentry.next_deadline(), _NEVER_S) * 1000)

    def _look_at(self, at_ms: int) -> None:
        if self._looks_ms is None or at_ms < self._looks_ms:
            self._looks_ms = at_ms
            self._agenda.at(at_ms, self._look, at_ms)

    def _look(self, at_ms: int) -> None:
        if at_ms != self._looks_ms:
            return
        self._looks_ms = None
        sentry, now_s = self.centre.sentry, self.now_s()
        if (due_s := sentry.next_deadline()) <= now_s:
            sentry.handle_timer()
            while (told := sentry.next_notification()) is not None:
                sentry.told(told, "told")
            self._take_note()
            due_s = max(sentry.next_deadline(), now_s + 1)
        if due_s < _NEVER_S:
            self._look_at(round(due_s * 1000) + 1)

    def broker(self, *, up: bool) -> None:
        """The centre's own line to it."""
        (self.centre.connected if up else self.centre.disconnected)()
        self.settle()


def _ignore(*_arguments: object) -> None:
    """Nobody has asked to be told."""
