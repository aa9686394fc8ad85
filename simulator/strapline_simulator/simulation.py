"""One run of one scenario: the chain is built, the script is played, and what came of it becomes a report."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from strapline_centre.alerts import Alert
from strapline_centre.ledger import Entry
from strapline_centre.sentry import Notification
from strapline_protocol.definitions import ALARMS
from strapline_protocol.notices import Notice
from strapline_simulator.assessment import Arrival, CentreEvent, Findings, Shown, ToldNotice, assess, event_name
from strapline_simulator.bodies import make_body
from strapline_simulator.brokers import open_broker
from strapline_simulator.chain import HOME, INGRESS, Chain
from strapline_simulator.clock import run_virtual
from strapline_simulator.gnss_log import Epoch
from strapline_simulator.report import (
    SCHEMA_VERSION,
    Event,
    Frames,
    GatewayNotice,
    Heap,
    Ledger,
    Position,
    RaisedAlert,
    Report,
    Story,
    latency_summary,
    utc_text,
)
from strapline_simulator.scenario import Scenario
from strapline_simulator.scenario.details import detail_of
from strapline_simulator.script import Script
from strapline_simulator.soundness.verdict import Evidence, Heard, Wrong, unsound
from strapline_simulator.tag_node import Meter
from strapline_simulator.taps import PassageTap
from strapline_simulator.trace import TraceWriter
from strapline_simulator.tracing import trace_chain
from strapline_simulator.tracks import tracked
from strapline_simulator.witness import Witness
from strapline_simulator.world.sky import LogReceiver, Receiver
from strapline_simulator.world.truth import Held, Truth, missing

_LOG_TAIL_S = 60.0
"""After a receiver's log has ended: time for the last records to reach the centre."""

_TICK_S = 300.0
_HEAP_LOOK_S = 3600.0
_FIRST_DAY_S = 86400.0
_UNKNOWN_ACCURACY_DM = 0xFFFF


class Happening(NamedTuple):
    """Something to show while a run goes on; `place` is `body`, `world`, `centre` or `alert`."""

    t_s: float
    place: str
    text: str


class Options(NamedTuple):
    """How a scenario is run."""

    body: str = "micropython"
    seed: int | None = None
    broker: str = "memory"
    gnss_log: list[Epoch] | None = None
    folder: Path | None = None
    """Where the trace goes; nowhere without it."""
    watch: Callable[[Happening], None] | None = None
    tick: Callable[[float], None] | None = None
    """Told every few simulated minutes how far time is, in seconds."""
    meter: Meter | None = None
    """Counts what the tag does."""
    air: str = "ble"
    """`ble`: whole Bluetooth stacks; `frames`: the frames that they would carry, for a fraction of the time."""
    track: Path | None = None
    """A recorded track that the wearer follows from the start; it goes before the scenario's own."""
    on_frame: PassageTap | None = None
    """Told of each frame that the tag says and hears."""
    trace_keys: bool = False
    """Put the run's test keys into the trace."""


class Result(NamedTuple):
    """What a run gives."""

    report: Report
    story: Story
    unmet: list[Truth]
    """The truths that the ledger lacks."""
    measured: Mapping[str, Any]
    """What the interpreter says of itself (heap) and of its receiver."""
    unsound: tuple[Wrong, ...] = ()
    """What was found wrong, where the scenario asks whether it is sound."""

    @property
    def passed(self) -> bool:
        return all(expectation.passed for expectation in self.report.expectations)


def run_scenario(scenario: Scenario, options: Options) -> Result:
    """Run a scenario in virtual time. Raises `UserError` for what the user can mend."""
    result: Result = run_virtual(_Run(scenario, options).run())
    return result


