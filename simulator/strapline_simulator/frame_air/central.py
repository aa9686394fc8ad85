"""The radio of a gateway as its two bleak backends share it: one scan, and one connection attempt at a time."""

import asyncio
from collections.abc import Callable

from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakError,
)

from strapline_simulator.advertising import Heard
from strapline_simulator.frame_air.air import FrameAir
from strapline_simulator.frame_air.end import End

SUPERVISION_TIMEOUT_S = 4.0


class FrameCentral:
    """It scans and connects, with bleak's errors."""

    def __init__(self, name: str, air: FrameAir) -> None:
        self.name = name
        self.is_on = False
        self.supervision_s = SUPERVISION_TIMEOUT_S
        self._air = air
        self._initiator = asyncio.Lock()  # A controller has one initiator (Vol 4, Part E, 7.8.12).
        self._on_heard: Callable[[Heard], None] | None = None
        self._wanted_address = b""
        self._wanted: asyncio.Future[End] | None = None
        self._ends: list[tuple[bytes, End]] = []

    def require_on(self) -> None:
        """BleakBluetoothNotAvailableError while the radio is off."""
        if not self.is_on:
            raise BleakBluetoothNotAvailableError(
                f"the radio of {self.name} is off", BleakBluetoothNotAvailableReason.POWERED_OFF
            )

    async def start(self) -> None:
        """Power on; RuntimeError if it is on already."""
        if self.is_on:
            raise RuntimeError(f"the radio of {self.name} is on already")
        self._air.join_listener(self)
        self.is_on = True

    async def stop(self) -> None:
        """Power off without a word: tags see the supervision time-out, clients are disconnected now."""
        if not self.is_on:
            return
        self.is_on = False
        self._on_heard = None
        self._air.leave(self)
        if self._wanted is not None and not self._wanted.done():
            self._wanted.set_exception(BleakError(f"the radio of {self.name} was switched off"))
        ends, self._ends = self._ends, []
        for _, end in ends:
            end.go_dark()

    async def start_scan(self, on_heard: Callable[[Heard], None], *, active: bool) -> None:
        """Hand over each advertising event; a second scan fails as BlueZ's does. There are no scan responses to ask for."""
        del active
        self.require_on()
        if self._on_heard is not None:
            raise BleakDBusError("org.bluez.Error.InProgress", ["Operation already in progress"])
        self._on_heard = on_heard

    async def stop_scan(self, on_heard: Callable[[Heard], None]) -> None:
        """End the scan that was started with `on_heard`; nothing happens if it has ended already."""
        if self._on_heard == on_heard:
            self._on_heard = None

    async def connect(self, address: bytes) -> End:
        """Wait, without a limit, for the next connectable event of `address` and be connected by it."""
        async with self._initiator:
            self.require_on()
            connected: asyncio.Future[End] = asyncio.get_running_loop().create_future()
            self._wanted_address, self._wanted = address, connected
            try:
                return await connected
            except asyncio.CancelledError:
                if connected.done() and not connected.cancelled() and connected.exception() is None:
                    connected.result().close()  # it came in the same moment
                raise
            finally:
                self._wanted = None

    # The air's side.

    @property
    def listening(self) -> bool:
        return self._on_heard is not None or self._waits

    @property
    def _waits(self) -> bool:
        return self._wanted is not None and not self._wanted.done()

    def wants(self, address: bytes) -> bool:
        # A controller connects nobody whom it takes to be connected.
        return self._waits and self._wanted_address == address and address not in self._connected()

    def _connected(self) -> list[bytes]:
        return [address for address, end in self._ends if end.open]

    def hear(self, heard: Heard) -> None:
        if self._on_heard is not None:
            self._on_heard(heard)

    def take(self, end: End) -> None:
        assert self._wanted is not None, "the air connects who waits"
        self._ends = [*(other for other in self._ends if other[1].open), (self._wanted_address, end)]
        self._wanted.set_result(end)
