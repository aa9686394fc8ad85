"""Thinning keeps what a reader would see."""

from hypothesis import given
from hypothesis import strategies as st

from strapline_simulator.report.thinning import every_nth, spans, thin

POINTS = st.lists(
    st.tuples(st.floats(0, 1e6), st.floats(-50, 50)), min_size=1, max_size=400, unique_by=lambda point: point[0]
).map(sorted)


@given(POINTS, st.integers(4, 60))
def test_a_thinned_curve_keeps_ends_and_extremes_in_order(points: list[tuple[float, float]], limit: int) -> None:
    kept = thin(points, limit)
    assert kept == sorted(kept)
    assert set(kept) <= set(points)
    assert len(kept) <= max(limit, len(points) if len(points) <= limit else 0)
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    values = [value for _, value in points]
    assert {min(values), max(values)} <= {value for _, value in kept}


@given(st.lists(st.integers(), min_size=1, max_size=200, unique=True), st.integers(2, 50))
def test_every_nth_keeps_both_ends_and_the_limit(items: list[int], limit: int) -> None:
    kept = every_nth(items, limit)
    assert len(kept) == min(limit, len(items))
    assert (kept[0], kept[-1]) == (items[0], items[-1])


def test_spans_end_at_a_pause() -> None:
    assert spans([0, 10, 20, 100, 200, 210], 50) == [(0, 20), (100, 100), (200, 210)]
    assert spans([], 50) == []
