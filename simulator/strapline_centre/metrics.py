"""What Prometheus and health checks ask of a centre."""

import json
from collections.abc import Iterator
from http import HTTPStatus
from importlib.metadata import version

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from strapline_centre.centre import Centre
from strapline_centre.service import CentreService
from strapline_protocol.web_pages import Page, Pages

_TEXT = "text/plain; version=0.0.4; charset=utf-8"


class CentreCollector(Collector):
    """Reads the centre at each scrape."""

    def __init__(self, centre: Centre, service: CentreService) -> None:
        self._centre = centre
        self._service = service

    def collect(self) -> Iterator[Metric]:
        centre, service = self._centre, self._service
        yield InfoMetricFamily("strapline_centre_build", "Version", value={"version": version("strapline")})
        yield _gauge("broker_connected", "1: there is a broker", service.connected)
        yield _gauge("ledger_writable", "1: the ledger takes what comes", not service.ledger_trouble)
        yield _gauge("waiting", "Messages that wait for the ledger", centre.waiting)
        yield _gauge("gateways", "Gateways that are known", len(centre.gateways))
        silent = sum(map(centre.sentry.watch.is_silent, centre.gateways))
        yield _gauge("gateways_silent", "Gateways that nothing is heard of", silent)
        yield _gauge("tags_monitored", "Tags that are armed", sum(centre.monitored.values()))
        yield _counter("messages", "Messages from gateways", service.received)
        yield _counter("duplicates", "Records that came again", centre.ledger.duplicates)
        yield _counter("conflicts", "Records that came again with other content", centre.ledger.conflicts)
        yield _counter("dropped", "Messages that came while too many waited; they are sent again", centre.dropped)
        rejected = CounterMetricFamily("strapline_centre_rejected", "Messages that were not taken", labels=["reason"])
        for reason, count in centre.rejected.items():
            rejected.add_metric([reason], count)
        yield rejected
        passages = CounterMetricFamily(
            "strapline_centre_passages",
            "Messages that were dropped, late or repeated on their way",
            labels=["gateway", "how"],
        )
        for (gateway, how), count in centre.desk.passages.counts.items():
            passages.add_metric([gateway, how], count)
        yield passages
        unexplained = CounterMetricFamily(
            "strapline_centre_unexplained_drops",
            "Of the messages that were dropped, those that no broken connection explains",
            labels=["gateway"],
        )
        for gateway, count in centre.desk.passages.unexplained.items():
            unexplained.add_metric([gateway], count)
        yield unexplained
        alerts = GaugeMetricFamily(
            "strapline_centre_alerts_open", "Alerts that nobody has acknowledged", labels=["code"]
        )
        by_code: dict[str, int] = {}
        for alert in centre.alerts.open:
            by_code[alert.code] = by_code.get(alert.code, 0) + 1
        for code, count in by_code.items():
            alerts.add_metric([code], count)
        yield alerts
        oldest = min((alert.raised_utc for alert in centre.alerts.open), default=None)
        age_s = 0.0 if oldest is None else (centre.utc() - oldest).total_seconds()
        yield _gauge("alert_oldest_seconds", "Age of the oldest open alert", age_s)


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"strapline_centre_{name}", about, value=float(value))


def _counter(name: str, about: str, value: float) -> Metric:
    return CounterMetricFamily(f"strapline_centre_{name}", about, value=float(value))


def trouble(service: CentreService) -> list[str]:
    """Why nothing is taken at the moment; empty: it is."""
    away = [] if service.connected else ["no broker"]
    return [*away, *([service.ledger_trouble] if service.ledger_trouble else [])]


def pages(centre: Centre, service: CentreService) -> Pages:
    """`/metrics`, `/healthz` (the loop turns) and `/readyz` (503 with reasons where nothing is taken)."""
    registry = CollectorRegistry()
    registry.register(CentreCollector(centre, service))

    def ready() -> Page:
        reasons = trouble(service)
        status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
        content = json.dumps({"ready": not reasons, "reasons": reasons}) + "\n"
        return Page(status, "application/json", content.encode())

    return {
        "/metrics": lambda: Page(HTTPStatus.OK, _TEXT, generate_latest(registry)),
        "/healthz": lambda: Page(HTTPStatus.OK, "application/json", b'{"live": true}\n'),
        "/readyz": ready,
    }
