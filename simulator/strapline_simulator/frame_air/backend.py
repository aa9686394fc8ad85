"""The gateway's side of the frame air: two classes to hand to bleak, so that the gateway's own calls stay as they are."""

from strapline_simulator.frame_air.air import FrameAir
from strapline_simulator.frame_air.central import FrameCentral
from strapline_simulator.frame_air.client import FrameClient
from strapline_simulator.scanning import AirScanner


class FrameGatewayRadio:
    """One Bluetooth adapter: `BleakScanner(..., backend=radio.scanner_backend)`, `BleakClient(..., backend=...)`."""

    def __init__(self, name: str, air: FrameAir) -> None:
        central = FrameCentral(name, air)

        class Scanner(AirScanner):
            radio = central

        class Client(FrameClient):
            radio = central
            scanner = Scanner

        self.scanner_backend: type[AirScanner] = Scanner
        self.client_backend: type[FrameClient] = Client
        self._central = central

    async def start(self) -> None:
        """Power on; RuntimeError if it is on already."""
        await self._central.start()

    async def stop(self) -> None:
        """Power off without a word: tags see the supervision time-out, clients are disconnected now."""
        await self._central.stop()
