"""What one run is like: how long, how many tags, and which faults may come how often; all of it drawn from the seed."""

from random import Random
from typing import NamedTuple

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86400.0

FAULTS = (
    "kill",
    "kill at work",
    "broker restart",
    "broker forgets",
    "mqtt cut",
    "link cut",
    "out of reach",
    "no coverage",
    "centre away",
    "centre restart",
    "clock jump",
    "disk full",
    "rough delivery",
    "radio loss",
    "tag power cut",
)

LOSING = frozenset({"broker forgets", "centre away", "centre restart", "rough delivery", "disk full"})
"""What makes a broker lose or reorder messages, or a gateway keep none: without these the ledger's own order is that of each lane."""


class Plan(NamedTuple):
    """One run."""

    seed: int
    duration_s: float
    tags: int
    ingress: bool
    faults: tuple[str, ...]
    pause_s: float
    """Between two faults, on average."""
    queue_limit: int
    journal_bytes: int
    orderly: bool
    """None of the faults that make order impossible."""
    settings: tuple[tuple[str, int], ...] = ()
    """Of the tags, beside what the run needs."""


def draw_plan(seed: int) -> Plan:
    """The run that belongs to this seed."""
    dice = Random(f"{seed}/plan")
    duration_s = _duration_s(dice)
    orderly = dice.random() < 0.2
    allowed = [fault for fault in FAULTS if not (orderly and fault in LOSING)]
    # Every run kills gateways, more often than anything else; of the rest each has some, so that faults meet in all combinations.
    chosen = [
        "kill",
        *["kill at work"] * 3,
        *(fault for fault in allowed if "kill" not in fault and dice.random() < 0.7),
    ]
    pause_s = dice.uniform(20, 90) if duration_s <= 2 * HOUR_S else duration_s / dice.uniform(60, 150)
    return Plan(
        seed=seed,
        duration_s=duration_s,
        tags=dice.choice((1, 1, 2)) if duration_s <= 2 * HOUR_S else 1,
        ingress=dice.random() < 0.5,
        faults=tuple(chosen),
        pause_s=pause_s,
        queue_limit=1000 if orderly else dice.choice((1000, 20, 5)),
        journal_bytes=dice.choice((65536, 65536, 4608)),
        orderly=orderly,
    )


def _duration_s(dice: Random) -> float:
    share = dice.random()
    if share < 0.5:
        return dice.uniform(10, 30) * MINUTE_S
    if share < 0.85:
        return dice.uniform(0.5, 2) * HOUR_S
    if share < 0.97:
        return dice.uniform(4, 12) * HOUR_S
    return dice.uniform(1, 3) * DAY_S
