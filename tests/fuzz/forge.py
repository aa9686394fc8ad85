"""Forges, replays, alters, cuts and crosses a million frames and messages, and counts how many got through (`make prove`).

Two attackers: a stranger who has recorded everything and holds no key, and a gateway gone bad that holds the broadcast, link and header
keys and its own for MQTT, and wants to forge records and commands. After every 16 forgeries of a frame the frame itself is delivered
and must be taken: a receiver that refuses everything proves nothing. Writes out/fuzz/forge.json and prints it as the last line; exits 1
where a forgery was taken or a genuine frame was not.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random
from typing import NamedTuple

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from rich.console import Console
from rich.table import Table

from fuzz.attacker import WAYS, Attacker
from fuzz.far_scene import FAR
from fuzz.rekey_scene import REKEY
from fuzz.scene import RADIO, Scene

ROOT = Path(__file__).resolve().parents[2]
COUNT = 1_000_000
SCENES = {scene.name: scene for scene in (*RADIO, *REKEY, *FAR)}
SHARES = dict.fromkeys(SCENES, 1) | {
    "heartbeats at the station": 4,
    "session frames at the station": 2,
    "session frames at the tag": 2,
}

FORGERIES_EACH = 16
"""Forgeries of a frame before the frame itself arrives."""

LIFE = 1024
"""Forgeries that one scene takes, before another begins under other keys."""

SHARD = 16 * LIFE
KEPT = 64
"""Frames seen, of which the next are spliced and replayed."""


class Shard(NamedTuple):
    """So many forgeries at one kind of receiver, from a seed."""

    scene: str
    count: int
    seed: str


class Tally(NamedTuple):
    """What came of them, by scene and way: forgeries tried and taken, genuine frames delivered and taken."""

    tried: Counter[tuple[str, str]]
    taken: Counter[tuple[str, str]]
    delivered: Counter[str]
    arrived: Counter[str]
    examples: list[str]

    def add(self, other: "Tally") -> None:
        for mine, theirs in zip(self[:4], other[:4], strict=True):
            mine.update(theirs)
        self.examples.extend(other.examples)


def empty() -> Tally:
    return Tally(Counter(), Counter(), Counter(), Counter(), [])


def attack(shard: Shard) -> Tally:
    """Run one shard: scenes one after the other, until the count is full."""
    tally, draw = empty(), Random(shard.seed)
    left = shard.count
    while left > 0:
        left -= one_scene(SCENES[shard.scene](draw), min(left, LIFE), draw, tally, shard.seed)
    return tally


def one_scene(scene: Scene, count: int, draw: Random, tally: Tally, seed: str) -> int:
    attacker, seen = Attacker(draw), []
    done = 0
    while done < count:
        genuine = scene.genuine()
        for _ in range(min(FORGERIES_EACH, count - done)):
            way, forged = forgery(scene, attacker, genuine, seen, draw)
            tally.tried[scene.name, way] += 1
            done += 1
            if scene.offer(forged):
                tally.taken[scene.name, way] += 1
                tally.examples.append(f"{scene.name}, {way}, seed {seed}: {forged.hex()} from {genuine.hex()}")
        tally.delivered[scene.name] += 1
        tally.arrived[scene.name] += scene.deliver(genuine)
        seen = [*seen, genuine][-KEPT:]
    scene.close()
    return done


def forgery(scene: Scene, attacker: Attacker, genuine: bytes, seen: list[bytes], draw: Random) -> tuple[str, bytes]:
    """(way, bytes): something altered, something that was received before, or something that is genuine elsewhere."""
    ways = [*WAYS, *scene.foreign, *(["replayed"] * 2 if scene.replayable and seen else [])]
    while True:
        way = draw.choice(ways)
        if way == "replayed":
            return way, draw.choice((seen[-1], draw.choice(seen)))
        forged = draw.choice(scene.foreign[way]) if way in scene.foreign else attacker.forge(way, genuine, seen)
        if scene.reaches(forged) and not any(scene.says_the_same(forged, one) for one in (genuine, *seen)):
            return way, forged


def shards(count: int, seed: int) -> Iterator[Shard]:
    """The whole work in pieces that take about as long."""
    whole, left = sum(SHARES.values()), count
    for at, (name, share) in enumerate(SHARES.items()):
        wanted = left if at == len(SHARES) - 1 else count * share // whole
        left -= wanted
        for part, start in enumerate(range(0, wanted, SHARD)):
            yield Shard(name, min(SHARD, wanted - start), f"{seed}/{name}/{part}")


def run(count: int, seed: int, jobs: int, *, say: bool = False) -> Tally:
    """All shards on so many processes."""
    whole, began, said = empty(), time.monotonic(), 0.0
    with ProcessPoolExecutor(jobs) as pool:
        for tally in pool.map(attack, shards(count, seed)):
            whole.add(tally)
            if say and time.monotonic() - said > 10.0:
                said = time.monotonic()
                done = sum(whole.tried.values())
                print(f"{done:,} of {count:,} after {said - began:.0f} s", file=sys.stderr, flush=True)
    return whole


def result_of(tally: Tally, seconds: float) -> dict[str, object]:
    """What is written as JSON."""
    scenes = {}
    for name, scene in SCENES.items():
        ways = {way: tried for (where, way), tried in sorted(tally.tried.items()) if where == name}
        taken = sum(count for (where, _), count in tally.taken.items() if where == name)
        genuine = {"delivered": tally.delivered[name], "taken": tally.arrived[name]}
        scenes[name] = {"attacker": scene.attacker, "forged": ways, "forged_taken": taken, "genuine": genuine}
    return {
        "forged": sum(tally.tried.values()),
        "forged_taken": sum(tally.taken.values()),
        "genuine": sum(tally.delivered.values()),
        "genuine_taken": sum(tally.arrived.values()),
        "seconds": round(seconds, 1),
        "scenes": scenes,
    }


def holds(tally: Tally) -> bool:
    """No forgery was taken, every genuine frame was, and no scene was left out."""
    return not tally.taken and tally.arrived == tally.delivered and set(tally.delivered) == set(SCENES)


def show(tally: Tally) -> None:
    """The table: a receiver a line, ways across; `crossed` is what is genuine elsewhere."""
    ways = [*WAYS, "replayed"]
    table = Table("receiver (attacker)", *ways, "crossed", "taken", "genuine taken")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, scene in SCENES.items():
        counts = [tally.tried[name, way] for way in ways]
        crossed = sum(count for (where, way), count in tally.tried.items() if where == name and way not in ways)
        taken = sum(count for (where, _), count in tally.taken.items() if where == name)
        told = [f"{count:,}" if count else "–" for count in [*counts, crossed]]
        control = f"{tally.arrived[name]:,} of {tally.delivered[name]:,}"
        table.add_row(f"{name} ({scene.attacker})", *told, str(taken), control)
    Console(width=170).print(table)
    for line in tally.examples[:5]:
        print("TAKEN:", line)


def main() -> int:
    parser = argparse.ArgumentParser(usage=argparse.SUPPRESS, description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=COUNT, help="forgeries together (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the attackers (%(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (%(default)s)")
    chosen = parser.parse_args()
    if chosen.count < 100 * len(SCENES) or chosen.jobs < 1:
        parser.error(f"--count begins at {100 * len(SCENES)} and --jobs at 1")
    began = time.monotonic()
    tally = run(chosen.count, chosen.seed, chosen.jobs, say=True)
    show(tally)
    result = result_of(tally, time.monotonic() - began)
    folder = ROOT / "out" / "fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "forge.json").write_text(json.dumps(result) + "\n", encoding="utf-8")
    print(json.dumps(result))
    return 0 if holds(tally) else 1


if __name__ == "__main__":
    sys.exit(main())
