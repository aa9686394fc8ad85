"""How warm the limb and the tag on it are, and how wet. The tag is told none of this; its sensors are.

Two nodes: the skin under the tag, between the blood and the surroundings, and the tag's inner face, on the skin or in the air. The outer
face has the surroundings' temperature after a while. No sensor noise, no sun, no heat of the tag's own.
"""

import math
from typing import NamedTuple

_CORE_C = 37.0
_SWING_C = 0.6
"""Of the skin over a day."""

_DAY = 2 * math.pi
_STEP_S = 10.0

_OFF_S = 240.0
"""Time constant of a plastic tag of some 60 g that lies in still air."""

_OFF_WET_S = 40.0
_ON_SKIN_S = 60.0
"""The inner face on the skin: a tag of 60 g with a good contact on one side."""

_OUTSIDE_S = 120.0
_OUTSIDE_WET_S = 20.0

COLD_LIMB = 30.0
"""So many times less blood, an assumption: a foot with a disorder of blood flow, within 1.5 °C of a room."""


class Surroundings(NamedTuple):
    """What is around the limb: its temperature (°C), how strongly it takes hold of the skin (blood is 1), how soon (s), and water."""

    air_c: float
    hold: float
    settle_s: float
    wet: bool = False


# Where no source is named the figure is an assumption; no limb was measured for this.
SURROUNDINGS = {
    # 32.5 °C on the skin: it lies 3 °C to 5 °C below the core (J. Gore, L. Xu, "Thermal Imaging for Biological and Medical Diagnostics").
    "room": Surroundings(21.0, 0.391, 1200.0),
    # Between skin and sheets the air has 31 °C to 35 °C (sierradreams.com/pages/sleep-microclimate; fawcettmattress.com/blogs/news).
    "bed": Surroundings(32.0, 0.391, 1200.0),
    # A thinly clad limb: 20 °C on the skin.
    "frost": Surroundings(-10.0, 0.567, 1800.0),
    # Skin in water comes near to it: within a degree in warm water, some degrees in cold.
    "bath": Surroundings(36.0, 8.0, 300.0, wet=True),
    "lake": Surroundings(8.0, 8.0, 300.0, wet=True),
    # 40 °C to 42 °C on the skin after ten minutes at 90 °C to 100 °C (klafs.com, "FAQ for well-being: body temperature").
    "sauna": Surroundings(100.0, 0.055, 300.0),
    # An unheated workshop or stable.
    "cold_room": Surroundings(10.0, 0.391, 1200.0),
    # A hot day in the shade: warmer than the blood's way to the skin can give away, so the skin comes near to it.
    "summer": Surroundings(35.0, 0.391, 1200.0),
    # Warm water runs down the limb; it takes hold less than water around it.
    "shower": Surroundings(38.0, 3.0, 120.0, wet=True),
    # A parked car in the sun: 47 °C of air on average after an hour (J. K. Vanos et al., Temperature 5, 2018).
    "oven": Surroundings(47.0, 0.391, 900.0),
}

AIR_LAYER = 0.11
"""m²K/W: the still air on bare skin, 9 W/(m²K) by convection and radiation together (ISO 7730, about 4 and 5)."""

# m²K/W. 1 clo is 0.155. The values of garments are of the whole body (engineeringtoolbox.com/clo-clothing-thermal-insulation-d_732.html);
# over the limb that they cover they are more, so that what is under them is rather too cold here than too warm.
CLOTHING = {
    "bare": 0.0,
    "trousers": 0.039,  # 0.25 clo
    "sweater": 0.054,  # 0.35 clo
    "parka": 0.109,  # 0.70 clo
    "duvet": 0.45,  # 4.5 tog, the lightest of those that are sold; a tog is 0.1 m²K/W (BS 5335)
}


