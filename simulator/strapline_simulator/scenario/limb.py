"""What steps may say of the limb and the tag on it."""

from typing import Literal

from pydantic import Field

from strapline_simulator.scenario.strict import Strict

Surroundings = Literal["room", "bed", "frost", "bath", "lake", "sauna", "cold_room", "summer", "shower", "oven"]
Clothing = Literal["bare", "trousers", "sweater", "parka", "duvet"]
Activity = Literal["still", "asleep", "awake", "walk", "run", "sport", "ride"]


class Drain(Strict):
    """The battery: its charge, and how fast it changes."""

    percent: float | None = Field(default=None, ge=0, le=100)
    drain_per_h: float | None = Field(default=None, ge=-200, le=200, description="%/h; negative while it is charged")


class Replay(Strict):
    """A real recording, by its name in STRAPLINE_DATA/motion."""

    recording: str = Field(pattern=r"^[\w-]+$")
