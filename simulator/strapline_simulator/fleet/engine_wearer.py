"""One wearer's body and surroundings, as the tag's sensors read them. It knows nothing of the tag."""

import math
from array import array
from random import Random

from strapline_simulator.fleet.engine_motion import Activity, activity
from strapline_simulator.fleet.engine_path import Path
from strapline_simulator.world.battery import Cell as Battery
from strapline_simulator.world.battery import milli_volts
from strapline_simulator.world.heat import Heat
from strapline_simulator.world.shelter import SHELTERS, STREET_DBM
from strapline_simulator.world.shelter import Cell as Coverage

STRAP_OHM = 1000
OPEN_OHM = 1_000_000

DRAIN_PER_H = 1.25
"""Percent: a tag that lasts 80 h (R22: 72 h and more)."""

CHARGE_PER_H = -40.0

_NEVER_MS = 1 << 62
_ON_FOOT_M_S = 3.0
"""Who goes faster is carried by something, and moves as before."""

_AROUND_HOME_M = (2.0, 9.0)
"""From the base station, in the rooms of one home; each wearer is at one distance of it for the whole run."""


class Wearer:
    """Has the attributes that the tag's `Sampler` reads. `now` is set by whoever lets time go on, before anything is read."""

    __slots__ = (
        "_motion",
        "_walking",
        "battery",
        "case_open",
        "charging",
        "coverage",
        "damping_db",
        "faults",
        "heat",
        "home_m",
        "immersed",
        "jam",
        "loop_ohm",
        "mean_dbm",
        "moved",
        "now",
        "path",
        "rests_until_ms",
        "settles_s",
        "shelter",
        "sky",
        "strap_ohm",
        "strap_open",
    )

    def __init__(self, home: tuple[float, float], random: Random) -> None:
        self.now = 0
        """ms: of the home's agenda, and since the tag's boot."""
        self.path = Path(home)
        self.home_m = random.uniform(*_AROUND_HOME_M)
        self.heat = Heat()
        self.battery = Battery(100.0, DRAIN_PER_H)
        self.coverage = Coverage()
        self.coverage.go(0.0, STREET_DBM, 0)
        self.mean_dbm = 0.0
        self.settles_s = float("inf")
        """From then on the base station's `mean_dbm` of this tag holds: nobody goes anywhere."""
        self.shelter = "street"
        self.sky = "open"
        self.damping_db = 0.0
        self.strap_open = False
        self.loop_ohm = self.strap_ohm = STRAP_OHM
        self.case_open = self.charging = self.immersed = self.faults = self.jam = 0
        self.rests_until_ms = 0
        self.moved = True
        """Until that moment nothing moves, and then this is false: whoever lets time go on sets it, and stops there."""
        self._motion = activity("awake")
        self._walking = activity("walk")

    @property
    def now_s(self) -> float:
        return self.now / 1000

    # What the sensors read.

    @property
    def skin_centi_c(self) -> int:
        heat, now_s = self.heat, self.now / 1000
        if heat.now < now_s:
            heat.advance(now_s)
        return round(heat.inner_c * 100)

    @property
    def ambient_centi_c(self) -> int:
        heat, now_s = self.heat, self.now / 1000
        if heat.now < now_s:
            heat.advance(now_s)
        return round(heat.outer_c * 100)

    @property
    def battery_percent(self) -> int:
        return round(self.battery.percent(self.now_s))

    @property
    def battery_mv(self) -> int:
        return milli_volts(self.battery.percent(self.now_s), self.heat.ambient_c(self.now_s))

    @property
    def cell_dbm(self) -> int:
        return self.coverage.dbm(self.now / 1000)

    def read_motion(self, samples: "array[int]") -> int:
        """The last second's vectors; none while the chip sleeps."""
        activity, now_s = self.moves(), self.now_s
        second = activity.at(int(now_s))
        if not second:
            next_s = activity.next_s(now_s)
            self.rests_until_ms = _NEVER_MS if next_s == math.inf else round(next_s * 1000)
            self.moved = False
        size = len(second)
        if size:
            samples[:size] = second
        return size // 3

    def moves(self) -> Activity:
        """What the limb does now."""
        path = self.path
        if not self.heat.worn:
            return _STILL
        if self.now_s < path.until_s and path.speed_m_s(self.now_s) < _ON_FOOT_M_S:
            return self._walking
        return self._motion

    # What happens to them.

    def set_strap(self, *, is_open: bool) -> bool:
        """Gives whether that is a change, which the comparator's latch sees."""
        changed = self.strap_open != is_open
        self.strap_open = is_open
        self.strap_ohm = OPEN_OHM if is_open else self.loop_ohm
        return changed

    def set_loop(self, ohm: int) -> None:
        self.loop_ohm = ohm
        if not self.strap_open:
            self.strap_ohm = ohm

    def move(self, name: str) -> None:
        self._motion = activity(name)
        self.stir()

    def stir(self) -> None:
        """Something may move from now on that did not before."""
        self.rests_until_ms = 0
        self.moved = True
        self.settles_s = float("inf")

    def charge(self, *, on: bool) -> None:
        self.charging = int(on)
        self.battery.set(self.now_s, drain_per_h=CHARGE_PER_H if on else DRAIN_PER_H)

    def enter(self, name: str) -> None:
        """A shelter: what it leaves of each signal."""
        around = SHELTERS[name]
        self.shelter = name
        self.damping_db = around.ble_db
        self.sky = around.sky
        self.coverage.go(self.now_s, around.cell_dbm, around.fall_s)


_STILL = activity("still")
