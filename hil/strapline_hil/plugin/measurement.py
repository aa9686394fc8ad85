"""Something measured in a test, and the limits that it has to keep."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple


class Measurement(NamedTuple):
    """One value. `row`: the requirement that the limits come from."""

    name: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    row: str = ""

    @property
    def within(self) -> bool:
        """A value that is no number is within no limits; without limits any number is."""
        at_least = self.low is None or self.value >= self.low
        return not math.isnan(self.value) and at_least and (self.high is None or self.value <= self.high)

    @property
    def limits(self) -> str:
        """In words; empty without any."""
        if self.low is None and self.high is None:
            return ""
        if self.low is None:
            return f"≤ {self.high:g} {self.unit}".strip()
        if self.high is None:
            return f"≥ {self.low:g} {self.unit}".strip()
        return f"{self.low:g} – {self.high:g} {self.unit}".strip()

    def __str__(self) -> str:
        limits = f" (limits {self.limits})" if self.limits else ""
        return f"{self.name} = {self.value:g} {self.unit}".rstrip() + limits + (f" {self.row}" if self.row else "")

    def as_json(self) -> dict[str, Any]:
        return {**self._asdict(), "within": self.within, "limits": self.limits}


def recorder(into: list[Measurement]) -> Callable[..., float]:
    """What the fixture `measure` hands out."""

    def measure(
        name: str, value: float, unit: str, *, low: float | None = None, high: float | None = None, row: str = ""
    ) -> float:
        into.append(Measurement(name, float(value), unit, low, high, row))
        return value

    return measure
