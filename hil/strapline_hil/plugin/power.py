"""The current that a tag draws while a test runs: read as it comes, kept as a curve that a page can show."""

import asyncio
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from strapline_hil.instruments.protocols import Meter
from strapline_hil.verdict import BenchError

_READ_EACH_S = 1.0
_READ_EACH_VIRTUAL_S = 60.0
"""Of simulated seconds: there nothing is lost meanwhile, and each reading takes real time."""
_MOST_BINS = 2000


class Bin(NamedTuple):
    """What was drawn over a stretch of time."""

    t_s: float
    mean_micro_a: float
    peak_micro_a: float


class PowerCurve:
    """Bins that grow wider as the test grows longer. Without a meter it stays empty."""

    def __init__(self, width_s: float = 0.01) -> None:
        self.meter: Meter | None = None
        self._read_each_s = _READ_EACH_S
        self.error: BenchError | None = None
        """Why it broke off."""
        self._width_s = width_s
        self._bins: dict[int, tuple[int, float, float]] = {}  # how many samples, their sum, the greatest

    def begin(self, meter: Meter, *, virtual: bool) -> None:
        """From now on it has a meter."""
        self.meter = meter
        self._read_each_s = _READ_EACH_VIRTUAL_S if virtual else _READ_EACH_S

    async def watch(self, _chain: Any = None, pause: Callable[[float], Any] = asyncio.sleep) -> None:
        """Beside a run, until it is cancelled."""
        if self.meter is None:
            return
        try:
            self.meter.start()
            while True:
                await pause(self._read_each_s)
                self.read()
        except BenchError as error:
            self.error = error

    def read(self) -> None:
        """What came since the last time."""
        if self.meter is None:
            return
        for sample in self.meter.read():
            self.add(sample.t_s, sample.micro_a)

    def finish(self) -> None:
        """The last samples; a meter that has gone tells nothing more."""
        try:
            self.read()
        except BenchError as error:
            self.error = self.error or error

    def add(self, t_s: float, micro_a: float) -> None:
        if not math.isfinite(micro_a):
            return
        count, total, peak = self._bins.get(at := int(t_s / self._width_s), (0, 0.0, -math.inf))
        self._bins[at] = count + 1, total + micro_a, max(peak, micro_a)
        if len(self._bins) > _MOST_BINS:
            self._widen()

    def bins(self) -> list[Bin]:
        return [
            Bin(round(at * self._width_s, 6), total / count, peak)
            for at, (count, total, peak) in sorted(self._bins.items())
        ]

    def csv(self) -> str:
        """One line for each bin."""
        lines = (f"{bin_.t_s:g},{bin_.mean_micro_a:.3f},{bin_.peak_micro_a:.3f}\n" for bin_ in self.bins())
        return "t_s,mean_ua,peak_ua\n" + "".join(lines)

    def _widen(self) -> None:
        self._width_s *= 2
        bins, self._bins = self._bins, {}
        for at, (count, total, peak) in bins.items():
            have = self._bins.get(at // 2, (0, 0.0, -math.inf))
            self._bins[at // 2] = have[0] + count, have[1] + total, max(have[2], peak)
