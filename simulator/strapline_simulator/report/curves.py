"""The curves that the tag's decisions rest on: temperatures, and the resistance of the loop inside the strap."""

from strapline_simulator.report.figure import Figure, Label, LegendEntry, Trace, axis, bar, hover_span, time_axis
from strapline_simulator.report.localtime import LocalClock
from strapline_simulator.report.story import Story
from strapline_simulator.report.thinning import thin
from strapline_simulator.report.timeline import lane_title

TITLE_PX, TEMPERATURE_PX, GAP_PX, STRAP_PX = 22, 170, 26, 110
# From here on the axis counts in kilo-ohms.
_KILO_FROM_OHM = 5000.0

Gapped = list[tuple[float, float | None]]


class _Panels:
    """Collects panels from top to bottom."""

    def __init__(self, clock: LocalClock, end_s: float) -> None:
        self.clock, self.end_s = clock, end_s
        self.panels: list[tuple[str, int, list[float]]] = []
        self.traces: list[Trace] = []
        self.labels: list[Label] = []
        self.legend: list[LegendEntry] = []

    def open(self, title: str, height_px: int, y_range: list[float]) -> str:
        """Begin a panel and give its y axis."""
        self.panels.append((title, height_px, y_range))
        return "y" if len(self.panels) == 1 else f"y{len(self.panels)}"

    def line(self, values: Gapped, yref: str, group: str, hover: list[str]) -> None:
        self.traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": [round(t_s, 3) for t_s, _ in values],
                "y": [None if value is None else round(value, 4) for _, value in values],
                "yaxis": yref,
                "line": {"color": f"var(--{group})", "width": 1.8},
                "legendgroup": group,
                "hovertext": hover,
                "hoverinfo": "text",
            }
        )


def curves(story: Story, clock: LocalClock, end_s: float) -> Figure | None:
    """Temperature above, strap below, on the timeline's axis; None for a run that has neither."""
    panels = _Panels(clock, end_s)
    _temperature(panels, story)
    _strap(panels, story)
    if not panels.panels:
        return None
    plot_px = sum(TITLE_PX + height for _, height, _ in panels.panels) + GAP_PX * (len(panels.panels) - 1)
    layout: dict[str, object] = {"annotations": (titles := [])}
    top_px = 0
    for number, (title, height_px, y_range) in enumerate(panels.panels, start=1):
        top_px += TITLE_PX
        domain = [max(0.0, 1 - (top_px + height_px) / plot_px), 1 - top_px / plot_px]
        name = "yaxis" if number == 1 else f"yaxis{number}"
        layout[name] = axis(domain=domain, range=y_range, fixedrange=True, anchor="x", nticks=5)
        titles.append(lane_title(0, domain[1], title, "paper"))
        top_px += height_px + GAP_PX
    lowest = "y" if len(panels.panels) == 1 else f"y{len(panels.panels)}"
    return Figure(
        name="curves",
        summary="Curves over the time of day: " + "; ".join(title for title, _, _ in panels.panels) + ".",
        plot_px=plot_px,
        traces=panels.traces,
        layout={**layout, "xaxis": time_axis(end_s, anchor=lowest)},
        labels=panels.labels,
        legend=panels.legend,
        local_time=True,
    )


def _temperature(panels: _Panels, story: Story) -> None:
    if not story.skin_c and not story.ambient_c:
        return
    y_range = _padded([value for _, value in [*story.skin_c, *story.ambient_c]], 1.0)
    yref = panels.open("Temperature at the tag (°C)", TEMPERATURE_PX, y_range)
    for group, text, values in (("skin", "skin side", story.skin_c), ("ambient", "outward side", story.ambient_c)):
        if values:
            thinned = thin(values)
            hover = [f"{text} {value:.1f} °C<br>{panels.clock.stamp(t_s)}" for t_s, value in thinned]
            panels.line([*thinned], yref, group, hover)
            panels.legend.append(LegendEntry(group, text, f"var(--{group})", "line"))


def _strap(panels: _Panels, story: Story) -> None:
    if not story.strap_ohm:
        return
    stretches = loop_stretches(story.strap_ohm, panels.end_s)
    highest = max((ohm for _, ohm in story.strap_ohm if ohm is not None), default=0.0)
    unit, name = (1000.0, "kΩ") if highest >= _KILO_FROM_OHM else (1.0, "Ω")
    line: Gapped = []
    for closed, _, _ in stretches:
        if closed:
            line += [*((t_s, ohm / unit) for t_s, ohm in thin(closed)), (closed[-1][0], None)]
    low, high = _padded([value for _, value in line if value is not None], 0.05 * highest / unit)
    yref = panels.open(f"Resistance of the loop in the strap ({name})", STRAP_PX, [low, high])
    hover = ["" if value is None else f"{value:.4g} {name}<br>{panels.clock.stamp(t_s)}" for t_s, value in line]
    panels.line(line, yref, "strap", hover)
    panels.legend.append(LegendEntry("strap", "strap closed: resistance of its loop", "var(--strap)", "line"))
    opened = [(start, end) for closed, start, end in stretches if not closed]
    if opened:
        _opened(panels, opened, yref, low, high)


def _opened(panels: _Panels, opened: list[tuple[float, float]], yref: str, low: float, high: float) -> None:
    middle = (low + high) / 2
    hover = [hover_span(panels.clock, "strap open", start, end) for start, end in opened]
    band = bar(opened, middle, high - low, "var(--alarm)", "open", hover)
    panels.traces.append({**band, "yaxis": yref, "opacity": 0.55})
    panels.legend.append(LegendEntry("open", "strap open: no current through it", "var(--alarm)", "bar"))
    panels.labels += [
        Label(
            "around",
            start,
            middle,
            f"open {panels.clock.brief(start, seconds=True)}",
            "var(--alarm)",
            x1=end,
            yref=yref,
            lane="open",
            group="open",
        )
        for start, end in opened
    ]


def loop_stretches(samples: Gapped, end_s: float) -> list[tuple[list[tuple[float, float]], float, float]]:
    """(closed samples, start, end) of each stretch; an open stretch has no samples and lasts to the next closed one."""
    found: list[tuple[list[tuple[float, float]], float, float]] = []
    ends = [*(t_s for t_s, _ in samples[1:]), end_s]
    for (t_s, ohm), until_s in zip(samples, ends, strict=False):
        if found and bool(found[-1][0]) == (ohm is not None):
            found[-1] = found[-1][0], found[-1][1], until_s
        else:
            found.append(([], t_s, until_s))
        if ohm is not None:
            found[-1][0].append((t_s, ohm))
    return found


def _padded(values: list[float], least: float) -> list[float]:
    """A range a little wider than the values, by at least `least` on either side."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    pad = max(least, (high - low) * 0.08)
    return [low - pad, high + pad]
