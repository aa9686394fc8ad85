"""What a scenario may say of the wearer's world: tracks, days, cells, and who carries the base station."""

from datetime import time
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from strapline_simulator.scenario.limb import Activity, Clothing, Surroundings
from strapline_simulator.scenario.orders import DAYS, Day
from strapline_simulator.scenario.places import ShelterName
from strapline_simulator.scenario.quantities import Seconds
from strapline_simulator.scenario.strict import Strict

Manner = Literal["foot", "ride"]


class TrackSpec(Strict):
    """A recorded track: a file beside the scenario, or a name of STRAPLINE_DATA/tracks or of the shipped ones."""

    file: str = Field(min_length=1, description="FILE.csv or FILE.gpx")
    begin: Seconds = Field(default=0.0, description="so far into the track it begins")
    end: Seconds | None = Field(default=None, description="so far into the track it ends")
    shift: Literal["start", "clock"] = Field(
        default="start", description="its first point is at the start, or at its own time of day"
    )
    home_radius_m: float = Field(default=100.0, ge=0, description="points so near to home count as home")


def _named(value: Any) -> Any:
    return {"file": value} if isinstance(value, str) else value


TrackChoice = Annotated[TrackSpec, BeforeValidator(_named, json_schema_input_type=str | TrackSpec)]


class Enclosure(Strict):
    """A shelter that closes slowly around the tag."""

    shelter: ShelterName
    within: Seconds


class CellSpot(Strict):
    """Around a place the network's level is another one."""

    around: str
    radius_m: float = Field(gt=0)
    dbm: int = Field(default=-140, ge=-140, le=-40, description="below -125 a modem has no cell")


def _clock(text: str) -> str:
    parse_clock(text)
    return text


def parse_clock(text: str) -> time:
    """A local time of day in whole minutes."""
    try:
        found = time.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time of day: write 07:30") from None
    if found.second or found.microsecond or found.tzinfo:
        raise ValueError(f"{text!r}: whole minutes, local time: write 07:30")
    return found


Clock = Annotated[str, AfterValidator(_clock)]


class DayPart(Strict):
    """From this time of day on the wearer does so, on these days, until the next part."""

    at: Clock
    days: tuple[Day, ...] = Field(default=DAYS, min_length=1)
    go: str | None = Field(default=None, description="a place to go to first")
    within: Seconds = Field(default=900.0, description="how long the way takes")
    by: Manner = "foot"
    motion: Activity | None = None
    surroundings: Surroundings | None = None
    clothing: Clothing | None = None
    shelter: ShelterName | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if all(value is None for value in (self.go, self.motion, self.surroundings, self.clothing, self.shelter)):
            raise ValueError(
                "a part of a day says where the wearer goes, or what motion, surroundings, clothing, shelter"
            )
        return self


def _span(text: str) -> str:
    parse_span(text)
    return text


def parse_span(text: str) -> tuple[time, time]:
    """`02:00-02:30` as two times of day; over midnight where it ends before it begins."""
    begins, dash, ends = text.partition("-")
    if not dash:
        raise ValueError(f"{text!r} is no span: write two times of day, such as 02:00-02:30")
    span = parse_clock(begins.strip()), parse_clock(ends.strip())
    if span[0] == span[1]:
        raise ValueError(f"{text!r} is empty: write two different times")
    return span


Span = Annotated[str, AfterValidator(_span)]
