"""A Bluetooth adapter beside the base station's: what the tag advertises, heard from outside, and how regularly."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from statistics import median
from time import monotonic
from typing import NamedTuple, Protocol

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason, BleakError

from strapline_hil.instruments.protocols import Heard
from strapline_hil.verdict import BenchError, RigError, SurroundingsError
from strapline_wire import gatt

_CHECK_S = 5.0
_CALL_LIMIT_S = 20.0
_NO_RADIO = {
    BleakBluetoothNotAvailableReason.NO_BLUETOOTH,
    BleakBluetoothNotAvailableReason.NO_BLE_CENTRAL_ROLE,
}


class Scanner(Protocol):
    """bleak's, as far as it is used."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


MakeScanner = Callable[[AdvertisementDataCallback], Scanner]


class Sniffer:
    """Hears the service data of our UUID; of one tag where `is_tags(data)` tells it.

    `listen` is for a desk: it blocks. Where an event loop runs already, `start` and `stop` are awaited in it.
    """

    def __init__(
        self,
        make_scanner: MakeScanner = BleakScanner,
        *,
        clock: Callable[[], float] = monotonic,
        uuid16: int = gatt.SERVICE_DATA_UUID16,
        is_tags: Callable[[bytes], bool] = bool,
        name: str = "BLE sniffer",
    ) -> None:
        self.name = name
        self._make_scanner = make_scanner
        self._clock = clock
        self._uuid = f"0000{uuid16:04x}-0000-1000-8000-00805f9b34fb"
        self._is_tags = is_tags
        self._heard: list[Heard] = []
        self._others = 0
        self._scanner: Scanner | None = None

    async def start(self) -> None:
        """Listen from now on; nothing happens if it does already."""
        if self._scanner is not None:
            return
        try:
            scanner = self._make_scanner(self._on_heard)
            async with asyncio.timeout(_CALL_LIMIT_S):
                await scanner.start()
        except (BleakError, OSError) as error:
            raise self._deaf(error) from None
        self._scanner = scanner

    async def stop(self) -> None:
        scanner, self._scanner = self._scanner, None
        if scanner is not None:
            with suppress(BleakError, OSError):  # an adapter that has gone listens no more
                async with asyncio.timeout(_CALL_LIMIT_S):
                    await scanner.stop()

    def listen(self, duration_s: float) -> Sequence[Heard]:
        """What is heard in this time."""
        asyncio.run(self._listen(duration_s))
        return self.heard()

    def heard(self) -> Sequence[Heard]:
        """What came since the last time."""
        heard, self._heard = self._heard, []
        return heard

    def check(self) -> list[str]:
        """Listens for five seconds: an adapter that hears nothing at all is deaf, or in a cellar."""
        self._others = 0
        try:
            heard = self.listen(_CHECK_S)
        except BenchError as error:
            return [str(error)]
        if heard or self._others:
            return []
        return [
            f"{self.name}: heard nobody for {_CHECK_S:g} s; look whether the adapter is there and the tag advertises"
        ]

    def close(self) -> None:
        """Nothing is left open: `listen` ends what it began."""

    async def _listen(self, duration_s: float) -> None:
        await self.start()
        try:
            await asyncio.sleep(duration_s)
        finally:
            await self.stop()

    def _on_heard(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        data = advertisement.service_data.get(self._uuid)
        if data is not None and self._is_tags(data):
            self._heard.append(Heard(self._clock(), device.address, advertisement.rssi, data))
        else:
            self._others += 1

    def _deaf(self, error: Exception) -> BenchError:
        if isinstance(error, BleakBluetoothNotAvailableError):
            if error.reason in _NO_RADIO:
                return RigError(self.name, "no Bluetooth adapter that can listen", "plug one in")
            return SurroundingsError(
                self.name, str(error.args[0]), "switch Bluetooth on, and allow this program to use it"
            )
        return SurroundingsError(
            self.name, f"Bluetooth does not start ({error})", "`strapline doctor` says what this machine lacks"
        )


class Intervals(NamedTuple):
    """The pauses between advertisements, in seconds."""

    pauses: int
    median_s: float
    p90_s: float
    longest_s: float


def intervals(heard: Sequence[Heard], until_s: float | None = None) -> Intervals | None:
    """Of one tag's; the silence up to `until_s` counts as well. None for fewer than two."""
    times = sorted(one.t_s for one in heard) + ([] if until_s is None else [until_s])
    gaps = sorted(after - before for before, after in pairwise(times))
    if len(heard) < 2:
        return None
    return Intervals(len(gaps), median(gaps), gaps[min(len(gaps) * 9 // 10, len(gaps) - 1)], gaps[-1])
