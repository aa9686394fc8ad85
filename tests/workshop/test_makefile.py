"""The Makefile and what it installs from: everything listed, nothing that belongs to one machine."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
LOCKED = set(re.findall(r"^([a-z0-9-]+)==", LOCK, re.MULTILINE))

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "-C", folder, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "/usr/bin:/bin"},
    )


def test_help_lists_every_target() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony is not None
    assert targets == set(phony[1].split())
    listed = {line.split()[1]: line for line in make("help").stdout.splitlines() if line.startswith("make ")}
    assert set(listed) == targets
    assert all(len(line.split()) > 3 for line in listed.values())


def test_help_is_what_plain_make_prints() -> None:
    assert make().stdout == make("help").stdout


@pytest.mark.parametrize(
    "answer_to_venv, message",
    [(1, "sudo apt install python3-venv"), (None, "Strapline needs Python 3.11 or newer")],
)
def test_a_machine_without_a_fit_python_is_told_in_one_line(
    tmp_path: Path, answer_to_venv: int | None, message: str
) -> None:
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    python = tmp_path / "some-python"
    if answer_to_venv is not None:
        python.write_text(f"#!/bin/sh\ncase $2 in *ensurepip*) exit {answer_to_venv};; esac\n")
        python.chmod(0o755)
    done = make("setup", f"PYTHON={python}", folder=tmp_path)
    assert done.returncode != 0
    assert message in done.stderr.splitlines()[0]
    assert not (tmp_path / ".venv").exists()


def test_the_lock_names_no_registry_and_no_folder() -> None:
    assert "://" not in LOCK
    assert not re.search(r"^-|^[./]|@ ", LOCK, re.MULTILINE)


def test_every_locked_package_is_pinned_by_hashes() -> None:
    blocks = re.split(r"^(?=[a-z0-9])", LOCK, flags=re.MULTILINE)
    assert len([block for block in blocks if block.strip()]) >= len(LOCKED) > 50
    assert all("--hash=sha256:" in block for block in blocks if block.strip())


def test_the_lock_has_every_requirement_of_every_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    for extra in project["project"]["optional-dependencies"].values():
        wanted += extra
    names = {
        re.split(r"[\[<>=!~; ]", requirement)[0].lower().replace(".", "-").replace("_", "-") for requirement in wanted
    }
    assert names - {"strapline"} <= LOCKED


def test_required_tools_are_only_those_that_are_here() -> None:
    done = subprocess.run(
        ["sh", ROOT / "scripts/system-packages.sh", "--required"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    allowed = {
        f"STRAPLINE_REQUIRE_{name}=1"
        for name in ("MOSQUITTO", "TSHARK", "BROWSER", "NATS", "DBUS", "POSTGRES", "MICROBIT")
    }
    assert set(done.stdout.split()) <= allowed
    assert ("STRAPLINE_REQUIRE_TSHARK=1" in done.stdout.split()) is (shutil.which("tshark") is not None)
