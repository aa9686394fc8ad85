"""What the centre does when nothing comes: it looks for silence and gaps, takes the steps of escalation, and says that it is there."""

from collections import deque
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, NamedTuple

from strapline_centre.alert_rows import Alert, StepRow
from strapline_centre.alerts import AlertBook
from strapline_centre.dropping import OVER_AFTER_S, Dropped, DropWatch
from strapline_centre.escalation import STEPS, Due, Escalation, Step
from strapline_centre.gaps import GAP_AFTER_S, Gap, GapWatch
from strapline_centre.leaving import Leaving
from strapline_centre.ledger import Entry, Ledger
from strapline_centre.readers import Readers
from strapline_centre.watch import TAG_SILENT_AFTER_S, Silent, Watch
from strapline_protocol import contract
from strapline_protocol.desk import Desk, GatewayState

_OVERDUE_LOOK_S = 60.0
"""So often the schedules of those who are out are looked at."""

_DROPPED = "dropped/"

CUT_OFF_AFTER_S = 60.0
"""A broker that restarts is back by then; a centre without one hears nobody, and a person must know it (R55)."""


class Limits(NamedTuple):
    """Bounds of the watch, in seconds; None: not watched."""

    gateway_silent_s: float = contract.SILENT_AFTER_S
    tag_silent_s: float | None = TAG_SILENT_AFTER_S
    gap_s: float = GAP_AFTER_S
    beat_s: float = contract.BEAT_S


LIMITS = Limits()


class Notification(NamedTuple):
    """Somebody is to be told of this alert: the step stands in the ledger, and goes out until `told` is said of it."""

    alert: Alert
    step: StepRow


class Parts(NamedTuple):
    """Of the centre around it."""

    desk: Desk
    ledger: Ledger
    alerts: AlertBook
    readers: Readers
    leaving: Leaving
    gateways: tuple[str, ...]
    clock: Callable[[], float]
    utc: Callable[[], datetime]
    commit: Callable[[Callable[[], Any]], Any]


