"""The guided range test: somebody walks with the tag from spot to spot, and what is heard there becomes a limit for `reach_dbm`."""

import math
from statistics import median
from typing import NamedTuple

from strapline_gateway.presence import PresenceLimits, class_of

ENOUGH = 8
"""Heartbeats at a spot, some 45 s: fewer say little about how it fades."""

_DEAD_SHARE = 0.5
"""A spot where so many heartbeats are lost, or none is heard in half a minute, is a dead one."""

_DEAD_SILENCE_S = 30.0
_MARGIN_DB = 6.0
"""A body between tag and reader, and a door that is closed, take so much; on the day of the test neither may have been there."""

_WEAKEST_TENTH = 0.1


class SpotReport(NamedTuple):
    """One spot."""

    name: str
    is_home: bool
    """Whether the wearer may be there; a spot outside says where home ends."""
    samples: int
    lost_percent: int
    median_dbm: int | None
    weak_dbm: int | None
    """One heartbeat in ten is weaker."""
    range_class: str
    is_dead: bool
    is_sure: bool
    """Enough was heard, or long enough nothing."""


class RangeReport(NamedTuple):
    """What the walk has shown."""

    tag: str
    spots: tuple[SpotReport, ...]
    proposed_reach_dbm: int | None
    """None where no spot at home gave enough."""
    warnings: tuple[str, ...]


class _Spot:
    def __init__(self, name: str, is_home: bool, now: float) -> None:
        self.name, self.is_home = name, is_home
        self.began_at = self.heard_at = now
        self.ended_at: float | None = None
        self.signals: list[int] = []
        self.missed = 0
        self.longest_s = 0.0

    def end(self, now: float) -> None:
        if self.ended_at is None:
            self.ended_at = now
            self.longest_s = max(self.longest_s, now - self.heard_at)


class RangeTest:
    """One test of one tag. Heartbeats between two spots, on the way, belong to none."""

    def __init__(self, tag: str, limits: PresenceLimits, now: float) -> None:
        self.tag = tag
        self._limits = limits
        self._spots: list[_Spot] = []
        self._open: _Spot | None = None
        self.began_at = now

    def begin_spot(self, name: str, now: float, *, is_home: bool = True) -> None:
        """The walker stands at a spot now."""
        self.end_spot(now)
        self._open = _Spot(name, is_home, now)
        self._spots.append(self._open)

    def end_spot(self, now: float) -> None:
        """The walker goes on."""
        if self._open is not None:
            self._open.end(now)
            self._open = None

    def hear(self, rssi_dbm: int, missed: int, now: float) -> None:
        """A genuine heartbeat of the tag, and how many before it did not come."""
        spot = self._open
        if spot is None:
            return
        if spot.signals:
            spot.missed += max(missed, 0)
        spot.longest_s = max(spot.longest_s, now - spot.heard_at)
        spot.heard_at = now
        spot.signals.append(rssi_dbm)

    def report(self) -> RangeReport:
        """So far."""
        spots = tuple(self._of(spot) for spot in self._spots)
        proposed = _proposal(spots)
        return RangeReport(self.tag, spots, proposed, tuple(_warnings(spots, proposed)))

    def _of(self, spot: _Spot) -> SpotReport:
        signals = sorted(spot.signals)
        heard = len(signals)
        lost = spot.missed / (spot.missed + heard) if heard else 1.0
        middle = round(median(signals)) if heard else None
        weak = signals[math.floor(_WEAKEST_TENTH * heard)] if heard else None
        dead = lost >= _DEAD_SHARE or spot.longest_s >= _DEAD_SILENCE_S
        name = "" if middle is None else class_of(middle, self._limits)
        return SpotReport(
            spot.name, spot.is_home, heard, round(100 * lost), middle, weak, name, dead, heard >= ENOUGH or dead
        )


def _proposal(spots: tuple[SpotReport, ...]) -> int | None:
    inside = [spot.weak_dbm for spot in spots if spot.is_home and not spot.is_dead and spot.weak_dbm is not None]
    return round(min(inside) - _MARGIN_DB) if inside else None


def _warnings(spots: tuple[SpotReport, ...], proposed: int | None) -> list[str]:
    told = [f"{spot.name}: a dead spot; move the base station" for spot in spots if spot.is_home and spot.is_dead]
    told += [
        f"{spot.name}: stay longer, {spot.samples} of {ENOUGH} heartbeats came" for spot in spots if not spot.is_sure
    ]
    if proposed is None:
        told.append("no spot at home was heard well enough to propose a limit")
        return told
    for spot in spots:
        if not spot.is_home and spot.median_dbm is not None and spot.median_dbm >= proposed:
            told.append(f"{spot.name}: outside, and counts as home at {proposed} dBm; move the base station inwards")
    return told
