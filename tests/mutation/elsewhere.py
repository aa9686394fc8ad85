"""Which test of the parts notices a mutant that no scenario notices."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mutation.drawing import Mutant
from mutation.modules import source_of

TESTS = Path(__file__).resolve().parents[1]
_FOLDERS = {"strapline_tag": "firmware", "strapline_gateway": "gateway"}
_ABOUT_WHAT_ONLY_KEEPS_OR_CARRIES = re.compile(
    r"journal|update|nonces|lms|linkability|rekeying|outbox|service|config|micropython|state|salvage|relay|metrics|serial"
)
_LIMIT_S = 300.0
"""A mutant that does not end is noticed."""


def noticing(
    mutants: Sequence[Mutant], cache: Path, jobs: int, say: Callable[[str], None] = lambda _text: None
) -> dict[str, str]:
    """By a mutant's ident the test that fails with it, or an empty string; from `cache` what still holds."""
    known = _read(cache)
    found = {}
    todo = []
    for mutant in mutants:
        key = _key(mutant)
        if (mutant.ident, key) in known:
            found[mutant.ident] = known[mutant.ident, key]
        else:
            todo.append((mutant, key))
    with ThreadPoolExecutor(jobs) as pool:
        for (mutant, key), test in zip(todo, pool.map(lambda one: noticing_test(one[0]), todo), strict=True):
            found[mutant.ident] = test
            with cache.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"ident": mutant.ident, "key": key, "test": test}) + "\n")
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
        command += ["-p", "no:strapline-rig", "-p", "mutation.in_tests", *map(str, files)]
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
            failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
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
        and not _ABOUT_WHAT_ONLY_KEEPS_OR_CARRIES.search(path.stem)
        and re.search(rf"(?:\b|_)(?:{name}|station)\b", path.read_text(encoding="utf-8"))
    ]
    if others:
        yield others


def _key(mutant: Mutant) -> str:
    """Changes with the module and with the tests of its part."""
    text = hashlib.sha256(source_of(mutant.module).encode())
    for path in sorted((TESTS / _FOLDERS[mutant.module.partition(".")[0]]).glob("*.py")):
        text.update(path.read_bytes())
    return text.hexdigest()[:16]


def _read(cache: Path) -> dict[tuple[str, str], str]:
    if not cache.exists():
        return {}
    rows = [json.loads(row) for row in cache.read_text(encoding="utf-8").splitlines()]
    return {(row["ident"], row["key"]): row["test"] for row in rows}
