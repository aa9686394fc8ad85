"""A GNSS receiver under some sky: NMEA sentences at 1 Hz while it has power. Or a real receiver's recorded bytes, as they are."""

import asyncio
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from random import Random
from typing import NamedTuple

from strapline_simulator.gnss_log import Epoch
from strapline_simulator.world.wearer import Point

COLD_START_S = 28.0
HOT_START_S = 2.0
"""Times to first fix under open sky as u-blox states them for its M10 (cold 24 s, hot 1 s), rounded up to whole epochs."""

_EPHEMERIS_S = 2 * 3600.0
"""GPS ephemerides are renewed every two hours: after a longer rest the start is cold again."""

_CORRELATION_S = 60.0
"""Errors of a receiver that stands still change over about a minute: multipath and atmosphere, not noise."""

_METRE_DEG = 1 / 111320


class Sky(NamedTuple):
    """What a receiver makes of its surroundings."""

    error_m: float
    """Standard deviation per axis; 90 % of positions lie within 2.146 of it."""
    hdop: float
    slower: float
    """How much longer the first position takes; infinite where there is none."""


SKIES = {
    "open": Sky(4.0, 0.8, 1.0),  # R10: 90 % within 8.6 m
    "indoors": Sky(12.0, 2.4, 3.0),  # R10: 90 % within 26 m
    "none": Sky(0.0, 99.99, math.inf),
}


class Receiver:
    """The simulated receiver. `utc()` and `where()` give the time and position that its signals tell, `emit` takes its bytes."""

    def __init__(
        self,
        utc: Callable[[], datetime],
        where: Callable[[], Point],
        emit: Callable[[bytes], None],
        random: Random,
    ) -> None:
        self._utc = utc
        self._where = where
        self._emit = emit
        self._random = random
        self.sky = "open"
        self.speed_m_s: Callable[[], float] = lambda: 0.2
        self._error = (0.0, 0.0)
        self._error_at = float("-inf")
        self._on_since: float | None = None
        self._last_fix = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    def power(self, on: bool) -> None:
        """Switch it; bytes come once a second, on the second."""
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._on_since = loop.time() if on else None
        if on:
            self._timer = loop.call_at(float(int(loop.time()) + 1), self._epoch)

    def _epoch(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        assert self._on_since is not None
        warm = now - self._last_fix < _EPHEMERIS_S
        has_fix = now - self._on_since >= (HOT_START_S if warm else COLD_START_S) * SKIES[self.sky].slower
        self._timer = loop.call_at(now + 1.0, self._epoch)
        if has_fix:
            self._last_fix = now
        self._emit(self._sentences(has_fix, now))

    def _drift(self, now: float) -> tuple[float, float]:
        # A Gauss-Markov process: what is left of the error of before, and as much new as keeps its size.
        sigma = SKIES[self.sky].error_m
        left = math.exp((self._error_at - now) / _CORRELATION_S)
        new = sigma * math.sqrt(1 - left**2)
        north, east = (left * old + self._random.gauss(0, new) for old in self._error)
        self._error, self._error_at = (north, east), now
        return self._error

    def _sentences(self, has_fix: bool, now: float) -> bytes:
        if not has_fix:
            return sentences(self._utc(), None)
        here = self._where()
        north, east = self._drift(now)
        told = Point(
            here.lat_deg + north * _METRE_DEG,
            here.lon_deg + east * _METRE_DEG / math.cos(math.radians(here.lat_deg)),
        )
        hdop = SKIES[self.sky].hdop * (1 + self._random.random() / 2)
        return sentences(self._utc(), told, speed_m_s=self.speed_m_s(), hdop=hdop)


def sentences(moment: datetime, where: Point | None, *, speed_m_s: float = 0.0, hdop: float = 99.99) -> bytes:
    """What a receiver says once a second: RMC and GGA. Without a place it has no fix."""
    moment = moment.astimezone(UTC)
    clock, date = moment.strftime("%H%M%S.%f")[:9], moment.strftime("%d%m%y")
    if where is None:
        return _sentence(f"GNRMC,{clock},V,,,,,,,{date},,,N") + _sentence(f"GNGGA,{clock},,,,,0,00,99.99,,,,,,")
    lat, lon = _angle(where.lat_deg, 2, "NS"), _angle(where.lon_deg, 3, "EW")
    knots = speed_m_s * 3600 / 1852
    return _sentence(f"GNRMC,{clock},A,{lat},{lon},{knots:.1f},,{date},,,A") + _sentence(
        f"GNGGA,{clock},{lat},{lon},1,11,{hdop:.2f},22.0,M,44.0,M,,"
    )


class LogReceiver:
    """A recorded receiver: its bytes at its own pace from the moment it first has power, then silence."""

    def __init__(self, epochs: Sequence[Epoch], emit: Callable[[bytes], None]) -> None:
        self._epochs = epochs
        self._emit = emit
        self._timers: list[asyncio.TimerHandle] = []

    def power(self, on: bool) -> None:
        loop = asyncio.get_running_loop()
        if on and not self._timers:
            start = loop.time()
            self._timers = [loop.call_at(start + epoch.offset_s, self._emit, epoch.data) for epoch in self._epochs]


def _angle(value: float, digits: int, signs: str) -> str:
    size = abs(value)
    degrees = int(size)
    minutes = round((size - degrees) * 60, 5)
    if minutes >= 60:
        degrees, minutes = degrees + 1, 0.0
    return f"{degrees:0{digits}d}{minutes:08.5f},{signs[0] if value >= 0 else signs[1]}"


def _sentence(text: str) -> bytes:
    check = 0
    for letter in text.encode("ascii"):
        check ^= letter
    return f"${text}*{check:02X}\r\n".encode("ascii")
