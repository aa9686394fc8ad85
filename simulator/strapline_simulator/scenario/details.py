"""What an event's detail is, by name and with its unit, so that an expectation may look at it (`detail: {openings: 2}`)."""

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

from pydantic import Field, model_validator

from strapline_protocol.codes import EventCode, Kind, Refusal
from strapline_simulator.scenario.strict import Strict


class Part(NamedTuple):
    """A part of the 32 bits: `value >> shift`, of which `bits` count (0: all, with their sign)."""

    name: str
    shift: int = 0
    bits: int = 0
    names: type[IntEnum] | None = None
    """For those that a scenario may write as a word."""

    def of(self, detail: int) -> int:
        return detail if not self.bits else (detail & 0xFFFFFFFF) >> self.shift & (1 << self.bits) - 1


_SKIN = (Part("skin_centi_c"),)
_KEY = (Part("key"),)
_PERCENT = (Part("percent"),)
_REVISION = (Part("revision"),)
_MESSAGE = (Part("message"),)
_ZONE = (Part("zone"),)

PARTS: Mapping[EventCode, tuple[Part, ...]] = {
    EventCode.STARTED: (Part("starts"),),
    EventCode.ARMED: _KEY,
    EventCode.ARM_REFUSED: (Part("loop_ohm"),),
    EventCode.BEACON: _PERCENT,
    EventCode.DISARMED: _KEY,
    EventCode.DISARM_REFUSED: _KEY,
    EventCode.APPLIED: (Part("kind", 24, 8, Kind), Part("revision", 0, 24)),
    EventCode.COMMAND_REFUSED: (Part("kind", 8, 8, Kind), Part("reason", 0, 8, Refusal)),
    EventCode.REKEYED: (Part("generation"),),
    EventCode.CHECKED: (Part("failed"),),
    EventCode.CLOCK_UNTRUSTED: (Part("age_s"),),
    EventCode.CLOCK_TRUSTED: (Part("step_s"),),
    EventCode.JOURNAL_FAULT: (Part("given_up"),),
    EventCode.COUNTER_LOW: (Part("counter"),),
    EventCode.STRAP_OPEN: (Part("openings"),),
    EventCode.STRAP_CLOSED: (Part("open_ms"),),
    EventCode.STRAP_ALTERED: (Part("loop_ohm"),),
    EventCode.SURFACED: (Part("immersed_s"),),
    EventCode.SKIN_LOST: _SKIN,
    EventCode.SKIN_BACK: _SKIN,
    EventCode.REMOVED: _SKIN,
    EventCode.TOO_HOT: (Part("ambient_centi_c"),),
    EventCode.LEFT_HOME: (Part("unheard_s"),),
    EventCode.CURFEW_BROKEN: _REVISION,
    EventCode.CURFEW_KEPT: _REVISION,
    EventCode.CALLED_IN: (Part("after_leaving_s"),),
    EventCode.CALL_IN_MISSED: (Part("after_leaving_s"),),
    EventCode.NO_FIX: (Part("allowed_s"),),
    EventCode.MOVING_WITHOUT_FIX: (Part("without_s"),),
    EventCode.LOCATED: (Part("request"),),
    EventCode.SHIELDED: (Part("drop_deci_db"),),
    EventCode.JAMMED: (Part("indicator"),),
    EventCode.SPOOFED: (Part("step"),),
    EventCode.SKY_BACK: (Part("without_s"),),
    EventCode.ZONE_BROKEN: _ZONE,
    EventCode.ZONE_KEPT: _ZONE,
    EventCode.BATTERY_LOW: _PERCENT,
    EventCode.BATTERY_CRITICAL: _PERCENT,
    EventCode.BATTERY_LAST: (Part("milli_volts"),),
    EventCode.CHARGING: _PERCENT,
    EventCode.UNPLUGGED: _PERCENT,
    EventCode.MESSAGE_SHOWN: _MESSAGE,
    EventCode.MESSAGE_ANSWERED: _MESSAGE,
    EventCode.MESSAGE_UNANSWERED: _MESSAGE,
    EventCode.VIBRATED: (Part("vibrated_ms"),),
    EventCode.BUTTON: (Part("pressed_ms"),),
    EventCode.UPDATE_TAKEN: (Part("sequence"),),
    EventCode.UPDATE_REFUSED: (Part("reason", 0, 0, Refusal),),
    EventCode.UPDATE_UNDONE: (Part("sequence"),),
    EventCode.IMAGE_CORRUPT: (Part("slot"),),
}
"""What the number of an event means; codes that are not here have none."""


class Span(Strict):
    """From, to, or both."""

    at_least: int | None = None
    at_most: int | None = None

    @model_validator(mode="after")
    def _some_end(self) -> "Span":
        if self.at_least is None and self.at_most is None:
            raise ValueError("a span has `at_least`, `at_most` or both")
        return self

    def holds(self, value: int) -> bool:
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)


DetailValue = int | str | Span

Detail = dict[str, DetailValue]

DETAIL = Field(
    default=None,
    description="numbers of the event or notice that must be so, each a number or a span",
    examples=[{"openings": 2}, {"open_ms": {"at_least": 40, "at_most": 70}}, {"reason": "unsigned"}],
)


def detail_of(code: int, detail: int) -> dict[str, int]:
    """An event's number by the names of its parts; empty where it has none."""
    try:
        parts = PARTS.get(EventCode(code), ())
    except ValueError:
        parts = ()
    return {part.name: part.of(detail) for part in parts}


def check_detail(code: str, wanted: Detail) -> None:
    """Raises `ValueError` for names and words that this event does not have."""
    parts = {part.name: part for part in PARTS.get(EventCode[code.upper()], ())}
    for name, value in wanted.items():
        if name not in parts:
            known = f"choose one of {', '.join(parts)}" if parts else "it has none"
            raise ValueError(f"{code} has no detail {name!r}: {known}")
        names = parts[name].names
        if isinstance(value, str) and (names is None or value.upper() not in names.__members__):
            words = "a number" if names is None else ", ".join(member.lower() for member in names.__members__)
            raise ValueError(f"{value!r} is no {name} of {code}: write {words}")


def matches(code: str | None, wanted: Detail | None, found: Mapping[str, int]) -> bool:
    """Whether what was told is what an expectation asks; `code` is the event's, None for a notice's."""
    return all(name in found and _holds(code, name, value, found[name]) for name, value in (wanted or {}).items())


def _holds(code: str | None, name: str, wanted: DetailValue, found: int) -> bool:
    if isinstance(wanted, Span):
        return wanted.holds(found)
    if isinstance(wanted, str):
        names = {part.name: part.names for part in PARTS[EventCode[str(code).upper()]]}[name]
        return names is not None and int(names[wanted.upper()]) == found
    return wanted == found
