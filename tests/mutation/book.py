"""What became of mutants in earlier runs: a run that was stopped goes on, and a scenario that was changed is tried again alone."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mutation.drawing import Mutant
from mutation.modules import source_of
from mutation.reach import Reached
from mutation.trial import Verdict


class _Row(NamedTuple):
    verdict: Verdict
    source: str
    """Of the module that is mutated."""
    key: str
    """Of the scenario that noticed."""


class Book:
    """One file of lines of JSON; the newest of a mutant counts."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._rows: dict[str, _Row] = {}
        if file.exists():
            for line in file.read_text(encoding="utf-8").splitlines():
                row: dict[str, Any] = json.loads(line)
                self._rows[row["verdict"]["ident"]] = _Row(
                    Verdict(**{**row["verdict"], "differs": tuple(row["verdict"]["differs"])}),
                    row["source"],
                    row["key"],
                )

    def known(self, mutant: Mutant, scenarios: Sequence[Reached]) -> Verdict | None:
        """The verdict, where it still holds."""
        row = self._row(mutant)
        if not scenarios:
            return Verdict(mutant.ident, killed=False)
        if row is None or (not row.verdict.killed and self.left(mutant, scenarios)):
            return None
        keys = {one.name: one.key for one in scenarios}
        still = not row.verdict.killed or not row.verdict.by or keys.get(row.verdict.by) == row.key
        return row.verdict if still else None

    def left(self, mutant: Mutant, scenarios: Sequence[Reached]) -> list[Reached]:
        """Those that have not seen it yet."""
        row = self._row(mutant)
        return [one for one in scenarios if row is None or row.verdict.passed.get(one.name) != one.key]

    def note(self, mutant: Mutant, verdict: Verdict, scenarios: Sequence[Reached]) -> Verdict:
        """Gives it together with what was known before."""
        row = self._row(mutant)
        if row is not None and not verdict.killed:
            keys = {one.name: one.key for one in scenarios}
            before = {name: key for name, key in row.verdict.passed.items() if keys.get(name) == key}
            differs = [name for name in row.verdict.differs if name in before and name not in verdict.passed]
            verdict = verdict._replace(
                passed={**before, **verdict.passed}, differs=tuple(sorted({*differs, *verdict.differs}))
            )
        key = next((one.key for one in scenarios if one.name == verdict.by), "")
        new = _Row(verdict, _source(mutant), key)
        self._rows[mutant.ident] = new
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**new._asdict(), "verdict": verdict._asdict()}) + "\n")
        return verdict

    def _row(self, mutant: Mutant) -> _Row | None:
        row = self._rows.get(mutant.ident)
        return row if row is not None and row.source == _source(mutant) else None


def _source(mutant: Mutant) -> str:
    return hashlib.sha256(source_of(mutant.module).encode()).hexdigest()[:16]
