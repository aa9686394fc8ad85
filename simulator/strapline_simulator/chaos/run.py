"""One seed, one run, one result."""

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from strapline_simulator.chaos.plan import Plan, draw_plan
from strapline_simulator.chaos.process import PROGRAM, Nursery
from strapline_simulator.chaos.verdict import Verdict, Wrong, judge
from strapline_simulator.chaos.world import World


class Result(NamedTuple):
    """What one run has shown."""

    plan: Plan
    verdict: Verdict
    digest: str
    """SHA-256 over everything that tags sent on the air and that gateways and centre published, each with its time."""
    kills_at_rest: int
    kills_at_work: int
    faults: dict[str, int]
    dropped_by_broker: int
    recovery_s: float
    wall_s: float

    @property
    def passed(self) -> bool:
        return not self.verdict.wrong

    @property
    def reproduce(self) -> str:
        return f"strapline chaos --seed {self.plan.seed}"

    def summary(self) -> dict[str, Any]:
        """For JSON."""
        verdict = self.verdict
        live = [alarm.arrived - alarm.recorded for alarm in verdict.alarms if alarm.live]
        return {
            "seed": self.plan.seed,
            "passed": self.passed,
            "simulated_s": round(self.plan.duration_s),
            "recorded": verdict.recorded,
            "missing": verdict.missing,
            "tombstoned": verdict.tombstoned,
            "duplicates_stored": verdict.duplicates_stored,
            "copies": verdict.copies,
            "alarms": len(verdict.alarms),
            "alarms_live": len(live),
            "worst_live_alarm_s": round(max(live, default=0.0), 3),
            "kills": self.kills_at_rest + self.kills_at_work,
            "kills_at_work": self.kills_at_work,
            "faults": self.faults,
            "dropped_by_broker": self.dropped_by_broker,
            "recovery_s": round(self.recovery_s),
            "wrong": [f"{one.what}: {one.detail}" for one in verdict.wrong],
            "reproduce": self.reproduce,
            "digest": self.digest,
            "wall_s": round(self.wall_s, 2),
        }


def run_seed(seed: int) -> Result:
    """Live through the run of this seed and judge it."""
    return run_plan(draw_plan(seed))


def run_plan(plan: Plan, program: Sequence[str] = PROGRAM) -> Result:
    """The same for any plan; `program` is the nursery's, for a gateway with a defect that must be found."""
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="strapline-chaos-", dir=scratch()) as folder, Nursery(program) as nursery:
        world = World(plan, Path(folder), nursery)
        try:
            world.begin()
            world.live_through()
            recovery_s = world.recover()
            verdict = judge(world)
            if not world.at_rest:
                verdict = verdict._replace(wrong=(*verdict.wrong, Wrong("unrest", _what_waits(world))))
            names = sorted({fault.name for fault in world.faults})
            return Result(
                plan=plan,
                verdict=verdict,
                digest=world.digest.hexdigest(),
                kills_at_rest=sum(base.kills["at rest"] for base in world.bases.values()),
                kills_at_work=sum(base.kills["at work"] for base in world.bases.values()),
                faults={name: sum(fault.name == name for fault in world.faults) for name in names},
                dropped_by_broker=world.broker.dropped,
                recovery_s=recovery_s,
                wall_s=time.perf_counter() - begun,
            )
        finally:
            world.close()


def _what_waits(world: World) -> str:
    tags = {w.ident: len(w.tag.journal) for w in world.wearers.values() if w.tag is not None}
    return f"still held by tags: {tags}, by outboxes: { {b.ident: b.status[0] for b in world.bases.values()} }"


def scratch() -> str | None:
    """Where files go: into memory where it has a file system, since a kill loses nothing that was written, synced or not."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - a folder of its own is made in it
