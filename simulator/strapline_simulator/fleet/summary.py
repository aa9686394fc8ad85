"""What came of all homes together: `fleet.json`. Facts with their units; every figure is of a simulated run."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from strapline_simulator.fleet.question import Question, question_to_json
from strapline_simulator.fleet.spec import HomeResult
from strapline_simulator.report.model import nearest_rank

Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False, json_schema_extra={"unit": "s"})]
Share = Annotated[float, Field(ge=0, allow_inf_nan=False)]

_DAY_S = 86400.0
_HOURS_IN_YEAR = 8766.0
WORST = 200
"""So many missed tampers and false alerts are listed one by one; the Parquet files have all."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, populate_by_name=True)


class Spread(_Part):
    """A distribution by nearest rank; all null where there is nothing."""

    count: Count
    p50: float | None
    p90: float | None
    p99: float | None
    max: float | None


class Tampers(_Part):
    """One kind of tamper that was sown."""

    sown: Count
    told: Count
    """Of which an alarm was at the centre within the bound."""
    missed: Count
    after_s: Spread
    """How long it took where it was told."""


class Alerts(_Part):
    """What people at the centre had to look at."""

    total: Count
    per_person_day: Share
    false: Count
    """Without any cause in the life."""
    false_per_person_day: Share
    by_cause: Mapping[str, Mapping[str, Count]]
    """Cause, then the alert's code; the empty cause is a false one."""
    days_without: Share
    """Person-days without any alert."""
    days_with_false: Count
    """Person-days with at least one false alert."""


class Heartbeats(_Part):
    """Signs of life on the air."""

    sent: Count
    """Built and sealed by the firmware."""
    folded: Count
    """Worked out and not built."""
    accepted: Count
    """Opened and decided on by a gateway."""
    refused: Mapping[str, Count]
    """By reason."""


class Named(_Part):
    """One alert or tamper, to find it again: `strapline fleet` with the same question has it in the same home."""

    home: Count
    tag: str
    t_s: float
    code: str


class Summary(_Part):
    """The answer to one question; the same for any number of jobs, in any order."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    simulated: Literal[True] = True
    """Nobody was monitored: people, radio, heat, sky and networks are models."""
    question: Mapping[str, Any]
    homes: Count
    tags: Count
    person_days: Share
    tag_years: Share
    passed: bool
    """Nothing missed, nothing lost, and no more false alerts than the limit."""
    false_alerts_limit: Share
    """Per person-day."""
    missed: Count
    """Tampers of which no alarm came in time."""
    missing: Count
    """Records that tags made and the ledger lacks, of those due."""
    tampers: Mapping[str, Tampers]
    alerts: Alerts
    heartbeats: Heartbeats
    records: Mapping[str, Count]
    alarm_latency_s: Spread
    """From an alarm's event to the centre."""
    heartbeats_per_tag_day: Spread
    """Of homes."""
    wall_s_per_tag_day: Spread
    """Of homes: how long a simulated day took where it was run; not part of the digest."""
    missed_tampers: tuple[Named, ...]
    """The first of them."""
    false_alerts: tuple[Named, ...]
    """The first of them."""
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    """SHA-256 over the homes' digests by number: equal digests, equal decisions everywhere."""

    def to_json(self) -> str:
        return json.dumps(self.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=False) + "\n"


def summarise(question: Question, results: Iterable[HomeResult], false_alerts_limit: float) -> Summary:
    """Results in any order, each once."""
    tally = _Tally()
    for result in results:
        tally.add(result)
    return tally.summary(question, false_alerts_limit)


