"""One defect on a virtual rig: the firmware is built with it, its scenario runs in a pytest of its own, and JUnit says the verdict."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from time import perf_counter
from typing import IO, Any, NamedTuple
from xml.etree import ElementTree as ET

from ruamel.yaml import YAML

from strapline_hil.defects.book import Defect, write_sources

PASSED = "passed"
"""In a verdict's place: nothing has failed."""

_LIMIT_S = 900.0


class Judged(NamedTuple):
    """What became of one test of a run."""

    test: str
    verdict: str
    """`product`, `rig`, `environment`, `test`, or `passed`."""
    why: str


class Trial(NamedTuple):
    """What became of one defect."""

    defect: Defect
    judged: Judged
    wall_s: float

    @property
    def is_right(self) -> bool:
        return self.judged.verdict == "product"


def try_defect(defect: Defect, folder: Path) -> Trial:
    """Leaves everything in a folder of the defect's name."""
    place = folder / defect.name
    place.mkdir(parents=True, exist_ok=True)
    write_sources(defect, place / "firmware")
    rig = write_rig(place / "rig.yaml", sources="firmware")
    began = perf_counter()
    # A build of a defect is nothing to keep among the user's own.
    judged = run_pytest(place, rig, ["--scenarios", defect.scenario], {"XDG_CACHE_HOME": str(place / "cache")})
    return Trial(defect, judged[0], round(perf_counter() - began, 1))


def write_rig(path: Path, sources: str = "") -> Path:
    """The virtual rig that `strapline hil init --virtual` writes, without what only looks, with other firmware on its board."""
    yaml = YAML()
    rig: Any = yaml.load(files("strapline_hil.rig").joinpath("templates", "virtual.yaml").read_text(encoding="utf-8"))
    for unused in ("meter", "sniffer"):  # the verdict needs neither, and each costs time
        del rig["instruments"][unused]
    if sources:
        rig["target"]["sources"] = sources
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(rig, file)
    return path


def run_pytest(
    place: Path, rig: Path, arguments: Sequence[str], environment: Mapping[str, str] | None = None
) -> list[Judged]:
    """A pytest of its own in `place`. Where it tells of no test, what it says stands in a verdict's place."""
    junit, log = place / "junit.xml", place / "pytest.log"
    junit.unlink(missing_ok=True)
    own = ["-p", "no:cacheprovider", "--rootdir", str(place), "-c", os.devnull, "--junitxml", str(junit)]
    command = [sys.executable, "-m", "pytest", *own, "--rig", str(rig), "--rig-out", str(place / "out"), *arguments]
    around = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    with log.open("wb") as said:
        ended = _run(command, place, {**around, **(environment or {})}, said)
    judged = read_junit(junit) if junit.exists() else []
    return judged or [Judged(place.name, f"none ({ended})", f"{log} says why")]


def _run(command: Sequence[str], place: Path, environment: Mapping[str, str], said: IO[bytes]) -> str:
    """How it ended, where it told of nothing."""
    process = subprocess.Popen(command, cwd=place, env=environment, stdout=said, stderr=said, start_new_session=True)
    try:
        process.wait(_LIMIT_S)
    except subprocess.TimeoutExpired:
        return "hung"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # and whatever it has left behind
        process.wait()
    return "no test"


def read_junit(path: Path) -> list[Judged]:
    """What it says of each test."""
    return [_judged(case) for case in ET.parse(path).getroot().iter("testcase")]  # noqa: S314 - our own


def _judged(case: ET.Element) -> Judged:
    said = {one.get("name"): one.get("value", "") for one in case.iter("property")}
    test = f"{case.get('classname', '')}.{case.get('name', '')}".lstrip(".")
    ended = next((kind for kind in ("failure", "error", "skipped") if case.find(kind) is not None), PASSED)
    verdict = said.get("verdict") or (PASSED if ended == PASSED else f"none ({ended})")
    return Judged(test, verdict, said.get("verdict_why", ""))
