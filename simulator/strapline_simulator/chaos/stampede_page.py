"""Connections per second after a broker's restart, drawn: what the client does, and what it would be without jitter."""

from plotly.subplots import make_subplots

from strapline_simulator.chaos.stampede import GATEWAYS, Case, power_failure, restart

# Okabe and Ito's colours, which people who are colour-blind can tell apart.
_OURS, _BARE = "#0072B2", "#D55E00"
_SHOWN_S = 75


def without_jitter(failures: int, _fraction: float) -> float:
    """Doubling from 2 s to a minute, alike for everyone."""
    return min(60.0, 2.0 ** min(failures, 6))


def render_page() -> str:
    """A page that needs no network."""
    cases = [
        ("the broker was away for 1 s", restart(1.0), restart(1.0, without_jitter)),
        ("the broker was away for 30 s", restart(30.0), restart(30.0, without_jitter)),
        (
            "a city's power was back",
            power_failure(600.0),
            power_failure(600.0, first_pause_s=lambda _up_s, _fraction: 0.0),
        ),
    ]
    drawing = make_subplots(
        rows=len(cases), cols=1, subplot_titles=[title for title, _, _ in cases], vertical_spacing=0.11
    )
    for row, (_, ours, bare) in enumerate(cases, start=1):
        for name, case, colour in (("without jitter", bare, _BARE), ("Strapline", ours, _OURS)):
            seconds, counts = _from_there(case)
            drawing.add_bar(
                x=seconds,
                y=counts,
                name=name,
                legendgroup=name,
                showlegend=row == 1,
                marker_color=colour,
                row=row,
                col=1,
            )
            drawing.add_annotation(
                text=f"{name}: {case.peak:,} in the worst second",
                x=_SHOWN_S, y=1.0 if case is bare else 0.84, xanchor="right", yanchor="top",
                xref="x" if row == 1 else f"x{row}", yref="y domain" if row == 1 else f"y{row} domain",
                showarrow=False, font={"color": colour},
            )  # fmt: skip
    drawing.update_xaxes(range=[-1, _SHOWN_S], title_text="seconds since then")
    drawing.update_yaxes(type="log", range=[0, 4.2], title_text="connections/s", tickvals=[1, 10, 100, 1000, 10000])
    drawing.update_layout(
        barmode="overlay", bargap=0, template="plotly_white", height=780, width=1100,
        margin={"l": 80, "r": 30, "t": 90, "b": 60},
        title=f"{GATEWAYS:,} gateways come back to one broker (simulated)",
    )  # fmt: skip
    return str(drawing.to_html(include_plotlyjs=True, full_html=True))


def _from_there(case: Case) -> tuple[list[int], list[int]]:
    begin = int(case.back_at_s)
    counts = case.connected[begin:]
    return list(range(len(counts))), counts