class _Tally:
    """What grows with each home; lists only of what is rare."""

    def __init__(self) -> None:
        self.digests: dict[int, str] = {}
        self.counts: Counter[str] = Counter()
        self.person_days = 0.0
        self.refused: Counter[str] = Counter()
        self.records: Counter[str] = Counter()
        self.causes: dict[str, Counter[str]] = {}
        self.alert_days: set[tuple[int, str, int]] = set()
        self.false_days: set[tuple[int, str, int]] = set()
        self.caught: dict[str, list[float]] = {}
        self.missed: Counter[str] = Counter()
        self.missed_ones: list[Named] = []
        self.false_ones: list[Named] = []
        self.latencies: list[float] = []
        self.beats: list[float] = []
        self.wall: list[float] = []

    def add(self, result: HomeResult) -> None:
        assert result.number not in self.digests, f"home {result.number} came twice"
        self.digests[result.number] = result.digest
        self.person_days += result.person_days
        for name in ("tags", "heartbeats_sent", "heartbeats_folded", "heartbeats_accepted", "missing"):
            self.counts[name] += getattr(result, name)
        self.refused.update(result.refused)
        self.records.update(result.records)
        self.latencies += result.latencies_s
        if result.person_days:
            self.beats.append((result.heartbeats_sent + result.heartbeats_folded) / result.person_days)
            self.wall.append(result.wall_s / result.person_days)
        self._add_alerts(result)
        self._add_tampers(result)

    def _add_alerts(self, result: HomeResult) -> None:
        for told in result.alerts:
            day = result.number, told.tag, int(told.t_s // _DAY_S)
            self.causes.setdefault(told.cause, Counter())[told.code] += 1
            self.alert_days.add(day)
            if not told.cause:
                self.false_days.add(day)
                self.false_ones.append(Named(home=result.number, tag=told.tag, t_s=told.t_s, code=told.code))

    def _add_tampers(self, result: HomeResult) -> None:
        for sown, after_s in result.caught:
            self.caught.setdefault(sown.kind, []).append(after_s)
        for tag, sown in result.missed:
            self.missed[sown.kind] += 1
            self.missed_ones.append(Named(home=result.number, tag=tag, t_s=sown.t_s, code=sown.kind))

    def summary(self, question: Question, limit: float) -> Summary:
        counts, days = self.counts, self.person_days
        alerts = self._alerts()
        missed = self.missed.total()
        return Summary(
            question=question_to_json(question),
            homes=len(self.digests),
            tags=counts["tags"],
            person_days=round(days, 4),
            tag_years=round(days * 24 / _HOURS_IN_YEAR, 4),
            passed=not missed and not counts["missing"] and alerts.false <= limit * days,
            false_alerts_limit=limit,
            missed=missed,
            missing=counts["missing"],
            tampers={kind: self._tampers(kind) for kind in sorted(self.caught.keys() | self.missed.keys())},
            alerts=alerts,
            heartbeats=Heartbeats(
                sent=counts["heartbeats_sent"],
                folded=counts["heartbeats_folded"],
                accepted=counts["heartbeats_accepted"],
                refused=_sorted(self.refused),
            ),
            records=_sorted(self.records),
            alarm_latency_s=spread(self.latencies),
            heartbeats_per_tag_day=spread(self.beats),
            wall_s_per_tag_day=spread(self.wall),
            missed_tampers=_first(self.missed_ones),
            false_alerts=_first(self.false_ones),
            digest=self._digest(),
        )

    def _tampers(self, kind: str) -> Tampers:
        after = self.caught.get(kind, [])
        return Tampers(
            sown=len(after) + self.missed[kind], told=len(after), missed=self.missed[kind], after_s=spread(after)
        )

    def _alerts(self) -> Alerts:
        days = self.person_days
        total = sum(codes.total() for codes in self.causes.values())
        false = self.causes.get("", Counter[str]()).total()
        return Alerts(
            total=total,
            per_person_day=_rate(total, days),
            false=false,
            false_per_person_day=_rate(false, days),
            by_cause={cause: _sorted(self.causes[cause]) for cause in sorted(self.causes)},
            days_without=max(0.0, round(days - len(self.alert_days), 4)),
            days_with_false=len(self.false_days),
        )

    def _digest(self) -> str:
        whole = hashlib.sha256()
        for number in sorted(self.digests):
            whole.update(f"{number} {self.digests[number]}\n".encode())
        return "sha256:" + whole.hexdigest()


def spread(values: Iterable[float]) -> Spread:
    ordered = sorted(values)
    if not ordered:
        return Spread(count=0, p50=None, p90=None, p99=None, max=None)
    p50, p90, p99 = (round(nearest_rank(ordered, percent), 4) for percent in (50, 90, 99))
    return Spread(count=len(ordered), p50=p50, p90=p90, p99=p99, max=round(ordered[-1], 4))


def _rate(count: int, days: float) -> float:
    return round(count / days, 6) if days else 0.0


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: counts[name] for name in sorted(counts)}


def _first(ones: list[Named]) -> tuple[Named, ...]:
    return tuple(sorted(ones, key=lambda one: (one.home, one.t_s, one.code))[:WORST])
