"""The figures of each board and profile as rows, and as a table on a terminal."""

from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from strapline_simulator.energy.activity import Activity
from strapline_simulator.energy.boards import Figures
from strapline_simulator.energy.budget import hour_of, life_of

_FEW_DAYS_H = 14 * 24


class Row(NamedTuple):
    """One profile on one board."""

    profile: str
    board: str
    mah_per_day: float
    by_state: dict[str, float]
    """mAh of a whole day spent in each state."""
    parts: dict[str, float]
    """mAh of the profile's day, by consumer."""
    hours: float
    goal_h: float | None

    @property
    def holds(self) -> bool | None:
        """Whether it reaches its goal; None where there is none."""
        return None if self.goal_h is None else self.hours >= self.goal_h

    def as_json(self) -> dict[str, Any]:
        return {**self._asdict(), "holds": self.holds}


def rows_of(activities: dict[str, Activity], figures: Figures) -> list[Row]:
    """Every profile on every board."""
    rows = []
    for profile_name, profile in figures.profiles.items():
        for board_name, board in figures.boards.items():
            life = life_of(profile_name, board_name, activities, figures)
            by_state = {
                state: 24 * sum(hour_of(activity, board, profile, figures).values())
                for state, activity in activities.items()
            }
            goal_h = profile.goal_h if board_name == profile.goal_board else None
            rows.append(Row(profile_name, board_name, life.mah_per_day, by_state, life.parts, life.hours, goal_h))
    return rows


def lasting(hours: float) -> str:
    """A length of time as people say it."""
    if hours < _FEW_DAYS_H:
        return f"{hours:.0f} h"
    days = hours / 24
    return f"{days:.0f} days" if days < 2 * 365 else f"{days / 365:.1f} years"


def show(rows: list[Row], activities: dict[str, Activity], figures: Figures, console: Console) -> None:
    cell = figures.cell
    title = f"Modelled, not measured: a cell of {cell.capacity_mah:,.0f} mAh, of which {cell.usable:.0%} counts"
    table = Table(title=title, title_justify="left")
    table.add_column("device")
    table.add_column("board")
    for state in activities:
        table.add_column(f"{state}\nmAh/day", justify="right")
    table.add_column("its day\nmAh", justify="right")
    table.add_column("lasts", justify="right")
    table.add_column("goal", justify="right")
    for row in rows:
        goal = "none" if row.goal_h is None else f"{lasting(row.goal_h)}: {'kept' if row.holds else 'MISSED'}"
        states = [f"{row.by_state[state]:,.2f}" for state in activities]
        table.add_row(row.profile, row.board, *states, f"{row.mah_per_day:,.2f}", lasting(row.hours), goal)
    console.print(table)
