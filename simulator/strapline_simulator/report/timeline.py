"""The timeline: what the wearer did, what the tag said, what reached the centre, and what the base station heard.

The y axis counts pixels downwards, so that lanes keep their height on every screen.
"""

from itertools import pairwise
from statistics import median

from strapline_simulator.report.alarms import Alarms
from strapline_simulator.report.figure import (
    Figure,
    Label,
    LegendEntry,
    Trace,
    axis,
    bar,
    hover_span,
    points,
    safe,
    time_axis,
)
from strapline_simulator.report.localtime import LocalClock
from strapline_simulator.report.model import Event, Report
from strapline_simulator.report.palette import Palette
from strapline_simulator.report.story import Story
from strapline_simulator.report.thinning import every_nth, spans
from strapline_simulator.report.truth import true_places
from strapline_simulator.report.wording import code_words, duration_words

TITLE_PX, ROW_PX, GAP_PX, BAR_PX = 20, 16, 16, 22
MARKER_PX = 14
TRUTH_ROWS, EVENT_ROWS = 2, 3
BEACONS_PX = 48
MAX_MARKERS = 600
MAX_BEACONS = 1500

# What the presence lane calls a pause: the shortest, and in beacons of this run for slow ones.
PRESENCE_GAP_S = 300.0
PRESENCE_GAP_BEACONS = 5

# The range of signal strengths that a receiver of this kind gives.
WEAKEST_DBM, STRONGEST_DBM = -105.0, -25.0

# A truth this close to an alarm is what the alarm is about, and its label goes first.
_CAUSE_S = 120.0


class _Lanes:
    """Collects lanes from top to bottom."""

    def __init__(self, clock: LocalClock, end_s: float) -> None:
        self.clock, self.end_s = clock, end_s
        self.palette = Palette()
        self.y = 0.0
        self.traces: list[Trace] = []
        self.labels: list[Label] = []
        self.legend: dict[str, LegendEntry] = {}
        self.titles: list[tuple[float, str]] = []
        self.ticks: list[tuple[float, str]] = []

    def title(self, text: str) -> None:
        if self.y:
            self.y += GAP_PX
        self.titles.append((self.y, text))
        self.y += TITLE_PX

    def bars(self, states: list[tuple[float, float, str]], lane: str) -> None:
        """A row of coloured bars with their names inside."""
        middle = self.y + BAR_PX / 2
        for name in dict.fromkeys(label for _, _, label in states):
            mine = [(start, end) for start, end, label in states if label == name]
            tone, colour = self.palette.tone(name), self.palette.colour(name)
            hover = [hover_span(self.clock, name, start, end) for start, end in mine]
            self.traces.append(bar(mine, middle, BAR_PX, colour, tone, hover))
            self.legend.setdefault(tone, LegendEntry(tone, name.lower(), colour, "bar"))
            self.labels += [
                Label("inside", s, middle, safe(name), self.palette.ink(name), x1=e, lane=lane, group=tone)
                for s, e in mine
            ]
        self.y += BAR_PX


def _truth(lanes: _Lanes, story: Story, alarms: list[Event]) -> None:
    places = true_places(story, lanes.end_s)
    if not places and not story.truths:
        return
    lanes.title("What the wearer did")
    if story.truths:
        lanes.y += TRUTH_ROWS * ROW_PX + MARKER_PX
        y = lanes.y - MARKER_PX / 2
        truths = every_nth(story.truths, MAX_MARKERS)
        hover = [f"{safe(text)}<br>{lanes.clock.stamp(t_s)}" for t_s, text in truths]
        xs = [t_s for t_s, _ in truths]
        lanes.traces.append(points(xs, [y] * len(xs), "triangle-down", 8, "var(--ink)", "truth", hover))
        lanes.legend["truth"] = LegendEntry("truth", "something the wearer or the world did", "var(--ink)", "triangle")
        for t_s, text in truths:
            is_cause = any(0 <= alarm.t_s - t_s <= _CAUSE_S for alarm in alarms)
            label = Label(
                "above", t_s, y, safe(text), rows=TRUTH_ROWS, lane="truth", priority=0 if is_cause else 1, group="truth"
            )
            lanes.labels.append(label)
    if places:
        lanes.bars(places, "place")


def _states(lanes: _Lanes, story: Story) -> None:
    if story.states:
        lanes.title("What the tag made of it: its state")
        lanes.bars(story.states, "state")


def _event_hover(event: Event, clock: LocalClock) -> str:
    lines = [
        f"<b>{safe(code_words(event.code))}</b> ({safe(event.code)})",
        f"recorded by {safe(event.tag)} at {clock.stamp(event.t_s)}",
    ]
    if event.at_centre_s is None:
        lines.append("never reached the centre")
    else:
        lines.append(f"at the centre {duration_words(event.at_centre_s - event.t_s)} later")
    return "<br>".join(lines)


