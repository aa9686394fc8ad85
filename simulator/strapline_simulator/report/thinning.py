"""Fewer points for the same picture: a page draws some hundred columns of pixels, a run samples once a second for days."""

from collections.abc import Sequence
from itertools import groupby
from typing import TypeVar

# About one column for every pixel of the plot, and four points a column.
MAX_POINTS = 2000
_POINTS_A_COLUMN = 4

T = TypeVar("T")


def thin(points: Sequence[tuple[float, float]], limit: int = MAX_POINTS) -> list[tuple[float, float]]:
    """At most about `limit` of the points, in order, with the first, last, lowest and highest of each column of time."""
    if len(points) <= limit:
        return list(points)
    kept: list[tuple[float, float]] = []
    for column in _columns(points, max(1, limit // _POINTS_A_COLUMN)):
        by_value = sorted(range(len(column)), key=lambda i: column[i][1])
        kept.extend(column[i] for i in sorted({0, by_value[0], by_value[-1], len(column) - 1}))
    return kept


def every_nth(items: Sequence[T], limit: int) -> list[T]:
    """At most `limit` (2 or more) of the items, evenly spaced, the first and the last included."""
    if len(items) <= limit:
        return list(items)
    step = (len(items) - 1) / (limit - 1)
    return [items[round(i * step)] for i in range(limit)]


def spans(instants: Sequence[float], gap_s: float) -> list[tuple[float, float]]:
    """(first, last) of every stretch of ordered instants that has no pause longer than `gap_s`."""
    found: list[tuple[float, float]] = []
    for t_s in instants:
        if found and t_s - found[-1][1] <= gap_s:
            found[-1] = found[-1][0], t_s
        else:
            found.append((t_s, t_s))
    return found


def _columns(points: Sequence[tuple[float, float]], count: int) -> list[list[tuple[float, float]]]:
    first, last = points[0][0], points[-1][0]
    width = (last - first) / count or 1.0
    grouped = groupby(points, key=lambda point: min(count - 1, int((point[0] - first) / width)))
    return [list(column) for _, column in grouped]
