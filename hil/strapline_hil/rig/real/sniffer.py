"""A sniffer that listens as long as the rig is open."""

import asyncio
import time

from strapline_hil.instruments.protocols import Clock, Heard
from strapline_hil.instruments.sniffer import MakeScanner, Sniffer
from strapline_hil.rig.real.loop import LoopThread

_QUIET_S = 60.0


class LiveSniffer(Sniffer):
    """On a loop of its own: to BlueZ that is another program, which may share even the base station's adapter."""

    def __init__(self, make_scanner: MakeScanner, clock: Clock = time.monotonic) -> None:
        """Raises `BenchError` where there is no adapter to listen by."""
        super().__init__(make_scanner, clock=clock)
        self._counted, self._quiet_since_s = 0, clock()
        self._loop = LoopThread()
        try:
            self._loop.run(self.start())
        except BaseException:
            self._loop.end(_nothing)
            raise

    def listen(self, duration_s: float) -> list[Heard]:
        self.heard()
        time.sleep(duration_s)
        return list(self.heard())

    def check(self) -> list[str]:
        """Whether anything was heard in the last minute: a tag that has no power yet is no fault of the adapter's."""
        if self._count() != self._counted:
            self._counted, self._quiet_since_s = self._count(), self._clock()
        if self._clock() - self._quiet_since_s < _QUIET_S:
            return []
        mend = "look whether the adapter is there and the tag advertises"
        return [f"{self.name}: heard nobody for {self._clock() - self._quiet_since_s:.0f} s; {mend}"]

    def close(self) -> None:
        self._loop.end(self.stop)

    def _count(self) -> int:
        return self._others + len(self._heard)


async def _nothing() -> None:
    await asyncio.sleep(0)
