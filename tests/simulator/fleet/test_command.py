"""`strapline fleet` as a user runs it: in a process of its own, with real homes."""

import json
import os
import signal
import subprocess
import sys
import time

import jsonschema
import pytest

from strapline_simulator.fleet.schema import render_schema

_MAIN = "import sys; from strapline_protocol.command import main\nif __name__ == '__main__': main(sys.argv[1:])"


def _command(tmp_path, *arguments):
    main = tmp_path / "main.py"
    main.write_text(_MAIN)
    return [sys.executable, str(main), "fleet", *arguments]


def _environment(**changes):
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **changes}


def fleet(tmp_path, *arguments):
    command = _command(tmp_path, *arguments)
    return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=_environment(), timeout=120, check=False)


SMALL = ("--tags", "3", "--hours", "1", "--tampers", "0", "--mix", "home-rf")


def test_one_process_and_two_give_the_same_answer_with_all_its_files(tmp_path):
    one = fleet(tmp_path, *SMALL, "--jobs", "1", "--out", "one", "--json", "-")
    two = fleet(tmp_path, *SMALL, "--jobs", "2", "--out", "two")
    assert (one.returncode, two.returncode) == (0, 0), one.stderr + two.stderr + two.stdout
    told = json.loads(one.stdout)
    jsonschema.validate(told, json.loads(render_schema()))
    other = json.loads((tmp_path / "two/fleet.json").read_text())
    assert told["digest"] == other["digest"]
    assert told["heartbeats"] == other["heartbeats"]
    assert told["heartbeats"]["sent"] > 1000 and told["missing"] == 0
    names = {path.name for path in (tmp_path / "two").iterdir()}
    assert {"fleet.json", "report.html", "alerts.parquet", "tampers.parquet", "homes.parquet"} <= names
    assert "passed" in two.stdout


def test_a_run_that_was_stopped_goes_on_and_ends_the_same(tmp_path):
    asked = ("--tags", "6", "--hours", "41", "--jobs", "1", "--mix", "home-rf", "--out", "stopped", "--start", "2026-03-02")
    first = subprocess.Popen(
        _command(tmp_path, *asked), cwd=tmp_path, env=_environment(), stdout=subprocess.PIPE, text=True, process_group=0
    )
    try:
        shards = tmp_path / "stopped/shards"
        _wait_for(shards.is_dir)
        first.send_signal(signal.SIGINT)
        said, _ = first.communicate(timeout=30)
    finally:
        first.kill()
        first.wait()
    assert first.returncode == 130
    assert "ask the same again" in said


def _wait_for(look):
    for _ in range(1200):
        if look():
            return
        time.sleep(0.05)
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
    assert len(lines) == 1 and told in lines[0], lines
