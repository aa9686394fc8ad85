"""One run as one page: everything inline, nothing fetched, readable by a court officer and by an engineer."""

import base64
import gzip
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import Any, NamedTuple

import jinja2
from plotly.offline import get_plotlyjs

from strapline_simulator.report.alarms import Alarms, sort_alarms
from strapline_simulator.report.curves import curves
from strapline_simulator.report.latency import GOAL_S, latencies
from strapline_simulator.report.localtime import LocalClock
from strapline_simulator.report.model import Event, RaisedAlert, Report
from strapline_simulator.report.sketch import sketch
from strapline_simulator.report.story import Story
from strapline_simulator.report.timeline import presence_gap_s, timeline
from strapline_simulator.report.wording import body_words, code_words, count_words, duration_words

# More rows than this are for a data tool, not for a page; alarms come first.
MAX_EVENT_ROWS = 500
MAX_ALERT_ROWS = 100


class Fact(NamedTuple):
    """One number of the delivery box, and what it means."""

    name: str
    amount: int
    sentence: str
    parts: Sequence[str] = ()
    bad: bool = False

    @property
    def number(self) -> str:
        return count_words(self.amount)


def render_html(report: Report, story: Story) -> str:
    """The page: 2 MB of it are plotly's script, compressed, and a day's run adds half a megabyte.

    Raises KeyError for an unknown time zone and ValueError for a start without one.
    """
    end_s = max(report.simulated_s, 1.0)
    clock = LocalClock(story.start_utc, story.tz_name, end_s)
    alarms = sort_alarms(report, story)
    drawn = (
        timeline(report, story, alarms, clock, end_s),
        curves(story, clock, end_s),
        sketch(report, story, alarms, clock),
        latencies(story, clock),
    )
    figures = {figure.name: figure for figure in drawn if figure is not None}
    return _template().render(
        title=report.title or report.scenario,
        verdict=_verdict(report),
        body=body_words(report.body),
        simulated=duration_words(report.simulated_s),
        wall=duration_words(report.wall_s),
        start=f"{clock.date(0)}, {clock.at(0):%H:%M}",
        tz_name=story.tz_name,
        expectations=[_check(e.text, e.passed, e.latency_s) for e in report.expectations],
        figures=figures,
        presence_gap=duration_words(presence_gap_s([t_s for t_s, _ in story.heard])) if story.heard else "",
        goal=f"{GOAL_S:.0f}\N{NO-BREAK SPACE}s",
        latency_sentence=_latency_sentence(report),
        alerts=_alerts(report, story, clock)[:MAX_ALERT_ROWS],
        further_alerts=max(0, len(story.alerts) - MAX_ALERT_ROWS),
        facts=_facts(report),
        days=_days(report.events, alarms, clock),
        omitted=_omitted(len(report.events)),
        several_tags=len({event.tag for event in report.events}) > 1,
        about=_about(report, story),
        digest=report.frames_digest,
        data={
            "startEpochS": clock.start_epoch_s,
            "offsets": clock.offsets(),
            "figures": [figure.spec() for figure in figures.values()],
        },
        css=_asset("page.css"),
        script=_asset("page.js"),
        plotly=_packed_plotly(),
    )


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "ensure_ascii": False}
    return environment.from_string(_asset("page.html.j2"))


@cache
def _packed_plotly() -> str:
    """plotly.js (4.8 MB) as gzip in base64 (2 MB): the same bytes every time."""
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode("ascii")


def _verdict(report: Report) -> dict[str, str]:
    total = len(report.expectations)
    met = sum(expectation.passed for expectation in report.expectations)
    if not total:
        return {"kind": "open", "word": "NOT JUDGED", "sentence": "The scenario states no expectations."}
    if met == total:
        sentence = "The one expectation was met." if total == 1 else f"All {total} expectations were met."
        return {"kind": "passed", "word": "PASSED", "sentence": sentence}
    return {"kind": "failed", "word": "FAILED", "sentence": f"{total - met} of {total} expectations were not met."}


def _check(text: str, passed: bool, latency_s: float | None) -> dict[str, Any]:
    return {"text": text, "passed": passed, "after": "" if latency_s is None else f"after {duration_words(latency_s)}"}


