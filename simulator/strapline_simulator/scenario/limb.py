"""What steps may say of the limb and the tag on it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Surroundings = Literal["room", "bed", "frost", "bath", "lake", "sauna", "cold_room", "summer", "shower", "oven"]
Clothing = Literal["bare", "trousers", "sweater", "parka", "duvet"]
Activity = Literal["still", "asleep", "awake", "walk", "run", "sport", "ride"]


class Drain(BaseModel):
    """The battery: its charge, and how fast it changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    percent: float | None = Field(default=None, ge=0, le=100)
    drain_per_h: float | None = Field(default=None, ge=-200, le=200, description="%/h; negative while it is charged")


class Replay(BaseModel):
    """A real recording, by its name in STRAPLINE_DATA/motion."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    recording: str = Field(pattern=r"^[\w-]+$")
