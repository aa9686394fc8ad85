"""What a home of a fleet is given, and what it gives back. Both travel between processes, so they are plain values."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple


class Stimulus(NamedTuple):
    """Something happens to one tag, or to its home: a moment, a verb of the scenario language, and its argument in plain values."""

    t_s: float
    """Seconds since the home's start."""
    verb: str
    argument: Any


class Sown(NamedTuple):
    """A tamper that a life holds, and what must be told of it."""

    t_s: float
    kind: str
    """Such as `strap_cut`, `bypassed`, `case_opened`, `shielded`, `left_in_curfew`."""
    alarms: tuple[str, ...]
    """Event codes of which one must be at the centre …"""
    within_s: float
    """… so soon after it."""


class TagSpec(NamedTuple):
    """One tag and the life of its wearer."""

    ident: str
    """Eight hexadecimal digits."""
    profile: str
    settings: Mapping[str, int]
    """Of the tag; they go before the profile's."""
    stimuli: tuple[Stimulus, ...]
    """In the order of their times."""
    sown: tuple[Sown, ...] = ()


class HomeSpec(NamedTuple):
    """One home: a base station and the tags that live there. The unit of work of a fleet."""

    number: int
    seed: int
    start: datetime
    hours: float
    zone: str
    home: tuple[float, float]
    """Where the base station stands: latitude and longitude, degrees (WGS 84)."""
    tags: tuple[TagSpec, ...]
    fold: bool = False
    """Whether quiet stretches may be folded."""


class Told(NamedTuple):
    """An alert that the centre raised."""

    tag: str
    t_s: float
    code: str
    cause: str
    """What of the life explains it: the kind of a `Sown`, or of what the wearer did; empty where nothing does, and the alert is false."""


class HomeResult(NamedTuple):
    """What came of one home."""

    number: int
    tags: int
    person_days: float
    heartbeats_sent: int
    """Built and sealed by the firmware; those of folded stretches are not among them."""
    heartbeats_folded: int
    """Worked out, and not built."""
    heartbeats_accepted: int
    refused: Mapping[str, int]
    """Heartbeats that the gateway refused, by reason."""
    records: Mapping[str, int]
    """In the ledger, by event code; `fix` for positions."""
    missing: int
    """Records that a tag made and that are not in the ledger, of those due."""
    alerts: tuple[Told, ...]
    caught: tuple[tuple[Sown, float], ...]
    """Tampers that were told, and after how many seconds."""
    missed: tuple[tuple[str, Sown], ...]
    """Tampers that were not: tag and tamper."""
    latencies_s: tuple[float, ...]
    """From each alarm's event to the centre, simulated."""
    digest: str
    """SHA-256 of all that was decided: records, alerts, presence, each with its moment."""
    wall_s: float
