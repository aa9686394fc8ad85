"""Looks at a gateway's parts: vitals for the status command, for metrics, for readiness."""

import asyncio
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version

from strapline_gateway.assembly import Assembly
from strapline_gateway.config import Config
from strapline_gateway.metrics import CONTENT_TYPE, Metrics
from strapline_gateway.status import TagStatus
from strapline_gateway.vitals import (
    BrokerVitals,
    CentreVitals,
    LinkVitals,
    OutboxVitals,
    Traffic,
    Trouble,
    Vitals,
    plain,
    troubles,
)
from strapline_protocol.broker import parse_broker_url
from strapline_protocol.contract import utc_text
from strapline_protocol.errors import UserError
from strapline_protocol.tls import expiries
from strapline_protocol.web_pages import Page, Pages


class Look:
    """At one gateway; `writable()` says whether its outbox could be written when it was last tried."""

    def __init__(self, config: Config, parts: Assembly, writable: Callable[[], bool]) -> None:
        self._config = config
        self._parts = parts
        self._writable = writable
        self._started = time.time()
        self._began = time.monotonic()
        self._certificate_ends = _first_to_end(config.broker.url)

    def tags(self) -> list[TagStatus]:
        return self._parts.station.status(_now())

    def vitals(self) -> Vitals:
        config, relay = self._config, self._parts.relay.status()
        return Vitals(
            gateway=config.gateway.id,
            version=_version(),
            profile=config.gateway.profile,
            pid=os.getpid(),
            started=utc_text(datetime.fromtimestamp(self._started, UTC)),
            started_utc_s=self._started,
            uptime_s=time.monotonic() - self._began,
            clock=relay.clock,
            broker=BrokerVitals(
                place=parse_broker_url(config.broker.url).place,
                connected=relay.connected,
                trouble=self._parts.client.trouble,
                certificate_days=self._certificate_days(),
            ),
            centre=CentreVitals(_ago(self._parts.relay.beat_heard_at), relay.centre_silent),
            outbox=OutboxVitals(
                alarms=relay.alarms_waiting,
                history=relay.history_waiting,
                oldest_alarm_s=relay.oldest_alarm_age_s,
                used_bytes=relay.outbox_bytes,
                limit_bytes=relay.outbox_limit_bytes,
                dropped_positions=relay.dropped_positions,
                disk_faults=self._parts.gateway.disk_faults,
                writable=self._writable(),
            ),
            traffic=Traffic(
                published=relay.published,
                receipted=relay.receipted,
                refused=relay.refused,
                accepted=self._parts.station.accepted,
                rejected_frames=dict(self._parts.station.rejected),
                rejected_messages=dict(relay.rejected),
            ),
            links=tuple(self._links()),
            tags=tuple(self.tags()),
        )

    def troubles(self) -> list[Trouble]:
        return troubles(self.vitals(), self._config.health.alarm_overdue_s)

    def line(self) -> str:
        """One line for systemd and the log."""
        vitals = self.vitals()
        broker = "broker connected" if vitals.broker.connected else "no broker"
        waiting = f"{vitals.outbox.alarms} alarms and {vitals.outbox.history} more wait"
        return f"{vitals.present} of {len(vitals.tags)} tags here, {waiting}, {broker}"

    def _links(self) -> list[LinkVitals]:
        return [
            LinkVitals(
                one.name, str(one.state), one.connections, _ago(one.last_heard_s), one.restarts, dict(one.failures)
            )
            for one in self._parts.gateway.health()
        ]

    def _certificate_days(self) -> float | None:
        if self._certificate_ends is None:
            return None
        return (self._certificate_ends - datetime.now(UTC)).total_seconds() / 86400


def pages(look: Look) -> Pages:
    """What is served over HTTP."""
    metrics = Metrics(look.vitals)

    def ready() -> Page:
        found = look.troubles()
        status = HTTPStatus.SERVICE_UNAVAILABLE if found else HTTPStatus.OK
        return _json_page(status, {"ready": not found, "reasons": plain(found)})

    return {
        "/metrics": lambda: Page(HTTPStatus.OK, CONTENT_TYPE, metrics.page()),
        "/healthz": lambda: _json_page(HTTPStatus.OK, {"alive": True}),
        "/readyz": ready,
    }


def _json_page(status: HTTPStatus, data: object) -> Page:
    return Page(status, "application/json", json.dumps(data).encode() + b"\n")


def _first_to_end(url: str) -> datetime | None:
    try:
        return min((one.ends for one in expiries(url)), default=None)
    except UserError:  # the connection will tell
        return None


def _ago(at: float | None) -> float | None:
    return None if at is None else max(0.0, _now() - at)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _version() -> str:
    try:
        return version("strapline")
    except PackageNotFoundError:
        return "unknown"
