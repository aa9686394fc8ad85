"""A wearer's day and a house's daily failures, written out as the steps that they are."""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from strapline_simulator.scenario.model import Scenario
from strapline_simulator.scenario.orders import DAYS
from strapline_simulator.scenario.step import Journey, Step
from strapline_simulator.scenario.world import DayPart, parse_clock, parse_span


def played_steps(scenario: Scenario) -> list[Step]:
    """All that happens, in its order: the scenario's own steps, and those that its daily schedules make."""
    steps = [*_of_days(scenario), *_of_house(scenario), *scenario.steps]
    return sorted(steps, key=lambda step: scenario.seconds_of(step.at))


def _of_days(scenario: Scenario) -> Iterator[Step]:
    moments = sorted((at_s, n) for n, part in enumerate(scenario.wearer.day) for at_s in _occurrences(scenario, part))
    before = [n for at_s, n in moments if at_s <= 0]
    if before:
        yield from _part_steps(scenario.wearer.day[before[-1]], 0.0, at_start=True)
    for at_s, n in moments:
        if 0 < at_s <= scenario.duration_s:
            part = scenario.wearer.day[n]
            yield from (step for step in _part_steps(part, at_s) if scenario.seconds_of(step.at) <= scenario.duration_s)


def _part_steps(part: DayPart, at_s: float, *, at_start: bool = False) -> Iterator[Step]:
    """Who is at home when the scenario starts stays there; what a part says of the limb holds from the arrival on."""
    there_s = at_s
    if part.go is not None and not at_start:
        there_s += part.within
        yield _step(at_s, "motion", "awake")
        yield _step(at_s, "surroundings", "room")
        yield _step(at_s, "go", Journey.model_validate({"to": part.go, "within": f"{part.within:g}s", "by": part.by}))
    for verb in ("motion", "surroundings", "clothing", "shelter"):
        if (value := getattr(part, verb)) is not None:
            yield _step(there_s, verb, value)


def _step(at_s: float, verb: str, argument: Any) -> Step:
    return Step(at=f"{at_s:.3f}s", **{verb: argument})


def _of_house(scenario: Scenario) -> Iterator[Step]:
    house = scenario.gateway
    for verb, spans in (("gateway_mains", house.mains_out), ("gateway_line", house.line_out)):
        for begins, ends in map(parse_span, spans):
            for at, there in ((begins, False), (ends, True)):
                for at_s in _at_clock(scenario, at):
                    if 0 <= at_s <= scenario.duration_s:
                        yield _step(at_s, verb, there)


def _occurrences(scenario: Scenario, part: DayPart) -> Iterator[float]:
    for at_s, day in _days_at(scenario, parse_clock(part.at)):
        if DAYS[day] in part.days:
            yield at_s


def _at_clock(scenario: Scenario, at: time) -> Iterator[float]:
    return (at_s for at_s, _ in _days_at(scenario, at))


def _days_at(scenario: Scenario, at: time) -> Iterator[tuple[float, int]]:
    """That time of each day from a week before the start to the end: seconds since the start, and the day of the week."""
    zone = ZoneInfo(scenario.zone)
    first = scenario.start.astimezone(zone).date() - timedelta(days=7)
    for n in range(7 + int(scenario.duration_s // 86400) + 2):
        moment = datetime.combine(first + timedelta(days=n), at, zone)
        yield (moment - scenario.start).total_seconds(), moment.weekday()
