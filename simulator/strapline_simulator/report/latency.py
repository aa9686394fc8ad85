"""How long each alarm took from the tag to the centre, against the goal."""

import math

from strapline_simulator.report.figure import LEFT_PX, RIGHT_PX, Figure, LegendEntry, Trace, axis, points, safe
from strapline_simulator.report.localtime import LocalClock
from strapline_simulator.report.story import Story
from strapline_simulator.report.timeline import lane_title
from strapline_simulator.report.wording import code_words, duration_words

# The goal for an alarm on a live link.
GOAL_S = 2.0

# Up to here every alarm has a row of its own; beyond, one row for each kind.
MAX_ROWS = 12
ROW_PX, TEXT_PX = 44, 18

# Beyond this, a linear axis would press the goal against its left edge.
_LINEAR_UP_TO_S = 12.0
_LOG_FROM_S = 0.01


def latencies(story: Story, clock: LocalClock) -> Figure | None:
    """One dot an alarm, with a line at the goal; None without alarms."""
    alarms = story.alarm_latencies
    if not alarms:
        return None
    each = len(alarms) <= MAX_ROWS
    rows = (
        [_alone(alarm, clock) for alarm in alarms] if each else list(dict.fromkeys(code_words(c) for c, _, _ in alarms))
    )
    slowest = max(latency for _, _, latency in alarms)
    is_log = slowest > _LINEAR_UP_TO_S
    xaxis = _log_axis(slowest) if is_log else axis(range=[0, max(slowest, GOAL_S) * 1.15], ticksuffix=" s", nticks=6)
    origin = _LOG_FROM_S if is_log else 0.0
    traces: list[Trace] = []
    legend: list[LegendEntry] = []
    kinds = (
        ("within", "within the goal", "circle", "var(--good)", "dot"),
        ("beyond", "slower than the goal", "diamond", "var(--alarm)", "diamond"),
    )
    for group, text, symbol, colour, mark in kinds:
        mine = [(i, alarm) for i, alarm in enumerate(alarms) if (alarm[2] <= GOAL_S) == (group == "within")]
        if not mine:
            continue
        xs = [max(alarm[2], origin) for _, alarm in mine]
        ys = [_row_y(i if each else rows.index(code_words(alarm[0]))) for i, alarm in mine]
        hover = [f"{_alone(alarm, clock)}<br>{duration_words(alarm[2])}" for _, alarm in mine]
        if each:
            traces.append(_stems(xs, ys, origin, colour, group))
        traces.append(points(xs, ys, symbol, 10, colour, group, hover))
        legend.append(LegendEntry(group, text, colour, mark))  # type: ignore[arg-type]
    traces.append(_goal(len(rows)))
    legend.append(LegendEntry("goal", f"the goal: {GOAL_S:.0f} s on a live link", "var(--ink)", "dash"))
    plot_px = len(rows) * ROW_PX
    return Figure(
        name="latencies",
        summary=f"Time from tag to centre of {len(alarms)} alarms; the slowest took {duration_words(slowest)}.",
        plot_px=plot_px,
        traces=traces,
        layout={
            "margin": {"l": LEFT_PX, "r": RIGHT_PX, "t": 8, "b": 26, "pad": 0},
            "xaxis": {**xaxis, "fixedrange": True},
            "yaxis": axis(range=[plot_px, 0], fixedrange=True, showgrid=False, showticklabels=False),
            "annotations": [
                lane_title(0, i * ROW_PX + 3, text if each else safe(text), "y") for i, text in enumerate(rows)
            ],
        },
        legend=legend,
    )


def _alone(alarm: tuple[str, float, float], clock: LocalClock) -> str:
    code, t_s, _ = alarm
    return f"{safe(code_words(code))}, {clock.stamp(t_s)}"


def _row_y(row: int) -> float:
    return row * ROW_PX + TEXT_PX + (ROW_PX - TEXT_PX) / 2


def _stems(xs: list[float], ys: list[float], origin: float, colour: str, group: str) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [part for x in xs for part in (origin, x, None)],
        "y": [part for y in ys for part in (y, y, None)],
        "line": {"color": colour, "width": 3},
        "legendgroup": group,
        "hoverinfo": "skip",
    }


def _goal(rows: int) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [GOAL_S, GOAL_S],
        "y": [0, rows * ROW_PX],
        "line": {"color": "var(--ink)", "width": 1.5, "dash": "dash"},
        "legendgroup": "goal",
        "hovertext": f"the goal: {GOAL_S:.0f} s",
        "hoverinfo": "text",
    }


def _log_axis(slowest_s: float) -> dict[str, object]:
    """A logarithmic axis from a hundredth of a second, with ticks that people have names for."""
    ticks = [tick for tick in (0.01, 0.1, 1, 10, 60, 600, 3600, 36000, 360000) if tick <= slowest_s * 2]
    names = {60: "1 min", 600: "10 min", 3600: "1 h", 36000: "10 h", 360000: "100 h"}
    return axis(
        type="log",
        range=[-2, math.log10(slowest_s * 2)],
        tickvals=ticks,
        ticktext=[names.get(int(tick), f"{tick:g} s") for tick in ticks],
    )
