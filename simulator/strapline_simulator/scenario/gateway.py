"""What a scenario may say of the base station and of the air around it."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from strapline_protocol.notices import NoticeCode
from strapline_simulator.scenario.strict import Strict
from strapline_simulator.scenario.world import Span

Handling = Literal["bump", "carried"]

Reach = Literal["11m", "23m", "46m", "80m", "facility"]


def _notice(name: str) -> str:
    known = [code.value for code in NoticeCode]
    if name not in known:
        raise ValueError(f"{name!r} is no notice of a gateway: choose one of {', '.join(known)}")
    return name


NoticeName = Annotated[str, AfterValidator(_notice)]


class BaseStation(Strict):
    """How the base station at home is set up."""

    reach: Reach | None = Field(
        default=None, description="a tag further off counts as away; without it: whoever is heard is here"
    )
    battery_h: float = Field(default=36.0, gt=0, le=1000, description="so long a full battery lasts without mains")
    mains_out: tuple[Span, ...] = Field(
        default=(), description="daily, local time: without mains", examples=["02:00-02:30"]
    )
    line_out: tuple[Span, ...] = Field(default=(), description="daily, local time: without its line")
