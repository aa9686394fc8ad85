"""Zones and shelters as a scenario writes them."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from strapline_protocol.codes import Rule
from strapline_simulator.scenario.strict import Strict

ShelterName = Literal["street", "indoors", "lift", "metro", "car_park", "bath", "foil"]

_Corner = tuple[Annotated[float, Field(ge=-85, le=85)], Annotated[float, Field(ge=-180, le=180)]]


class ZoneSpec(Strict):
    """A circle around a place, or a polygon of corners (latitude, longitude in degrees)."""

    id: int = Field(ge=0, le=0xFFFF)
    rule: Literal["stay_in", "stay_out"]
    tolerance_m: int = Field(default=0, ge=0, le=0xFFFF)
    around: str | None = None
    radius_m: int | None = Field(default=None, ge=1, le=1_000_000)
    corners: tuple[_Corner, ...] = Field(default=(), max_length=64)

    @model_validator(mode="after")
    def _one_shape(self) -> "ZoneSpec":
        is_circle = self.around is not None and self.radius_m is not None and not self.corners
        is_polygon = self.around is None and self.radius_m is None and len(self.corners) >= 3
        if not (is_circle or is_polygon):
            raise ValueError("a zone has `around` (a place) and `radius_m`, or three `corners` or more")
        return self

    def record(self, places: Mapping[str, Any]) -> tuple[Any, ...]:
        """As `CommandSealer.zones` takes it."""
        corners = self.corners
        if self.around is not None:
            corners = ((places[self.around].lat_deg, places[self.around].lon_deg),)
        vertices = tuple((round(lat * 1e7), round(lon * 1e7)) for lat, lon in corners)
        return self.id, Rule[self.rule.upper()], self.tolerance_m, self.radius_m or 0, vertices
