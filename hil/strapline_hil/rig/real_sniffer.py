"""A sniffer that listens as long as the rig is open."""

import asyncio
import time

from strapline_hil.instruments.protocols import Heard
from strapline_hil.instruments.sniffer import MakeScanner, Sniffer
from strapline_hil.rig.real_loop import LoopThread

_CHECK_S, _LOOK_S = 5.0, 0.05


class LiveSniffer(Sniffer):
    """On a loop of its own: to BlueZ that is another program, which may share even the base station's adapter."""

    def __init__(self, make_scanner: MakeScanner) -> None:
        """Raises `BenchError` where there is no adapter to listen by."""
        super().__init__(make_scanner)
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
        """Whether anything is heard within five seconds; nothing that is heard is lost."""
        before, until = self._count(), time.monotonic() + _CHECK_S
        while self._count() == before:
            if time.monotonic() > until:
                mend = "look whether the adapter is there and the tag advertises"
                return [f"{self.name}: heard nobody for {_CHECK_S:g} s; {mend}"]
            time.sleep(_LOOK_S)
        return []

    def close(self) -> None:
        self._loop.end(self.stop)

    def _count(self) -> int:
        return self._others + len(self._heard)


async def _nothing() -> None:
    await asyncio.sleep(0)
