"""The summary as one page: the same look as a scenario's report, drawn in SVG, nothing fetched and no script."""

import math
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import jinja2

from strapline_simulator.fleet.summary import Spread, Summary
from strapline_simulator.fleet.words import FALSE, seconds_words, share_words
from strapline_simulator.report.wording import code_words, count_words

_LEFT_OUT = (
    "Nobody was monitored. Lives are drawn from a seed; where docs/fleets.md names no source, habits are assumptions.",
    "Limbs and tags are two heat nodes; no sensor noise, no sun, no skin disorder but a cold limb.",
    "Motion is a handful of real recordings and made-up swings, played again and again.",
    "Radio is path loss with fading; no other 2.4 GHz traffic, no neighbours' walls, no adapter that goes deaf, no worn antenna.",
    "The cell is there or not, with the level of a few kinds of places; no modem that hangs, no network that refuses.",
    "Electronics do not age: no corrosion in the strap's contacts, no cracked conductor, no battery that swells.",
    "Tampers are of the listed kinds; a kind that nobody thought of is not counted as missed.",
)


class Bar(NamedTuple):
    """One row of a drawing: its share of the longest is `share`."""

    name: str
    share: float
    text: str
    tone: str


class Stretch(NamedTuple):
    """One row on the axis of times, from half of them to the slowest."""

    name: str
    begins: float
    ends: float
    text: str


_AXIS_S = (0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 14400.0)


def render_page(summary: Summary) -> str:
    alerts = summary.alerts
    return _template().render(
        s=summary,
        css=files("strapline_simulator.report").joinpath("page.css").read_text(encoding="utf-8"),
        verdict=_verdict(summary),
        count=count_words,
        seconds=seconds_words,
        share=share_words,
        words=code_words,
        false_name=FALSE,
        quiet_days=alerts.days_without,
        checks=_checks(summary),
        causes=_cause_bars(summary),
        latencies=_latency_bars(summary),
        spreads=_spreads(summary),
        ticks=[(_log_share(tick), seconds_words(tick)) for tick in _AXIS_S],
        left_out=_LEFT_OUT,
        question=_question(summary),
    )


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(files(__package__).joinpath("page.html.j2").read_text(encoding="utf-8"))


def _verdict(summary: Summary) -> dict[str, str]:
    if summary.passed:
        return {
            "kind": "passed",
            "word": "PASSED",
            "sentence": "Nothing was missed, nothing was lost, and false alerts are within the limit.",
        }
    failed = [text for text, holds, _ in _checks(summary) if not holds]
    return {"kind": "failed", "word": "FAILED", "sentence": "; ".join(failed) + "."}


def _checks(summary: Summary) -> list[tuple[str, bool, str]]:
    alerts = summary.alerts
    sown = sum(tampers.sown for tampers in summary.tampers.values())
    false, limit = share_words(alerts.false_per_person_day), share_words(summary.false_alerts_limit)
    too_many = alerts.false > summary.false_alerts_limit * summary.person_days
    return [
        (f"{summary.missed} of {sown} tampers were missed", not summary.missed, ""),
        (f"{summary.missing} records of tags are not in the ledger", not summary.missing, ""),
        (
            f"{false} false alerts for each person-day, at most {limit} are borne",
            not too_many,
            f"{alerts.false} in all",
        ),
    ]


def _cause_bars(summary: Summary) -> list[Bar]:
    totals = {cause: sum(codes.values()) for cause, codes in summary.alerts.by_cause.items()}
    longest = max(totals.values(), default=0)
    days = summary.person_days or 1.0
    return [
        Bar(
            code_words(cause) if cause else FALSE,
            total / longest,
            f"{total / days:.4f} a person-day ({count_words(total)})",
            "violation" if not cause else "other2" if cause in summary.tampers else "home",
        )
        for cause, total in sorted(totals.items(), key=lambda item: (item[0] != "", -item[1], item[0]))
    ]


def _log_share(seconds: float | None) -> float:
    """Where it lies on the axis, which is logarithmic."""
    low, high = _AXIS_S[0], _AXIS_S[-1]
    return math.log(min(high, max(low, seconds or low)) / low) / math.log(high / low)


def _latency_bars(summary: Summary) -> list[Stretch]:
    return [_stretch(kind, tampers.after_s) for kind, tampers in summary.tampers.items()]


def _stretch(kind: str, after: Spread) -> Stretch:
    words = (
        "none was told"
        if after.max is None
        else f"half within {seconds_words(after.p50)}, all within {seconds_words(after.max)}"
    )
    return Stretch(code_words(kind), _log_share(after.p50), _log_share(after.max), words)


def _spreads(summary: Summary) -> list[tuple[str, str, Spread]]:
    return [
        ("An alarm’s way, from its event to the centre", "s", summary.alarm_latency_s),
        ("Heartbeats of a tag in a day, by home", "", summary.heartbeats_per_tag_day),
        ("Real time for a tag’s day, by home", "s", summary.wall_s_per_tag_day),
    ]


def _question(summary: Summary) -> Mapping[str, Any]:
    asked = dict(summary.question)
    asked["mix"] = ", ".join(f"{name} {share}" for name, share in asked["mix"].items())
    asked["data"] = asked["data"] or "none: built-in motion, no recorded tracks"
    return asked
