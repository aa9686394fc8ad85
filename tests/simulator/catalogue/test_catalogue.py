"""The catalogue over processes: the same outcomes however many run at once, faults told and not passed on, and what is written of it."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from strapline_protocol.command import main
from strapline_protocol.errors import UserError
from strapline_simulator.catalogue import Outcome, run_all
from strapline_simulator.catalogue.junit import junit
from strapline_simulator.catalogue.outcome import outcome_of
from strapline_simulator.catalogue.page import render_index
from strapline_simulator.catalogue.progress import CatalogueView
from strapline_simulator.catalogue.requirement_table import requirements, table
from strapline_simulator.catalogue.selection import choose, lacking
from strapline_simulator.scenario import load_scenario, shipped_scenarios
from strapline_simulator.simulation import Options

STRAPLINE = [sys.executable, "-c", "from strapline_protocol.command import main; main()"]
ROOT = Path(__file__).parents[3]

HEAD = "title: A short one\nstart: 2026-03-02T22:00:00+01:00\nduration: 2min\n"
GOOD = HEAD + "steps:\n  - {at: 10s, present_key: arm}\nexpect:\n  - {event: armed}\n"
BAD = GOOD.replace("event: armed", "event: strap_open")
LATE = HEAD + "steps:\n  - {at: 10s, acknowledge: {alert: strap_open, note: seen}}\nexpect:\n  - {event: started}\n"
LOUD = (
    HEAD
    + "quiet: true\nsteps:\n  - {at: 10s, present_key: arm}\n  - {at: 30s, case: open}\nexpect:\n  - {event: armed}\n"
)


@pytest.fixture
def folder(tmp_path):
    """A user's: one that holds, one that does not, one whose step cannot be, and a quiet one that is loud."""
    mine = tmp_path / "mine"
    mine.mkdir()
    for name, text in {"good": GOOD, "r05-bad": BAD, "late": LATE, "loud": LOUD}.items():
        (mine / f"{name}.yaml").write_text(text)
    return mine


def outcome(**changes):
    known = {
        "name": "n", "title": "t", "path": "n", "rows": ("R01",), "quiet": False, "verdict": "passed", "seed": 1,
        "body": "model", "simulated_s": 60.0, "wall_s": 1.0, "digest": "sha256:0",
    }  # fmt: skip
    return Outcome(**{**known, **changes})


def test_a_users_folder_runs_and_each_fault_stays_with_its_scenario(folder):
    outcomes = {o.name: o for o in run_all([str(folder)], 1, Options(body="model", air="frames"))}
    assert {name: o.verdict for name, o in outcomes.items()} == {
        "good": "passed", "r05-bad": "failed", "late": "failed", "loud": "failed",
    }  # fmt: skip
    assert outcomes["r05-bad"].rows == ("R05",)
    assert outcomes["r05-bad"].failures == ("event strap_open",)
    assert "no alert strap_open stands open" in outcomes["late"].failures[0]
    assert outcomes["loud"].failures == ("quiet: no alert (there are: case_open)",)


def test_two_processes_give_what_one_gives(folder):
    one = run_all([str(folder)], 1, Options(body="model", seed=5, air="frames"))
    two = run_all([str(folder)], 2, Options(body="model", seed=5, air="frames"))
    assert [o._replace(wall_s=0.0) for o in one] == [o._replace(wall_s=0.0) for o in two]
    assert any(o.digest for o in one)


def test_patterns_choose_and_nothing_chosen_is_told():
    assert [one.scenario.name for one in choose(["r03-*", "strap-cut"])] == [
        "r03-bypass", "r03-connector-noise", "r03-longer-loop", "strap-cut",
    ]  # fmt: skip
    assert len(choose([])) == len(shipped_scenarios())
    with pytest.raises(UserError, match="matches no shipped"):
        choose(["r99-*"])


def test_a_name_that_comes_twice_is_told(folder):
    (folder / "again").mkdir()
    (folder / "again" / "good.yaml").write_text(GOOD)
    with pytest.raises(UserError, match="same name"):
        choose([str(folder)])


