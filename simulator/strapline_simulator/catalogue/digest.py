"""What must be the same in every run of one scenario with one seed: the whole report, but for times of the clock on the wall."""

import hashlib

from strapline_simulator.report import Report


def report_digest(report: Report) -> str:
    """SHA-256 over report.json, without how long the run took and how much memory the interpreter had."""
    same = report.model_copy(update={"wall_s": 0.0, "heap": None})
    return "sha256:" + hashlib.sha256(same.to_json().encode()).hexdigest()
