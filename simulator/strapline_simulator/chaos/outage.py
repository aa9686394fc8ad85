"""Days without a broker, then recovery: alarms first, history after them and marked as such, each lane in its order, nothing lost."""

import json
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from strapline_protocol import contract
from strapline_simulator.chaos.plan import DAY_S, HOUR_S, Plan
from strapline_simulator.chaos.process import Nursery
from strapline_simulator.chaos.run import scratch
from strapline_simulator.chaos.timeline import EPOCH_S
from strapline_simulator.chaos.verdict import Verdict, judge
from strapline_simulator.chaos.world import HOME, Fault, World

_EPOCH = datetime.fromtimestamp(EPOCH_S, UTC)

_OUT_S = 8 * HOUR_S
"""So long is the wearer away each day: a position every few minutes."""

_SETTINGS = (
    ("away_fix_s", 180),
    ("violation_fix_s", 180),
    ("heartbeat_shortest_ms", 9000),
    ("quick_spacing_ms", 10000),
)
"""R25 counts a position each three minutes; heartbeats seldom, because ten days of them cost most of this time and show nothing."""

_OLD = timedelta(hours=1)


class Outage(NamedTuple):
    """What an outage has shown. `backlog` is what the outbox held when the broker came back."""

    days: float
    backlog: int
    backlog_alarms: int
    alarms_in_s: float
    """From the connection until the centre had the last alarm of the outage."""
    drained_in_s: float
    alarms_first: bool
    not_marked: int
    """Records that were published an hour after they were heard, or later, without `historical`."""
    verdict: Verdict
    wall_s: float

    @property
    def passed(self) -> bool:
        return not self.verdict.wrong and self.alarms_first and not self.not_marked

    def summary(self) -> dict[str, Any]:
        """For JSON."""
        wrong = [f"{one.what}: {one.detail}" for one in self.verdict.wrong]
        wrong += [] if self.alarms_first else ["order: history came before an alarm of the outage"]
        wrong += [f"marked: {self.not_marked} records without `historical`"] if self.not_marked else []
        return {
            "name": f"outage of {self.days:g} days",
            "passed": self.passed,
            "backlog": self.backlog,
            "backlog_alarms": self.backlog_alarms,
            "alarms_in_s": round(self.alarms_in_s, 2),
            "drained_in_s": round(self.drained_in_s, 2),
            "recorded": self.verdict.recorded,
            "missing": self.verdict.missing,
            "duplicates_stored": self.verdict.duplicates_stored,
            "tombstoned": self.verdict.tombstoned,
            "alarms": len(self.verdict.alarms),
            "wrong": wrong,
            "reproduce": f"strapline chaos --runs 0 --outage-days {self.days:g}",
            "wall_s": round(self.wall_s, 1),
        }


def run_outage(days: float) -> Outage:
    """A wearer comes and goes, the strap opens now and then, and the gateway's line to the broker is dead all the while."""
    begun = time.perf_counter()
    plan = Plan(0, days * DAY_S, 1, False, (), 1e9, 1000, 65536, orderly=True, settings=_SETTINGS)
    with tempfile.TemporaryDirectory(prefix="strapline-outage-", dir=scratch()) as folder, Nursery() as nursery:
        world = World(plan, Path(folder), nursery)
        try:
            world.begin()
            base = world.bases[HOME]
            world.cut_off(base)
            cut_at = world.timeline.now
            _live(world, days)
            base.tell("status")
            backlog = base.status[0]
            held = [key for wearer in world.wearers.values() for key in wearer.truth.items()]
            alarms = {key for key, recorded in held if recorded.alarm and recorded.at > cut_at}
            before = len(world.centre.arrived)
            published = len(base.published)
            world.join(base)
            back_at = world.timeline.now
            world.faults.append(Fault("mqtt cut", cut_at, back_at))
            world.recover()
            verdict = judge(world)
            late = world.centre.arrived[before:]
            arrived = {(a.entry.journal, a.entry.sequence): a.at for a in late if a.entry.source in world.wearers}
            told = _told(base.published[published:])
            back = _EPOCH + timedelta(seconds=back_at)
            return Outage(
                days=days,
                backlog=backlog,
                backlog_alarms=len(alarms),
                alarms_in_s=max((arrived[key] for key in alarms), default=back_at) - back_at,
                drained_in_s=max((a.at for a in late), default=back_at) - back_at,
                alarms_first=_alarms_first(told, back),
                not_marked=sum(one.published - one.heard > _OLD and not one.historical for one in told),
                verdict=verdict,
                wall_s=time.perf_counter() - begun,
            )
        finally:
            world.close()


def _live(world: World, days: float) -> None:
    begun = world.timeline.now
    for day in range(int(days)):
        world.timeline.run(begun + day * DAY_S + 8 * HOUR_S)
        world.walk_out()
        world.timeline.run(begun + day * DAY_S + 8 * HOUR_S + _OUT_S)
        world.walk_in()
        world.timeline.run(begun + day * DAY_S + 20 * HOUR_S)
        world.pull_strap(is_open=True)
        world.timeline.run(world.timeline.now + 60)
        world.pull_strap(is_open=False)
    world.timeline.run(begun + days * DAY_S)


class _Told(NamedTuple):
    """A tag's record as the gateway published it."""

    alarm: bool
    historical: bool
    heard: datetime
    published: datetime


def _told(published: list[tuple[str, bytes]]) -> list[_Told]:
    told = []
    for topic, payload in published:
        if contract.parse_topic(topic).channel in ("event", "position"):
            body = json.loads(payload)
            heard, said = contract.moment(body["data"], "heard"), contract.moment(body, "time")
            told.append(_Told(body["data"]["alarm"], body.get("historical", False), heard, said))
    return told


def _alarms_first(told: list[_Told], back: datetime) -> bool:
    """Of what the gateway held when the broker came back. More alarms may come from the tag as soon as receipts make room for them."""
    held = [one.alarm for one in told if one.heard < back]
    return held == sorted(held, reverse=True)
