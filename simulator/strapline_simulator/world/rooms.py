"""What stands between two rooms of a home, and what it takes from 2.4 GHz. Nothing about who is in which room."""

import math
from typing import NamedTuple

_GHZ = 2.44
"""The middle of Bluetooth's band."""


class Material(NamedTuple):
    """Rec. ITU-R P.2040-3, Table 3: relative permittivity `a`, conductivity `c * GHz ** d` in S/m."""

    a: float
    c: float
    d: float


CONCRETE = Material(5.24, 0.0462, 0.7822)
BRICK = Material(3.91, 0.0238, 0.16)
PLASTERBOARD = Material(2.73, 0.0085, 0.9395)
WOOD = Material(1.99, 0.0047, 1.0718)
GLASS = Material(6.31, 0.0036, 1.3394)


class Wall(NamedTuple):
    """One slab, straight through."""

    material: Material
    thick_m: float

    @property
    def loss_db(self) -> float:
        """What the slab absorbs and its two faces throw back; steel inside, furniture and ways around it are left out."""
        root = math.sqrt(self.material.a)
        conductivity = self.material.c * math.pow(_GHZ, self.material.d)
        absorbed = (
            1636 * conductivity / root * self.thick_m
        )  # P.2040-3, 2.1.2.5: the attenuation rate of a dielectric, dB/m
        reflected = ((root - 1) / (root + 1)) ** 2
        return absorbed - 20 * math.log10(1 - reflected)


INNER_WALL = Wall(BRICK, 0.115)
OUTER_WALL = Wall(BRICK, 0.24)
BOARD = Wall(PLASTERBOARD, 0.0125)
FLOOR = Wall(CONCRETE, 0.2)
PANE = Wall(GLASS, 0.004)


class Room(NamedTuple):
    """Seen from the base station, which stands in the living room."""

    metres: float
    walls: tuple[Wall, ...] = ()

    @property
    def loss_db(self) -> float:
        return sum(wall.loss_db for wall in self.walls)


# A flat of brick with floors of concrete; the distances are assumptions.
ROOMS: dict[str, Room] = {
    "living_room": Room(3),
    "study": Room(4, (BOARD, BOARD)),
    "kitchen": Room(5, (INNER_WALL,)),
    "bedroom": Room(6, (INNER_WALL,)),
    "balcony": Room(6, (PANE, PANE)),
    "bathroom": Room(7, (INNER_WALL, INNER_WALL)),
    "stairwell": Room(8, (OUTER_WALL,)),
    "upstairs": Room(5, (FLOOR,)),
    "garage": Room(12, (OUTER_WALL, OUTER_WALL)),
    "cellar": Room(7, (FLOOR, OUTER_WALL)),
}

BODY_DB: dict[bool | str, float] = {False: 0.0, True: 12.0, "lying": 25.0}
"""A body between tag and base station; a wearer who lies on the tag. Assumptions: bodies in the way at 2.4 GHz are reported to take
10 dB (a limb turned away) to 26 dB (chest to back)."""
