"""The BLE link: bleak's scanner and clients on one side, the station on the other. It feeds, transmits and hangs up; it decides nothing."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

from bleak import BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from strapline_gateway.health import Health, LinkState
from strapline_gateway.hearing import DEAF_AFTER_S, Hearing
from strapline_gateway.radio import CALL_LIMIT_S, Failures, Radio, bounded
from strapline_gateway.station import Abandon, Connect, HangUp, Station, Transmit
from strapline_gateway.tap import Tap
from strapline_protocol.notices import Notice
from strapline_wire import gatt

CONNECT_LIMIT_S = 15.0
"""A tag advertises every 1 s to 10 s; one that is not caught in this time has gone."""

_OVERTIME_S = 1.0
"""Not every platform keeps to its own limit, and other tags wait for their turn."""

_ADDRESSES = 256
"""Devices that can be called: those that were heard last."""

_SERVICE = f"0000{gatt.SERVICE_DATA_UUID16:04x}-0000-1000-8000-00805f9b34fb"


class BleLink:
    """One adapter, the system's first where `adapter` is empty. Use as an asynchronous context manager; it enters without a radio too.

    `backends` are bleak backend classes, None for the platform's own; `reset` switches the adapter off and on, None where nobody can;
    `tell` takes RADIO_DEAF and RADIO_BACK. For `deaf_after_s` and `deaf_when_alone` see `Hearing`.
    """

    def __init__(
        self,
        station: Station,
        on_change: Callable[[], None],
        *,
        tell: Callable[[Notice], None] = lambda _notice: None,
        adapter: str = "",
        name: str = "",
        scanner_backend: type[Any] | None = None,
        client_backend: type[Any] | None = None,
        reset: Callable[[str], Coroutine[Any, Any, None]] | None = None,
        deaf_after_s: float = DEAF_AFTER_S,
        deaf_when_alone: bool = False,
        tap: Tap | None = None,
    ) -> None:
        self.name = name or f"ble:{adapter}"
        self._station = station
        self._on_change = on_change
        self._tap = tap or Tap()
        choice = {"bluez": {"adapter": adapter}} if adapter else {}
        self._client_options: dict[str, Any] = choice | ({"backend": client_backend} if client_backend else {})
        self._forgets = client_backend is None and sys.platform == "linux"
        """bluetoothd keeps every address that was ever connected, on its disk too, and tags change theirs every few minutes."""
        scanner_options: dict[str, Any] = choice | ({"backend": scanner_backend} if scanner_backend else {})
        self.failures = Failures()
        self._hearing = Hearing(deaf_after_s, deaf_when_alone=deaf_when_alone)
        self._radio = Radio(
            lambda callback: BleakScanner(callback, **scanner_options),
            self._heard,
            self._hearing,
            tell,
            self.failures,
            name=self.name,
            reset=None if reset is None else lambda: reset(adapter),
        )
        self._devices: dict[str, BLEDevice] = {}
        self._outgoing: dict[int, asyncio.Queue[bytes | None]] = {}
        self._calling: set[asyncio.Task[None]] = set()
        self._keeping: asyncio.Task[None] | None = None
        self._closing = False
        self._calls = asyncio.Semaphore(1)  # adapters fail when several connections are opened at once
        self._tasks: asyncio.TaskGroup = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        await self._radio.start()
        self._keeping = self._tasks.create_task(self._radio.keep(), name=self.name)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing = True
        for task in [*self._calling, *([self._keeping] if self._keeping else [])]:
            task.cancel()
        self._keeping = None
        for queue in self._outgoing.values():
            queue.put_nowait(None)
        try:
            await self._radio.stop()
        finally:
            # Everything has been told to end, and whatever brought us here passes as it is: not as a group, which a task group makes of it.
            await self._tasks.__aexit__(None, None, None)

    @property
    def health(self) -> Health:
        heard_at, restarts = self._hearing.heard_at, self._radio.restarts
        return Health(self.name, self._state(), len(self._outgoing), heard_at, restarts, dict(self.failures))

    def _state(self) -> LinkState:
        if self._keeping is None:
            return LinkState.CLOSED
        if not self._radio.runs:
            return LinkState.DOWN
        if self._hearing.deaf:
            return LinkState.DEAF
        return LinkState.QUIET if self._hearing.restarts else LinkState.UP

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _heard(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        if self._closing:
            return
        data = advertisement.service_data.get(_SERVICE)
        self._alive(device.address, ours=data is not None)
        if data is None:
            return
        self._devices.pop(device.address, None)
        self._devices[device.address] = device
        if len(self._devices) > _ADDRESSES:
            del self._devices[next(iter(self._devices))]
        self._tap.note("air", data, inbound=True, rssi_dbm=advertisement.rssi, address=device.address)
        self._station.receive_advertisement(device.address, advertisement.rssi, data, self._now())
        self._on_change()

    def _alive(self, address: str, *, ours: bool) -> None:
        self._hearing.heard(address, self._now(), ours=ours)
        if not ours:
            self._station.radio_works(self._now())
        self._radio.speak()

    def perform(self, event: Connect | Abandon | Transmit | HangUp) -> bool:
        """Do what the station asks; False where it is no business of this link."""
        if isinstance(event, Connect):
            return self._start_call(event)
        if isinstance(event, Abandon):
            calls = [task for task in self._calling if task.get_name() == event.tag]
            for task in calls:
                task.cancel()
            return bool(calls)
        queue = self._outgoing.get(event.link)
        if queue is None:
            return False
        queue.put_nowait(event.data if isinstance(event, Transmit) else None)
        return True

    def _start_call(self, event: Connect) -> bool:
        device = self._devices.get(event.address)
        if device is None or self._closing:
            return False
        task = self._tasks.create_task(self._call(event.tag, device), name=event.tag)
        self._calling.add(task)
        task.add_done_callback(self._calling.discard)
        return True

    async def _call(self, tag: str, device: BLEDevice) -> None:
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        try:
            client = BleakClient(
                device, lambda _client: queue.put_nowait(None), timeout=CONNECT_LIMIT_S, **self._client_options
            )
            async with self._calls:
                await self._connect(client)
        except asyncio.CancelledError:
            self._station.call_abandoned(tag)
            raise
        except Exception as error:  # noqa: BLE001 - whatever a platform's Bluetooth throws, the tag must be called again
            self._fail(error)
            self._station.call_failed(tag, self._now())
            self._on_change()
            return
        self._calling.discard(_this_task())  # from here on it ends by its queue
        await self._serve(tag, client, queue)

    async def _connect(self, client: BleakClient) -> None:
        try:
            async with asyncio.timeout(CONNECT_LIMIT_S + _OVERTIME_S):
                await client.connect()
        except BaseException:
            # BlueZ refuses the next call while this one is not ended.
            await bounded(client.disconnect(), self.failures)
            raise

    async def _serve(self, tag: str, client: BleakClient, queue: asyncio.Queue[bytes | None]) -> None:
        link = self._station.open_link(self._now(), tag)
        self._outgoing[link] = queue
        if self._closing:
            queue.put_nowait(None)

        def received(_characteristic: BleakGATTCharacteristic, data: bytearray) -> None:
            self._alive(client.address, ours=True)
            self._tap.note("air", bytes(data), inbound=True, line=link)
            self._station.receive_data(link, bytes(data), self._now())
            self._on_change()

        try:
            async with asyncio.timeout(CALL_LIMIT_S):
                await client.start_notify(gatt.FROM_TAG_UUID, received)
            self._on_change()
            while (data := await queue.get()) is not None:
                self._tap.note("air", data, inbound=False, line=link)
                await self._write(client, data)
        except Exception as error:  # noqa: BLE001 - as in `_call`
            self._fail(error)
        finally:
            del self._outgoing[link]
            await bounded(client.disconnect(), self.failures)
            if self._forgets:
                await bounded(client.unpair(), self.failures)
            self._station.close_link(link, self._now())
            self._on_change()

    async def _write(self, client: BleakClient, data: bytes) -> None:
        to_tag = client.services.get_characteristic(gatt.TO_TAG_UUID)
        if to_tag is None:
            raise BleakError("the device has no such characteristic")
        portion = to_tag.max_write_without_response_size
        for start in range(0, len(data), portion):
            async with asyncio.timeout(CALL_LIMIT_S):
                await client.write_gatt_char(to_tag, data[start : start + portion], response=False)

    def _fail(self, error: Exception) -> None:
        self.failures.note(error)
        self._radio.doubt(error)


def _this_task() -> "asyncio.Task[Any]":
    task = asyncio.current_task()
    assert task is not None
    return task
