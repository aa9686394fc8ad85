"""`strapline doctor`: it always answers, and for everything that is not there it says how to get it."""

import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from strapline_protocol import diagnosis, parts
from strapline_protocol.diagnosis import Finding, find_program, first_line, gather, library, program

STRAPLINE = Path(sys.executable).with_name("strapline")


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_json_holds_every_finding_and_a_mend_exactly_where_something_is_missing() -> None:
    done = subprocess.run([STRAPLINE, "doctor", "--json"], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert {"strapline", "python", "system", "findings"} == set(answer)
    findings = [Finding(**finding) for finding in answer["findings"]]
    groups = {"parts", "bodies", "brokers", "tools", "radio", "boards", "service", "centre", "bluez"}
    assert {finding.group for finding in findings} == groups
    assert all(bool(finding.mend) is not finding.present for finding in findings)
    names = [(finding.group, finding.name) for finding in findings]
    assert len(set(names)) == len(names)


def test_the_table_shows_what_json_tells() -> None:
    done = subprocess.run([STRAPLINE, "doctor"], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for word in ("bodies", "micropython", "mosquitto", "mpy-cross"):
        assert word in done.stdout


def test_a_part_without_its_libraries_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint(name="toys", value="no_such_library:findings", group="strapline.doctor")
    monkeypatch.setattr(parts, "entry_points", lambda group: [entry])
    assert gather() == [
        Finding("parts", "toys", False, "No module named 'no_such_library'", "pip install 'strapline[toys]'")
    ]


def test_a_part_that_loads_without_its_libraries_is_not_present(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [
        "typer>=0.15",
        "typer>=0.15; extra == 'gateway'",
        "no-such-radio<2,>=1; extra == 'gateway'",
        "no-such-world; extra == 'simulator'",
        "no-such-port; sys_platform == 'plan9' and extra == 'gateway'",
    ]
    monkeypatch.setattr(parts, "requires", lambda name: wanted)
    assert parts.missing_libraries("gateway") == ["no-such-radio"]
    found = {finding.name: finding for finding in gather() if finding.group == "parts"}
    assert found["gateway"] == (
        "parts",
        "gateway",
        False,
        "not installed: no-such-radio",
        "pip install 'strapline[gateway]'",
    )
    assert found["hil"].present


def test_the_real_metadata_says_which_libraries_an_extra_brings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parts.missing_libraries("simulator") == []
    monkeypatch.setattr(parts, "_is_here", lambda name: False)
    assert {"bleak", "paho-mqtt", "amqtt", "bumble"} <= set(parts.missing_libraries("simulator"))


def test_a_program_is_found_beside_python_before_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    beside, on_path = tmp_path / "venv", tmp_path / "path"
    for folder in (beside, on_path):
        folder.mkdir()
        script(folder / "toy", "echo toy 1.0")
    script(on_path / "other", "echo other 1.0")
    monkeypatch.setattr(sys, "executable", str(beside / "python"))
    monkeypatch.setenv("PATH", str(on_path))
    assert find_program("toy") == beside / "toy"
    assert find_program("no-such-toy", "other") == on_path / "other"
    assert find_program("no-such-toy") is None


def test_the_first_line_of_an_answer(tmp_path: Path) -> None:
    assert first_line(script(tmp_path / "toy", 'echo; echo " toy $1"; echo more; exit 3'), "1.0") == "toy 1.0"
    assert first_line(script(tmp_path / "silent", "exit 0")) is None
    assert first_line(tmp_path / "no-such-toy") is None


def test_a_program_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(diagnosis, "ANSWER_LIMIT_S", 0.05)
    assert first_line(script(tmp_path / "hung", "exec sleep 600")) is None


def test_a_program_that_does_not_run_counts_as_missing(tmp_path: Path) -> None:
    broken = tmp_path / "toy"
    broken.write_bytes(b"\x7fELF of another machine")
    broken.chmod(0o755)
    assert program("tools", "toy", broken, (), "make one") == Finding(
        "tools", "toy", False, f"{broken} does not run", "make one"
    )
    assert program("tools", "toy", None, (), "make one") == Finding("tools", "toy", False, "not found", "make one")


def test_a_library_is_found_without_importing_it() -> None:
    assert library("tools", "typer", "toys").present
    assert library("tools", "no-such-library", "toys").mend == "pip install 'strapline[toys]'"
