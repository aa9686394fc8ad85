"""What a scenario's centre may order of the tag: the schedule, settings, words for the wearer."""

from datetime import datetime, time
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from strapline_protocol.codes import RANGES, Setting, Window
from strapline_protocol.curfews import Once, Weekly
from strapline_simulator.scenario.quantities import Seconds
from strapline_simulator.scenario.strict import Strict

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Say = Literal["may_leave", "must_leave", "stay_home"]


class WeeklyOrder(Strict):
    """A window of each week."""

    window: Say
    days: tuple[Day, ...] = Field(default=DAYS, min_length=1)
    between: str = Field(
        description="local time; over midnight where it ends before it begins", examples=["07:30-18:00"]
    )

    @model_validator(mode="after")
    def _times(self) -> "WeeklyOrder":
        _times_of(self.between)
        return self

    @property
    def windows(self) -> tuple[Weekly, ...]:
        begins, ends = _times_of(self.between)
        return tuple(Weekly(Window[self.window.upper()], DAYS.index(day), begins, ends) for day in self.days)


def _times_of(text: str) -> tuple[time, time]:
    try:
        begins, ends = (time.fromisoformat(part.strip()) for part in text.split("-"))
    except ValueError:
        raise ValueError(f"{text!r} is no window: write two times of day, such as 07:30-17:30") from None
    if begins.second or ends.second:
        raise ValueError(f"{text!r}: whole minutes, please")
    return begins, ends


class OnceOrder(Strict):
    """A window that comes once."""

    window: Say
    begins: datetime = Field(description="with a UTC offset")
    ends: datetime = Field(description="with a UTC offset")

    @model_validator(mode="after")
    def _in_order(self) -> "OnceOrder":
        if self.begins.tzinfo is None or self.ends.tzinfo is None:
            raise ValueError("`begins` and `ends` need a UTC offset, such as 2026-03-02T20:00:00+01:00")
        if self.begins >= self.ends:
            raise ValueError("`ends` must come after `begins`")
        return self

    @property
    def value(self) -> Once:
        return Once(Window[self.window.upper()], self.begins, self.ends)


class CurfewOrder(Strict):
    """The wearer's windows, and these besides."""

    weekly: tuple[WeeklyOrder, ...] = ()
    once: tuple[OnceOrder, ...] = ()


def _known(values: dict[str, int]) -> dict[str, int]:
    for name, value in values.items():
        if name.upper() not in Setting.__members__:
            known = ", ".join(setting.name.lower() for setting in Setting)
            raise ValueError(f"{name!r} is no setting that a centre may set: choose one of {known}")
        span = RANGES[Setting[name.upper()]]
        if not span.low <= value <= span.high:
            raise ValueError(f"{name}: {value} is not within {span.low} … {span.high} {span.unit}")
    return values


class ConfigOrder(Strict):
    """Settings, and which gateways are home."""

    settings: Annotated[dict[str, int], AfterValidator(_known)] = Field(default={})
    homes: tuple[Literal["home", "other"], ...] = Field(
        default=(), description="the base station, or one that is not there; none: any that says so"
    )


class MessageOrder(Strict):
    """Words for the wearer."""

    text: str = Field(min_length=1, max_length=320)
    language: str = Field(default="en", max_length=16)
    answer_within: Seconds | None = Field(default=None, description="no button by then is an alarm")
    vibrate: bool = Field(default=True, description="until the button, where an answer is wanted")
