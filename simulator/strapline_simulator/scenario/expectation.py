"""What must come of a scenario: claims, and the conditions that each of them takes."""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from strapline_protocol.definitions import EventCode
from strapline_simulator.misplaced import MisplacedError
from strapline_simulator.scenario.centre import AlertCode, AlertOrAny, ClientName, Role
from strapline_simulator.scenario.details import DETAIL, Detail, check_detail
from strapline_simulator.scenario.gateway import NoticeName
from strapline_simulator.scenario.quantities import Seconds
from strapline_simulator.scenario.strict import Strict

_MOMENTS = ("after", "within", "count", "at_least")
_WINDOW = ("after", "within")

CONDITIONS: Mapping[str, tuple[str, ...]] = {
    "event": (*_MOMENTS, "detail"),
    "never": (*_WINDOW, "detail"),
    "alert": _MOMENTS,
    "no_alert": _WINDOW,
    "missing": (),
    "positions": _WINDOW,
    "positions_at_most": _WINDOW,
    "absent": _MOMENTS,
    "told": _MOMENTS,
    "over": _MOMENTS,
    "open_alerts": (),
    "notice": (*_MOMENTS, "detail"),
    "no_notice": _WINDOW,
    "refused": (),
    "returned": _MOMENTS,
    "apart": (),
    "alarms_first": ("after",),
    "heartbeats": _WINDOW,
    "same_address": (),
    "exported": (),
    "sound": (),
}
"""Every claim, and which of the conditions it takes; another one is a mistake in the file."""

ALL_CONDITIONS = ("after", "within", "count", "at_least", "detail")


def _code(name: str) -> str:
    if name.upper() not in EventCode.__members__:
        known = ", ".join(code.name.lower() for code in EventCode)
        raise ValueError(f"{name!r} is no event: choose one of {known}")
    return name


Code = Annotated[str, AfterValidator(_code)]


class Rhythm(Strict):
    """The shortest and the longest time between two heartbeats, and by how much they differ at least."""

    shortest: Seconds
    longest: Seconds
    spread: Seconds = 0.0


class Expectation(Strict):
    """Something that must hold at the end: exactly one of the first group, some with conditions of the second."""

    event: Code | None = Field(default=None, description="an event of this code is at the centre")
    never: Code | None = Field(default=None, description="no event of this code is at the centre")
    alert: AlertCode | None = Field(default=None, description="an alert of this code is raised at the centre")
    told: Role | None = Field(default=None, description="this role was told of an alert")
    over: AlertCode | None = Field(default=None, description="the alert of this code says that it is over, and stays")
    open_alerts: int | None = Field(default=None, description="so many alerts stand open at the end", ge=0)
    no_alert: AlertOrAny | None = Field(default=None, description="no such alert is raised; `any` for none at all")
    missing: int | None = Field(
        default=None, description="so many truths of the world are absent from the ledger", ge=0
    )
    positions: int | None = Field(default=None, description="at least so many positions are at the centre", ge=0)
    positions_at_most: int | None = Field(default=None, description="no more than so many", ge=0)
    absent: Literal[True] | None = Field(default=None, description="the gateway told that the tag has gone")
    notice: NoticeName | None = Field(default=None, description="a gateway told the centre of this")
    no_notice: NoticeName | None = Field(default=None, description="no gateway told of it")
    refused: int | None = Field(
        default=None, description="gateways and centre refused at least so many messages that were not genuine", ge=1
    )
    returned: ClientName | None = Field(default=None, description="this part is at the broker again after it was lost")
    apart: Seconds | None = Field(
        default=None, description="no two parts came back to the broker within this of each other"
    )
    alarms_first: Literal[True] | None = Field(
        default=None, description="of what waited in the gateways before the step `after`, alarms came before the rest"
    )
    heartbeats: Rhythm | None = Field(default=None, description="so long lies between two advertisements of the tag")
    same_address: Seconds | None = Field(
        default=None, description="the tag changes its radio address, and keeps none for longer than this"
    )
    exported: Literal[True] | None = Field(
        default=None, description="the whole ledger, exported and read into an empty one, has the same rows and seals"
    )
    sound: Literal[True] | None = Field(
        default=None,
        description="nothing is lost or doubled, alarms came within 15 min of the end of all faults, no alert is without a cause",
    )

    after: str | None = Field(default=None, description="the step that it must follow")
    within: Seconds | None = Field(default=None, description="how soon after that step it is at the centre")
    count: int | None = Field(default=None, description="exactly how often", ge=1)
    at_least: int | None = Field(default=None, description="how often at least", ge=1)
    detail: Detail | None = DETAIL

    @model_validator(mode="after")
    def _one_claim(self) -> "Expectation":
        claims = [claim for claim in CONDITIONS if getattr(self, claim) is not None]
        if len(claims) != 1:
            raise ValueError(f"an expectation claims exactly one of {', '.join(CONDITIONS)}")
        taken = CONDITIONS[claims[0]]
        for condition in ALL_CONDITIONS:
            if getattr(self, condition) is not None and condition not in taken:
                mend = f"it takes {', '.join(taken)}" if taken else "leave it out"
                raise MisplacedError((condition,), f"`{claims[0]}` takes no `{condition}`: {mend}")
        if self.within is not None and self.after is None:
            raise MisplacedError(("within",), "`within` needs `after`: name the step from which to count")
        if self.count is not None and self.at_least is not None:
            raise MisplacedError(("at_least",), "`count` and `at_least` exclude each other: take one of the two out")
        if self.alarms_first and self.after is None:
            raise ValueError("`alarms_first` needs `after`: name the step that let out what waited")
        return self

    @model_validator(mode="after")
    def _known_detail(self) -> "Expectation":
        if self.detail is not None and (code := self.event or self.never):
            try:
                check_detail(code, self.detail)
            except ValueError as error:
                raise MisplacedError(("detail",), str(error)) from None
        return self

    @cached_property
    def claim(self) -> str:
        return next(claim for claim in CONDITIONS if getattr(self, claim) is not None)

    @property
    def argument(self) -> Any:
        return getattr(self, self.claim)
