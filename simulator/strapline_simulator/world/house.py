"""The base station's house: mains, its battery, its line, who lifts it; what its sensors say of them."""

from collections.abc import Iterator

from strapline_gateway.house import HouseWatch

CHARGE_PER_H = 25.0
"""Percent: a small charger fills a base station's battery in four hours."""

READ_EVERY_S = 60.0

_BUMP_MG = (600, 40, 0)
"""Somebody knocks against the shelf: one second, and what swings after it."""

_CARRY_MG = (300, 450, 380, 280, 410, 350, 300, 420)
"""Each second of being carried."""

_CARRY_S = 40


class House:
    """One base station's surroundings; `watch` is the gateway's own judge of them."""

    def __init__(self, battery_h: float) -> None:
        self.watch = HouseWatch()
        self._drain_per_h = 100 / battery_h
        self._percent = 100.0
        self._since = 0.0
        self.mains = True

    def percent(self, now: float) -> float:
        rate = CHARGE_PER_H if self.mains else -self._drain_per_h
        return min(100.0, max(0.0, self._percent + rate * (now - self._since) / 3600))

    def set_percent(self, now: float, percent: float) -> None:
        self._percent, self._since = percent, now
        self.read(now)

    def set_mains(self, now: float, there: bool) -> None:
        self._percent, self._since = self.percent(now), now
        self.mains = there
        self.watch.feed_mains(now, there)

    def read(self, now: float) -> None:
        """The battery's gauge."""
        self.watch.feed_battery(now, int(self.percent(now)))


def handling_mg(what: str) -> Iterator[int]:
    """What the accelerometer says in each second of it."""
    if what == "bump":
        yield from _BUMP_MG
        return
    for second in range(_CARRY_S):
        yield _CARRY_MG[second % len(_CARRY_MG)]
