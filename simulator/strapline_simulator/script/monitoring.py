"""What an armed tag must have told by the end without any step of its own: beacons, absences from home, positions on the way."""

from collections.abc import Callable

from strapline_simulator.report import Story
from strapline_simulator.scenario import Scenario
from strapline_simulator.world.wearer import Itinerary, Point, distance_m
from strapline_tag.config import Config

BEYOND_REACH_M = 60.0

_LOCATION_STEP_S = 10.0

_UNASKED_S = 120.0
"""A base station calls so often on a tag that does not ask for more."""

_RADIO, _SATELLITE = 1, 2
"""Settings of `mode`: without a receiver, without a base station."""


class MonitoringTruths:
    """A part of `Script`, which has the attributes named here."""

    _scenario: Scenario
    story: Story
    path: Itinerary
    gateway_at: Callable[[float], Point]
    _armed_at: float | None

    def _expect(self, code: str, earliest_s: float, latest_s: float, text: str, due_s: float | None = None) -> None:
        raise NotImplementedError

    def _conclude_limb(self, end_s: float) -> None:
        raise NotImplementedError

    def _is_dark(self, earliest_s: float, latest_s: float) -> bool:
        raise NotImplementedError

    def _conclude(self, end_s: float) -> None:
        steps = [t * _LOCATION_STEP_S for t in range(int(end_s / _LOCATION_STEP_S) + 1)]
        self.story.track = [(t, *self.path.at(t)) for t in steps[::6]]
        self._conclude_monitoring(end_s)

    def _disarm(self, now: float) -> None:
        self._conclude_monitoring(now)
        self._armed_at = None

    def _conclude_monitoring(self, end_s: float) -> None:
        if self._armed_at is None:
            return
        self._conclude_limb(end_s)
        steps = [t * _LOCATION_STEP_S for t in range(int(end_s / _LOCATION_STEP_S) + 1)]
        period_s = self._scenario.settings.get("beacon_period_s", Config.beacon_period_s)
        for k in range(1, int((end_s - self._armed_at) / period_s) + 1):
            at = self._armed_at + k * period_s
            self._expect("beacon", at - 0.001, at + 5, "the beacon is due")
        for left, back in self._absences(steps, end_s):
            self._expect_absence(left, back, end_s)

    def _absences(self, steps: list[float], end_s: float) -> list[tuple[float, float]]:
        absences: list[tuple[float, float]] = []
        left: float | None = None
        for t in steps:
            out = distance_m(self.path.at(t), self.gateway_at(t)) > BEYOND_REACH_M
            if out and left is None:
                left = t
            elif not out and left is not None:
                absences.append((left, t))
                left = None
        return absences if left is None else [*absences, (left, end_s)]

    def _expect_absence(self, left: float, back: float, end_s: float) -> None:
        silence_s = self._scenario.settings.get("home_silence_s", Config.home_silence_s)
        noticed = left + _UNASKED_S + silence_s
        mode = self._scenario.settings.get("mode", Config.mode)
        if back <= noticed + 60 or (self._armed_at or 0) > left:
            return
        if mode != _SATELLITE:
            self._expect("left_home", left, noticed + 15, "the wearer has left home")
            if back < end_s:
                self._expect("came_home", left, back + _UNASKED_S, "the wearer is home again")
        if mode == _RADIO:
            return
        # A position each 3 min: any 4 min between have one. They travel with the next beacon, or when the tag is home again.
        window_s = self._scenario.settings.get("away_fix_s", Config.away_fix_s) + 60
        at = noticed + 60
        while at + window_s <= back:
            due = back + 900 if back < end_s else at + window_s + Config.beacon_period_s + 900
            if not self._is_dark(at, at + window_s):
                self._expect("fix", at, at + window_s, "a position is due", due)
            at += window_s
