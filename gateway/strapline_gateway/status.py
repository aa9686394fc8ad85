"""What anybody who runs a gateway may see of its tags."""

from typing import NamedTuple

from strapline_gateway.enrolment import Enrolled
from strapline_gateway.presence import PresenceLimits, class_of


class TagStatus(NamedTuple):
    """One tag; no keys."""

    tag: str
    present: bool
    verified: bool
    """A session has proved its uptime since the gateway started."""
    rssi_dbm: int | None
    range_class: str
    lost_percent: int
    """Of its heartbeats, lately."""
    heard_s_ago: float | None
    contact_s_ago: float | None
    boot: int | None
    key_generation: int
    next_generations: tuple[int, ...]
    connected: bool
    mail: int
    """Commands that wait for it."""


def status_of(enrolled: Enrolled, limits: PresenceLimits, now: float) -> TagStatus:
    rssi_dbm = enrolled.rssi_dbm
    return TagStatus(
        tag=enrolled.tag,
        present=enrolled.present,
        verified=enrolled.offset_s is not None,
        rssi_dbm=None if rssi_dbm is None else round(rssi_dbm),
        range_class="" if rssi_dbm is None else class_of(rssi_dbm, limits, enrolled.told_class),
        lost_percent=round(100 * enrolled.loss),
        heard_s_ago=_ago(enrolled.heard_at, now),
        contact_s_ago=_ago(enrolled.contact_at, now),
        boot=enrolled.boot,
        key_generation=enrolled.keys.generation,
        next_generations=tuple(sorted(enrolled.next_keys)),
        connected=enrolled.link is not None,
        mail=len(enrolled.mailbox),
    )


def _ago(at: float, now: float) -> float | None:
    return None if at == float("-inf") else round(now - at, 1)
