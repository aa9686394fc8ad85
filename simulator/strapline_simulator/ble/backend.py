"""The gateway's side of the radio: two classes to hand to bleak, so that the gateway's own calls stay as they are."""

from strapline_simulator.ble.air import Air
from strapline_simulator.ble.central import Central
from strapline_simulator.ble.client import AirClient
from strapline_simulator.scanning import AirScanner


class GatewayRadio:
    """One Bluetooth adapter: `BleakScanner(..., backend=radio.scanner_backend)`, `BleakClient(..., backend=...)`."""

    def __init__(self, name: str, air: Air) -> None:
        central = Central(name, air)

        class Scanner(AirScanner):
            radio = central

        class Client(AirClient):
            radio = central
            scanner = Scanner

        self.scanner_backend: type[AirScanner] = Scanner
        self.client_backend: type[AirClient] = Client
        self._central = central

    async def start(self) -> None:
        """Power on; RuntimeError if it is on already."""
        await self._central.start()

    async def stop(self) -> None:
        """Power off without a word: tags see the supervision time-out, clients are disconnected now."""
        await self._central.stop()
