"""One drawing as data: plotly's traces and layout, plus what the page's script adds once it knows its size and colours.

Colours are names of the page's CSS variables, `var(--name)`: one palette for light, dark and paper. Labels are placed by the
script, which measures them; a label that finds no room is left out, and its text stays in the hover and in the tables.
"""

from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any, Literal

from strapline_simulator.report.localtime import LocalClock

Trace = dict[str, Any]

# Drawings on one time axis share these, so that an instant is at the same place in each of them.
LEFT_PX, RIGHT_PX, BOTTOM_PX = 46, 18, 42


@dataclass(frozen=True)
class Label:
    """Text around a point or beside a bar (`around`), stacked in rows above a point (`above`), or inside a bar (`inside`)."""

    mode: Literal["above", "inside", "around"]
    x: float
    y: float
    text: str
    colour: str = "var(--ink)"
    x1: float | None = None
    """Where the bar that begins at `x` ends; None for a point."""
    yref: str = "y"
    """An axis, or `paper` for a share of the plot's height."""
    reach: float = 0.0
    """How far the thing itself extends around the point, in units of the x axis (`around`)."""
    rows: int = 1
    lane: str = ""
    """Labels of one lane keep out of each other's way."""
    priority: int = 1
    """Lower ones choose first."""
    group: str = ""
    """Hidden together with the legend's entry of that group."""


@dataclass(frozen=True)
class LegendEntry:
    """One entry of a legend, which hides and shows the traces of its group."""

    group: str
    text: str
    colour: str
    mark: Literal["bar", "dot", "line", "dash", "ring", "triangle", "diamond", "cross"]


@dataclass(frozen=True)
class Figure:
    """One drawing; `plot_px` is the height of its plot area and `summary` what it shows, for those who cannot see it."""

    name: str
    summary: str
    plot_px: int
    traces: list[Trace]
    layout: dict[str, Any]
    labels: list[Label] = field(default_factory=list)
    legend: list[LegendEntry] = field(default_factory=list)
    local_time: bool = False
    """Whether the x axis is seconds since the start, to be labelled with the local time of day."""
    equal: bool = False
    """Whether a metre is as long in both directions; `layout` then holds the ranges that must be seen."""

    def spec(self) -> dict[str, Any]:
        """What the page's script reads."""
        return {
            "name": self.name,
            "plotPx": self.plot_px,
            "traces": self.traces,
            "layout": {**base_layout(), **self.layout},
            "labels": [asdict(label) for label in self.labels],
            "localTime": self.local_time,
            "equal": self.equal,
        }


def base_layout() -> dict[str, Any]:
    """What every drawing looks like."""
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, -apple-system, Segoe UI, Roboto, Liberation Sans, sans-serif", "size": 12},
        "margin": {"l": LEFT_PX, "r": RIGHT_PX, "t": 8, "b": BOTTOM_PX, "pad": 0},
        "showlegend": False,
        "hovermode": "closest",
        "hoverlabel": {"bgcolor": "var(--paper)", "bordercolor": "var(--rule)", "align": "left"},
        "bargap": 0,
        "barmode": "overlay",
    }


def axis(**more: Any) -> dict[str, Any]:
    """An axis in the page's style."""
    style: dict[str, Any] = {
        "gridcolor": "var(--grid)",
        "zeroline": False,
        "showline": False,
        "ticks": "",
        "tickfont": {"size": 11, "color": "var(--muted)"},
        "automargin": False,
    }
    return {**style, **more}


def time_axis(end_s: float, **more: Any) -> dict[str, Any]:
    """The x axis of seconds since the start, the whole run in view."""
    return axis(range=[0, end_s], **more)


def bar(
    spans: list[tuple[float, float]], y: float, thickness: float, colour: str, group: str, hover: list[str]
) -> Trace:
    """A trace of horizontal bars from t0 to t1, all at one height."""
    return {
        "type": "bar",
        "orientation": "h",
        "base": [start for start, _ in spans],
        "x": [end - start for start, end in spans],
        "y": [y] * len(spans),
        "width": thickness,
        "marker": {"color": colour, "line": {"color": colour, "width": 1}},
        "legendgroup": group,
        "hovertext": hover,
        "hoverinfo": "text",
    }


def points(
    xs: list[float], ys: list[float], symbol: str, size: float, colour: str, group: str, hover: list[str]
) -> Trace:
    """A trace of markers."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": xs,
        "y": ys,
        "marker": {"symbol": symbol, "size": size, "color": colour, "line": {"color": colour, "width": 1.5}},
        "legendgroup": group,
        "hovertext": hover,
        "hoverinfo": "text",
        "cliponaxis": False,
    }


def safe(text: str) -> str:
    """Someone's text for plotly, which reads a few HTML tags and entities in every text."""
    return escape(text, quote=False)


def hover_span(clock: LocalClock, name: str, start_s: float, end_s: float) -> str:
    """The hover text of a bar."""
    return f"{safe(name)}<br>{clock.stamp(start_s)} to {clock.stamp(end_s)}"
