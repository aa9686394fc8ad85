"""The gateway's metrics for Prometheus: one table, from which the page, the scrape and the documentation are made."""

import platform
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from strapline_gateway.vitals import Vitals

PREFIX = "strapline_gateway"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_STATES = ("closed", "up", "quiet", "deaf", "down")

Samples = Iterable[tuple[tuple[str, ...], float]]


class Row(NamedTuple):
    """One metric. A counter's name gets `_total` behind it."""

    name: str
    kind: type[GaugeMetricFamily] | type[CounterMetricFamily]
    meaning: str
    labels: tuple[str, ...]
    samples: Callable[[Vitals], Samples]

    @property
    def full_name(self) -> str:
        return f"{PREFIX}_{self.name}" + ("_total" if self.kind is CounterMetricFamily else "")


def _one(value: Callable[[Vitals], float | None]) -> Callable[[Vitals], Samples]:
    def samples(vitals: Vitals) -> Samples:
        found = value(vitals)
        return [] if found is None else [((), float(found))]

    return samples


def _rejected(vitals: Vitals) -> Iterator[tuple[tuple[str, ...], float]]:
    for side, reasons in (("radio", vitals.traffic.rejected_frames), ("broker", vitals.traffic.rejected_messages)):
        for reason, count in sorted(reasons.items()):
            yield (side, reason), count


def _states(vitals: Vitals) -> Iterator[tuple[tuple[str, ...], float]]:
    for link in vitals.links:
        for state in _STATES:
            yield (link.name, state), float(link.state == state)


def _gauge(name: str, meaning: str, samples: Callable[[Vitals], Samples], labels: tuple[str, ...] = ()) -> Row:
    return Row(name, GaugeMetricFamily, meaning, labels, samples)


def _counter(name: str, meaning: str, samples: Callable[[Vitals], Samples], labels: tuple[str, ...] = ()) -> Row:
    return Row(name, CounterMetricFamily, meaning, labels, samples)


ROWS = (
    _gauge(
        "outbox_records",
        "Records that wait for the centre's receipt",
        lambda v: [((lane,), float(count)) for lane, count in v.outbox.held().items()],
        ("lane",),
    ),
    _gauge("outbox_oldest_alarm_seconds", "Age of the oldest alarm that waits, or 0", _one(lambda v: v.outbox.oldest_alarm_s or 0)),
    _gauge("outbox_bytes", "Disk that the outbox uses", _one(lambda v: v.outbox.used_bytes)),
    _gauge("outbox_limit_bytes", "Disk that it may use", _one(lambda v: v.outbox.limit_bytes)),
    _gauge("outbox_writable", "1 where the outbox could be written when it was last tried", _one(lambda v: v.outbox.writable)),
    _counter("disk_faults", "Times that the outbox could not be written", _one(lambda v: v.outbox.disk_faults)),
    _counter("dropped_positions", "Positions that went because the outbox was full", _one(lambda v: v.outbox.dropped_positions)),
    _counter("published", "Records published, repetitions included", _one(lambda v: v.traffic.published)),
    _counter("receipted", "Records for which the centre's receipt came", _one(lambda v: v.traffic.receipted)),
    _counter("refused", "Records that the centre cannot open", _one(lambda v: v.traffic.refused)),
    _counter("accepted_frames", "Genuine frames of tags", _one(lambda v: v.traffic.accepted)),
    _counter("rejected", "What was not taken, by side (radio, broker) and reason", _rejected, ("side", "reason")),
    _gauge("link_state", "1 for the state in which the link is", _states, ("link", "state")),
    _gauge("link_connections", "Connections with tags", lambda v: [((k.name,), k.connections) for k in v.links], ("link",)),
    _gauge(
        "link_silent_seconds",
        "Since anybody was heard on the link",
        lambda v: [((k.name,), k.heard_s_ago) for k in v.links if k.heard_s_ago is not None],
        ("link",),
    ),
    _counter("link_restarts", "Times that the link was begun anew", lambda v: [((k.name,), k.restarts) for k in v.links], ("link",)),
    _counter(
        "link_failures",
        "What went wrong on the link, by kind",
        lambda v: [((k.name, kind), count) for k in v.links for kind, count in sorted(k.failures.items())],
        ("link", "kind"),
    ),
    _gauge("tags_enrolled", "Tags that this gateway holds keys of", _one(lambda v: len(v.tags))),
    _gauge("tags_present", "Tags that are here", _one(lambda v: v.present)),
    _gauge("broker_connected", "1 while the broker is there", _one(lambda v: v.broker.connected)),
    _gauge("certificate_days", "Until the client certificate expires", _one(lambda v: v.broker.certificate_days)),
    _gauge("centre_silent", "1 while the centre says nothing (R55)", _one(lambda v: v.centre.silent)),
    _gauge("centre_silent_seconds", "Since the centre was heard", _one(lambda v: v.centre.heard_s_ago)),
    _gauge("clock_synchronised", "1 where the system says that its clock follows the time", _one(lambda v: v.clock == "synchronised")),
    _gauge("start_time_seconds", "When this process began, since 1970", _one(lambda v: v.started_utc_s)),
    _gauge("build_info", "1, with the version", lambda v: [((v.version, platform.python_version()), 1.0)], ("version", "python")),
)  # fmt: skip


class _Vitals(Collector):
    def __init__(self, look: Callable[[], Vitals]) -> None:
        self._look = look

    def collect(self) -> Iterator[Metric]:
        vitals = self._look()
        for row in ROWS:
            family = row.kind(f"{PREFIX}_{row.name}", row.meaning, labels=row.labels)
            for labels, value in row.samples(vitals):
                family.add_metric(labels, value)
            yield family


class Metrics:
    """A page of metrics; `look` is called for each."""

    def __init__(self, look: Callable[[], Vitals]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Vitals(look))

    def page(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)


def reference() -> str:
    """The table as Markdown."""
    lines = ["| metric | labels | meaning |", "|---|---|---|"]
    lines += [
        f"| `{row.full_name}` | {', '.join(f'`{label}`' for label in row.labels)} | {row.meaning} |" for row in ROWS
    ]
    return "\n".join(lines) + "\n"