class _Run:
    def __init__(self, scenario: Scenario, options: Options) -> None:
        scenario, self._track = tracked(scenario, options.track)
        self._scenario = scenario
        self._options = options
        self._seed = scenario.seed if options.seed is None else options.seed
        self._watch = options.watch or (lambda _happening: None)
        self._entries: list[tuple[float, Entry]] = []
        self._alerts: dict[int, tuple[float, str, str]] = {}
        """By id: when it was shown first, code and text."""
        self._book: list[Alert] = []
        """All alerts, as the ledger has them at the end."""
        self._told: list[tuple[float, str]] = []
        """When a role was told of an alert."""
        self._heap: list[tuple[float, dict[str, Any]]] = []
        self._unsound: list[Wrong] = []
        self._story = Story(start_utc=scenario.start.astimezone(UTC), tz_name=scenario.zone)
        self._witness = Witness(scenario)
        self._duration_s = scenario.duration_s
        if options.track is not None and self._track is not None:
            self._duration_s = max(self._duration_s, self._track.duration_s + _LOG_TAIL_S)
        if options.gnss_log:
            self._duration_s = max(self._duration_s, options.gnss_log[-1].offset_s + _LOG_TAIL_S)

    async def run(self) -> Result:
        started = time.perf_counter()
        with ExitStack() as stack:
            body = make_body(self._options.body)
            stack.callback(body.close)
            if body.identity:
                self._watch(Happening(0.0, "body", body.identity))
            async with open_broker(self._options.broker) as broker:
                chain = Chain(self._scenario, self._seed, body, broker, air=self._options.air)
                async with chain:
                    chain.centre_process.on_entry = lambda entry: self._entered(chain, entry)
                    chain.centre_process.on_notification = lambda told: self._notified(chain, told)
                    if self._options.folder is not None:
                        trace = stack.enter_context(TraceWriter(self._options.folder / "trace.pcapng"))
                        trace_chain(chain, trace, keys=self._options.trace_keys)
                    self._witness.watch(chain)
                    chain.tag.meter = self._options.meter
                    script = Script(self._scenario, chain, self._receiver(chain), self._story, self._track)
                    chain.tag.on_frame = self._options.on_frame
                    script.observe = lambda t, text: self._watch(Happening(t, "world", text))
                    tasks = [asyncio.create_task(self._tick(chain)), asyncio.create_task(self._watch_heap(chain))]
                    await script.play(self._duration_s)
                    self._note_alerts(chain)
                    self._book = chain.ledger.alerts.all()
                    self._witness.conclude(chain.ledger, [chain.centre_process.keys])
                    for task in tasks:
                        task.cancel()
                    measured = chain.tag.measure()
                    self._heap.append((self._duration_s, measured))
                    if any(expectation.sound for expectation in self._scenario.expect):
                        self._unsound = unsound(self._scenario, self._evidence(chain, script, measured))
                return self._conclude(chain, script, broker.name, measured, started)

    async def _tick(self, chain: Chain) -> None:
        while self._options.tick is not None:
            self._options.tick(chain.now_s())
            await asyncio.sleep(_TICK_S)

    async def _watch_heap(self, chain: Chain) -> None:
        await asyncio.sleep(1.0)  # the tag starts first
        while True:  # on every body, so that time goes in the same steps
            self._heap.append((chain.now_s(), chain.tag.measure()))
            await asyncio.sleep(_HEAP_LOOK_S)

    def _heap_found(self) -> Heap | None:
        looks = [(t_s, look) for t_s, look in self._heap if "heap_used" in look]
        if not looks:
            return None
        return Heap(
            loaded_bytes=looks[0][1]["heap_loaded"],
            peak_bytes=max(look["heap_used"] for _, look in looks),
            first_day_bytes=max(look["heap_used"] for t_s, look in looks if t_s <= max(_FIRST_DAY_S, looks[0][0])),
            least_block_bytes=min(look["heap_block"] for _, look in looks),
        )

    def _receiver(self, chain: Chain) -> Callable[[Script], Receiver | LogReceiver]:
        log = self._options.gnss_log
        if log is not None:
            return lambda script: LogReceiver(log, script.receive)
        random = Random(f"{self._seed}/sky")
        return lambda script: _receiver_of(script, chain, random)

    def _entered(self, chain: Chain, entry: Entry) -> None:
        now = chain.now_s()
        self._entries.append((now, entry))
        if entry.kind == "event":
            self._watch(Happening(now, "centre", event_name(entry.fields["code"])))
        elif entry.kind == "notice":
            self._watch(Happening(now, "centre", f"{entry.source}: {entry.fields['code']}"))
        self._note_alerts(chain)

    def _note_alerts(self, chain: Chain) -> None:
        # Some come with an entry, others with the time.
        now = chain.now_s()
        for alert in chain.centre.alerts.alerts:
            if alert.id not in self._alerts:
                self._watch(Happening(now, "alert", alert.text))
            at, _, _ = self._alerts.get(alert.id, (now, "", ""))
            self._alerts[alert.id] = at, alert.code, alert.text

    def _notified(self, chain: Chain, told: Notification) -> None:
        now = chain.now_s()
        self._note_alerts(chain)
        self._told.append((now, told.step.role))
        if told.step.number:
            self._watch(Happening(now, "alert", f"nobody has acknowledged: {told.step.role} is told"))

    def _evidence(self, chain: Chain, script: Script, measured: Mapping[str, Any]) -> Evidence:
        self._boots_s = [round(at - chain.clocks.origin_s, 3) for at in chain.tag.boots]
        events = [
            Heard(event_name(e.fields["code"]), self._since_start_s(e), at)
            for at, e in self._entries
            if e.kind == "event"
        ]
        gaps: Counter[str] = Counter()
        for source, journal in chain.ledger.journals.sources():
            gaps[source] += len(chain.ledger.gaps(source, journal))
        waits = {
            "the tag": measured.get("journal_waits", 0),
            **{f"gateway {i}": len(box) for i, box in chain.gateways.outboxes.items()},
        }
        codes = [alert.code for alert in self._book]
        dark = [(begin - chain.clocks.origin_s, end - chain.clocks.origin_s) for begin, end in chain.tag.dark]
        return Evidence(events, script.truths, codes, gaps, waits, chain.ledger.conflicts, dark)

    # The report.

    def _seconds(self, moment: datetime) -> float:
        return round((moment - self._scenario.start) / timedelta(seconds=1), 3)

    def _conclude(
        self, chain: Chain, script: Script, broker: str, measured: Mapping[str, Any], started: float
    ) -> Result:
        self._boots_s = [round(at - chain.clocks.origin_s, 3) for at in chain.tag.boots]
        events = [self._event(at, entry) for at, entry in self._entries if entry.kind == "event"]
        fixes = [entry for _, entry in self._entries if entry.kind == "fix"]
        held = [Held(event.code, event.t_s) for event in events]
        held += [Held("fix", self._since_start_s(entry)) for entry in fixes]
        unmet = missing(script.truths, held, self._duration_s)
        absences = [t for t, entry in self._entries if entry.kind == "presence" and not entry.fields["present"]]
        # The ledger is read at the end: a provisional alert has its record's code by now, or has joined another one.
        book = self._book
        joined = {alert.id for alert in book if alert.merged_into is not None}
        alerts = [told for ident, told in sorted(self._alerts.items()) if ident not in joined]
        standing = [alert for alert in book if alert.id not in joined]
        shown = [
            Shown(a.code, self._seconds(a.raised_utc), self._since(a.over_utc), a.is_open, a.times) for a in standing
        ]
        notices = [self._notice(t, entry) for t, entry in self._entries if entry.kind == "notice"]
        returns = [(_PARTS[name], at - chain.clocks.origin_s) for name, at in chain.broker.outage.returns]
        arrivals = [self._arrival(at, entry) for at, entry in self._entries]
        counts = [t for t, entry in self._entries if entry.kind == "fix"], len(unmet), chain.refused
        witness, wrong = self._witness, [str(one) for one in self._unsound]
        findings = Findings(
            events,
            shown,
            self._told,
            notices,
            absences,
            *counts,
            returns,
            arrivals,
            witness.heard,
            witness.exported,
            wrong,
        )
        latencies = [(e.code, e.t_s, self._alarm_latency(e, script)) for e in events if e.code in _ALARM_NAMES]
        self._tell_story(script, events, alerts, latencies)
        accepted = sum(gateway.station.accepted for gateway in chain.gateways.all())
        rejected = sum((gateway.station.rejected for gateway in chain.gateways.all()), Counter[str]())
        report = Report(
            schema=SCHEMA_VERSION,
            scenario=self._scenario.name,
            title=self._scenario.title,
            seed=self._seed,
            body=self._options.body,
            broker=broker,
            start_utc=utc_text(self._scenario.start),
            simulated_s=self._duration_s,
            wall_s=round(time.perf_counter() - started, 3),
            expectations=tuple(assess(self._scenario, findings)),
            events=tuple(Event(**event._asdict()) for event in _in_order(events)),
            positions=tuple(sorted((self._position(entry) for entry in fixes), key=lambda p: p.t_s)),
            alerts=tuple(self._alert(alert) for alert in standing),
            notices=tuple(GatewayNotice(at_centre_s=round(n.at_s, 3), **_without_time(n)) for n in notices),
            frames=Frames(sent=chain.tag.frames_sent, accepted=accepted, rejected=dict(sorted(rejected.items()))),
            frames_digest=chain.tag.frames_digest,
            ledger=Ledger(
                received=len(events) + len(fixes),
                duplicates_dropped=chain.ledger.duplicates,
                missing=len(unmet),
                tombstoned=chain.ledger.tombstoned,
            ),
            alarm_latency_s=latency_summary([latency for _, _, latency in latencies]),
            heap=self._heap_found(),
        )
        return Result(report, self._story, unmet, measured, tuple(self._unsound))

    def _since(self, moment: datetime | None) -> float | None:
        return None if moment is None else self._seconds(moment)

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

    def _notice(self, at_s: float, entry: Entry) -> ToldNotice:
        return ToldNotice(str(entry.fields["code"]), at_s, entry.source, entry.fields.get("detail") or {})

    def _since_start_s(self, entry: Entry) -> float:
        """A record counts from the start of the tag that it names."""
        fields = entry.fields
        booted_s = self._boots_s[(fields["boot"] - 1 - self._scenario.tag_memory.boot) & 0xFFFF]
        return float(round(booted_s + fields["uptime_s"] + fields.get("uptime_ms", 0) / 1000, 3))

    def _event(self, at_s: float, entry: Entry) -> CentreEvent:
        fields = entry.fields
        t_s = self._since_start_s(entry)
        # When it was at the centre the world's clock says: the centre's own may be wrong.
        told = event_name(fields["code"]), self._seconds(entry.gateway_utc), round(at_s, 3)
        return CentreEvent(t_s, entry.source, *told, detail_of(fields["code"], fields["detail"]))

    def _arrival(self, at_s: float, entry: Entry) -> Arrival:
        return Arrival(entry.gateway, self._seconds(entry.gateway_utc), at_s, _is_alarm(entry))

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

    def _alarm_latency(self, event: CentreEvent, script: Script) -> float:
        """From the world's deed to the centre; from the tag's own time where no single deed is the cause."""
        causes = [t for code, t in script.stimuli if code == event.code and t <= event.t_s + 1]
        return max(0.0, round(event.at_centre_s - max(causes, default=event.t_s), 3))

    def _tell_story(
        self,
        script: Script,
        events: list[CentreEvent],
        alerts: list[tuple[float, str, str]],
        latencies: list[tuple[str, float, float]],
    ) -> None:
        story = self._story
        story.places = [(name, p.lat_deg, p.lon_deg, p.radius_m) for name, p in self._scenario.places.items()]
        story.alerts = alerts
        story.alarm_latencies = latencies
        story.states = _states(_in_order(events), self._duration_s)


