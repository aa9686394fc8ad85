"""The BLE link: bleak's scanner and clients on one side, the station on the other. It feeds, transmits and hangs up; it decides nothing."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

from bleak import BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from strapline_gateway.station import Abandon, Connect, HangUp, Station, Transmit
from strapline_wire import gatt

CONNECT_LIMIT_S = 15.0
"""A tag advertises every 1 s to 10 s; one that is not caught in this time has gone."""

CALL_LIMIT_S = 5.0
"""Every other bleak call: a close or a write that hangs must not hang the gateway."""

_SERVICE = f"0000{gatt.SERVICE_DATA_UUID16:04x}-0000-1000-8000-00805f9b34fb"


_LOG = logging.getLogger(__name__)


class BleLink:
    """One adapter. Use as an asynchronous context manager; `backends` are bleak backend classes, None for the platform's own."""

    def __init__(
        self,
        station: Station,
        on_change: Callable[[], None],
        *,
        scanner_backend: type[Any] | None = None,
        client_backend: type[Any] | None = None,
    ) -> None:
        self._station = station
        self._on_change = on_change
        self._client_options: dict[str, Any] = {"backend": client_backend} if client_backend else {}
        scanner_options: dict[str, Any] = {"backend": scanner_backend} if scanner_backend else {}
        self._scanner = BleakScanner(self._heard, **scanner_options)
        self._devices: dict[str, BLEDevice] = {}
        self._outgoing: dict[int, asyncio.Queue[bytes | None]] = {}
        self._calling: set[asyncio.Task[None]] = set()
        self._closing = False
        self._calls = asyncio.Semaphore(1)  # adapters fail when several connections are opened at once
        self._tasks: asyncio.TaskGroup = asyncio.TaskGroup()
        self.failures: dict[str, int] = {}
        """What went wrong on the air, by kind: none of it stops the gateway."""

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        async with asyncio.timeout(CALL_LIMIT_S):
            await self._scanner.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing = True
        for task in self._calling:
            task.cancel()
        for queue in self._outgoing.values():
            queue.put_nowait(None)
        try:
            await self._bounded(self._scanner.stop())
        finally:
            # Everything has been told to end, and whatever brought us here passes as it is: not as a group, which a task group makes of it.
            await self._tasks.__aexit__(None, None, None)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _heard(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        data = advertisement.service_data.get(_SERVICE)
        if data is None or self._closing:
            return
        self._devices = {device.address: device}  # the station only ever calls whom it has just heard
        self._station.receive_advertisement(device.address, advertisement.rssi, data, self._now())
        self._on_change()

    def perform(self, event: Connect | Abandon | Transmit | HangUp) -> bool:
        """Do what the station asks; False where the link is not one of ours."""
        if isinstance(event, Connect):
            task = self._tasks.create_task(self._call(event.tag, self._devices[event.address]), name=event.tag)
            self._calling.add(task)
            task.add_done_callback(self._calling.discard)
            return True
        if isinstance(event, Abandon):
            for task in self._calling:
                if task.get_name() == event.tag:
                    task.cancel()
            return True
        queue = self._outgoing.get(event.link)
        if queue is None:
            return False
        queue.put_nowait(event.data if isinstance(event, Transmit) else None)
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
            async with asyncio.timeout(CONNECT_LIMIT_S + CALL_LIMIT_S):  # not every platform keeps to its own limit
                await client.connect()
        except BaseException:
            await self._hang_up(client)
            raise

    async def _serve(self, tag: str, client: BleakClient, queue: asyncio.Queue[bytes | None]) -> None:
        link = self._station.open_link(self._now(), tag)
        self._outgoing[link] = queue
        if self._closing:
            queue.put_nowait(None)

        def received(_characteristic: BleakGATTCharacteristic, data: bytearray) -> None:
            self._station.receive_data(link, bytes(data), self._now())
            self._on_change()

        try:
            async with asyncio.timeout(CALL_LIMIT_S):
                await client.start_notify(gatt.FROM_TAG_UUID, received)
            self._on_change()
            while (data := await queue.get()) is not None:
                await self._write(client, data)
        except Exception as error:  # noqa: BLE001 - as in `_call`
            self._fail(error)
        finally:
            del self._outgoing[link]
            await self._hang_up(client)
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

    async def _hang_up(self, client: BleakClient) -> None:
        await self._bounded(client.disconnect())

    async def _bounded(self, ending: Coroutine[Any, Any, None]) -> None:
        """Carry out the end of something: it may fail, and it may not hang."""
        try:
            async with asyncio.timeout(CALL_LIMIT_S):
                await ending
        except Exception as error:  # noqa: BLE001 - what cannot be ended has failed already
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        name = type(error).__name__
        self.failures[name] = self.failures.get(name, 0) + 1
        if not isinstance(error, BleakError | OSError):
            _LOG.warning("the radio failed in an unknown way", exc_info=error)


def _this_task() -> "asyncio.Task[Any]":
    task = asyncio.current_task()
    assert task is not None
    return task
