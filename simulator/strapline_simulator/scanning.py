"""bleak's scanner on the simulated air."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal, Protocol

from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner

from strapline_simulator.advertising import SERVICE_DATA_16, Heard, structures, uuid_text

# Assigned Numbers, 2.3: AD types
_UUIDS_16, _UUIDS_128 = (0x02, 0x03), (0x06, 0x07)
_NAMES = (0x08, 0x09)
_TX_POWER = 0x0A
_SERVICE_DATA_128 = 0x21
_MANUFACTURER = 0xFF


def advertisement_data(heard: Heard) -> AdvertisementData:
    """What bleak's BlueZ backend would say of one advertising event."""
    name: str | None = None
    tx_power: int | None = None
    manufacturer: dict[int, bytes] = {}
    service_data: dict[str, bytes] = {}
    service_uuids: list[str] = []
    for kind, value in structures(heard.data):
        if kind == SERVICE_DATA_16:
            service_data[uuid_text(value[:2])] = value[2:]
        elif kind == _SERVICE_DATA_128:
            service_data[uuid_text(value[:16])] = value[16:]
        elif kind in _UUIDS_16:
            service_uuids += [uuid_text(value[i : i + 2]) for i in range(0, len(value), 2)]
        elif kind in _UUIDS_128:
            service_uuids += [uuid_text(value[i : i + 16]) for i in range(0, len(value), 16)]
        elif kind in _NAMES:
            name = value.decode(errors="replace")
        elif kind == _TX_POWER:
            tx_power = int.from_bytes(value, "little", signed=True)
        elif kind == _MANUFACTURER:
            manufacturer[int.from_bytes(value[:2], "little")] = value[2:]
    return AdvertisementData(name, manufacturer, service_data, service_uuids, tx_power, heard.rssi_dbm, ())


class ScanRadio(Protocol):
    """A gateway's radio, as far as it scans."""

    async def start_scan(self, on_heard: Callable[[Heard], None], *, active: bool) -> None:
        """Hand over each advertising event; a second scan fails as BlueZ's does."""

    async def stop_scan(self, on_heard: Callable[[Heard], None]) -> None:
        """End the scan that was started with `on_heard`; nothing happens if it has ended already."""


class AirScanner(BaseBleakScanner):
    """Reports each advertising event that its radio hears. Subclasses name the radio."""

    radio: ClassVar[ScanRadio]

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: Literal["active", "passive"],
        **_kwargs: Any,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._is_active = scanning_mode == "active"

    async def start(self) -> None:
        self.seen_devices = {}
        await self.radio.start_scan(self._on_heard, active=self._is_active)

    async def stop(self) -> None:
        """Stopping what is stopped does nothing."""
        await self.radio.stop_scan(self._on_heard)

    def _on_heard(self, heard: Heard) -> None:
        advertisement = advertisement_data(heard)
        address = heard.address.hex(":").upper()
        device = self.create_or_update_device(address, address, advertisement.local_name, None, advertisement)
        if self.is_allowed_uuid(advertisement.service_uuids):
            self.call_detection_callbacks(device, advertisement)
