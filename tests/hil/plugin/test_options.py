"""How a rig is given, what a test says that it needs, and what pytest costs where there is no rig."""

import ast
import os
import subprocess
import sys
import time
import venv
from pathlib import Path

import pytest

from strapline_hil.plugin.words import DRIVERS

ROOT = Path(__file__).parents[3]
ONE = """
    def test_strap(rig, tag, gateway):
        rig.strap.cut()
        assert gateway.wait_for("strap_open", within_s=5)
"""
NEEDS = """
    import pytest

    @pytest.mark.needs("strap-rely")
    def test_one(rig):
        pass
"""
REAL = "rig: real\ntarget: {board: pico-w, port: /dev/ttyACM0, keys: provisioned}\ngateway: {bluetooth: hci0}\n"


def test_by_ini_and_by_environment(folder, monkeypatch):
    folder.write("test_mine.py", ONE)
    folder.run(rig=None).assert_outcomes(skipped=1)
    monkeypatch.setenv("STRAPLINE_RIG", "nowhere.yaml")
    assert folder.run(rig=None).ret == 4
    folder.write("pytest.ini", "[pytest]\nstrapline_rig = rig.yaml\n")
    folder.run(rig=None).assert_outcomes(passed=1)


def test_a_mistake_in_what_is_asked_is_one_line(folder):
    folder.write("test_mine.py", NEEDS)
    result = folder.run()
    assert result.ret == 4
    result.stderr.fnmatch_lines(['*test_mine.py::test_one: needs("strap-rely"): no such instrument; name a driver (*'])
    folder.write("bad.yaml", "rig: x\ntarget: {board: toaster}\n")
    result = folder.run(rig="bad.yaml")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: bad.yaml:2: target.board: *"])
    folder.write("real.yaml", REAL)
    result = folder.run("-n", "2", rig="real.yaml")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: rig real is real: one rig, one process; leave out -n"])


def test_all_is_kept_where_it_is_asked_for(folder):
    folder.write("test_mine.py", ONE)
    folder.run("--rig-keep", "all", "--rig-out", "kept").assert_outcomes(passed=1)
    left = {path.name for path in (folder.path / "kept/test_mine.test_strap").iterdir()}
    assert {"trace.pcapng", "happenings.txt"} <= left


def test_without_a_rig_nothing_of_the_bench_is_loaded(folder):
    folder.write("test_mine.py", "def test_one(rig):\n    pass\n")
    folder.write(
        "conftest.py",
        """
        import sys

        def pytest_unconfigure():
            loaded = [name for name in sys.modules if name.startswith("strapline_")]
            print("loaded:", sorted(loaded))
        """,
    )
    options = ["-q", "-s", "-p", "no:cacheprovider", "-p", "no:randomly"]
    done = subprocess.run([sys.executable, "-m", "pytest", *options], capture_output=True, text=True, check=True)
    loaded = done.stdout.split("loaded: ")[1].split("\n")[0]
    ours = {"strapline_hil", "strapline_hil.plugin", "strapline_hil.plugin.hooks", "strapline_hil.plugin.plugin"}
    assert set(ast.literal_eval(loaded)) <= ours


def test_every_driver_is_a_word():
    assert {"strap-relay", "ppk2", "by-hand"} <= DRIVERS.keys()


@pytest.mark.skipif(os.environ.get("STRAPLINE_LONG") != "1", reason="three processes; STRAPLINE_LONG=1 runs it")
def test_a_virtual_rig_may_be_several(folder):
    folder.write("test_mine.py", ONE + ONE.replace("test_strap", "test_again").replace("strap_open", "case_open"))
    result = folder.run("-n", "2", "--rig-report", "page.html")
    result.assert_outcomes(passed=1, failed=1)
    assert folder.cases["test_again"]["verdict"] == "product"
    assert "1 of 2 tests did not pass: 1 product." in (folder.path / "page.html").read_text("utf-8")


@pytest.mark.skipif(os.environ.get("STRAPLINE_LONG") != "1", reason="installs a wheel; STRAPLINE_LONG=1 runs it")
def test_in_an_empty_folder_with_only_the_package(folder, tmp_path):
    """A wheel in a fresh virtual environment, which sees this one's other packages."""
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path], cwd=ROOT, check=True)
    home = tmp_path / "venv"
    venv.create(home, with_pip=True, symlinks=True)
    wheel = next(tmp_path.glob("*.whl"))
    began = time.monotonic()
    subprocess.run([home / "bin/pip", "install", "-q", f"{wheel}[hil]", "pytest"], check=True)
    print(f"installed in {time.monotonic() - began:.0f} s")
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "STRAPLINE_RIG")}
    folder.write("test_mine.py", ONE)
    done = subprocess.run(
        [home / "bin/pytest", "--rig", "rig.yaml", "--rig-report", "page.html"],
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert (folder.path / "page.html").stat().st_size > 5000
