"""Verdicts in the terminal, and in the first line of a failure."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from strapline_hil.plugin.judgement import Judgement


def mark(report: pytest.TestReport, judgement: Judgement, *, said: bool, where: str) -> None:
    """Put the verdict at the head of a failure. `said`: the bench itself has said what is wrong, and no traceback says more."""
    first = f"{judgement.verdict}: {judgement.why}"
    longrepr: Any = report.longrepr
    if said:
        report.longrepr = f"{first}\n  at {where}" if where else first
    elif isinstance(longrepr, str):
        report.longrepr = f"{first}\n{longrepr}"
    elif getattr(longrepr, "reprcrash", None) is not None:
        longrepr.reprcrash.message = f"{first}\n{longrepr.reprcrash.message}"
        longrepr.addsection("verdict", first, "-")


def write(reporter: pytest.TerminalReporter, records: Sequence[dict[str, Any]]) -> None:
    """One line for each failure, and how many there were of each verdict."""
    failed = [record for record in records if record["verdict"]]
    if not failed:
        return
    counts = Counter(record["verdict"] for record in failed)
    told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    reporter.section(f"verdicts: {told}", sep="-")
    for record in failed:
        reporter.write_line(f"{record['verdict']:<11}  {record['name']}  {record['why']}")
        if record["folder"]:
            reporter.write_line(f"{'':<11}  kept in {record['folder']}")
