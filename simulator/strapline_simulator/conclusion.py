"""What came of a run: the evidence of its soundness, the findings that expectations are held against, and the report."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from strapline_centre.alerts import Alert
from strapline_centre.ledger import Entry
from strapline_protocol.definitions import ALARMS
from strapline_protocol.notices import Notice
from strapline_simulator.assessment import Arrival, CentreEvent, Findings, Shown, ToldNotice, assess, event_name
from strapline_simulator.chain import CENTRE, HOME, INGRESS, Chain
from strapline_simulator.report import (
    SCHEMA_VERSION,
    Event,
    Frames,
    GatewayNotice,
    Ledger,
    Position,
    RaisedAlert,
    Report,
    latency_summary,
    utc_text,
)
from strapline_simulator.run_notes import RunNotes
from strapline_simulator.scenario import Scenario
from strapline_simulator.scenario.details import detail_of
from strapline_simulator.script import Script
from strapline_simulator.soundness.verdict import Evidence, Heard, Wrong
from strapline_simulator.witness import Witness
from strapline_simulator.world.truth import Held, Truth, missing

_UNKNOWN_ACCURACY_DM = 0xFFFF
_PARTS = {HOME: "home", INGRESS: "ingress", CENTRE: "centre"}
_ALARM_NAMES = {code.name.lower() for code in ALARMS}
_STATES = {"armed": "home", "left_home": "away", "came_home": "home", "strap_open": "violation"}


class Circumstances(NamedTuple):
    """How a run was made, for its report."""

    seed: int
    body: str
    broker: str
    duration_s: float
    wall_s: float


class Conclusion:
    """Of one run whose scenario has ended. Times are seconds since its start."""

    def __init__(
        self,
        scenario: Scenario,
        chain: Chain,
        script: Script,
        notes: RunNotes,
        witness: Witness,
        *,
        stamp: Callable[[Entry], float] | None = None,
    ) -> None:
        """`stamp` says when the tag means that a record was; without it each counts from the start that the chain gave the tag."""
        self._scenario = scenario
        self._chain = chain
        self._script = script
        self._notes = notes
        self._witness = witness
        self._stamp = stamp or self._since_its_start_s
        self._boots_s = [round(at - chain.clocks.origin_s, 3) for at in chain.tag.boots]
        self.events = [self._event(at, entry) for at, entry in notes.entries if entry.kind == "event"]
        self._fixes = [entry for _, entry in notes.entries if entry.kind == "fix"]
        # The ledger is read at the end: a provisional alert has its record's code by now, or has joined another one.
        self._joined = {alert.id for alert in notes.book if alert.merged_into is not None}
        self._standing = [alert for alert in notes.book if alert.id not in self._joined]
        self._notices = [self._notice(t, entry) for t, entry in notes.entries if entry.kind == "notice"]

    def evidence(self, measured: Mapping[str, Any]) -> Evidence:
        """While the chain still stands."""
        chain = self._chain
        gaps: Counter[str] = Counter()
        for source, journal in chain.ledger.journals.sources():
            gaps[source] += len(chain.ledger.gaps(source, journal))
        waits = {
            "the tag": measured.get("journal_waits", 0),
            **{f"gateway {i}": len(box) for i, box in chain.gateways.outboxes.items()},
        }
        events = [Heard(event.code, event.t_s, event.at_centre_s) for event in self.events]
        codes = [alert.code for alert in self._notes.book]
        origin_s = chain.clocks.origin_s
        dark = [(begin - origin_s, end - origin_s) for begin, end in chain.tag.dark]
        return Evidence(events, self._script.truths, codes, gaps, waits, chain.ledger.conflicts, dark)

    def unmet(self, end_s: float) -> list[Truth]:
        """The truths that the ledger lacks."""
        held = [Held(event.code, event.t_s) for event in self.events]
        held += [Held("fix", self._since_start_s(entry)) for entry in self._fixes]
        return missing(self._script.truths, held, end_s)

    def findings(self, unmet: Sequence[Truth], wrong: Sequence[Wrong]) -> Findings:
        """For the scenario's expectations."""
        entries, chain = self._notes.entries, self._chain
        return Findings(
            self.events,
            [self._shown(alert) for alert in self._standing],
            self._notes.told,
            self._notices,
            absences=[t for t, entry in entries if entry.kind == "presence" and not entry.fields["present"]],
            positions=[t for t, entry in entries if entry.kind == "fix"],
            missing=len(unmet),
            refused=chain.refused,
            returns=[(_PARTS[name], at - chain.clocks.origin_s) for name, at in chain.broker.outage.returns],
            arrivals=[self._arrival(at, entry) for at, entry in entries],
            heard=self._witness.heard,
            exported=self._witness.exported,
            unsound=[str(one) for one in wrong],
        )

    def report(self, run: Circumstances, unmet: Sequence[Truth], wrong: Sequence[Wrong]) -> Report:
        scenario, chain = self._scenario, self._chain
        return Report(
            schema=SCHEMA_VERSION,
            scenario=scenario.name,
            title=scenario.title,
            seed=run.seed,
            body=run.body,
            broker=run.broker,
            start_utc=utc_text(scenario.start),
            simulated_s=run.duration_s,
            wall_s=run.wall_s,
            expectations=tuple(assess(scenario, self.findings(unmet, wrong))),
            events=tuple(Event(**event._asdict()) for event in _in_order(self.events)),
            positions=tuple(sorted((self._position(entry) for entry in self._fixes), key=lambda p: p.t_s)),
            alerts=tuple(self._alert(alert) for alert in self._standing),
            notices=tuple(GatewayNotice(at_centre_s=round(n.at_s, 3), **_without_time(n)) for n in self._notices),
            frames=self._frames(),
            frames_digest=chain.tag.frames_digest,
            ledger=Ledger(
                received=len(self.events) + len(self._fixes),
                duplicates_dropped=chain.ledger.duplicates,
                missing=len(unmet),
                tombstoned=chain.ledger.tombstoned,
            ),
            alarm_latency_s=latency_summary([latency for _, _, latency in self._latencies()]),
            heap=self._notes.heap,
        )

    def tell_story(self, end_s: float) -> None:
        """What only the page shows."""
        story, shown = self._script.story, self._notes.alerts
        story.places = [(name, p.lat_deg, p.lon_deg, p.radius_m) for name, p in self._scenario.places.items()]
        story.alerts = [told for ident, told in sorted(shown.items()) if ident not in self._joined]
        story.alarm_latencies = self._latencies()
        story.states = _states(_in_order(self.events), end_s)

    def _frames(self) -> Frames:
        stations = [gateway.station for gateway in self._chain.gateways.all()]
        rejected = sum((station.rejected for station in stations), Counter[str]())
        return Frames(
            sent=self._chain.tag.frames_sent,
            accepted=sum(station.accepted for station in stations),
            rejected=dict(sorted(rejected.items())),
        )

    def _latencies(self) -> list[tuple[str, float, float]]:
        return [(e.code, e.t_s, self._alarm_latency(e)) for e in self.events if e.code in _ALARM_NAMES]

    def _alarm_latency(self, event: CentreEvent) -> float:
        """From the world's deed to the centre; from the tag's own time where no single deed is the cause."""
        causes = [t for code, t in self._script.stimuli if code == event.code and t <= event.t_s + 1]
        return max(0.0, round(event.at_centre_s - max(causes, default=event.t_s), 3))

    # One entry or alert each.

    def _seconds(self, moment: datetime) -> float:
        return round((moment - self._scenario.start) / timedelta(seconds=1), 3)

    def _since(self, moment: datetime | None) -> float | None:
        return None if moment is None else self._seconds(moment)

    def _since_start_s(self, entry: Entry) -> float:
        return self._stamp(entry)

    def _since_its_start_s(self, entry: Entry) -> float:
        """A record counts from the start of the tag that it names; of one that was its own doing nobody else knows when."""
        fields = entry.fields
        start = (fields["boot"] - 1 - self._scenario.tag_memory.boot) & 0xFFFF
        if start >= len(self._boots_s):
            return self._seconds(entry.gateway_utc)
        return float(round(self._boots_s[start] + fields["uptime_s"] + fields.get("uptime_ms", 0) / 1000, 3))

    def _event(self, at_s: float, entry: Entry) -> CentreEvent:
        fields = entry.fields
        t_s = self._since_start_s(entry)
        # When it was at the centre the world's clock says: the centre's own may be wrong.
        told = event_name(fields["code"]), self._seconds(entry.gateway_utc), round(at_s, 3)
        return CentreEvent(t_s, entry.source, *told, detail_of(fields["code"], fields["detail"]))

    def _notice(self, at_s: float, entry: Entry) -> ToldNotice:
        return ToldNotice(str(entry.fields["code"]), at_s, entry.source, entry.fields.get("detail") or {})

    def _arrival(self, at_s: float, entry: Entry) -> Arrival:
        return Arrival(entry.gateway, self._seconds(entry.gateway_utc), at_s, _is_alarm(entry))

    def _shown(self, alert: Alert) -> Shown:
        raised_s, over_s = self._seconds(alert.raised_utc), self._since(alert.over_utc)
        return Shown(alert.code, raised_s, over_s, alert.is_open, alert.times)

    def _alert(self, alert: Alert) -> RaisedAlert:
        return RaisedAlert(
            subject=alert.subject,
            code=alert.code,
            text=alert.text,
            raised_s=self._seconds(alert.raised_utc),
            over_s=self._since(alert.over_utc),
            acknowledged_s=self._since(alert.acknowledged_utc),
            times=alert.times,
        )

    def _position(self, entry: Entry) -> Position:
        fields = entry.fields
        dated = bool(fields["flags"] & 1)
        moment = datetime.fromtimestamp(fields["utc_s"], UTC) + timedelta(milliseconds=fields["utc_ms"])
        accuracy_dm = fields["accuracy_dm"]
        return Position(
            t_s=self._since_start_s(entry),
            utc=utc_text(moment) if dated else None,
            lat_deg=fields["lat_e7"] / 1e7,
            lon_deg=fields["lon_e7"] / 1e7,
            accuracy_m=None if accuracy_dm == _UNKNOWN_ACCURACY_DM else accuracy_dm / 10,
        )


def _in_order(events: Sequence[CentreEvent]) -> list[CentreEvent]:
    return sorted(events, key=lambda event: event[:-1])


def _without_time(notice: ToldNotice) -> dict[str, Any]:
    return {"gateway": notice.gateway, "code": notice.code, "detail": dict(sorted(notice.detail.items()))}


def _is_alarm(entry: Entry) -> bool:
    """Whether it went by the gateway's alarm lane."""
    code = entry.fields.get("code")
    if entry.kind == "notice":
        return Notice(str(code)).meaning.urgent
    return entry.kind == "alarm" or (entry.kind == "event" and event_name(int(code or 0)) in _ALARM_NAMES)


def _states(events: list[CentreEvent], end_s: float) -> list[tuple[float, float, str]]:
    """The tag's state over time, as its own events tell it."""
    states: list[tuple[float, float, str]] = []
    label, since = "not armed", 0.0
    for event in events:
        new = _STATES.get(event.code, label)
        if new != label and not (label == "violation" and new != "not armed"):
            states.append((since, event.t_s, label))
            label, since = new, event.t_s
    return [*states, (since, end_s, label)]
