"""Does the same seed give the same bytes? `python -m strapline_simulator.catalogue.determinism`, or `make determinism`.

Scenarios at random, each several times, in interpreters with other hash seeds, alone and side by side: every run of a scenario must leave
the same report (but for times of the clock on the wall) and the same trace, to the byte.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from strapline_simulator.catalogue.digest import report_digest
from strapline_simulator.catalogue.random_scenario import random_scenario
from strapline_simulator.simulation import Options, run_scenario
from strapline_simulator.unlogged import unlogged
from strapline_simulator.workers import worker_pool

_HASH_SEEDS = ("0", "4711")
_JOBS = (1, 2)


def run_digest(number: int, body: str, air: str = "ble") -> str:
    """One run of one random scenario: the digests of its report and of its trace."""
    with tempfile.TemporaryDirectory() as folder:
        result = run_scenario(random_scenario(number), Options(body=body, folder=Path(folder), air=air))
        trace = hashlib.sha256((Path(folder) / "trace.pcapng").read_bytes()).hexdigest()
    return f"report {report_digest(result.report)}, trace sha256:{trace}"


@unlogged()
def run_digests(numbers: Sequence[int], runs: int, jobs: int, body: str, air: str) -> dict[int, list[str]]:
    """All runs of these scenarios in so many processes."""
    tasks = [(number, body, air) for _ in range(runs) for number in numbers]
    if jobs == 1:
        found = [run_digest(*task) for task in tasks]
    else:
        with worker_pool(jobs) as pool:
            found = list(pool.map(run_digest, *zip(*tasks, strict=True)))
    digests: dict[int, list[str]] = {number: [] for number in numbers}
    for (number, _, _), digest in zip(tasks, found, strict=True):
        digests[number].append(digest)
    return digests


def compare(
    numbers: Sequence[int],
    runs: int,
    body: str,
    air: str,
    hash_seeds: Sequence[str] = _HASH_SEEDS,
    side_by_side: Sequence[int] = _JOBS,
) -> dict[int, set[str]]:
    """The different digests of each scenario, over hash seeds and jobs; prints how far it is."""
    different: dict[int, set[str]] = {number: set() for number in numbers}
    for hash_seed in hash_seeds:
        for jobs in side_by_side:
            how = ["--child", str(jobs), "--runs", str(runs), "--on", body, "--air", air]
            asked = [*how, "--numbers", *map(str, numbers)]
            done = subprocess.run(
                [sys.executable, "-m", __spec__.name, *asked],
                env={**os.environ, "PYTHONHASHSEED": hash_seed},
                stdout=subprocess.PIPE,
                check=True,
            )
            for number, digests in json.loads(done.stdout).items():
                different[int(number)].update(digests)
            odd = sum(len(digests) > 1 for digests in different.values())
            print(
                f"hash seed {hash_seed}, {jobs} at once: {len(numbers)} × {runs} runs, {odd} scenarios differ",
                flush=True,
            )
    return different


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 where all runs are the same, 1 where some differ."""
    parser = argparse.ArgumentParser(prog="python -m strapline_simulator.catalogue.determinism")
    parser.add_argument("--scenarios", type=int, default=50, help="so many random scenarios")
    parser.add_argument("--seed", type=int, default=0, help="the first one's number")
    parser.add_argument("--runs", type=int, default=3, help="so often with each hash seed and number of jobs")
    parser.add_argument("--on", default="model", help="what runs the firmware")
    parser.add_argument("--air", default="ble", help="what carries the frames: ble or frames")
    parser.add_argument("--numbers", type=int, nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    numbers = asked.numbers or list(range(asked.seed, asked.seed + asked.scenarios))
    if asked.child:
        json.dump(run_digests(numbers, asked.runs, asked.child, asked.on, asked.air), sys.stdout)
        return 0
    different = compare(numbers, asked.runs, asked.on, asked.air)
    for number, digests in different.items():
        if len(digests) > 1:
            print(f"random scenario {number} differs:", *sorted(digests), sep="\n  ")
    same = hashlib.sha256(json.dumps({n: sorted(d) for n, d in different.items()}).encode()).hexdigest()
    runs = asked.runs * len(_HASH_SEEDS) * len(_JOBS)
    odd = sum(len(digests) > 1 for digests in different.values())
    print(
        f"{len(numbers)} scenarios × {runs} runs on {asked.on}, {asked.air}: {odd} differ; digest of all: sha256:{same}"
    )
    return 1 if odd else 0


if __name__ == "__main__":
    sys.exit(main())
