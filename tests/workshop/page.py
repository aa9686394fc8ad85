"""Types what a page of the docs says, literally and in order, into one shell, and holds what comes against what the page shows.

`python tests/workshop/page.py docs/qa.md` does it in a new clone of the repository; exit status 1 where something else came.
"""

import argparse
import contextlib
import difflib
import os
import re
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(r'^```(\w+)?(?: title="([^"]+)")?[^\n]*\n(.*?)^```$', re.MULTILINE | re.DOTALL)
ANYTHING = "…"
_NOT_A_READERS = {"PYTHONPATH", "VIRTUAL_ENV", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"}


class Typed(NamedTuple):
    """One block of commands, and what the page says comes of it (None where it shows nothing)."""

    line: int
    commands: str
    shown: str | None


class Saved(NamedTuple):
    """A file that the page asks to save."""

    line: int
    name: str
    content: str


def steps(page: str) -> Iterator[Typed | Saved]:
    """What a reader does, in order. A block ```text right after commands is what they print."""
    waiting: Typed | None = None
    for found in FENCE.finditer(page):
        language, title, content = found.groups()
        line = page.count("\n", 0, found.start()) + 1
        if waiting and language == "text" and not title:
            yield waiting._replace(shown=content)
            waiting = None
            continue
        if waiting:
            yield waiting
            waiting = None
        if title:
            yield Saved(line, title, content)
        elif language == "sh":
            waiting = Typed(line, content, None)
    if waiting:
        yield waiting


def is_as_shown(printed: str, shown: str) -> bool:
    """Whether it is what the page shows, where `…` stands for anything: alone in a line for any lines, and else for a part of its line."""
    lines = [_line(line) for line in _squeezed(shown)]
    return re.fullmatch("".join(lines), "".join(line + "\n" for line in _squeezed(printed))) is not None


def _squeezed(text: str) -> list[str]:
    """Without blanks that nobody sees, one empty line for several, rules of any length alike."""
    lines = [re.sub(r"([=-])\1{2,}", r"\1\1\1", line.rstrip()) for line in text.strip("\n").splitlines()]
    return [line for line, before in zip(lines, ["", *lines], strict=False) if line or before]


def _line(line: str) -> str:
    if line.strip() == ANYTHING:
        return r"(?:.*\n)*?"
    words = [r" +".join(re.escape(word) for word in part.split(" ")) for part in line.rstrip().split(ANYTHING)]
    return r".*".join(re.sub(r"(?: \+)+", " +", part) for part in words) + r"\n"


class Shell:
    """One bash that lives as long as the page."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self._bash = subprocess.Popen(
            ["bash"], cwd=folder, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, encoding="utf-8", errors="replace",
        )  # fmt: skip

    def type(self, commands: str) -> str:
        """What they print, both streams together."""
        assert self._bash.stdin
        assert self._bash.stdout
        mark = f"end-{uuid.uuid4().hex}"
        self._bash.stdin.write(f"{commands}\necho {mark}\n")
        self._bash.stdin.flush()
        printed = []
        for line in self._bash.stdout:
            if line.rstrip().endswith(mark):
                return "".join([*printed, line.rstrip().removesuffix(mark)])
            printed.append(line)
        raise EOFError("".join(printed))

    def close(self) -> None:
        """End the shell, and what it left running."""
        assert self._bash.stdin
        assert self._bash.stdout
        with contextlib.suppress(BrokenPipeError):  # it may have ended by itself
            self._bash.stdin.write("kill $(jobs -p) 2>/dev/null; exit\n")
            self._bash.stdin.close()
        self._bash.wait(30)
        self._bash.stdout.close()


def type_page(page: Path, folder: Path, env: dict[str, str], without: str | None = None) -> int:
    """How many blocks gave something else than the page shows."""
    wrong = 0
    shell = Shell(folder, env)
    try:
        for step in steps(page.read_text(encoding="utf-8")):
            if without and isinstance(step, Typed) and re.search(without, step.commands):
                print(f"{page.name}:{step.line}: left out", flush=True)
                continue
            wrong += not _done(shell, step, page.name)
    finally:
        shell.close()
    return wrong


def _done(shell: Shell, step: Typed | Saved, page: str) -> bool:
    if isinstance(step, Saved):
        mark = "END-OF-FILE"
        shell.type(f"mkdir -p \"$(dirname '{step.name}')\"\ncat >'{step.name}' <<'{mark}'\n{step.content}{mark}")
        return True
    began = time.monotonic()
    printed = shell.type(step.commands)
    took_s = time.monotonic() - began
    well = step.shown is None or is_as_shown(printed, step.shown)
    first = step.commands.strip().splitlines()[0]
    print(
        f"{page}:{step.line}: {'as shown' if well and step.shown else 'done' if well else 'OTHER'}, {took_s:.0f} s: {first}",
        flush=True,
    )
    if not well:
        print(
            *difflib.unified_diff(
                (step.shown or "").splitlines(), printed.splitlines(), "page", "printed", lineterm=""
            ),
            sep="\n",
        )
    elif step.shown is None:
        print(*("    " + line for line in printed.splitlines()[:20]), sep="\n")
    return well


def _clone(folder: Path) -> Path:
    """What is committed here."""
    here = Path(__file__).parents[2]
    subprocess.run(["git", "clone", "--quiet", here, folder / "strapline"], check=True)
    return folder / "strapline"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--repository", type=Path, help="begin each page in this folder, not in a new clone")
    parser.add_argument("--without", help="leave out blocks in which this regular expression is found")
    given = parser.parse_args()
    env = {name: value for name, value in os.environ.items() if name not in _NOT_A_READERS}
    wrong = 0
    for page in given.pages:
        with tempfile.TemporaryDirectory() as folder:
            repository = given.repository or _clone(Path(folder))
            wrong += type_page(page.resolve(), repository, env, given.without)
    print(f"{wrong} blocks gave something else" if wrong else "all as shown")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
