"""The map without a map: places, true path and reported positions in metres around the first place, north up."""

import math

from strapline_simulator.report.alarms import Alarms
from strapline_simulator.report.figure import Figure, Label, LegendEntry, Trace, axis, points, safe
from strapline_simulator.report.localtime import LocalClock
from strapline_simulator.report.model import Event, Position, Report
from strapline_simulator.report.story import Story
from strapline_simulator.report.thinning import every_nth
from strapline_simulator.report.truth import Plane, place_at, whereabouts
from strapline_simulator.report.wording import code_words

MAX_TRACK = 3000
MAX_FIXES = 600
MAX_CIRCLES = 250
MAX_ALARMS = 40
MAX_LABELLED_ALARMS = 8
PLACE_CORNERS, ACCURACY_CORNERS = 72, 24
LEAST_SPAN_M = 200.0
_KILOMETRES_FROM_M = 3000.0

Circle = tuple[float, float, float]


class _Map:
    """Collects what is on the map, in metres, and knows its extent."""

    def __init__(self, plane: Plane, clock: LocalClock) -> None:
        self.plane, self.clock = plane, clock
        self.traces: list[Trace] = []
        self.labels: list[Label] = []
        self.legend: list[LegendEntry] = []
        self.corners: list[tuple[float, float]] = []

    def circles(self, circles: list[Circle], colour: str, group: str, opacity: float, corners: int) -> None:
        """One trace of filled circles of true size."""
        xs: list[float | None] = []
        ys: list[float | None] = []
        for x, y, radius in circles:
            turns = [2 * math.pi * i / corners for i in range(corners + 1)]
            xs += [*(round(x + radius * math.cos(turn), 1) for turn in turns), None]
            ys += [*(round(y + radius * math.sin(turn), 1) for turn in turns), None]
            self.corners += [(x - radius, y - radius), (x + radius, y + radius)]
        self.traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": xs,
                "y": ys,
                "fill": "toself",
                "fillcolor": colour,
                "opacity": opacity,
                "line": {"color": colour, "width": 0},
                "legendgroup": group,
                "hoverinfo": "skip",
            }
        )


def sketch(report: Report, story: Story, alarms: Alarms, clock: LocalClock) -> Figure | None:
    """The drawing, or None for a run without places, path and positions."""
    plane = _plane(report, story)
    if plane is None:
        return None
    drawing = _Map(plane, clock)
    _places(drawing, story)
    _path(drawing, story)
    _fixes(drawing, report.positions)
    _alarms(drawing, [report.events[i] for i in alarms.events], story)
    ranges, span_m = _extent(drawing.corners)
    unit = "km" if span_m > _KILOMETRES_FROM_M else "m"
    origin = story.places[0][0] if story.places else "the first point"
    ticks = {"nticks": 6, **({"tickformat": "~r"} if unit == "m" else {})}
    if unit == "km":
        _to_kilometres(drawing)
        ranges = [[low / 1000, high / 1000] for low, high in ranges]
    title = {"font": {"size": 11, "color": "var(--muted)"}, "standoff": 8}
    return Figure(
        name="sketch",
        summary=f"Places, the wearer's path and {len(report.positions)} reported positions, north up.",
        plot_px=460,
        traces=drawing.traces,
        layout={
            "xaxis": axis(range=ranges[0], title={"text": f"{unit} east of {safe(origin)}", **title}, **ticks),
            "yaxis": axis(range=ranges[1], title={"text": f"{unit} north", **title}, scaleanchor="x", **ticks),
        },
        labels=drawing.labels,
        legend=drawing.legend,
        equal=True,
    )


def _plane(report: Report, story: Story) -> Plane | None:
    for _, lat_deg, lon_deg, _ in story.places:
        return Plane(lat_deg, lon_deg)
    for _, lat_deg, lon_deg in story.track:
        return Plane(lat_deg, lon_deg)
    for position in report.positions:
        return Plane(position.lat_deg, position.lon_deg)
    return None


def _places(drawing: _Map, story: Story) -> None:
    if not story.places:
        return
    centres = [drawing.plane.metres(lat_deg, lon_deg) for _, lat_deg, lon_deg, _ in story.places]
    radii = [radius_m for _, _, _, radius_m in story.places]
    circles = [(x, y, radius) for (x, y), radius in zip(centres, radii, strict=True)]
    drawing.circles(circles, "var(--home)", "place", 0.7, PLACE_CORNERS)
    drawing.legend.append(LegendEntry("place", "place, with its radius", "var(--home)", "bar"))
    drawing.labels += [
        Label("around", x, y, safe(name), reach=radius_m, lane="map", priority=0, group="place")
        for (x, y), (name, _, _, radius_m) in zip(centres, story.places, strict=True)
    ]


