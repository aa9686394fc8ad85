"""A sniffer beside a simulated air: it hears once a session has given it an adapter there."""

from collections.abc import Sequence

from bleak import BleakScanner

from strapline_hil.instruments.protocols import Clock, Heard
from strapline_hil.instruments.sniffer import Sniffer
from strapline_simulator.airs import GatewayRadio


class VirtualSniffer(Sniffer):
    """Its time is the air's, so `listen` has nothing to wait for: it hears while the test lets time pass."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(lambda heard: BleakScanner(heard, backend=self._backend), clock=clock, name="sniffer")
        self._backend: type | None = None

    async def hear(self, radio: GatewayRadio) -> None:
        """From now on, with this adapter."""
        self._backend = radio.scanner_backend
        await self.start()

    def listen(self, duration_s: float) -> Sequence[Heard]:
        return self.heard()

    def check(self) -> list[str]:
        """What it has not heard is the tag's affair: time does not go on meanwhile."""
        return []
