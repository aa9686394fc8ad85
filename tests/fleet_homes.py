"""Homes for the fleet's tests: one wearer or several, with what a test needs to happen."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from strapline_simulator.fleet.spec import HomeSpec, Sown, Stimulus, TagSpec

START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
HOME = (50.1, 8.7)
TOWN = (50.12, 8.71)
ARMED_S = 120.0


def tag(
    ident: str,
    profile: str,
    *happens: tuple[float, str, Any],
    sown: Iterable[Sown] = (),
    settings: Mapping[str, int] = {},
) -> TagSpec:
    """Armed after two minutes; what happens is (second, verb, argument)."""
    life = sorted(
        [Stimulus(ARMED_S, "present_key", "arm"), *(Stimulus(*one) for one in happens)], key=lambda one: one.t_s
    )
    return TagSpec(ident, profile, settings, tuple(life), tuple(sown))


def home(*tags: TagSpec, hours: float = 3.0, seed: int = 1, number: int = 1, fold: bool = False) -> HomeSpec:
    return HomeSpec(number, seed, START, hours, "Europe/Berlin", HOME, tags, fold)