def _path(drawing: _Map, story: Story) -> None:
    if not story.track:
        return
    track = every_nth(story.track, MAX_TRACK)
    metres = [drawing.plane.metres(lat_deg, lon_deg) for _, lat_deg, lon_deg in track]
    drawing.corners += metres
    drawing.traces.append(
        {
            "type": "scatter",
            "mode": "lines",
            "x": [round(x, 1) for x, _ in metres],
            "y": [round(y, 1) for _, y in metres],
            "line": {"color": "var(--path)", "width": 2},
            "legendgroup": "path",
            "hovertext": [f"truly here<br>{drawing.clock.stamp(t_s)}" for t_s, _, _ in track],
            "hoverinfo": "text",
        }
    )
    drawing.legend.append(LegendEntry("path", "true path", "var(--path)", "line"))


def _fixes(drawing: _Map, positions: tuple[Position, ...]) -> None:
    if not positions:
        return
    shown = every_nth(positions, MAX_FIXES)
    metres = [drawing.plane.metres(position.lat_deg, position.lon_deg) for position in shown]
    drawing.corners += metres
    rings = [(x, y, p.accuracy_m) for (x, y), p in zip(metres, shown, strict=True) if p.accuracy_m is not None]
    if rings:
        drawing.circles(every_nth(rings, MAX_CIRCLES), "var(--fix)", "accuracy", 0.18, ACCURACY_CORNERS)
        drawing.legend.append(
            LegendEntry("accuracy", "its accuracy, as the receiver estimates it", "var(--fix)", "ring")
        )
    hover = [
        f"reported position<br>{drawing.clock.stamp(p.t_s)}"
        + ("" if p.accuracy_m is None else f"<br>± {p.accuracy_m:.0f} m")
        for p in shown
    ]
    xs, ys = [round(x, 1) for x, _ in metres], [round(y, 1) for _, y in metres]
    trace = points(xs, ys, "circle", 5, "var(--fix)", "fix", hover)
    trace["marker"]["line"]["width"] = 0
    drawing.traces.append(trace)
    drawing.legend.insert(
        -1 if rings else len(drawing.legend), LegendEntry("fix", "reported position", "var(--fix)", "dot")
    )


def _alarms(drawing: _Map, events: list[Event], story: Story) -> None:
    placed = [(event, where) for event in events if (where := whereabouts(story.track, event.t_s)) is not None][
        :MAX_ALARMS
    ]
    if not placed:
        return
    hover = [f"<b>{safe(code_words(event.code))}</b><br>{drawing.clock.stamp(event.t_s)}" for event, _ in placed]
    metres = [drawing.plane.metres(*where) for _, where in placed]
    xs, ys = [round(x, 1) for x, _ in metres], [round(y, 1) for _, y in metres]
    drawing.traces.append(points(xs, ys, "x", 9, "var(--alarm)", "alarm", hover))
    drawing.legend.append(LegendEntry("alarm", "where the wearer was at an alarm", "var(--alarm)", "cross"))
    if len(placed) > MAX_LABELLED_ALARMS:
        return
    for (event, where), x, y in zip(placed, xs, ys, strict=True):
        around = place_at(story, *where)
        reach = next((radius_m for name, _, _, radius_m in story.places if name == around), 0.0)
        text = f"{safe(code_words(event.code))} {drawing.clock.brief(event.t_s)}"
        drawing.labels.append(Label("around", x, y, text, "var(--alarm)", reach=reach, lane="map", group="alarm"))


def _extent(corners: list[tuple[float, float]]) -> tuple[list[list[float]], float]:
    """([x range, y range], longer side) in metres, with a margin."""
    ranges = []
    for values in ([x for x, _ in corners], [y for _, y in corners]):
        middle, half = (min(values) + max(values)) / 2, max(max(values) - min(values), LEAST_SPAN_M) / 2 * 1.12
        ranges.append([middle - half, middle + half])
    return ranges, max(high - low for low, high in ranges)


def _to_kilometres(drawing: _Map) -> None:
    for trace in drawing.traces:
        for key in ("x", "y"):
            trace[key] = [None if value is None else round(value / 1000, 4) for value in trace[key]]
    drawing.labels = [
        Label(**{**label.__dict__, "x": label.x / 1000, "y": label.y / 1000, "reach": label.reach / 1000})
        for label in drawing.labels
    ]
