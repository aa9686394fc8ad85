"""`strapline fleet` as a user runs it: in a process of its own, with real homes."""

import json
import os
import signal
import subprocess
import sys
import time

import jsonschema
import pytest

from strapline_protocol.command import main
from strapline_simulator.fleet import question
from strapline_simulator.fleet.schema import render_schema

_MAIN = """
import os, sys
from strapline_protocol.command import main
from strapline_simulator.fleet import question
if __name__ == "__main__":
    question.FULL_SHARD_TAG_HOURS = float(os.environ.get("STRAPLINE_TEST_SHARD_TAG_HOURS", "240"))
    main(sys.argv[1:])
"""


def _command(tmp_path, *arguments):
    main = tmp_path / "main.py"
    main.write_text(_MAIN)
    return [sys.executable, str(main), "fleet", *arguments]


def _environment(**changes):
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **changes}


def fleet(tmp_path, *arguments, environment=None):
    command, environment = _command(tmp_path, *arguments), environment or _environment()
    return subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=120, check=False
    )


SMALL = ("--tags", "10", "--hours", "0.2", "--tampers", "0", "--mix", "home-rf")


@pytest.mark.slow
def test_a_run_of_two_processes_that_was_stopped_ends_as_a_whole_one_of_one(tmp_path, monkeypatch, capsys):
    tiny = _environment(STRAPLINE_TEST_SHARD_TAG_HOURS="0.2")
    command = _command(tmp_path, *SMALL, "--jobs", "2", "--out", "run")
    first = subprocess.Popen(command, cwd=tmp_path, env=tiny, stdout=subprocess.PIPE, text=True, process_group=0)
    try:
        _wait_for(lambda: list(tmp_path.glob("run/shards/*.jsonl")))
        first.send_signal(signal.SIGINT)
        said, _ = first.communicate(timeout=30)
    finally:
        first.kill()
        first.wait()
    assert (first.returncode, "ask the same again" in said) == (130, True)
    # The rest is asked here: a process of its own for each would only load the same modules again.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(question, "FULL_SHARD_TAG_HOURS", 0.2)
    resumed = _ask(capsys, *SMALL, "--jobs", "1", "--out", "run")
    assert ("goes on: " in resumed, "passed" in resumed) == (True, True)
    monkeypatch.setattr(question, "FULL_SHARD_TAG_HOURS", 240.0)
    told = json.loads(_ask(capsys, *SMALL, "--jobs", "1", "--out", "whole", "--json", "-"))
    jsonschema.validate(told, json.loads(render_schema()))
    assert told["digest"] == _digest(tmp_path / "run")
    assert told["heartbeats"]["sent"] > 400
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"fleet.json", "report.html", "alerts.parquet", "tampers.parquet", "homes.parquet"} <= names


def _ask(capsys, *arguments):
    with pytest.raises(SystemExit) as left:
        main(["fleet", *arguments])
    assert left.value.code == 0
    return capsys.readouterr().out


def _digest(folder):
    return json.loads((folder / "fleet.json").read_text())["digest"]


def _wait_for(look):
    for _ in range(6000):
        if look():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--mix", "gps"), "no profile"),
        (("--start", "tomorrow"), "no date"),
        (("--zone", "Europe/Lueneburg"), "no time zone"),
        (("--dask", "tcp://127.0.0.1:1"), "no scheduler answers"),
        (("--dask", "nonsense"), "--dask nonsense"),
        (("--out", "file/inside"), "give a folder that can be written"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, monkeypatch, capsys, arguments, told):
    from strapline_protocol.command import main
    from strapline_simulator.fleet import workers

    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(workers, "ANSWER_S", 0.5)
    with pytest.raises(SystemExit) as ended:
        main(["fleet", "--tags", "1", "--hours", "0.2", *arguments])
    assert ended.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert [told in line for line in lines] == [True], lines
