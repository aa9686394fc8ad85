"""The figures as a drawing: a bar for each board, divided by what uses the charge."""

from plotly.subplots import make_subplots

from strapline_simulator.energy.boards import Figures
from strapline_simulator.energy.table import Row, lasting

# Okabe and Ito's colours, which people who are colour-blind can tell apart.
_COLOURS = {
    "sleep": "#999999",
    "processor": "#0072B2",
    "radio": "#56B4E9",
    "strap": "#D55E00",
    "skin": "#E69F00",
    "motion": "#F0E442",
    "gnss": "#009E73",
    "modem": "#CC79A7",
}


def render_page(rows: list[Row], figures: Figures) -> str:
    """A page that needs no network."""
    profiles = list(dict.fromkeys(row.profile for row in rows))
    titles = [f"<b>{name}</b>: {figures.profiles[name].title}" for name in profiles]
    drawing = make_subplots(
        rows=len(profiles), cols=1, subplot_titles=titles, vertical_spacing=0.5 / (len(profiles) + 1)
    )
    for place, profile in enumerate(profiles, start=1):
        mine = [row for row in rows if row.profile == profile]
        names = [figures.boards[row.board].title for row in mine]
        for part, colour in _COLOURS.items():
            title = figures.chips[part].title if part in figures.chips else part
            drawing.add_bar(
                y=names,
                x=[row.parts.get(part, 0.0) for row in mine],
                name=title,
                legendgroup=part,
                showlegend=place == 1,
                marker_color=colour,
                orientation="h",
                hovertemplate="%{y}: %{x:.3f} mAh a day",
                row=place,
                col=1,
            )
        for row, name in zip(mine, names, strict=True):
            goal = "" if row.goal_h is None else f" (goal {lasting(row.goal_h)})"
            text = f" {row.mah_per_day:,.2f} mAh, {lasting(row.hours)}{goal}"
            drawing.add_annotation(
                x=row.mah_per_day, y=name, text=text, xanchor="left", showarrow=False, row=place, col=1
            )
        longest = max(row.mah_per_day for row in mine)
        drawing.update_xaxes(range=[0, longest * 1.35], title_text="mAh a day", row=place, col=1)
        drawing.update_yaxes(autorange="reversed", row=place, col=1)
    cell = figures.cell
    drawing.update_layout(
        barmode="stack",
        template="plotly_white",
        height=120 + 230 * len(profiles),
        width=1100,
        margin={"l": 170, "r": 30, "t": 110, "b": 60},
        title=f"Charge of a day, modelled (not measured); {cell.capacity_mah:,.0f} mAh, {cell.usable:.0%} of it counted",
    )
    return str(drawing.to_html(include_plotlyjs=True, full_html=True))
