"""How a gateway is, in one look: what status, metrics and readiness are made of. No keys, no records."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

from strapline_gateway.status import TagStatus

LANES = ("alarm", "history")


class LinkVitals(NamedTuple):
    """One link."""

    name: str
    state: str
    connections: int
    heard_s_ago: float | None
    restarts: int
    failures: Mapping[str, int]


class OutboxVitals(NamedTuple):
    """What waits for the centre's receipt."""

    alarms: int
    history: int
    oldest_alarm_s: float | None
    """So long the oldest alarm waits."""
    used_bytes: int
    limit_bytes: int
    dropped_positions: int
    disk_faults: int
    """How often it could not be written since the start."""
    writable: bool

    def held(self) -> dict[str, int]:
        """By lane."""
        return dict(zip(LANES, (self.alarms, self.history), strict=True))


class BrokerVitals(NamedTuple):
    """The way to the centre."""

    place: str
    connected: bool
    trouble: str
    """What is in the way; empty where nothing is known."""
    certificate_days: float | None = None
    """Until the certificate that this gateway shows expires; None where it shows none."""


class CentreVitals(NamedTuple):
    """Whether anybody is at the other end."""

    heard_s_ago: float | None
    silent: bool


class Traffic(NamedTuple):
    """Since the start."""

    published: int
    receipted: int
    refused: int
    """Records that the centre cannot open."""
    accepted: int
    """Frames of tags."""
    rejected_frames: Mapping[str, int]
    rejected_messages: Mapping[str, int]


class Vitals(NamedTuple):
    """All of it."""

    gateway: str
    version: str
    profile: str
    pid: int
    started: str
    started_utc_s: float
    uptime_s: float
    clock: str
    broker: BrokerVitals
    centre: CentreVitals
    outbox: OutboxVitals
    traffic: Traffic
    links: tuple[LinkVitals, ...]
    tags: tuple[TagStatus, ...]

    @property
    def present(self) -> int:
        return sum(tag.present for tag in self.tags)


class Trouble(NamedTuple):
    """Why a gateway does not do all that it is there for."""

    code: str
    text: str


def troubles(vitals: Vitals, alarm_overdue_s: float) -> list[Trouble]:
    """The gravest first; empty where all is well."""
    found = []
    outbox, waits_s = vitals.outbox, vitals.outbox.oldest_alarm_s
    if waits_s is not None and waits_s > alarm_overdue_s:
        text = f"an alarm waits for {waits_s:.0f} s, more than {alarm_overdue_s:.0f} s; look at broker and centre"
        found.append(Trouble("alarm_overdue", text))
    if not outbox.writable:
        found.append(Trouble("disk", "the outbox cannot be written; make room on the disk of the state folder"))
    if not vitals.broker.connected:
        why = f" ({vitals.broker.trouble})" if vitals.broker.trouble else ""
        found.append(Trouble("broker_away", f"no connection to {vitals.broker.place}{why}"))
    elif vitals.centre.silent:
        found.append(Trouble("centre_silent", "the broker is there, and the centre says nothing"))
    away = [link for link in vitals.links if link.state in ("deaf", "down")]
    found += [Trouble(f"link_{one.state}", f"{one.name} is {one.state}; it is tried again and again") for one in away]
    return found


def plain(value: Any) -> Any:
    """For JSON: named tuples as objects, everything else as it is."""
    if hasattr(value, "_asdict"):
        return {name: plain(one) for name, one in value._asdict().items()}
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, Enum):
        return value.value
    return round(value, 3) if isinstance(value, float) else value
