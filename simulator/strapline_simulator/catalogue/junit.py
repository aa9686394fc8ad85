"""A catalogue run as JUnit's XML, for build servers."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET  # it only writes

from strapline_simulator.catalogue.outcome import Outcome

_SUITE = "strapline.catalogue"


def junit(outcomes: Sequence[Outcome]) -> str:
    """One test case for each scenario; seed, body, digests and rows are its properties."""
    counts = {
        "tests": str(len(outcomes)),
        "failures": str(sum(outcome.verdict == "failed" for outcome in outcomes)),
        "errors": str(sum(outcome.verdict == "error" for outcome in outcomes)),
        "skipped": str(sum(outcome.verdict == "skipped" for outcome in outcomes)),
        "time": f"{sum(outcome.wall_s for outcome in outcomes):.3f}",
    }
    root = ET.Element("testsuites", counts)
    suite = ET.SubElement(root, "testsuite", {"name": _SUITE, **counts})
    for outcome in outcomes:
        _case(suite, outcome)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(suite: ET.Element, outcome: Outcome) -> None:
    about = {"name": outcome.name, "classname": f"{_SUITE}.{outcome.body}", "time": f"{outcome.wall_s:.3f}"}
    if Path(outcome.path).suffix:
        about["file"] = outcome.path
    case = ET.SubElement(suite, "testcase", about)
    properties = ET.SubElement(case, "properties")
    told = {
        "seed": str(outcome.seed),
        "body": outcome.body,
        "air": outcome.air,
        "digest": outcome.digest,
        "frames_digest": outcome.frames_digest,
        "rows": " ".join(outcome.rows),
        "simulated_s": f"{outcome.simulated_s:g}",
    }
    for name, value in told.items():
        ET.SubElement(properties, "property", {"name": name, "value": value})
    if outcome.verdict == "skipped":
        ET.SubElement(case, "skipped", {"message": outcome.reason})
    elif outcome.verdict in ("failed", "error"):
        kind = "failure" if outcome.verdict == "failed" else "error"
        first = outcome.failures[0].strip().splitlines()[-1] if outcome.failures else ""
        told_of = ET.SubElement(case, kind, {"message": _clean(first), "type": outcome.verdict})
        told_of.text = _clean("\n".join([*outcome.failures, "", "run it alone:", f"  {outcome.command}"]))


def _clean(text: str) -> str:
    """Without what XML cannot hold."""
    return "".join(c for c in text if c in "\n\t" or c >= " ")
