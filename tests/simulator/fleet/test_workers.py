"""Workers in processes and on a Dask cluster: the same answer, also where one of them is killed."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

import fleet_stand_in
from strapline_protocol.errors import UserError
from strapline_simulator.fleet import workers
from strapline_simulator.fleet.question import Question, Shard, code_fingerprint, data_fingerprint, households
from strapline_simulator.fleet.shards import run_shard
from strapline_simulator.fleet.spec import HomeResult
from strapline_simulator.fleet.summary import summarise
from strapline_simulator.fleet.workers import run_here, run_in_processes, run_on_dask

ASKED = Question(
    4, 0.1, 1, "2026-03-02", "Europe/Berlin", {"home-rf": 1}, 0.0, False, data_fingerprint(), code_fingerprint()
)
SHARDS = [Shard(number, (home,)) for number, home in enumerate(households(ASKED))]
"""Real homes, each a shard of its own."""


def answer(done) -> str:
    results: list[HomeResult] = [result for _, results in done for result in results]
    return summarise(ASKED, results, 0.01).to_json()


@pytest.fixture(scope="module")
def alone():
    return answer(run_here(fleet_stand_in.live, ASKED, SHARDS))


@pytest.fixture
def deadly(tmp_path, monkeypatch) -> Path:
    marker = tmp_path / "dies"
    marker.touch()
    monkeypatch.setenv(fleet_stand_in.DIES, str(marker))
    return marker


def test_a_worker_that_is_killed_changes_nothing(alone, deadly):
    assert answer(run_in_processes(fleet_stand_in.live, ASKED, SHARDS, 2)) == alone
    assert not deadly.exists()


def test_workers_that_die_again_and_again_are_told():
    with pytest.raises(UserError, match="3 workers died in a row"):
        list(run_in_processes(fleet_stand_in.always_dies, ASKED, SHARDS[:1], 1))


@pytest.mark.parametrize(
    ("changes", "told"), [({"code": "another"}, "another version"), ({"data": "others"}, "other recordings")]
)
def test_a_worker_that_would_answer_otherwise_is_told(changes, told):
    with pytest.raises(UserError, match=told):
        run_shard(ASKED._replace(**changes), SHARDS[0])


def test_who_stops_leaves_no_process():
    with closing(run_in_processes(fleet_stand_in.work, ASKED, SHARDS, 2)) as running:
        next(running)
    assert multiprocessing.active_children() == []


_SLEEPERS = """
import sys, os, pathlib
from fleet_stand_in import linger
from strapline_simulator.fleet.question import *
from strapline_simulator.fleet.workers import run_in_processes
if __name__ == "__main__":
    asked = Question(60, 48.0, 1, "2026-03-02", "Europe/Berlin", DEFAULT_MIX, 0.02, False, sys.argv[1])
    list(run_in_processes(linger, asked, shards(asked), 2))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_the_first_process(tmp_path, how):
    script = tmp_path / "first.py"
    script.write_text(_SLEEPERS)
    path = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    first = subprocess.Popen(
        [sys.executable, script, tmp_path],
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    try:
        workers = _wait_for(lambda: [int(file.stem) for file in tmp_path.glob("*.pid")], 2)
        first.send_signal(how)
        first.wait(20)
        _wait_for(lambda: [pid for pid in workers if not _is_alive(pid)], 2)
    finally:
        first.kill()
        first.wait()


def _wait_for(look, count):
    for _ in range(600):
        if len(found := look()) >= count:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come")


def _is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", host="127.0.0.1"
    ) as cluster:
        yield cluster


@pytest.mark.filterwarnings("default")
@pytest.mark.slow
def test_a_dask_worker_that_is_killed_changes_nothing(alone, tmp_path, cluster):
    marker = tmp_path / "dies"
    marker.touch()
    with cluster.get_client() as client:
        client.run(fleet_stand_in.arm, str(marker))
    assert answer(run_on_dask(fleet_stand_in.live, ASKED, SHARDS, cluster.scheduler_address)) == alone
    assert not marker.exists()


@pytest.mark.filterwarnings("default")
def test_a_cluster_that_is_not_there_is_told(unused_tcp_port_of_ours, monkeypatch):
    monkeypatch.setattr(workers, "ANSWER_S", 1.0)
    with pytest.raises(UserError, match="no scheduler answers"):
        list(run_on_dask(fleet_stand_in.live, ASKED, SHARDS, f"tcp://127.0.0.1:{unused_tcp_port_of_ours}"))


@pytest.fixture
def unused_tcp_port_of_ours():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
