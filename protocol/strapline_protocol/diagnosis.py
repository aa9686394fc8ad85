"""What `strapline doctor` finds on a machine. Looks; mends nothing, and needs no part to be installed."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from strapline_protocol import parts

# A program that has not told its version by then is not usable either.
ANSWER_LIMIT_S = 5.0

# Debian keeps daemons where a plain user's PATH does not look, and a Mac's launcher leaves Homebrew out.
_MORE_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/sbin", "/opt/homebrew/bin")


class Finding(NamedTuple):
    """One thing that was looked for; `mend` says how to get it and is empty when it is present."""

    group: str
    name: str
    present: bool
    detail: str
    mend: str


def gather() -> list[Finding]:
    """Ask every part in the entry-point group `strapline.doctor`, each a callable that gives findings."""
    installed, found = [], []
    for part in parts.load("strapline.doctor"):
        absent = ", ".join(parts.missing_libraries(part.name))
        present = part.hands_in is not None and not absent
        detail = part.reason or (f"not installed: {absent}" if absent else "all its libraries")
        installed.append(Finding("parts", part.name, present, detail, "" if present else part.mend))
        if part.hands_in is not None:
            found += part.hands_in()
    return installed + found


def find_program(*names: str) -> Path | None:
    """The first of `names` beside the running Python, on the PATH, or where daemons live."""
    folders = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath), *_MORE_FOLDERS])
    found = (shutil.which(name, path=folders) for name in names)
    return next((Path(program) for program in found if program), None)


def first_line(program: Path, *arguments: str) -> str | None:
    """The first line that a program prints on stdout within `ANSWER_LIMIT_S`, or None where it does not answer."""
    try:
        answer = subprocess.run(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=ANSWER_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return next((line.strip() for line in answer.stdout.decode(errors="replace").splitlines() if line.strip()), None)


def program(group: str, name: str, path: Path | None, ask: tuple[str, ...], mend: str) -> Finding:
    """A finding about a program: where it is and what it answers to `ask`, which prints its version."""
    if path is None:
        return Finding(group, name, present=False, detail="not found", mend=mend)
    answer = first_line(path, *ask)
    if answer is None:
        return Finding(group, name, present=False, detail=f"{path} does not run", mend=mend)
    return Finding(group, name, present=True, detail=f"{answer} ({path})", mend="")


def library(group: str, name: str, extra: str) -> Finding:
    """A finding about a Python distribution, which is not imported for it."""
    try:
        return Finding(group, name, present=True, detail=version(name), mend="")
    except PackageNotFoundError:
        return Finding(group, name, present=False, detail="not installed", mend=parts.install(extra))


def system_package(debian: str, brew: str) -> str:
    """The shell command that brings a program which is not Python's, on this kind of machine."""
    return f"brew install {brew}" if sys.platform == "darwin" else f"sudo apt install {debian}"
