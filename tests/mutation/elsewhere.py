"""Which test of the parts notices a mutant that no scenario notices."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from mutation.drawing import Mutant
from mutation.modules import source_of

TESTS = Path(__file__).resolve().parents[1]
_FOLDERS = {"strapline_tag": "firmware", "strapline_gateway": "gateway"}
_NOT_ASKED = re.compile(
    r"journal|update|nonces|lms|rekeying|outbox|service|config|state|salvage|relay|metrics|serial|micropython|bench"
)
"""About what only keeps or carries; or against MicroPython, which has no mutant, so that every difference shows."""

_LIMIT_S = 300.0
"""A mutant that does not end is noticed."""


class _Row(NamedTuple):
    ident: str
    test: str
    key: str


def noticing(
    mutants: Sequence[Mutant], cache: Path, jobs: int, say: Callable[[str], None] = lambda _text: None
) -> dict[str, str]:
    """By a mutant's ident the test that fails with it, or an empty string; from `cache` what still holds."""
    known = _read(cache)
    found = {
        one.ident: known[one.ident].test for one in mutants if one.ident in known and _holds(one, known[one.ident])
    }
    todo = [one for one in mutants if one.ident not in found]
    with ThreadPoolExecutor(jobs) as pool:
        for mutant, test in zip(todo, pool.map(noticing_test, todo), strict=True):
            found[mutant.ident] = test
            with cache.open("a", encoding="utf-8") as file:
                file.write(json.dumps(_Row(mutant.ident, test, _key(mutant, test))._asdict()) + "\n")
            say(f"{len(found)} of {len(mutants)}: {test or 'no test notices'}  {mutant.ident}")
    return found


def noticing_test(mutant: Mutant) -> str:
    """The first that fails: those of the module's own file before others of its part that name it, or the base station that it is in."""
    for files in _files(mutant.module):
        # The plugin imports what is mutated before pytest rewrites anything; a rig's plugin would hold on to modules that are replaced.
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "--no-header",
            "--tb=no",
            "-rfE",
            "-p",
            "no:cacheprovider",
        ]
        command += ["-k", "not micropython", "-p", "no:strapline-rig", "-p", "mutation.in_tests", *map(str, files)]
        environment = {
            **os.environ,
            "STRAPLINE_MUTANT": json.dumps(mutant._asdict()),
            "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]),
        }
        try:
            done = subprocess.run(
                command,
                cwd=TESTS.parent,
                env=environment,
                capture_output=True,
                text=True,
                timeout=_LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"{files[0].name}: no end"
        if done.returncode not in {0, 1, 2}:
            raise RuntimeError(
                f"{mutant.ident}: pytest ended with {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}"
            )
        if done.returncode:
            failed = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - |$)", done.stdout, re.MULTILINE)
            return failed[1] if failed else files[0].name
    return ""


def _files(module: str) -> Iterator[list[Path]]:
    package, _, name = module.partition(".")
    folder = TESTS / _FOLDERS[package]
    own = [folder / f"test_{name}.py"] if (folder / f"test_{name}.py").exists() else []
    if own:
        yield own
    others = [
        path
        for path in sorted(folder.glob("test_*.py"))
        if path not in own
        and not _NOT_ASKED.search(path.stem)
        and re.search(rf"(?:\b|_)(?:{name}|station)\b", path.read_text(encoding="utf-8"))
    ]
    if others:
        yield others


def _holds(mutant: Mutant, row: _Row) -> bool:
    return row.key == _key(mutant, row.test)


def _key(mutant: Mutant, test: str) -> str:
    """Changes with the module, and with the test that noticed; where none did, with every test that was asked."""
    files = [TESTS.parent / test.partition("::")[0]] if "::" in test else [*chain(*_files(mutant.module))]
    text = hashlib.sha256(source_of(mutant.module).encode())
    for path in files:
        text.update(path.read_bytes() if path.exists() else b"")
    return text.hexdigest()[:16]


def _read(cache: Path) -> dict[str, _Row]:
    """The newest of each."""
    if not cache.exists():
        return {}
    rows = [_Row(**json.loads(row)) for row in cache.read_text(encoding="utf-8").splitlines()]
    return {row.ident: row for row in rows}
