"""What steps may say of parts that fail."""

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from strapline_simulator.faults.adapter import AdapterState
from strapline_simulator.faults.receiver import ReceiverState
from strapline_simulator.scenario.quantities import Seconds, seconds
from strapline_simulator.scenario.strict import Strict

__all__ = [
    "AdapterState",
    "BlockOrder",
    "Device",
    "LineNoise",
    "ModemState",
    "Offset",
    "ReceiverState",
    "Reports",
    "SensorOrder",
]

ModemState = Literal["well", "silent", "rejected"]
Device = Literal["restart", "back_up", "restore", "swap", "damage"]

_SHARE = Field(default=0.0, ge=0, le=1)
_OFFSET = re.compile(r"^([+-]?)\s*(.+)$")


def _offset(text: object) -> float:
    found = _OFFSET.match(text) if isinstance(text, str) else None
    if found is None or text == "0":
        raise ValueError(f"{text!r} is no difference: write a sign and a duration, such as +2h or -90s; 0s for none")
    return (-1 if found[1] == "-" else 1) * seconds(found[2])


Offset = Annotated[
    float,
    BeforeValidator(_offset),
    PlainSerializer(lambda value: f"{value:+g}s"),
    WithJsonSchema({"type": "string", "examples": ["+2h", "-90s", "0s"]}),
]
"""A difference of time with its sign, in seconds."""


class LineNoise(Strict):
    """Shares of all pieces of bytes between tag and gateways, both ways, over Bluetooth and cellular."""

    flip: float = _SHARE
    halve: float = _SHARE
    lose: float = _SHARE
    double: float = _SHARE


class Reports(Strict):
    """How the base station's host reports advertisements: shares that come twice, or up to `by` late (and so out of order)."""

    double: float = _SHARE
    late: float = _SHARE
    by: Seconds = Field(default=5.0)


class SensorOrder(Strict):
    """A sensor of the tag that does not say what is there."""

    of: Literal["strap", "skin", "ambient", "motion", "battery", "receiver", "modem", "radio", "flash"]
    stuck: Literal[True] | None = Field(default=None, description="it says what it said last (motion: nothing)")
    reads: int | None = Field(default=None, description="it says this: Ω, 0.01 °C, %", ge=-5000, le=2_000_000)
    noise: float | None = Field(default=None, description="standard deviation, in the same units", gt=0, le=10_000)
    drift_per_h: float | None = Field(default=None, description="in the same units", ge=-10_000, le=10_000)
    fails: Literal[True] | None = Field(default=None, description="it does not answer, and the tag knows it")
    well: Literal[True] | None = Field(default=None, description="it says what is there again")

    @model_validator(mode="after")
    def _possible(self) -> "SensorOrder":
        ways = [
            name
            for name in ("stuck", "reads", "noise", "drift_per_h", "fails", "well")
            if getattr(self, name) is not None
        ]
        if not ways or (len(ways) > 1 and ways != ["noise", "drift_per_h"]):
            raise ValueError(
                "a sensor is one of stuck, reads, noise, drift_per_h, fails and well; noise and drift_per_h go together"
            )
        if self.of in ("receiver", "modem", "radio", "flash") and ways[0] not in ("fails", "well"):
            raise ValueError(
                f"{self.of} can only fail or be well here; for more there are the verbs receiver, modem, adapter and flash_block"
            )
        if self.of == "motion" and ways[0] not in ("stuck", "fails", "well"):
            raise ValueError("motion can be stuck, fail or be well")
        if self.of == "battery" and ways[0] == "fails":
            raise ValueError(
                "a battery's gauge cannot fail with the tag's knowledge: let it be stuck, or read something"
            )
        return self


class BlockOrder(Strict):
    """A block of the flash that holds the tag's journal."""

    block: int = Field(ge=0, le=1023)
    state: Literal["dead", "worn", "well"]
