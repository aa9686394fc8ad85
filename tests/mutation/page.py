"""What came of the mutants, for people and for programs."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from rich.table import Table

from mutation.drawing import Mutant, difference
from mutation.explained import Change, Explanation
from mutation.trial import Verdict


class Fate(NamedTuple):
    """One mutant, and what became of it."""

    mutant: Mutant
    change: Change
    verdict: Verdict
    explanation: Explanation | None
    test: str
    """Which notices what no scenario notices."""

    @property
    def word(self) -> str:
        if self.verdict.killed:
            return "killed"
        if self.test:
            return "elsewhere"
        return "unexplained" if self.explanation is None else self.explanation.kind


WORDS = ("killed", "elsewhere", "equivalent", "tolerance", "unexplained")


def table(fates: Sequence[Fate]) -> Table:
    shown = Table("module", "mutants", *WORDS, title="Mutants of the deciding modules before the catalogue")
    by_module: dict[str, Counter[str]] = {}
    for fate in fates:
        by_module.setdefault(fate.mutant.module, Counter())[fate.word] += 1
    for module, words in sorted(by_module.items()):
        shown.add_row(module, str(words.total()), *(str(words[word] or "") for word in WORDS))
    total = Counter(fate.word for fate in fates)
    shown.add_section()
    shown.add_row("all", str(len(fates)), *(str(total[word]) for word in WORDS))
    return shown


def survivor(fate: Fate) -> str:
    """Where it is, what it changes, how many scenarios ran it, and why it may stay."""
    verdict = fate.verdict
    ran = f"{len(verdict.passed)} scenarios ran it, {len(verdict.differs)} had another report"
    seen = f" ({', '.join(verdict.differs[:4])})" if verdict.differs else ""
    why = fate.test or (fate.explanation.why if fate.explanation else "")
    why = f"{fate.word}: {why}" if why else "UNEXPLAINED"
    return "\n".join(
        [f"{fate.mutant.ident}: {ran}{seen}", *(f"    {row}" for row in difference(fate.mutant)), f"  {why}"]
    )


def as_json(fates: Sequence[Fate], seed: int) -> dict[str, Any]:
    words = Counter(fate.word for fate in fates)
    hows = Counter(fate.verdict.how.partition(":")[0] for fate in fates if fate.verdict.killed)
    by_hand = {"crash", "import", "time"}
    return {
        "seed": seed,
        "mutants": len(fates),
        **{word: words[word] for word in WORDS},
        "killed_by_expectation": sum(n for how, n in hows.items() if how not in by_hand),
        **{f"killed_by_{how}": hows[how] for how in sorted(by_hand)},
    }


def rows_as_json(fates: Sequence[Fate]) -> list[Mapping[str, Any]]:
    return [
        {
            **fate.mutant._asdict(),
            "becomes": fate.change.becomes,
            "verdict": fate.word,
            "by": fate.verdict.by,
            "how": fate.verdict.how,
            "scenarios": len(fate.verdict.passed),
            "differs": fate.verdict.differs,
            "why": fate.explanation.why if fate.explanation else "",
            "test": fate.test,
        }
        for fate in fates
    ]


def markdown(known: Iterable[Explanation]) -> str:
    """All explanations as a table for the documentation."""
    rows = ["| module | what changes | kind | why it may stay |", "|---|---|---|---|"]
    for change, kind, why in sorted(known):
        old, new = _apart(change.line, change.becomes)
        rows.append(f"| `{change.module.replace('strapline_', '')}` | `{old}` → `{new}` | {kind} | {why} |")
    return "\n".join(rows)


_WIDE = 28


def _apart(old: str, new: str) -> tuple[str, str]:
    """The two lines round the place where they differ."""
    first = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    at = max(0, first - _WIDE)
    before, after = (f"{'…' if at else ''}{text[at : first + _WIDE]}".replace("|", "\\|") for text in (old, new))
    return before, after
