"""A scenario file as a whole, and what its parts must agree on."""

from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, model_validator

from strapline_protocol.profiles import PROFILES
from strapline_simulator.misplaced import MisplacedError
from strapline_simulator.scenario.expectation import Expectation
from strapline_simulator.scenario.gateway import BaseStation
from strapline_simulator.scenario.quantities import Moment, day_and_time, seconds
from strapline_simulator.scenario.rows import Row, row_of
from strapline_simulator.scenario.sections import Place, TagMemory, Wearer
from strapline_simulator.scenario.step import Step
from strapline_simulator.scenario.strict import Strict
from strapline_simulator.scenario.world import CellSpot
from strapline_tag.config import Config


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is no time zone: write one such as Europe/Berlin")
    return name


def _profile(name: str) -> str:
    if name not in PROFILES:
        raise ValueError(f"{name!r} is no profile: choose one of {', '.join(PROFILES)}")
    return name


def known_settings(changes: dict[str, int]) -> dict[str, int]:
    """Raises `ValueError` for one that the tag has not."""
    for name in changes:
        if name.startswith("_") or not isinstance(getattr(Config, name, None), int):
            raise ValueError(f"{name!r} is no setting of the tag: see strapline_tag/config.py")
    return changes


def _plain(moment: datetime) -> datetime:
    """Without what the YAML reader adds to a moment: it makes each sum slow, and a run makes hundreds of thousands."""
    return datetime.combine(moment.date(), moment.timetz())


class Scenario(Strict):
    """One scenario file."""

    title: str
    about: str = ""
    start: Annotated[datetime, AfterValidator(_plain)] = Field(description="with a UTC offset")
    zone: Annotated[str, AfterValidator(_zone)] = "Europe/Berlin"
    duration: Moment
    seed: int = Field(default=1, ge=0)
    places: dict[str, Place] = Field(default={})
    wearer: Wearer = Wearer()
    tag: Annotated[dict[str, int], AfterValidator(known_settings)] = Field(
        default={}, description="settings of the tag"
    )
    tag_memory: TagMemory = TagMemory()
    profile: Annotated[str, AfterValidator(_profile)] | None = Field(
        default=None, description="a named set of settings; `tag` goes before it"
    )
    gateway: BaseStation = Field(default=BaseStation(), description="the base station at home")
    neighbours: int = Field(default=0, description="tags of other people within hearing", ge=0, le=50)
    gnss_log: bool = Field(default=False, description="the receiver's bytes come from the log given with --gnss-log")
    shows: tuple[Row, ...] = Field(
        default=(), description="the requirements that it shows; without it, the one that its file is named after"
    )
    quiet: bool = Field(default=False, description="nobody must be told of anything: no alert, whatever is expected")
    hil: bool = Field(
        default=False, description="it runs on a rig too: what happens to the tag, instruments on a desk can do"
    )
    cells: tuple[CellSpot, ...] = Field(default=(), description="where the network's level is another one")
    steps: tuple[Step, ...]
    expect: tuple[Expectation, ...] = Field(min_length=1)
    name: str = Field(default="", exclude=True)
    folder: str = Field(default="", exclude=True)

    @model_validator(mode="after")
    def _consistent(self) -> "Scenario":
        if self.start.tzinfo is None:
            raise MisplacedError(("start",), "`start` needs a UTC offset, such as 2026-03-02T20:00:00+01:00")
        self._check_world()
        for index, step in enumerate(self.steps):
            self._check_step(("steps", index), step)
        for index, expectation in enumerate(self.expect):
            self._check_expectation(("expect", index), expectation)
        return self

    def _check_place(self, where: tuple[int | str, ...], name: str | None, said: str) -> None:
        known = {*self.places, *(("home",) if self.wearer.track else ())}  # home is where the track spends its nights
        if name is not None and name not in known:
            places = ", ".join(sorted(known)) or "none is there: write `places`"
            raise MisplacedError(where, f"{said} names no place: choose one of {places}")

    def _check_world(self) -> None:
        for index, part in enumerate(self.wearer.day):
            self._check_place(("wearer", "day", index, "go"), part.go, f"`go: {part.go}`")
        for index, spot in enumerate(self.cells):
            self._check_place(("cells", index, "around"), spot.around, repr(spot.around))

    def _check_step(self, where: tuple[int | str, ...], step: Step) -> None:
        if step.go is not None:
            self._check_place((*where, "go", "to"), step.go.to, f"`go: {step.go.to}`")
        self._check_place((*where, "spoofer"), step.spoofer or None, repr(step.spoofer))
        if step.gateway_goes != "with_wearer":
            self._check_place((*where, "gateway_goes"), step.gateway_goes, repr(step.gateway_goes))
        for index, zone in enumerate(step.zones or ()):
            self._check_place((*where, "zones", index, "around"), zone.around, repr(zone.around))
        if not 0 <= self.seconds_of(step.at) <= self.duration_s:
            raise MisplacedError(
                (*where, "at"), f"step at {step.at} lies outside the scenario's duration ({self.duration})"
            )

    def _check_expectation(self, where: tuple[int | str, ...], expectation: Expectation) -> None:
        labels = {step.label for step in self.steps}
        if expectation.after is not None and expectation.after not in labels:
            known = ", ".join(sorted(labels)) or "there is none"
            raise MisplacedError(
                (*where, "after"), f"`after: {expectation.after}` names no step: choose one of {known}"
            )
        if self.quiet and (expectation.alert or expectation.told or expectation.over or expectation.open_alerts):
            raise MisplacedError(
                (*where, expectation.claim), "a scenario with `quiet: true` has no alert: take one of the two out"
            )

    @property
    def rows(self) -> tuple[Row, ...]:
        """The requirements that it shows: those of `shows`, else the one that its file is named after."""
        return self.shows or row_of(self.name)

    @property
    def settings(self) -> dict[str, int]:
        """Of the tag: the profile's, and `tag` before it."""
        profile = PROFILES[self.profile] if self.profile else {}
        return {**{setting.name.lower(): value for setting, value in profile.items()}, **self.tag}

    def seconds_of(self, moment: str) -> float:
        """A moment as seconds since the start."""
        day = day_and_time(moment)
        if day is None:
            return seconds(moment)
        local = self.start.astimezone(ZoneInfo(self.zone))
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=day[0] - 1)
        wanted = midnight + timedelta(seconds=day[1])  # on the wall; the difference must be taken in UTC
        return (wanted.astimezone(UTC) - self.start) / timedelta(seconds=1)

    @cached_property
    def duration_s(self) -> float:
        return self.seconds_of(self.duration)

    def step_time(self, label: str) -> float:
        """When the (first) step of this label happens, in seconds since the start."""
        return next(self.seconds_of(step.at) for step in self.steps if step.label == label)
