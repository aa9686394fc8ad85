"""Measurements and their limits."""

import math

import pytest

from strapline_hil.plugin.measurement import Measurement, recorder


@pytest.mark.parametrize(
    ("value", "low", "high", "within"),
    [
        (3.0, None, 3.0, True),
        (3.001, None, 3.0, False),
        (1.0, 1.0, None, True),
        (0.999, 1.0, None, False),
        (-1e9, None, None, True),
        (math.nan, None, None, False),
        (math.nan, 0.0, 9.0, False),
        (math.inf, None, 9.0, False),
    ],
)
def test_limits_are_part_of_what_they_allow(value, low, high, within):
    assert Measurement("latency", value, "s", low, high).within is within


@pytest.mark.parametrize(
    ("low", "high", "words"), [(None, None, ""), (None, 3, "≤ 3 s"), (1, None, "≥ 1 s"), (1, 3, "1 – 3 s")]
)
def test_limits_in_words(low, high, words):
    assert Measurement("latency", 2.0, "s", low, high).limits == words


def test_the_recorder_gives_the_value_back():
    taken = []
    assert recorder(taken)("latency", 3.25, "s", high=3, row="R03") == 3.25
    assert str(taken[0]) == "latency = 3.25 s (limits ≤ 3 s) R03"
    assert taken[0].as_json()["within"] is False