def _in_order(events: Sequence[CentreEvent]) -> list[CentreEvent]:
    return sorted(events, key=lambda event: event[:-1])


def _without_time(notice: ToldNotice) -> dict[str, Any]:
    return {"gateway": notice.gateway, "code": notice.code, "detail": dict(sorted(notice.detail.items()))}


def _receiver_of(script: Script, chain: Chain, random: Random) -> Receiver:
    receiver = Receiver(chain.utc, script.where, script.receive, random)
    receiver.speed_m_s = lambda: script.path.speed_m_s(chain.now_s())
    return receiver


def _is_alarm(entry: Entry) -> bool:
    """Whether it went by the gateway's alarm lane."""
    code = entry.fields.get("code")
    if entry.kind == "notice":
        return Notice(str(code)).meaning.urgent
    return entry.kind == "alarm" or (entry.kind == "event" and event_name(int(code or 0)) in _ALARM_NAMES)


_PARTS = {HOME: "home", INGRESS: "ingress", "centre": "centre"}
_ALARM_NAMES = {code.name.lower() for code in ALARMS}


def _states(events: list[CentreEvent], end_s: float) -> list[tuple[float, float, str]]:
    """The tag's state over time, as its own events tell it."""
    changes = {"armed": "home", "left_home": "away", "came_home": "home", "strap_open": "violation"}
    states: list[tuple[float, float, str]] = []
    label, since = "not armed", 0.0
    for event in events:
        new = changes.get(event.code, label)
        if new != label and not (label == "violation" and new != "not armed"):
            states.append((since, event.t_s, label))
            label, since = new, event.t_s
    return [*states, (since, end_s, label)]
