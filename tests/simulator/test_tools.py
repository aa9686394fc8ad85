"""The programs that a simulation runs are found where the wheels put them, and they run."""

import subprocess
from pathlib import Path

import pytest

from strapline_simulator import diagnosis, tools


@pytest.mark.parametrize(
    "system, machine, has",
    [
        ("linux", "x86_64", True),
        ("darwin", "arm64", True),
        ("linux", "aarch64", False),
        ("darwin", "x86_64", False),
        ("win32", "AMD64", False),
    ],
)
def test_where_the_index_has_micropython(system: str, machine: str, has: bool) -> None:
    assert tools.has_micropython_wheel(system, machine) is has


@pytest.mark.skipif(not tools.has_micropython_wheel(), reason="the package index has no MicroPython for this machine")
def test_real_micropython_runs_what_its_compiler_made(tmp_path: Path) -> None:
    micropython, mpy_cross = tools.find_micropython(), tools.find_mpy_cross()
    assert micropython is not None
    assert mpy_cross is not None
    (tmp_path / "greeting.py").write_text("import sys\nprint(sys.implementation.name)\n")
    subprocess.run([mpy_cross, "greeting.py", "-o", "compiled.mpy"], cwd=tmp_path, check=True, timeout=60)
    ran = subprocess.run([micropython, "-m", "compiled"], cwd=tmp_path, capture_output=True, check=True, timeout=60)
    assert ran.stdout == b"micropython\n"


def test_bodies_and_brokers_that_need_nothing_are_always_there() -> None:
    found = {finding.name: finding for finding in diagnosis.findings()}
    assert found["model"].present
    assert found["memory"].present
    assert found["amqtt"].present
    assert found["micropython"].present == tools.has_micropython_wheel()


def test_a_machine_without_a_wheel_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "has_micropython_wheel", lambda: False)
    monkeypatch.setattr(tools, "find_micropython", lambda: None)
    found = {finding.name: finding for finding in diagnosis.findings()}
    assert not found["micropython"].present
    assert "`model`" in found["micropython"].mend