def test_what_needs_recordings_is_skipped_with_the_reason_where_there_are_none(monkeypatch):
    monkeypatch.delenv("STRAPLINE_DATA", raising=False)
    assert "STRAPLINE_DATA" in lacking(load_scenario("r52-real-motion"))
    assert "STRAPLINE_DATA" in lacking(load_scenario("track-recorded-day"))
    assert lacking(load_scenario("track")) == ""
    assert "--gnss-log" in lacking(load_scenario("gnss-log"))
    assert lacking(load_scenario("strap-cut")) == ""
    skipped = run_all(["r52-real-motion"], 1, Options(body="model", air="frames"))
    assert [(o.verdict, "STRAPLINE_DATA" in o.reason) for o in skipped] == [("skipped", True)]


# The table.


def test_the_rows_are_those_of_the_page():
    page = (ROOT / "docs" / "requirements.md").read_text()
    assert [r.row for r in requirements()] == [f"R{n:02}" for n in range(1, 56)]
    for requirement in requirements():
        assert f"| {requirement.row} | {requirement.text} | {requirement.number} |" in page
        assert not requirement.elsewhere.startswith("tests/") or (ROOT / requirement.elsewhere).is_file()


def test_every_row_is_shown_or_says_why_not():
    shown = {row for name in shipped_scenarios() for row in load_scenario(name).rows}
    for requirement in requirements():
        assert requirement.row in shown or requirement.whole or requirement.elsewhere or not requirement.built
        assert not (requirement.row in shown and not requirement.built)


def test_a_row_passes_with_all_that_show_it_and_the_whole_with_all():
    outcomes = [
        outcome(rows=("R01", "R02")),
        outcome(rows=("R02",), verdict="failed"),
        outcome(rows=("R03",), verdict="skipped"),
    ]
    lines = {line.requirement.row: line for line in table(outcomes)}
    told = {row: lines[row].verdict for row in ("R01", "R02", "R03", "R04", "R30", "R45")}
    assert told == {
        "R01": "passed", "R02": "failed", "R03": "skipped", "R04": "not run", "R30": "failed", "R45": "not built",
    }  # fmt: skip


# What is written.


def test_junit_tells_the_failure_and_how_to_run_it_alone():
    outcomes = [
        outcome(),
        outcome(name="bad", path="x/bad.yaml", verdict="failed", seed=9, failures=("event <armed>", "missing: 0")),
        outcome(name="off", verdict="skipped", reason="needs recordings"),
        outcome(name="broken", verdict="error", failures=("Traceback\x00\nKeyError: 'x'\n",)),
    ]
    suite = ET.fromstring(junit(outcomes))[0]
    assert {k: suite.get(k) for k in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4", "failures": "1", "errors": "1", "skipped": "1",
    }  # fmt: skip
    bad = suite.find("testcase[@name='bad']")
    assert bad.find("properties/property[@name='seed']").get("value") == "9"
    failure = bad.find("failure")
    assert failure.get("message") == "event <armed>"
    assert "missing: 0" in failure.text
    assert "strapline run x/bad.yaml --on model --seed 9" in failure.text
    assert suite.find("testcase[@name='broken']/error").get("message") == "KeyError: 'x'"
    assert suite.find("testcase[@name='off']/skipped").get("message") == "needs recordings"


def test_the_index_page_says_all_and_escapes_it():
    outcomes = [outcome(page="n/report.html"), outcome(name="bad", title="<b>", verdict="failed", failures=("a < b",))]
    page = render_index(outcomes, table(outcomes))
    assert "1 of 2 scenarios did not pass" in page
    assert 'href="n/report.html"' in page
    assert "<b>" not in page
    assert "a &lt; b" in page
    assert page.count("<tr id=") == 55 + 2


