"""Feeds hostile bytes to every entrance, ten million of them unless told otherwise, and says what came of it (`make fuzz`).

Each target runs in child processes under libFuzzer (atheris), as many at a time as there are cores. Writes out/fuzz/fuzz.json and prints
it as the last line: per target executions, crashes and peak memory. Exits 1 where something crashed, and keeps the input.
"""

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])  # `fuzz` is this folder, not this file

from rich.console import Console
from rich.table import Table

from fuzz.target import Target
from fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]
CHILD = Path(__file__).with_name("child.py")
RUNS = 10_000_000
JOBS_PER_TARGET = 2
"""With a seed each, so that no core idles at the end."""

SAY_EVERY_S = 15.0


class Job(NamedTuple):
    """One child: so many executions of a target, in a folder of its own."""

    target: Target
    runs: int
    seed: int
    folder: Path


class Done(NamedTuple):
    """What became of a job. `crash` is the file to replay, or None."""

    target: str
    executions: int
    peak_rss_mb: float
    cpu_s: float
    crash: Path | None


class Progress:
    """How far the children are, said on standard error now and then."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._counts: dict[Path, int] = {}
        self._lock = threading.Lock()
        self._began = self._said = time.monotonic()

    def note(self, job: Job, executions: int) -> None:
        with self._lock:
            self._counts[job.folder] = executions
            now = time.monotonic()
            if now - self._said >= SAY_EVERY_S:
                self._said = now
                done = sum(self._counts.values())
                print(f"{done:,} of {self._wanted:,} after {now - self._began:.0f} s", file=sys.stderr, flush=True)


def jobs_of(names: list[str], runs: int, seed: int, folder: Path) -> list[Job]:
    """The children that are wanted, the slowest targets first. Shares are rounded up, so that it is never less than `runs`."""
    targets = [TARGETS[name] for name in names]
    shares = sum(target.share for target in targets)
    jobs = []
    for target in sorted(targets, key=lambda target: target.share):
        each = -(-runs * target.share // (shares * JOBS_PER_TARGET))
        parts = range(JOBS_PER_TARGET)
        jobs += [Job(target, each, seed + part, folder / f"{target.name}-{part + 1}") for part in parts]
    return jobs


def run(job: Job, progress: Progress) -> Done:
    """Run one child to its end."""
    job.folder.mkdir(parents=True)
    command = [sys.executable, CHILD, job.target.name, str(job.runs), str(job.seed), job.folder]
    executions = 0
    with (job.folder / "log.txt").open("w") as log:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert child.stdout is not None
        for line in child.stdout:
            executions = max(executions, told(line))
            progress.note(job, executions)
        _, status, usage = os.wait4(child.pid, 0)  # for the memory and the time of this one child
        child.returncode = os.waitstatus_to_exitcode(status)
        log.write(f"exit status {child.returncode}\n")
    child.stdout.close()
    crash = None if child.returncode == 0 else kept(job)
    return Done(job.target.name, executions, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime, crash)


def told(line: str) -> int:
    """The count in a child's line; what else a target may print says nothing."""
    try:
        return int(json.loads(line)["executions"])
    except (ValueError, KeyError, TypeError):
        return 0


def kept(job: Job) -> Path:
    """What a crash has left: its inputs, libFuzzer's own file (out of memory, too slow), or at the least the log."""
    found = [job.folder / "crash.json", *sorted(job.folder.glob("*-*")), job.folder / "log.txt"]
    return next(path for path in found if path.is_file())


def inputs_of(path: Path, name: str | None) -> Iterator[tuple[Target, list[bytes]]]:
    """The target and the inputs of a kept crash."""
    if path.suffix == ".json":
        crash = json.loads(path.read_text(encoding="utf-8"))
        yield TARGETS[crash["target"]], [bytes.fromhex(one) for one in crash["inputs"]]
    else:
        yield TARGETS[name or path.parent.name.rpartition("-")[0]], [path.read_bytes()]


def replay(path: Path, name: str | None) -> int:
    """Give the kept inputs to a fresh world, without libFuzzer: the traceback is the answer."""
    for target, inputs in inputs_of(path, name):
        take = target.build()
        for data in inputs:
            take(data)
        print(f"{target.name}: {len(inputs)} inputs, no crash")
    return 0


def report(done: list[Done], folder: Path, seconds: float) -> dict[str, object]:
    """The table, and what is written as JSON."""
    table = Table("target", "executions", "crashes", "peak RSS", "per CPU second")
    for column in table.columns[1:]:
        column.justify = "right"
    targets = {}
    for name in TARGETS:
        parts = [one for one in done if one.target == name]
        if not parts:
            continue
        executions, crashes = sum(one.executions for one in parts), sum(one.crash is not None for one in parts)
        peak, rate = max(one.peak_rss_mb for one in parts), executions / sum(one.cpu_s for one in parts)
        targets[name] = {"executions": executions, "crashes": crashes, "peak_rss_mb": round(peak, 1)}
        table.add_row(name, f"{executions:,}", str(crashes), f"{peak:.0f} MB", f"{rate:,.0f}")
    total, crashes = sum(one.executions for one in done), sum(one.crash is not None for one in done)
    peak, cpu_s = max(one.peak_rss_mb for one in done), sum(one.cpu_s for one in done)
    table.add_row("together", f"{total:,}", str(crashes), f"{peak:.0f} MB", f"{total / cpu_s:,.0f}", style="bold")
    Console(width=100).print(table)
    for one in done:
        if one.crash is not None:
            print(f"{one.target} crashed; again: {sys.executable} tests/fuzz/fuzz.py --replay {one.crash}")
    result = {
        "executions": total,
        "crashes": crashes,
        "peak_rss_mb": round(peak, 1),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_s, 1),
        "targets": targets,
    }
    (folder / "fuzz.json").write_text(json.dumps(result) + "\n", encoding="utf-8")
    print(json.dumps(result))
    return result


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(usage=argparse.SUPPRESS, description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=RUNS, help="executions together (%(default)s)")
    parser.add_argument(
        "--seed", type=int, default=1, help="of libFuzzer's mutations (%(default)s); another one tries others"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="children at a time (%(default)s)")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), help="only this one; may be given again")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "out" / "fuzz", metavar="FOLDER", help="begun anew (out/fuzz)"
    )
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run a kept crash again, and nothing else")
    chosen = parser.parse_args()
    if min(chosen.runs, chosen.seed, chosen.jobs) < 1:
        parser.error("--runs, --seed and --jobs begin at 1")
    if chosen.replay is not None and not chosen.replay.is_file():
        parser.error(f"no file {chosen.replay}")
    return chosen


def main() -> int:
    chosen = arguments()
    if chosen.replay is not None:
        return replay(chosen.replay, chosen.target[0] if chosen.target else None)
    if importlib.util.find_spec("atheris") is None:
        print(
            "fuzz: atheris is not here; the package index has it for Linux on x86-64 and Python 3.11 to 3.13",
            file=sys.stderr,
        )
        return 2
    folder = chosen.out.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    jobs = jobs_of(chosen.target or list(TARGETS), chosen.runs, chosen.seed, folder)
    progress, began = Progress(sum(job.runs for job in jobs)), time.monotonic()
    with ThreadPoolExecutor(chosen.jobs) as pool:
        done = list(pool.map(lambda job: run(job, progress), jobs))
    result = report(done, folder, time.monotonic() - began)
    return 1 if result["crashes"] else 0


if __name__ == "__main__":
    sys.exit(main())