def _events(lanes: _Lanes, report: Report, alarms: Alarms) -> None:
    if not report.events and not alarms.own:
        return
    lanes.title("Events, when they reached the centre")
    lanes.y += EVENT_ROWS * ROW_PX + MARKER_PX
    arrived = [(i, event) for i, event in enumerate(report.events) if event.at_centre_s is not None]
    lost = [event for event in report.events if event.at_centre_s is None]
    muted, red = "var(--muted)", "var(--alarm)"
    others = [_mark(event, lanes.clock) for i, event in arrived if i not in alarms.events]
    _marks(lanes, others, LegendEntry("other", "other event", muted, "dot"), "circle", priority=2)
    urgent = [_mark(event, lanes.clock) for i, event in arrived if i in alarms.events]
    _marks(lanes, urgent, LegendEntry("alarm", "alarm", red, "cross"), "x", priority=0)
    own = [
        (t_s, safe(code_words(code)), f"<b>{safe(text)}</b><br>raised {lanes.clock.stamp(t_s)}")
        for t_s, code, text in alarms.own
    ]
    _marks(lanes, own, LegendEntry("own", "alert by the centre itself", red, "diamond"), "diamond", priority=1)
    never = [_mark(event, lanes.clock) for event in lost]
    _marks(lanes, never, LegendEntry("lost", "never arrived", red, "ring"), "circle-open", priority=1)


def _mark(event: Event, clock: LocalClock) -> tuple[float, str, str]:
    x = event.t_s if event.at_centre_s is None else event.at_centre_s
    return x, safe(code_words(event.code)), _event_hover(event, clock)


def _marks(
    lanes: _Lanes, marks: list[tuple[float, str, str]], entry: LegendEntry, symbol: str, *, priority: int
) -> None:
    """Markers of (x, words, hover) in the lane that was opened last."""
    if not marks:
        return
    y = lanes.y - MARKER_PX / 2
    shown = every_nth(marks, MAX_MARKERS)
    hover = [text for _, _, text in shown]
    lanes.traces.append(points([x for x, _, _ in shown], [y] * len(shown), symbol, 9, entry.colour, entry.group, hover))
    lanes.legend[entry.group] = entry
    lanes.labels += [
        Label("above", x, y, words, entry.colour, rows=EVENT_ROWS, lane="event", priority=priority, group=entry.group)
        for x, words, _ in shown
    ]


def _beacons(lanes: _Lanes, story: Story) -> None:
    if not story.heard:
        return
    lanes.title("Signal strength at the base station (dBm)")
    top, scale = lanes.y, BEACONS_PX / (STRONGEST_DBM - WEAKEST_DBM)

    def height(dbm: float) -> float:
        return top + (STRONGEST_DBM - min(max(dbm, WEAKEST_DBM), STRONGEST_DBM)) * scale

    shown = every_nth(story.heard, MAX_BEACONS)
    hover = [f"{lanes.clock.stamp(t_s)}<br>{dbm:.0f} dBm" for t_s, dbm in shown]
    xs, ys = [t_s for t_s, _ in shown], [round(height(dbm), 1) for _, dbm in shown]
    trace = points(xs, ys, "circle", 3, "var(--signal)", "signal", hover)
    trace["marker"]["line"]["width"] = 0
    lanes.traces.append(trace)
    lanes.legend["signal"] = LegendEntry("signal", "signal heard", "var(--signal)", "dot")
    lanes.ticks += [(height(dbm), f"−{-dbm}") for dbm in (-40, -90)]
    lanes.y += BEACONS_PX


def _presence(lanes: _Lanes, story: Story) -> None:
    if not story.heard:
        return
    lanes.title("Within reach of the base station")
    middle = lanes.y + BAR_PX / 4
    instants = [t_s for t_s, _ in story.heard]
    stretches = spans(instants, presence_gap_s(instants))
    hover = [hover_span(lanes.clock, "within reach", start, end) for start, end in stretches]
    lanes.traces.append(bar(stretches, middle, BAR_PX / 2, "var(--signal)", "reach", hover))
    lanes.legend["reach"] = LegendEntry("reach", "within reach", "var(--signal)", "bar")
    lanes.y += BAR_PX / 2


def presence_gap_s(instants: list[float]) -> float:
    """The pause that ends a stretch of presence: `PRESENCE_GAP_S`, or longer for a tag that beacons rarely."""
    pauses = [later - earlier for earlier, later in pairwise(instants)]
    return max(PRESENCE_GAP_S, PRESENCE_GAP_BEACONS * median(pauses)) if pauses else PRESENCE_GAP_S


def timeline(report: Report, story: Story, alarms: Alarms, clock: LocalClock, end_s: float) -> Figure | None:
    """The lanes, or None for a run without any."""
    lanes = _Lanes(clock, end_s)
    _truth(lanes, story, [report.events[i] for i in alarms.events])
    _states(lanes, story)
    _events(lanes, report, alarms)
    _beacons(lanes, story)
    _presence(lanes, story)
    if not lanes.traces:
        return None
    plot_px = int(lanes.y + 6)
    ticks = {"tickvals": [y for y, _ in lanes.ticks], "ticktext": [text for _, text in lanes.ticks]}
    return Figure(
        name="timeline",
        summary="Lanes over the time of day: " + "; ".join(text for _, text in lanes.titles) + ".",
        plot_px=plot_px,
        traces=lanes.traces,
        layout={
            "xaxis": time_axis(end_s),
            "yaxis": axis(range=[plot_px, 0], fixedrange=True, showgrid=False, **ticks),
            "annotations": [lane_title(0, y, text, "y") for y, text in lanes.titles],
        },
        labels=lanes.labels,
        legend=list(lanes.legend.values()),
        local_time=True,
    )


def lane_title(x: float, y: float, text: str, yref: str) -> dict[str, object]:
    """The name of a lane or panel, at its top left."""
    return {
        "x": x,
        "y": y,
        "xref": "paper",
        "yref": yref,
        "xanchor": "left",
        "yanchor": "top" if yref == "y" else "bottom",
        "text": text,
        "showarrow": False,
        "font": {"size": 12, "color": "var(--muted)"},
    }
