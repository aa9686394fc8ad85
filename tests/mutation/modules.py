"""Which modules decide: what they get wrong is an escape missed or an alarm that is none."""

import importlib.util
from pathlib import Path

TAG = (
    "battery",
    "beacon",
    "bearers",
    "broadcast",
    "curfew",
    "deadline",
    "dialogue",
    "enrolment",
    "housing",
    "motion",
    "positioning",
    "presence",
    "recorder",
    "sampling",
    "situation",
    "skin",
    "sky",
    "strap",
    "tag",
    "timekeeping",
    "uplink",
    "zones",
)
GATEWAY = (
    "calls",
    "centrewatch",
    "clockwatch",
    "connection",
    "conversations",
    "curfew",
    "deadlines",
    "enrolment",
    "house",
    "impostors",
    "jamming",
    "presence",
    "roster",
    "schedules",
    "station",
    "suspicion",
    "timeservice",
)
"""Not what only keeps or carries (journal, outbox, links, relay): that is held by runs with power cuts and kills, not by scenarios."""

MODULES = (*(f"strapline_tag.{name}" for name in TAG), *(f"strapline_gateway.{name}" for name in GATEWAY))

PROJECT = ("strapline_",)
"""How the names of all packages begin that may hold on to a module which is to be replaced."""


def path_of(module: str) -> Path:
    """Where its source is; it is not imported (its package is)."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise LookupError(f"no module {module}")
    return Path(spec.origin)


def source_of(module: str) -> str:
    return path_of(module).read_text(encoding="utf-8")
