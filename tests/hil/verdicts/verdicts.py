"""Whose fault does the bench say that it is? (`make verdicts`)

Puts every published defect into the firmware, every fault into a virtual rig at random moments, and nothing at all into some runs.
Each runs in a pytest of its own. Prints a table of truth and verdict, and writes out/verdicts/verdicts.json. Exits 1 where a verdict is
wrong or a defect was not noticed.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])  # `hil.verdicts` is this folder

from hil.verdicts.rig_faults import RIG_FAULTS, FaultTrial, healthy, try_fault
from strapline_hil.defects.book import defects, draw
from strapline_hil.defects.trial import PASSED, Trial, try_defect

ROOT = Path(__file__).resolve().parents[3]
VERDICTS = ("product", "rig", "environment", "test", PASSED)
OF_THE_PRODUCT, OF_THE_RIG, OF_NOBODY = "defect in the product", "fault of rig or surroundings", "nothing wrong"


class Row(NamedTuple):
    """One run."""

    truth: str
    what: str
    verdict: str
    why: str

    @property
    def is_right(self) -> bool:
        """A fault that the test never met is nothing to be judged."""
        right = {OF_THE_PRODUCT: {"product"}, OF_THE_RIG: {"rig", "environment", PASSED}, OF_NOBODY: {PASSED}}
        return self.verdict in right[self.truth]


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    works = list(_works(asked))
    with ThreadPoolExecutor(asked.jobs) as pool:
        rows = [_told(row) for row in pool.map(lambda work: work(), works)]
    print(table(rows))
    asked.out.mkdir(parents=True, exist_ok=True)
    head = {"runs": len(rows), "wrong": [row.what for row in rows if not row.is_right], "seed": asked.seed}
    whole = {**head, "each": [row._asdict() for row in rows]}
    (asked.out / "verdicts.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(head))
    return int(bool(head["wrong"]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draw", type=int, default=0, help="so many defects at random, not all")
    parser.add_argument("--seed", type=int, default=1, help="of the defects drawn and of the moments")
    parser.add_argument("--moments", type=int, default=5, help="how often each fault of the rig is put in")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "verdicts")
    return parser


def _works(asked: argparse.Namespace) -> Iterator[Callable[[], Row]]:
    for test in ("rounds", "desk"):
        yield lambda test=test: _of_nobody(test, asked.out)  # type: ignore[misc]
    for moment in range(asked.moments):
        for fault in RIG_FAULTS:
            seed = asked.seed * 1000 + moment
            yield lambda fault=fault, seed=seed: _of_the_rig(try_fault(fault, seed, asked.out / "rig"))  # type: ignore[misc]
    for defect in draw(asked.draw, asked.seed) if asked.draw else defects():
        yield lambda defect=defect: _of_the_product(try_defect(defect, asked.out / "defects"))  # type: ignore[misc]


def _of_nobody(test: str, out: Path) -> Row:
    judged = healthy(out / "well", test)
    return Row(OF_NOBODY, f"{test}, on a rig that is well", judged.verdict, judged.why)


def _of_the_rig(trial: FaultTrial) -> Row:
    when = f"at {trial.at_s:g} s" if trial.at_s else "from the beginning"
    return Row(OF_THE_RIG, f"{trial.fault.name}, {when}, seed {trial.seed}", trial.judged.verdict, trial.judged.why)


def _of_the_product(trial: Trial) -> Row:
    return Row(OF_THE_PRODUCT, trial.defect.name, trial.judged.verdict, trial.judged.why)


def _told(row: Row) -> Row:
    print(f"{'' if row.is_right else 'WRONG '}{row.verdict:<12} {row.what:<48} {row.why[:110]}", flush=True)
    return row


def table(rows: Sequence[Row]) -> str:
    """Truth and verdict, in Markdown."""
    counts = Counter((row.truth, row.verdict) for row in rows)
    unknown = sorted({row.verdict for row in rows} - set(VERDICTS))
    lines = [
        f"| what was wrong | {' | '.join((*VERDICTS, *unknown))} |",
        "|---" * (len(VERDICTS) + len(unknown) + 1) + "|",
    ]
    for truth in (OF_THE_PRODUCT, OF_THE_RIG, OF_NOBODY):
        numbers = " | ".join(str(counts[truth, one]) for one in (*VERDICTS, *unknown))
        lines += [f"| {truth} | {numbers} |"]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
