"""The steps that happen to the limb and the tag on it: strap, heat, water, motion, case, charger, battery."""

import asyncio
from contextlib import suppress
from typing import Any

from strapline_simulator.chain import Chain
from strapline_simulator.report import Story
from strapline_simulator.scenario import Scenario
from strapline_simulator.scenario.limb import Drain, Replay
from strapline_simulator.world.battery import Cell, milli_volts
from strapline_simulator.world.heat import Heat
from strapline_simulator.world.limb import (
    ACTIVITIES,
    RATE_HZ,
    Activity,
    Vector,
    made_up,
    packed,
    read_recordings,
    sport_vectors,
)
from strapline_simulator.world.wearer import Itinerary
from strapline_tag.config import Config

STRAP_OHM = 1000
OPEN_OHM = 1_000_000

_HEAT_STEP_S = 10.0
_PORTION_S = 10.0
"""So much motion goes to the tag at once."""

_BALANCE_C = (30.5, 38.5)
"""Surroundings as warm as skin, and a little more: there the tag may believe a silent strap."""

_STEADY_S = 8.0


class LimbSteps:
    """The part of a script that is about the limb. `_expect` and the rest of the world are the script's."""

    _scenario: Scenario
    _chain: Chain
    story: Story
    path: Itinerary
    stimuli: list[tuple[str, float]]
    _armed_at: float | None

    def __init__(self) -> None:
        self.heat = Heat()
        self.cell = Cell()
        self._strap_open = False
        self._was_open = False
        self._strap_deeds = 0
        self._loop_ohm = STRAP_OHM
        self._loops: list[tuple[float, int]] = []
        self._activity = "awake"
        self._recorded: list[Vector] = []
        self._over_and_over: list[Vector] = []
        self._moved_otherwise = asyncio.Event()
        self._begun: dict[str, float] = {}
        self._owed: set[str] = set()
        self._dried_at = float("-inf")
        self._sensed: dict[str, int] = {}

    def _expect(self, code: str, earliest_s: float, latest_s: float, text: str, due_s: float | None = None) -> None:
        raise NotImplementedError

    def _tell(self, now: float, text: str) -> None:
        raise NotImplementedError

    def _sense(self, sensor: str, value: int) -> None:
        if self._sensed.get(sensor) != value:
            self._sensed[sensor] = value
            self._chain.sensors.sense(sensor, value, self._chain.now_s())

    def _setting(self, name: str) -> int:
        return int(self._scenario.tag.get(name, getattr(Config, name)))

    # What goes on by itself.

    async def _carry_heat(self) -> None:
        while True:
            now = self._chain.now_s()
            self._measure(now)
            await asyncio.sleep(_HEAT_STEP_S if self.heat.settling(now) else 6 * _HEAT_STEP_S)

    def _measure(self, now: float) -> None:
        skin_c, ambient_c = round(self.heat.skin_c(now), 2), round(self.heat.ambient_c(now), 2)
        self._sense("skin_centi_c", round(skin_c * 100))
        self._sense("ambient_centi_c", round(ambient_c * 100))
        self.story.skin_c.append((now, skin_c))
        self.story.ambient_c.append((now, ambient_c))
        self.story.strap_ohm.append((now, None if self._strap_open else self._loop_ohm))
        percent = self.cell.percent(now)
        self._sense("battery_percent", round(percent))
        self._sense("battery_mv", milli_volts(percent, ambient_c))

    async def _carry_motion(self) -> None:
        while True:
            now = self._chain.now_s()
            if not self._recorded:
                self._recorded += self._over_and_over
            vectors = self._recorded[: round(_PORTION_S * RATE_HZ)]
            del self._recorded[: len(vectors)]
            if not vectors:
                vectors = self._made_up(now)
            if vectors and not self._chain.sensors.motion_stuck:
                self._chain.tag.motion(RATE_HZ, packed(vectors))
            with suppress(TimeoutError):
                async with asyncio.timeout(_PORTION_S):
                    await self._moved_otherwise.wait()
            self._moved_otherwise.clear()

    def _made_up(self, now: float) -> list[Vector]:
        if not self.heat.worn:
            return []
        name = self.path.gait(now) or self._activity
        return made_up(name, now, self._moves_s(now, ACTIVITIES[name]))

    def _moves_s(self, now: float, activity: Activity) -> float:
        into = now % activity.period_s
        return activity.moves_s if into < _PORTION_S else 0.0

    # The strap.

    async def _do_cut_strap(self, _yes: bool, now: float) -> None:
        self._strap_deeds += 1
        self._open_strap(now)

    async def _do_open_strap(self, for_s: float, now: float) -> None:
        self._strap_deeds += 1
        deed = self._strap_deeds
        self._open_strap(now)
        await asyncio.sleep(for_s)
        if self._strap_deeds == deed:  # nobody has cut, opened or closed it meanwhile
            self._close_strap(self._chain.now_s())

    async def _do_close_strap(self, _yes: bool, now: float) -> None:
        self._strap_deeds += 1
        self._close_strap(now)

    def _open_strap(self, now: float) -> None:
        if self._strap_open:
            return
        self._strap_open = self._was_open = True
        self._sense("strap_ohm", OPEN_OHM)
        self.story.strap_ohm.append((now, None))
        if self._armed_at is not None:
            self.stimuli.append(("strap_open", now))
            self._expect("strap_open", now - 0.001, now + 1, "the strap opens")
        self._chain.tag.strap_edge(is_open=True)

    def _close_strap(self, now: float) -> None:
        if not self._strap_open:
            return
        self._strap_open = False
        self._sense("strap_ohm", self._loop_ohm)
        self.story.strap_ohm.append((now, self._loop_ohm))
        if self._armed_at is not None:
            self._expect("strap_closed", now - 0.001, now + 1, "the strap closes")
        self._chain.tag.strap_edge(is_open=False)

    async def _do_strap_ohm(self, ohm: int, now: float) -> None:
        self._loop_ohm = ohm
        self._loops.append((now, ohm))
        if not self._strap_open:
            self._sense("strap_ohm", ohm)
            self.story.strap_ohm.append((now, ohm))

    @property
    def _latched(self) -> bool:
        return self._was_open or self._altered_at(self._chain.now_s()) is not None

    def _altered_at(self, end_s: float) -> float | None:
        """When the loop has first lain outside its band long enough for the tag to say so."""
        band = STRAP_OHM * self._setting("strap_tolerance_percent") / 100
        lasting_s = self._setting("strap_altered_samples") * self._setting("strap_sample_ms") / 1000 + 1
        for (at, ohm), (until, _) in zip(self._loops, [*self._loops, (end_s, 0)][1:], strict=True):
            if abs(ohm - STRAP_OHM) > band and until - at >= lasting_s:
                return at
        return None

    def _conclude_limb(self, end_s: float) -> None:
        altered_at = self._altered_at(end_s)
        if altered_at is not None and self._armed_at is not None and altered_at > self._armed_at:
            self.stimuli.append(("strap_altered", altered_at))
            self._expect("strap_altered", altered_at, altered_at + 5, "the loop's resistance has changed")

    # Heat and water.

    async def _do_take_off(self, _yes: bool, now: float) -> None:
        self.heat.take_off(now)
        balanced = _BALANCE_C[0] < self.heat.around_c < _BALANCE_C[1]
        if self._armed_at is not None and not balanced and not self.heat.wet:
            excused_s = max(0.0, self._dried_at + self._setting("water_excuse_s") - now)
            self._expect("skin_lost", now, now + 3600 + excused_s, "the tag cools down")
            if self._latched:
                self._expect("removed", now, now + 1800 + excused_s, "the tag is off the body")

    async def _do_put_on(self, _yes: bool, now: float) -> None:
        self.heat.put_on(now)

    async def _do_ambient(self, ambient_c: float, now: float) -> None:
        self.heat.set_ambient(now, ambient_c)

    async def _do_surroundings(self, name: str, now: float) -> None:
        if self.heat.wet:
            self._dried_at = now
        self.heat.surround(now, name)
        self._level("immersed", "surfaced", now, on=self.heat.wet)

    async def _do_clothing(self, garment: str, now: float) -> None:
        self.heat.clothe(now, garment)

    async def _do_limb(self, which: str, now: float) -> None:
        self.heat.set_limb(now, cold=which == "cold")

    async def _do_immerse(self, there: bool, now: float) -> None:
        self._level("immersed", "surfaced", now, on=there)

    # Housing and battery.

    async def _do_case(self, which: str, now: float) -> None:
        self._level("case_open", "case_closed", now, on=which == "open")

    async def _do_charger(self, there: bool, now: float) -> None:
        self._level("charging", "unplugged", now, on=there)

    def _level(self, begins: str, ends: str, now: float, *, on: bool) -> None:
        """A contact of the housing: what the tag must tell of it, unless it is played with."""
        if bool(self._sensed.get(begins, 0)) == on:
            return
        self._sense(begins, int(on))
        if self._armed_at is None:
            return
        if on and now - self._begun.get(begins, -1e9) > self._setting("told_again_s") + _STEADY_S:
            self._begun[begins] = now
            self._owed.add(ends)
            self.stimuli.append((begins, now))
            self._expect(begins, now, now + _STEADY_S, f"{begins.replace('_', ' ')}")
        elif not on and ends in self._owed:
            self._owed.remove(ends)  # an end is told of what was told to begin
            self._expect(ends, now, now + _STEADY_S, f"{ends.replace('_', ' ')}")

    async def _do_battery(self, drain: Drain, now: float) -> None:
        self.cell.set(now, drain.percent, drain.drain_per_h)
        self._measure(now)

    # Motion.

    async def _do_motion(self, what: Any, now: float) -> None:
        self._over_and_over = []
        if isinstance(what, Replay):
            for recording in read_recordings(what.recording):
                self._recorded += recording.vectors
        else:
            self._recorded.clear()
            self._activity = what
            if what == "sport":
                self._over_and_over = sport_vectors()
                self._tell(now, f"the game is {'recorded badminton' if self._over_and_over else 'made up'}")
        self._moved_otherwise.set()  # a wearer who gets up does not wait for the next ten seconds to begin
