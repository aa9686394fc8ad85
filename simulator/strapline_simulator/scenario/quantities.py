"""Durations and moments as people write them: `50ms`, `2s`, `1h 30min`, `day 2 07:45`."""

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS_S = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)")
_DURATION = r"^(\d+(\.\d+)?\s*(ms|s|min|h|d)\s*)+$"
_DAY = re.compile(r"^day (\d+) (\d{2}):(\d{2})(?::(\d{2}))?$")


def seconds(text: object) -> float:
    """A duration in seconds. Raises `ValueError` with an example."""
    if not isinstance(text, str) or not re.match(_DURATION, text):
        raise ValueError(f"{text!r} is no duration: write a number and a unit, such as 50ms, 2s, 10min or 1h 30min")
    return sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(text))


def day_and_time(text: str) -> tuple[int, int] | None:
    """`day 2 07:45` as (2, seconds of that local day); None where it is not written like this."""
    found = _DAY.match(text)
    if not found:
        return None
    day, hour, minute, second = (int(part or 0) for part in found.groups())
    if day < 1 or hour > 23 or minute > 59 or second > 59:
        raise ValueError(f"{text!r} is no time of day: write day 2 07:45")
    return day, hour * 3600 + minute * 60 + second


def _moment(text: object) -> str:
    if isinstance(text, str) and day_and_time(text) is not None:
        return text
    try:
        seconds(text)
    except ValueError:
        raise ValueError(f"{text!r} is no moment: write a duration from the start (1h 30min) or day 2 07:45") from None
    return str(text)


Seconds = Annotated[
    float,
    BeforeValidator(seconds),
    PlainSerializer(lambda value: f"{value:g}s"),
    WithJsonSchema({"type": "string", "pattern": _DURATION, "examples": ["50ms", "2s", "1h 30min"]}),
]
"""A duration: text in YAML, seconds in Python."""

Moment = Annotated[
    str,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "examples": ["1h 30min", "day 2 07:45"]}),
]
"""A moment: since the start, or a local time on a day of the scenario (the first day is day 1)."""
