"""The sections that a scenario opens with: its places, its wearer, and what the tag remembers."""

from typing import Annotated

from pydantic import AfterValidator, Field

from strapline_centre.schedule import Window, window_of
from strapline_simulator.scenario.places import ShelterName
from strapline_simulator.scenario.strict import Strict
from strapline_simulator.scenario.world import DayPart, TrackChoice


def _window(text: str) -> str:
    window_of(text)
    return text


class Place(Strict):
    """A place the wearer can be at."""

    lat_deg: float = Field(ge=-90, le=90)
    lon_deg: float = Field(ge=-180, le=180)
    radius_m: float = Field(default=30.0, gt=0)
    shelter: ShelterName | None = Field(default=None, description="what stands around whoever is within its radius")


class TagMemory(Strict):
    """What the tag has counted before the scenario begins."""

    counter: int = Field(default=0, description="heartbeats", ge=0, le=0xFFFFFFFF)
    boot: int = Field(default=0, description="starts", ge=0, le=0x7FFFFF00)
    records: int = Field(default=0, description="of its journal", ge=0, le=0xFFFFFFF0)

    @property
    def held(self) -> dict[str, int]:
        """As the tag keeps it."""
        held = {"counter": self.counter, "boot": self.boot}
        return held | ({"noted": 1 << 32 | self.records} if self.records else {})


class Wearer(Strict):
    """The wearer's circumstances."""

    may_leave: tuple[Annotated[str, AfterValidator(_window)], ...] = Field(
        default=(), description="daily windows, local time"
    )
    track: TrackChoice | None = Field(default=None, description="where a recorded track went, the wearer goes")
    day: tuple[DayPart, ...] = Field(default=(), description="what each day brings, local time")

    @property
    def windows(self) -> tuple[Window, ...]:
        return tuple(window_of(text) for text in self.may_leave)
