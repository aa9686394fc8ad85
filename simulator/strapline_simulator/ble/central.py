"""The radio of a gateway as its two bleak backends share it: one scan, and one connection attempt at a time."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakError,
)
from bumble import hci
from bumble.core import ConnectionError as BumbleConnectionError
from bumble.device import Connection, ConnectionParametersPreferences

from strapline_simulator.advertising import Heard
from strapline_simulator.ble.advertisement import read_report
from strapline_simulator.ble.air import Air
from strapline_simulator.ble.host import RadioHost

SUPERVISION_TIMEOUT_MS = 4000


def is_cancelled() -> bool:
    """Whether somebody cancels the running task; bumble cancels its own waiters too, when a link or radio goes."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Central(RadioHost):
    """A RadioHost that scans and connects, with bleak's errors."""

    def __init__(self, name: str, air: Air, supervision_timeout_ms: int = SUPERVISION_TIMEOUT_MS) -> None:
        super().__init__(name, air)
        self._supervision_timeout_ms = supervision_timeout_ms
        # A controller has one initiator (Vol 4, Part E, 7.8.12), so attempts take turns.
        self._initiator = asyncio.Lock()
        self._on_heard: Callable[[Heard], None] | None = None

    def require_on(self) -> None:
        """BleakBluetoothNotAvailableError while the radio is off."""
        if not self.is_on:
            raise BleakBluetoothNotAvailableError(
                f"the radio of {self.name} is off", BleakBluetoothNotAvailableReason.POWERED_OFF
            )

    async def start(self) -> None:
        self._on_heard = None
        await super().start()

    async def stop(self) -> None:
        # The scan ends with the radio, and whoever stops it later finds it stopped.
        self._on_heard = None
        await super().stop()

    async def start_scan(self, on_heard: Callable[[Heard], None], *, active: bool) -> None:
        """Hand over each advertising event; a second scan fails as BlueZ's does."""
        self.require_on()
        if self._on_heard is not None:
            raise BleakDBusError("org.bluez.Error.InProgress", ["Operation already in progress"])
        self._on_heard = on_heard
        self.host.on_report = lambda packet: on_heard(read_report(packet))
        try:
            await self.device.start_scanning(legacy=True, active=active, filter_duplicates=False)
        except asyncio.CancelledError:
            await self.stop_scan(on_heard)
            raise

    async def stop_scan(self, on_heard: Callable[[Heard], None]) -> None:
        """End the scan that was started with `on_heard`; nothing happens if it has ended already."""
        if self._on_heard == on_heard:
            self._on_heard = None
            await self.device.stop_scanning(legacy=True)

    async def connect(self, address: hci.Address) -> Connection:
        """Wait, without a limit, for the next connectable event of `address` and be connected by it."""
        async with self._initiator:
            self.require_on()
            preferences = ConnectionParametersPreferences(supervision_timeout=self._supervision_timeout_ms)
            attempt = asyncio.create_task(
                self.device.connect_le(address, {hci.Phy.LE_1M: preferences}, timeout=None),
                name=f"{self.name} connects to {address}",
            )
            try:
                return await asyncio.shield(attempt)
            except asyncio.CancelledError:
                if attempt.cancelled() and not is_cancelled():
                    raise BleakError(f"the radio of {self.name} was switched off") from None
                abandoning = asyncio.create_task(self._abandon(attempt), name=f"{self.name} abandons {address}")
                while not abandoning.done():
                    # Another cancellation must not leave the initiator busy; this takes no time.
                    with suppress(asyncio.CancelledError):
                        await asyncio.wait([abandoning])
                raise

    async def _abandon(self, attempt: asyncio.Task[Connection]) -> None:
        """Free the initiator, and drop a connection that came in the same moment."""
        if self.is_on:
            await self.host.send_sync_command_raw(hci.HCI_LE_Create_Connection_Cancel_Command())
        with suppress(BumbleConnectionError):
            connection = await attempt
            await self.close(connection)
