"""What is left of one test: files in its folder, and a record for reports."""

import json
import shutil
from typing import Any

from strapline_hil.plugin.run import RigRun

_MOST_HAPPENINGS = 500
_MOST_SERIAL = 20_000
"""Characters; a page is for people. The files have all."""


def keep(run: RigRun, *, everything: bool) -> list[str]:
    """Write what was seen into the test's folder, or take the folder away; gives the files."""
    if not run.folder.is_dir():
        return []
    if run.judgement is None and not everything:
        shutil.rmtree(run.folder)
        return []
    written = {
        "happenings.txt": "".join(f"{one.t_s:12.3f}  {one.place:<7} {one.text}\n" for one in run.happenings),
        "serial.log": run.serial_log,
        "power.csv": run.power.csv() if run.power.meter else "",
        "measurements.json": json.dumps([one.as_json() for one in run.measurements]) if run.measurements else "",
        "failure.txt": "\n".join(run.failures),
    }
    for name, text in written.items():
        if text:
            (run.folder / name).write_text(text, encoding="utf-8")
    return sorted(path.name for path in run.folder.iterdir())


def record_of(run: RigRun, title: str, kept: list[str]) -> dict[str, Any]:
    """Plain values only: it travels between processes."""
    return {
        "name": run.name,
        "title": title,
        "outcome": run.outcome or "passed",
        "duration_s": round(run.duration_s, 3),
        "verdict": "" if run.judgement is None else str(run.judgement.verdict),
        "why": "" if run.judgement is None else run.judgement.why,
        "folder": str(run.folder) if kept else "",
        "files": kept,
        "failure": "\n\n".join(run.failures),
        "expectations": run.expectations,
        "measurements": [one.as_json() for one in run.measurements],
        "happenings": [[one.t_s, one.place, one.text] for one in run.happenings[:_MOST_HAPPENINGS]],
        "further_happenings": max(0, len(run.happenings) - _MOST_HAPPENINGS),
        "serial_log": run.serial_log[-_MOST_SERIAL:],
        "power": [list(one) for one in run.power.bins()],
        "power_error": "" if run.power.error is None else str(run.power.error),
    }
