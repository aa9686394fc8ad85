"""The folder of a fleet's run: what was asked, and the shards that are done. A run that was stopped goes on from it.

A shard's file appears whole or not at all: written beside, made durable, renamed. One that does not end with its own sum is run again.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Self

from strapline_protocol.errors import UserError
from strapline_simulator.fleet.question import Question, Shard, question_to_json
from strapline_simulator.fleet.results import result_from_line, result_to_line
from strapline_simulator.fleet.spec import HomeResult

try:
    import fcntl
except ModuleNotFoundError:  # pragma: no cover (not on Windows, where two runs at once are not noticed)
    fcntl = None  # type: ignore[assignment]

FORMAT = 1
_MANIFEST = "question.json"


class RunFolder:
    """Use as a context manager: one run at a time works in a folder."""

    def __init__(self, path: Path, question: Question) -> None:
        self.path = path
        self._question = question
        self._shards = path / "shards"
        self._lock: IO[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._shards.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / ".lock").open("wb")
        except OSError as error:
            raise UserError(f"--out {self.path}: {error.strerror}; give a folder that can be written") from None
        try:
            self._take()
            self._hold_to_question()
        except BaseException:
            self._lock.close()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        if self._lock is not None:
            self._lock.close()

    def _take(self) -> None:
        if fcntl is None or self._lock is None:  # pragma: no cover
            return
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(
                f"--out {self.path}: another run is at work there; wait for it, or give another folder"
            ) from None

    def _hold_to_question(self) -> None:
        manifest = self.path / _MANIFEST
        asked = {"format": FORMAT, **question_to_json(self._question)}
        # Of a run that did nothing yet, as after a cluster's name that was mistyped, nothing is lost.
        if not manifest.exists() or not any(self._shards.glob("*.jsonl")):
            _write_whole(manifest, json.dumps(asked, indent=2) + "\n")
            return
        try:
            known = json.loads(manifest.read_text(encoding="utf-8"))
        except ValueError:
            known = None
        if not isinstance(known, dict):
            raise UserError(f"{manifest}: damaged; give another folder with --out, or remove this one")
        if known != asked:
            raise UserError(
                f"--out {self.path} holds another run ({_difference(known, asked)}); give another folder, or ask the same"
            )

    def done(self) -> set[int]:
        """Numbers of the shards that need not be run."""
        return {int(path.stem) for path in self._shards.glob("*.jsonl") if path.stem.isdigit() and _is_whole(path)}

    def keep(self, shard: Shard, results: Sequence[HomeResult]) -> None:
        body = "".join(result_to_line(result) + "\n" for result in results)
        _write_whole(self._file(shard.number), body + _sum_line(body))

    def results(self, shards: Sequence[Shard]) -> Iterator[HomeResult]:
        """Of all homes, by number."""
        for shard in shards:
            for line in self._file(shard.number).read_text(encoding="utf-8").splitlines()[:-1]:
                yield result_from_line(line)

    def _file(self, number: int) -> Path:
        return self._shards / f"{number:06d}.jsonl"


def _difference(known: dict[str, Any], asked: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {known.get(name)}, not {value}" for name, value in asked.items() if known.get(name) != value
    )


def _sum_line(body: str) -> str:
    return json.dumps({"sha256": hashlib.sha256(body.encode()).hexdigest()}) + "\n"


def _is_whole(path: Path) -> bool:
    text = path.read_text(encoding="utf-8", errors="replace")
    body, end, last = text.rstrip("\n").rpartition("\n")
    return _sum_line(body + end) == last + "\n"


def _write_whole(path: Path, text: str) -> None:
    beside = path.with_suffix(".tmp")
    with beside.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    beside.replace(path)
