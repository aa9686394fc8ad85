"""What has been compiled before, kept for the next process: a build takes seconds, and most are of sources that did not change.

In `$XDG_CACHE_HOME/strapline/firmware` (else `~/.cache`), one file for each build, under the digest of all that it was made of: sources,
the builder's own code, the compiler. A file that is damaged or of another form is as good as none.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

from strapline_simulator.tools import find_mpy_cross

_KEEP = 16
"""Builds; the oldest go."""


class Built(NamedTuple):
    """A program as a board takes it."""

    name: str
    """What it is imported as."""
    launcher: str
    """Its `main.py`; empty where there is nothing to begin."""
    compiled: bytes
    own_size: int
    """Bytes without the bench program's own modules."""


def built(texts: Mapping[str, str], root: str, build: Callable[[], Built]) -> Built:
    """The build of these sources: the kept one, or a new one, which is kept."""
    path = folder() / _digest(texts, root)
    known = _read(path)
    if known is None:
        known = build()
        with suppress(OSError):  # a machine without a home folder builds each time
            _write(path, known)
    return known


def folder() -> Path:
    """Where the builds are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "strapline" / "firmware"


def _digest(texts: Mapping[str, str], root: str) -> str:
    made_of = json.dumps([sorted(texts.items()), root, _tools()])
    return hashlib.sha256(made_of.encode()).hexdigest()


@cache
def _tools() -> list[str]:
    """The builder's code and the compiler, by their contents."""
    compiler = find_mpy_cross()
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return [
        hashlib.sha256(path.read_bytes()).hexdigest() for path in [*sources, *([Path(compiler)] if compiler else [])]
    ]


def _read(path: Path) -> Built | None:
    try:
        head, _, compiled = path.read_bytes().partition(b"\n")
        told = json.loads(head)
        if hashlib.sha256(compiled).hexdigest() != told.pop("sha256"):
            return None
        return Built(compiled=compiled, **told)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _write(path: Path, made: Built) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {"name": made.name, "launcher": made.launcher, "own_size": made.own_size}
    told["sha256"] = hashlib.sha256(made.compiled).hexdigest()
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.write_bytes(json.dumps(told).encode() + b"\n" + made.compiled)
    beside.replace(path)
    kept = sorted(path.parent.iterdir(), key=lambda one: one.stat().st_mtime)
    for old in kept[:-_KEEP]:
        old.unlink(missing_ok=True)