class Sentry:
    """Call `handle_timer` at `next_deadline`; then `next_notification` gives whom to tell."""

    def __init__(self, parts: Parts, limits: Limits, steps: Sequence[Step] = STEPS) -> None:
        self._parts = parts
        self._limits = limits
        self._steps = tuple(steps)
        now = parts.clock()
        tag_s = limits.tag_silent_s
        self.watch = Watch(
            parts.gateways, now, silent_after_s=limits.gateway_silent_s, tag_silent_after_s=tag_s or TAG_SILENT_AFTER_S
        )
        self._gaps = GapWatch(parts.ledger.journals, after_s=limits.gap_s)
        self._drops = DropWatch(parts.desk.passages, parts.ledger.notes.all(_DROPPED))
        self._beat_at = now
        self._cut_off_at: float | None = None
        self._cut_off_told = False
        self._looked_at = now
        self._notifications: deque[Notification] = deque()
        self.escalation = Escalation(self._steps)
        self.reload(parts.alerts)
        self._resume_tags()
        for source, journal in parts.ledger.journals.sources():
            self._gaps.came(source, journal, now)

    def _resume_tags(self) -> None:
        parts, heard = self._parts, self._parts.ledger.last_heard()
        now, utc = parts.clock(), parts.utc()
        for tag, is_monitored in parts.leaving.monitored.items():
            if is_monitored:
                ago_s = (utc - heard[tag]).total_seconds() if tag in heard else 0.0
                self._watch_tag(tag, now - max(0.0, ago_s))

    def reload(self, alerts: AlertBook) -> None:
        """From what stands in the ledger: a step that was begun and not told of is told of again."""
        self.escalation = Escalation(self._steps)
        self._notifications.clear()
        done: dict[int, list[int]] = {}
        for step in self._parts.ledger.alerts.steps(open_only=True):
            done.setdefault(step.alert, []).append(step.number)
            alert = alerts.get(step.alert)
            if step.told_utc is None and alert is not None:
                self._notifications.append(Notification(alert, step))
        for alert in alerts.open:
            self.escalation.raised(alert, done.get(alert.id, ()))

    def beat_soon(self) -> None:
        """There is a broker again, who knows nothing of the beats before: gateways need not wait for the next one."""
        self._beat_at = self._parts.clock()

    # What happens elsewhere; all of it is committed.

    def follow(self, alerts: AlertBook) -> None:
        """What the book has noted."""
        for change in alerts.changes:
            if change.alert.is_open:
                self.escalation.raised(change.alert)
            else:
                self.escalation.settled(change.alert.id)

    def line(self, *, up: bool) -> None:
        """The centre's own line to its broker. While it is down nobody is silent but the centre."""
        now = self._parts.clock()
        if up:
            self._cut_off_at = None
            self.watch.restored(now)
        elif self._cut_off_at is None:
            self._cut_off_at, self._cut_off_told = now, False
            self.watch.cut_off(now)

    def state(self, told: GatewayState) -> None:
        """A gateway's state that is no old one; within the transaction that notes it."""
        now, alerts, utc = self._parts.clock(), self._parts.alerts, self._parts.utc()
        if told.state == "lost":
            self.watch.gateway_gone(told.gateway, now)
            self._parts.readers.gone(told.gateway)
        elif told.state == "online":
            self.watch.gateway_heard(told.gateway, now)
            alerts.over(told.gateway, "gateway_lost", utc)
            alerts.over(told.gateway, "gateway_silent", utc)

    def record(self, entry: Entry) -> None:
        """A new one."""
        now = self._parts.clock()
        self._gaps.came(entry.source, entry.journal, now)
        tag = entry.source if entry.source != entry.gateway else str(entry.fields.get("tag") or "")
        if tag:
            self.watch.tag_heard(tag, now, entry.gateway)
            if self._parts.leaving.monitored.get(tag):
                self._watch_tag(tag, now, entry.gateway)
            else:
                self.watch.leave_tag(tag)

    def _watch_tag(self, tag: str, heard_at: float, by: str = "") -> None:
        if self._limits.tag_silent_s is not None:
            self.watch.watch_tag(tag, heard_at, by)

    # Time.

    def next_deadline(self) -> float:
        """When `handle_timer` has something to do, on the centre's clock."""
        parts, now = self._parts, self._parts.clock()
        times = [self._beat_at, self.watch.next_deadline(), self._gaps.next_deadline()]
        if self._cut_off_at is not None and not self._cut_off_told:
            times.append(self._cut_off_at + CUT_OFF_AFTER_S)
        step_at = self.escalation.next_deadline()
        if step_at is not None:
            times.append(now + max(0.0, (step_at - parts.utc()).total_seconds()))
        if parts.leaving.anybody_out:
            times.append(self._looked_at + _OVERDUE_LOOK_S)
        return min(at for at in times if at is not None)

    def handle_timer(self) -> None:
        """Raise what is due, and beat. `LedgerDownError` leaves it due and says no beat: who hears none may know that nothing is taken."""
        parts, now, utc = self._parts, self._parts.clock(), self._parts.utc()
        silent, gaps, begun = self.watch.due(now), self._gaps.due(now), list[StepRow]()
        drops = self._drops.due(utc.timestamp())
        is_cut_off = self._cut_off_at is not None and now >= self._cut_off_at + CUT_OFF_AFTER_S

        def work() -> None:
            for one in silent:
                self._tell_silent(one, utc)
            if is_cut_off and not self._cut_off_told:
                parts.alerts.tell("centre", "cut_off", "the centre has no line to its broker: nobody is heard", utc)
            for gap in gaps:
                self._tell_gap(gap, utc)
            for drop in drops:
                self._tell_drop(drop, utc)
            self._end_what_is_over(utc, {one.subject for one in silent})
            begun.extend(self._begin(due, utc) for due in self.escalation.due(utc))

        parts.commit(work)
        self._looked_at = now
        self._cut_off_told = self._cut_off_told or is_cut_off
        self.watch.told(silent)
        self._gaps.told(gaps)
        self._drops.told(drops)
        for one in silent:
            parts.readers.gone(one.subject)
        for step in begun:
            alert = parts.alerts.get(step.alert)
            if alert is not None:
                self._notifications.append(Notification(alert, step))
        if now >= self._beat_at:
            self._beat_at = now + self._limits.beat_s
            for gateway in parts.gateways:
                parts.desk.beat(gateway)

    def _tell_silent(self, silent: Silent, utc: datetime) -> None:
        what = "gateway_silent" if silent.is_gateway else "tag_silent"
        who = "the gateway" if silent.is_gateway else "the monitored tag"
        how = (
            "was never heard since the centre started"
            if silent.never
            else f"was not heard for {silent.silent_s / 60:.0f} min"
        )
        self._parts.alerts.tell(silent.subject, what, f"{who} {how}", utc)

    def _tell_gap(self, gap: Gap, utc: datetime) -> None:
        which = f"records {gap.first} to {gap.last} of journal {gap.journal:08x}"
        text = (
            f"{gap.missing} of {which} have not come"
            if gap.missing < gap.last - gap.first + 1
            else f"{which} have not come"
        )
        self._parts.alerts.tell(gap.source, "gap", text, utc, key=f"{gap.journal:08x}")

    def _tell_drop(self, drop: Dropped, utc: datetime) -> None:
        self._parts.ledger.notes.put(_DROPPED + drop.gateway, drop.episodes)
        if drop.goes_on:
            text = "messages of the gateway go missing on their way again and again, and no connection was broken"
            self._parts.alerts.tell(drop.gateway, "dropping", text, utc)

    def _end_what_is_over(self, utc: datetime, silent_now: AbstractSet[str]) -> None:
        # Those who have just been found silent are known to the watch once that is committed.
        alerts = self._parts.alerts
        for alert in alerts.open:
            if alert.over_utc is None and (
                (
                    alert.code == "tag_silent"
                    and not (alert.subject in silent_now or self.watch.is_silent(alert.subject))
                )
                or (alert.code == "cut_off" and self._cut_off_at is None)
                or (alert.code == "gap" and not self._gaps.is_open(alert.subject, int(alert.key, 16)))
                or (alert.code == "dropping" and (utc - alert.last).total_seconds() >= OVER_AFTER_S)
            ):
                alerts.over(alert.subject, alert.code, utc, key=alert.key)

    def _begin(self, due: Due, utc: datetime) -> StepRow:
        step = StepRow(due.alert, due.number, due.role, utc)
        self._parts.ledger.alerts.put_step(step)
        return step

    # Telling.

    def next_notification(self) -> Notification | None:
        """Whom to tell next."""
        return self._notifications.popleft() if self._notifications else None

    def told(self, notification: Notification, outcome: str) -> None:
        """It was told, with this outcome; it is not told again."""
        self._parts.ledger.alerts.put_step(
            notification.step._replace(told_utc=self._parts.utc(), outcome=outcome[:500])
        )
