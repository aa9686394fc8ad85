"""A GNSS receiver under an open sky: NMEA sentences at 1 Hz while it has power. Or a real receiver's recorded bytes, as they are."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from random import Random

from strapline_simulator.gnss_log import Epoch
from strapline_simulator.world.wearer import Point

COLD_START_S = 28.0
HOT_START_S = 2.0
"""Times to first fix under open sky as u-blox states them for its M10 (cold 24 s, hot 1 s), rounded up to whole epochs."""

_EPHEMERIS_S = 2 * 3600.0
"""GPS ephemerides are renewed every two hours: after a longer rest the start is cold again."""

_ERROR_M = 2.5
_METRE_DEG = 1 / 111320


class Receiver:
    """The simulated receiver. `utc()` and `where()` give the true time and position, `emit` takes its bytes."""

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
        has_fix = now - self._on_since >= (HOT_START_S if warm else COLD_START_S)
        self._timer = loop.call_at(now + 1.0, self._epoch)
        if has_fix:
            self._last_fix = now
        self._emit(self._sentences(has_fix))

    def _sentences(self, has_fix: bool) -> bytes:
        moment = self._utc().astimezone(UTC)
        clock, date = moment.strftime("%H%M%S.%f")[:9], moment.strftime("%d%m%y")
        if not has_fix:
            return _sentence(f"GNRMC,{clock},V,,,,,,,{date},,,N") + _sentence(f"GNGGA,{clock},,,,,0,00,99.99,,,,,,")
        here = self._where()
        lat = _angle(here.lat_deg + self._random.gauss(0, _ERROR_M) * _METRE_DEG, 2, "NS")
        lon = _angle(here.lon_deg + self._random.gauss(0, _ERROR_M) * _METRE_DEG, 3, "EW")
        hdop = 0.8 + self._random.random() * 0.4
        return _sentence(f"GNRMC,{clock},A,{lat},{lon},0.4,,{date},,,A") + _sentence(
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
