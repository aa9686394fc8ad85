"""Rooms and bodies between tag and base station, as a scenario writes them."""

from typing import Literal

RoomName = Literal[
    "living_room",
    "study",
    "kitchen",
    "bedroom",
    "balcony",
    "bathroom",
    "stairwell",
    "upstairs",
    "garage",
    "cellar",
]

BodyBetween = bool | Literal["lying"]
