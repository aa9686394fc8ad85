"""Metres from degrees, and places from a path."""

from datetime import UTC, datetime

import pytest

from strapline_simulator.report import Story
from strapline_simulator.report.truth import Plane, place_at, true_places, whereabouts

HOME, GARDEN = (52.0, 5.0), (52.0005, 5.0)


@pytest.fixture
def walk() -> Story:
    return Story(
        start_utc=datetime(2026, 1, 12, tzinfo=UTC),
        tz_name="UTC",
        places=[("Home", *HOME, 100.0), ("Garden", *GARDEN, 20.0)],
        track=[(0.0, *HOME), (10.0, *GARDEN), (20.0, 52.01, 5.0), (30.0, 52.02, 5.0), (40.0, *HOME)],
    )


def test_a_degree_north_is_111_km_and_one_east_less_by_the_cosine() -> None:
    assert Plane(52.0, 5.0).metres(53.0, 5.0) == pytest.approx((0, 111_195), abs=1)
    assert Plane(60.0, 5.0).metres(60.0, 6.0) == pytest.approx((111_195 / 2, 0), abs=1)


def test_metres_are_right_across_the_date_line() -> None:
    assert Plane(0.0, 179.9).metres(0.0, -179.9) == pytest.approx((22_239, 0), abs=1)


def test_the_smallest_place_around_a_point_names_it(walk: Story) -> None:
    assert place_at(walk, *GARDEN) == "Garden"
    assert place_at(walk, *HOME) == "Home"
    assert place_at(walk, 52.01, 5.0) == "on the way"


def test_stretches_of_one_place_are_joined_and_last_to_the_end(walk: Story) -> None:
    assert true_places(walk, 60.0) == [
        (0.0, 10.0, "Home"),
        (10.0, 20.0, "Garden"),
        (20.0, 40.0, "on the way"),
        (40.0, 60.0, "Home"),
    ]


def test_the_whereabouts_lie_on_the_line_between_points_and_stay_at_the_ends(walk: Story) -> None:
    assert whereabouts(walk.track, 25.0) == pytest.approx((52.015, 5.0))
    assert whereabouts(walk.track, -5.0) == HOME
    assert whereabouts(walk.track, 99.0) == HOME
    assert whereabouts([], 0.0) is None