def _alerts(report: Report, story: Story, clock: LocalClock) -> list[tuple[str, str, str, str]]:
    """Time, text, code and how it stands; what became of one is the report's to say, and the story knows all."""
    standing = {(alert.code, round(alert.raised_s)): alert for alert in report.alerts}
    rows = []
    for t_s, code, text in story.alerts:
        alert = standing.get((code, round(t_s)))
        rows.append((clock.stamp(t_s), text, code, "" if alert is None else _standing(alert, clock)))
    return rows


def _standing(alert: RaisedAlert, clock: LocalClock) -> str:
    words = [f"{alert.times} times"] if alert.times > 1 else []
    if alert.over_s is not None:
        words.append(f"over {clock.stamp(alert.over_s)}")
    words.append("open" if alert.acknowledged_s is None else f"acknowledged {clock.stamp(alert.acknowledged_s)}")
    return ", ".join(words)


def _latency_sentence(report: Report) -> str:
    latency = report.alarm_latency_s
    if latency.p50 is None or latency.p99 is None or latency.max is None:
        return ""
    return f"Half of them took at most {duration_words(latency.p50)}; the slowest took {duration_words(latency.max)}."


def _facts(report: Report) -> list[tuple[str, list[Fact]]]:
    frames, ledger = report.frames, report.ledger
    refused = sorted(frames.rejected.items(), key=lambda item: (-item[1], item[0]))
    air = [
        Fact("Frames sent", frames.sent, "Radio messages that the tag sent, its regular signs of life included."),
        Fact(
            "Frames accepted",
            frames.accepted,
            "Those that a base station heard, found genuine and found new. One that nobody hears is no loss: "
            "signs of life repeat, and a record is sent again.",
        ),
        Fact(
            "Frames refused",
            sum(frames.rejected.values()),
            "Those that it heard and turned away, each counted under its reason.",
            [f"{code_words(reason)}: {count_words(count)}" for reason, count in refused],
        ),
    ]
    books = [
        Fact("Records received", ledger.received, "Different events and positions that the centre now holds."),
        Fact(
            "Repeats dropped",
            ledger.duplicates_dropped,
            "Further copies of a record that the centre already had: a record is sent until its receipt is back.",
        ),
        Fact(
            "Records missing",
            ledger.missing,
            "Things that really happened in the simulated world and are not in the books. This has to be 0.",
            bad=ledger.missing > 0,
        ),
        Fact(
            "Records given up",
            ledger.tombstoned,
            "Old positions that a full store dropped by its rules, leaving a marker with their number.",
        ),
    ]
    return [("On the air", air), ("In the centre’s books", books)]


def _days(events: Sequence[Event], alarms: Alarms, clock: LocalClock) -> list[dict[str, Any]]:
    by_rank = sorted(range(len(events)), key=lambda i: (i not in alarms.events, i))[:MAX_EVENT_ROWS]
    ordered = sorted(by_rank, key=lambda i: (events[i].t_s, i))
    return [
        {"name": name, "events": [_row(events[i], alarms.events.get(i), clock) for i in mine]}
        for name, mine in groupby(ordered, key=lambda i: clock.date(events[i].t_s))
    ]


def _row(event: Event, alert: str | None, clock: LocalClock) -> dict[str, Any]:
    return {
        "time": clock.clock(event.t_s),
        "words": code_words(event.code),
        "code": event.code,
        "tag": event.tag,
        "alarm": alert is not None,
        "to_gateway": "–" if event.at_gateway_s is None else duration_words(event.at_gateway_s - event.t_s),
        "to_centre": "never" if event.at_centre_s is None else duration_words(event.at_centre_s - event.t_s),
    }


def _omitted(total: int) -> str:
    left = total - MAX_EVENT_ROWS
    return f" {count_words(left)} further events are in report.json." if left > 0 else ""


def _about(report: Report, story: Story) -> list[tuple[str, str]]:
    return [
        ("Scenario", report.scenario),
        ("Runs on", report.body),
        ("Seed of all random choices", str(report.seed)),
        *([("Message broker", report.broker)] if report.broker else []),
        ("Simulated time starts", f"{story.start_utc:%Y-%m-%d %H:%M:%S %Z}"),
        ("Time zone shown", story.tz_name),
    ]
