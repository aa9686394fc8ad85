"""`strapline run` and `strapline demo` as a user runs them: in a process of their own."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

import strapline_simulator.report
from strapline_protocol.errors import UserError
from strapline_simulator.run.command import run
from strapline_simulator.scenario import load_scenario
from strapline_simulator.simulation import Options, run_scenario
from strapline_simulator.trace import read_trace

SCHEMA = Path(strapline_simulator.report.__file__).parent / "report.schema.json"
STRAPLINE = Path(sys.executable).parent / "strapline"


def strapline(*arguments, cwd):
    return subprocess.run([STRAPLINE, *arguments], capture_output=True, text=True, cwd=cwd, timeout=120, check=False)


def test_json_to_standard_output_is_the_report_and_nothing_else(tmp_path):
    done = strapline("run", "strap-cut", "--on", "model", "--json", "-", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    jsonschema.validate(report, json.loads(SCHEMA.read_text()))
    assert report["schema"] == 1
    assert report["ledger"]["missing"] == 0
    assert [e["code"] for e in report["events"]] == ["started", "armed", "checked", "strap_open"]
    assert "PASSED" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_demo_runs_on_real_micropython_and_leaves_its_three_files(tmp_path):
    done = strapline("demo", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "out/demo/report.json").read_text())
    assert report["body"] == "micropython"
    assert report["ledger"]["missing"] == 0
    (strap,) = [event for event in report["events"] if event["code"] == "strap_open"]
    assert strap["at_centre_s"] - strap["t_s"] <= 2.0
    assert "<html" in (tmp_path / "out/demo/report.html").read_text()
    packets = list(read_trace(tmp_path / "out/demo/trace.pcapng"))
    assert {packet.interface for packet in packets} == {"air", "cellular", "mqtt", "opened", "truth", "hci"}
    model = run_scenario(load_scenario("night-and-day"), Options(body="model", air="frames")).report
    assert report["frames_digest"] == model.frames_digest
    assert report["ledger"] == json.loads(model.to_json())["ledger"]


def test_a_scenario_that_does_not_hold_exits_with_1(tmp_path):
    file = tmp_path / "hopeless.yaml"
    file.write_text(
        "title: Nothing is cut\nstart: 2026-03-02T22:00:00+01:00\nduration: 2min\n"
        "steps:\n  - {at: 10s, present_key: arm}\nexpect:\n  - {event: strap_open}\n"
    )
    done = strapline("run", str(file), "--on", "model", cwd=tmp_path)
    assert done.returncode == 1
    assert "FAILED" in done.stdout


def _yaml(tmp_path, text):
    (tmp_path / "bad.yaml").write_text(text)
    return "bad.yaml"


HEAD = "title: Bad\nstart: 2026-03-02T22:00:00+01:00\nduration: 2min\n"

MISTAKES = {
    "unknown scenario": (lambda _: ["run", "strap-cutt"], ["strap-cutt", "did you mean strap-cut"]),
    "missing file": (lambda _: ["run", "nowhere.yaml"], ["nowhere.yaml", "no such file"]),
    "broken YAML": (lambda p: ["run", _yaml(p, "title: [unclosed\nstart: x\n")], ["bad.yaml:", "not YAML"]),
    "unknown key": (
        lambda p: [
            "run",
            _yaml(
                p,
                HEAD + "steps:\n  - {at: 1s, cut_strap: true}\n  - {at: 2s, cutstrap: 1}\nexpect:\n  - {missing: 0}\n",
            ),
        ],
        ["bad.yaml:6", "cutstrap"],
    ),
    "bad duration": (
        lambda p: ["run", _yaml(p, HEAD + "steps:\n  - {at: soon, note: x}\nexpect:\n  - {missing: 0}\n")],
        ["bad.yaml:5", "soon", "1h 30min"],
    ),
    "unknown step": (
        lambda p: ["run", _yaml(p, HEAD + "steps: []\nexpect:\n  - {event: armed, after: nothing}\n")],
        ["bad.yaml", "nothing", "names no step"],
    ),
    "empty file": (lambda p: ["run", _yaml(p, "")], ["bad.yaml:1", "mapping"]),
    "log not given": (lambda _: ["run", "gnss-log"], ["--gnss-log"]),
    "log missing": (lambda _: ["run", "gnss-log", "--gnss-log", "nowhere.log"], ["nowhere.log"]),
    "log not wanted": (lambda _: ["run", "strap-cut", "--gnss-log", "x.log"], ["--gnss-log", "strap-cut"]),
    "broker refuses": (lambda _: ["run", "strap-cut", "--broker", "mqtt://127.0.0.1:1"], ["127.0.0.1:1", "broker"]),
    "broker unknown": (lambda _: ["run", "strap-cut", "--broker", "carrier-pigeon"], ["memory", "amqtt", "mqtt://"]),
    "body unknown": (lambda _: ["run", "strap-cut", "--on", "abacus"], ["abacus", "model", "micropython"]),
    "folder not writable": (lambda _: ["run", "strap-cut", "--out", "/proc/nothing"], ["/proc/nothing"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_users_mistake_is_one_line_that_names_place_and_mend(mistake, tmp_path):
    arguments, words = MISTAKES[mistake]
    given = arguments(tmp_path)
    done = strapline(*given, *([] if "--on" in given else ["--on", "model"]), cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert done.stdout == ""
    assert all(word in lines[0] for word in words), lines[0]


@pytest.mark.parametrize(
    ("names", "asked", "words"),
    [
        (["nonsense"], {}, "lists the shipped ones"),
        (["."], {}, "add --all"),
        (["strap-cut"], {"json_file": "/proc/nothing/x.json"}, "--json /proc/nothing/x.json"),
        (["strap-cut"], {"chaos_mix": "1", "shrink": Path("/proc/nothing/x")}, "--shrink /proc/nothing/x"),
        (["strap-cut"], {"chaos_mix": "1", "without_stimulus": True}, "--without-stimulus"),
        (["strap-cut"], {"chaos_mix": "1", "json_file": "-"}, "--json"),
        (["strap-cut"], {"chaos_mix": "1", "every": True}, "--chaos is for one scenario"),
        (["strap-cut"], {"trace_keys": True, "every": True}, "--trace-keys"),
        (["strap-cut"], {"every": True, "on": "qemu:nowhere.elf"}, "nowhere.elf"),
        (["strap-cut"], {"every": True, "air": "wifi"}, "'wifi' is no air"),
        (["strap-cut"], {"every": True, "json_file": "/proc/nothing/x.json"}, "--json /proc/nothing/x.json"),
    ],
)
def test_a_mistake_is_told_before_anything_runs(names, asked, words, capsys):
    with pytest.raises(UserError, match=words):
        run(names, **{"on": "model", "air": "frames"} | asked)
    assert capsys.readouterr().out == ""