class Heat:
    """Skin and ambient temperature at the tag's two sensors, in °C. Time (s) only goes forward."""

    def __init__(self, ambient_c: float | None = None) -> None:
        self._around = SURROUNDINGS["room"]
        if ambient_c is not None:
            self._around = self._around._replace(air_c=ambient_c)
        self._blood = 1.0
        self._covered = 0.0
        self.worn = True
        self._layer()
        self.now = 0.0
        self._changed = -math.inf
        self._limb_c = self.inner_c = self._limb_goal(0.0)
        self.outer_c = self._around.air_c

    @property
    def around_c(self) -> float:
        """The surroundings' own temperature."""
        return self._around.air_c

    @property
    def wet(self) -> bool:
        return self._around.wet

    def settling(self, now: float) -> bool:
        """Whether temperatures still change quickly."""
        return not self.worn or now - self._changed < 7200

    def surround(self, now: float, name: str) -> None:
        self._change(now)
        self._around = SURROUNDINGS[name]
        self._layer()

    def set_ambient(self, now: float, ambient_c: float) -> None:
        self._change(now)
        self._around = self._around._replace(air_c=ambient_c)
        self._layer()

    def set_limb(self, now: float, *, cold: bool) -> None:
        self._change(now)
        self._blood = 1 / COLD_LIMB if cold else 1.0
        self._layer()

    def clothe(self, now: float, garment: str) -> None:
        """What lies over the tag; it holds back the limb's heat, in air."""
        self._change(now)
        self._covered = CLOTHING[garment]
        self._layer()

    def take_off(self, now: float) -> None:
        self._change(now)
        self.worn = False
        self._layer()

    def put_on(self, now: float) -> None:
        self._change(now)
        self.worn = True
        self._layer()

    def skin_c(self, now: float) -> float:
        self.advance(now)
        return self.inner_c

    def ambient_c(self, now: float) -> float:
        if self.now < now:
            self.advance(now)
        return self.outer_c

    def _change(self, now: float) -> None:
        self.advance(now)
        self._changed = now

    def _limb_goal(self, now: float) -> float:
        return self._mean_c + _SWING_C * math.sin(_DAY * now / 86400) / (1 + self._hold)

    def _layer(self) -> None:
        # What hangs on surroundings, clothes and blood alone: the share of heat that clothing lets through (water goes through it), how
        # the surroundings hold the skin, what it comes to by that, and what each whole step leaves of the way there.
        around = self._around
        self._through = 1.0 if around.wet else AIR_LAYER / (AIR_LAYER + self._covered)
        self._hold = around.hold / self._blood * self._through
        self._mean_c = (_CORE_C + self._hold * around.air_c) / (1 + self._hold)
        self._whole_step = self._left_by(_STEP_S)
        self._air_c = around.air_c

    def _left_by(self, step_s: float) -> tuple[float, float, float]:
        """What is left of the way to where they settle, after a step: of the limb, the inner face and the outer one."""
        around = self._around
        inner_s = _ON_SKIN_S if self.worn else _OFF_WET_S if around.wet else _OFF_S
        outer_s = _OUTSIDE_WET_S if around.wet else _OUTSIDE_S
        return math.exp(-step_s / around.settle_s), math.exp(-step_s / inner_s), math.exp(-step_s / outer_s)

    def advance(self, now: float) -> None:
        air_c, worn, through, mean_c, held = self._air_c, self.worn, self._through, self._mean_c, 1 + self._hold
        at, limb_c, inner_c, outer_c = self.now, self._limb_c, self.inner_c, self.outer_c
        limb_left, inner_left, outer_left = self._whole_step
        while at < now:
            step_s = now - at
            if step_s >= _STEP_S:
                step_s = _STEP_S
            else:
                limb_left, inner_left, outer_left = self._left_by(step_s)
            at += step_s
            goal_c = mean_c + _SWING_C * math.sin(_DAY * at / 86400) / held  # `_limb_goal`
            limb_c = goal_c + (limb_c - goal_c) * limb_left
            # The inner face is on the limb or in the air; the outer one in the surroundings, or in what clothing leaves of them.
            if worn:
                outside_c = limb_c + through * (air_c - limb_c)
                inner_c = limb_c + (inner_c - limb_c) * inner_left
            else:
                outside_c = air_c
                inner_c = air_c + (inner_c - air_c) * inner_left
            outer_c = outside_c + (outer_c - outside_c) * outer_left
        self.now, self._limb_c, self.inner_c, self.outer_c = at, limb_c, inner_c, outer_c