# The command.


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """`strapline` with these arguments, in a folder of its own: exit status, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        return ended.value.code or 0, *capsys.readouterr()

    return run


def test_the_command_writes_all_and_exits_with_1_where_one_fails(folder, tmp_path, run):
    written = ["--out", "out", "--junit", "j.xml", "--json", "c.json"]
    code, said, _ = run("run", "--all", "mine", "--on", "model", "--air", "frames", "--jobs", "1", *written)
    assert code == 1
    assert "4 scenarios: 1 passed, 3 failed" in said
    assert "R45" in said
    assert "not built" in said
    told = json.loads((tmp_path / "c.json").read_text())
    assert told == json.loads((tmp_path / "out" / "catalogue.json").read_text())
    assert not told["passed"]
    assert {o["name"]: o["verdict"] for o in told["scenarios"]}["good"] == "passed"
    assert ET.parse(tmp_path / "j.xml").getroot().get("failures") == "3"
    left = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {"index.html", "good/report.html", "good/report.json", "good/trace.pcapng"} <= left
    assert not any(name.endswith(".sqlite") for name in left)


def test_without_stimulus_a_failure_is_what_passes(folder, run):
    for name in ("late", "r05-bad", "loud"):
        (folder / f"{name}.yaml").unlink()
    (folder / "opened.yaml").write_text(
        HEAD + "steps:\n  - {at: 10s, present_key: arm}\n  - {at: 30s, case: open}\n"
        "expect:\n  - {event: case_open, after: case}\n"
    )
    idle = "  - {at: 30s, note: idle}\nexpect:\n  - {never: removed, after: note}\n"
    (folder / "good.yaml").write_text(GOOD.split("expect:")[0] + idle)
    code, said, _ = run("run", "--all", "mine", "--on", "model", "--air", "frames", "--jobs", "1", "--without-stimulus")
    assert code == 1
    lines = {line.split()[1]: line.split()[0] for line in said.splitlines() if line[:6] in ("PASSED", "FAILED")}
    assert lines == {"opened": "PASSED", "good": "FAILED"}
    assert "it shows nothing" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "strap-cut", "quiet-night"], "--all"),
        (["run"], "name one scenario"),
        (["run", "strap-cut", "--junit", "x.xml"], "--junit"),
        (["run", "--all", "--gnss-log", "x"], "--gnss-log"),
        (["run", "--all", "r99-*"], "matches no shipped"),
        (["run", "--all", "strap-cut", "--junit", "/proc/nothing/x.xml"], "/proc/nothing"),
        (["scenarios", "--row", "R99"], "R55"),
        (["scenarios", "--row", "R45"], "not built"),
    ],
)
def test_a_mistake_is_one_line(arguments, words, run):
    code, said, told = run(*arguments)
    assert (code, said) == (2, "")
    assert len(told.strip().splitlines()) == 1
    assert words in told


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_what_the_parts_of_a_run_log_does_not_come_between_the_lines_of_the_list(jobs):
    names = ("fault-gateway-disk-full", "r18-noise")
    asked = ["run", "--all", *names, "--on", "model", "--air", "frames", "--jobs", jobs]
    done = subprocess.run([*STRAPLINE, *asked], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert all(name in done.stdout for name in names)


def test_a_parent_that_is_killed_leaves_nobody_behind(folder, tmp_path):
    (folder / "long.yaml").write_text(GOOD.replace("2min", "40h"))
    asked = ["run", "--all", str(folder / "long.yaml"), str(folder / "good.yaml"), "--on", "model", "--jobs", "2"]
    parent = subprocess.Popen([*STRAPLINE, *asked], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        assert "PASSED" in parent.stdout.readline()
        children = _children(parent.pid)
        assert len(children) >= 2
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        parent.stdout.close()
    deadline = time.monotonic() + 20
    while any(map(_runs, children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_runs, children))


def _children(pid):
    found = Path(f"/proc/{pid}/task/{pid}/children")
    if not found.is_file():
        pytest.skip("this system does not tell a process's children")
    return [int(child) for child in found.read_text().split()]


def _runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("width", [80, 120, 160])
def test_the_table_keeps_rows_and_verdicts_in_a_narrow_terminal(width):
    plain = Options(body="model")
    outcomes = [outcome_of(one.scenario, one.path, plain, "passed", wall_s=1.0) for one in choose(["r0*", "gnss-log"])]
    console = Console(width=width, file=io.StringIO(), highlight=False)
    CatalogueView(console, lambda: 0.0).conclude(outcomes, table(outcomes))
    shown = [line for line in console.file.getvalue().splitlines() if re.match(r"R\d\d  ", line)]
    assert [line[:3] for line in shown] == [requirement.row for requirement in requirements()]
    assert all(
        re.search(r"  (passed: (\d+) of \2|passed|elsewhere|not run|not built)  ", line + "  ") for line in shown
    )
    assert max(map(len, shown)) <= width
