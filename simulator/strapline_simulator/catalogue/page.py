"""A catalogue run as one page: the table of requirements, every scenario with its verdict, and the way to its own page."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2

from strapline_simulator.catalogue.outcome import Outcome
from strapline_simulator.catalogue.requirement_table import Line
from strapline_simulator.report.wording import body_words, duration_words


def render_index(outcomes: Sequence[Outcome], lines: Sequence[Line]) -> str:
    """The page; nothing in it is fetched, and it needs no script."""
    ran = [outcome for outcome in outcomes if outcome.verdict != "skipped"]
    return _template().render(
        css=files("strapline_simulator.report").joinpath("page.css").read_text(encoding="utf-8"),
        own_css=_asset("index.css"),
        verdict=_verdict(outcomes),
        bodies=" and ".join(sorted({body_words(outcome.body) for outcome in outcomes})),
        simulated=duration_words(sum(outcome.simulated_s for outcome in ran)),
        lines=[_row(line) for line in lines],
        outcomes=[_scenario(outcome) for outcome in outcomes],
        bare=any(outcome.without_stimulus for outcome in outcomes),
    )


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(_asset("index.html.j2"))


def _verdict(outcomes: Sequence[Outcome]) -> dict[str, str]:
    bad = [outcome for outcome in outcomes if not outcome.well]
    ran = sum(outcome.verdict != "skipped" for outcome in outcomes)
    skipped = len(outcomes) - ran
    left = f" {skipped} {'was' if skipped == 1 else 'were'} skipped." if skipped else ""
    if bad:
        return {"kind": "failed", "word": "FAILED", "sentence": f"{len(bad)} of {ran} scenarios did not pass.{left}"}
    if not ran:
        return {"kind": "open", "word": "NOT JUDGED", "sentence": f"No scenario was run.{left}"}
    return {"kind": "passed", "word": "PASSED", "sentence": f"All {ran} scenarios passed.{left}"}


def _kind(verdict: str) -> str:
    return {"passed": "good", "failed": "bad", "error": "bad"}.get(verdict, "open")


def _row(line: Line) -> dict[str, Any]:
    requirement = line.requirement
    names = [{"name": o.name, "kind": _kind(o.verdict)} for o in line.scenarios]
    return {
        "row": requirement.row,
        "text": requirement.text,
        "number": requirement.number,
        "kind": _kind(line.verdict),
        "words": line.words,
        "names": names,
    }


def _scenario(outcome: Outcome) -> dict[str, Any]:
    return {
        **outcome.as_json(),
        "kind": _kind(outcome.verdict),
        "simulated": duration_words(outcome.simulated_s),
        "took": duration_words(outcome.wall_s) if outcome.wall_s else "",
    }
