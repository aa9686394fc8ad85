"""What a run's page shows beyond its report: the wearer's truth, the curves and the path; nothing that a verdict rests on.

All `t_s` are simulated seconds since `start_utc`.
"""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Story:
    """The material of a page; every list is in the order of time and may be empty, and what is empty is not drawn."""

    start_utc: datetime
    """When the scenario starts; aware."""
    tz_name: str
    """The IANA name of the wearer's time zone."""
    skin_c: list[tuple[float, float]] = field(default_factory=list)
    """(t_s, °C) at the tag's skin sensor."""
    ambient_c: list[tuple[float, float]] = field(default_factory=list)
    """(t_s, °C) at the tag's outward sensor."""
    strap_ohm: list[tuple[float, float | None]] = field(default_factory=list)
    """(t_s, Ω) of the strap's loop; None while it is open."""
    states: list[tuple[float, float, str]] = field(default_factory=list)
    """(t0_s, t1_s, label) of the tag's state, such as "home", "away", "violation"."""
    truths: list[tuple[float, str]] = field(default_factory=list)
    """(t_s, text): what the world did, such as "strap cut"."""
    track: list[tuple[float, float, float]] = field(default_factory=list)
    """(t_s, latitude, longitude) of the wearer's true path, in degrees."""
    places: list[tuple[str, float, float, float]] = field(default_factory=list)
    """(name, latitude, longitude, radius) in degrees and metres."""
    alerts: list[tuple[float, str, str]] = field(default_factory=list)
    """(t_s, code, text) of what the centre raised."""
    alarm_latencies: list[tuple[str, float, float]] = field(default_factory=list)
    """(code, t_s at the tag, seconds to the centre) of every alarm."""
    heard: list[tuple[float, float]] = field(default_factory=list)
    """(t_s, RSSI in dBm) of every frame that the gateway heard."""
