"""Results of homes without an engine, and workers that die in the middle where a test wants it."""

import hashlib
import os
import signal
from pathlib import Path

from strapline_simulator.fleet.question import Household, Question, Shard
from strapline_simulator.fleet.spec import HomeResult, Sown, Told

DIES = "STRAPLINE_TEST_DIES"
"""Names a file: whoever finds it removes it, and is killed in the middle of a shard."""


def work(question: Question, shard: Shard) -> list[HomeResult]:
    """As `shards.run_shard`, without lives."""
    return [result_of(question, home) for home in shard.homes]


def live(question: Question, shard: Shard) -> list[HomeResult]:
    """`shards.run_shard` itself; who is to die dies behind the second shard's work, and its results are gone."""
    from strapline_simulator.fleet.shards import run_shard  # where nobody lives, nobody waits for it

    results = run_shard(question, shard)
    if shard.number == 1:
        _die_once()
    return [result._replace(wall_s=1.0) for result in results]


def always_dies(_question: Question, _shard: Shard) -> list[HomeResult]:
    os.kill(os.getpid(), signal.SIGKILL)
    return []


def result_of(question: Question, home: Household) -> HomeResult:
    number = home.number
    digest = hashlib.sha256(f"{question.seed} {number}".encode()).hexdigest()
    told = [Told("00000101", 3600.5, "mains_lost", "gateway_mains")]
    if number % 7 == 0:
        told.append(Told("00000101", 90000.0, "strap_open", ""))
    sown = Sown(100.0 + number, "strap_cut", ("strap_open",), 180.0)
    return HomeResult(
        number=number,
        tags=home.tags,
        person_days=home.tags * question.hours / 24,
        heartbeats_sent=1000 * home.tags,
        heartbeats_folded=0,
        heartbeats_accepted=990 * home.tags,
        refused={"repeated": number % 3},
        records={"armed": home.tags, "fix": 3},
        missing=0,
        alerts=tuple(told),
        caught=((sown, 0.25 + number / 100),) if number % 5 else (),
        missed=() if number % 5 else (("00000101", sown),),
        latencies_s=(0.1, 0.2),
        digest=digest,
        wall_s=0.5,
    )


def _die_once() -> None:
    marker = os.environ.get(DIES)
    if marker:
        try:
            Path(marker).unlink()
        except FileNotFoundError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


def linger(question: Question, _shard: Shard) -> list[HomeResult]:
    """Says who it is, in the folder that the question's `data` names, and waits to be ended."""
    Path(question.data, f"{os.getpid()}.pid").touch()
    signal.pause()
    return []


def arm(marker: str) -> None:
    """In this process: die where the marker is found."""
    os.environ[DIES] = marker
