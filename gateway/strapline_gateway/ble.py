"""The BLE link: bleak's scanner and clients on one side, the station on the other. It feeds, transmits and hangs up; it decides nothing."""

import asyncio
from collections.abc import Callable
from typing import Any

from bleak import BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from strapline_gateway.station import Connect, HangUp, Station, Transmit
from strapline_wire import gatt

CONNECT_LIMIT_S = 15.0
"""A tag advertises every 1 s to 10 s; one that is not caught in this time has gone."""

CALL_LIMIT_S = 5.0
"""Every other bleak call: a close or a write that hangs must not hang the gateway."""

_SERVICE = f"0000{gatt.SERVICE_DATA_UUID16:04x}-0000-1000-8000-00805f9b34fb"


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
        self._calls = asyncio.Semaphore(1)  # adapters fail when several connections are opened at once
        self._tasks: asyncio.TaskGroup = asyncio.TaskGroup()
        self.failures: dict[str, int] = {}
        """What went wrong on the air, by kind: none of it stops the gateway."""

    async def __aenter__(self) -> "BleLink":
        await self._tasks.__aenter__()
        async with asyncio.timeout(CALL_LIMIT_S):
            await self._scanner.start()
        return self

    async def __aexit__(self, *error: Any) -> None:
        for queue in self._outgoing.values():
            queue.put_nowait(None)
        await self._tasks.__aexit__(*error)
        async with asyncio.timeout(CALL_LIMIT_S):
            await self._scanner.stop()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _heard(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        data = advertisement.service_data.get(_SERVICE)
        if data is None:
            return
        self._devices = {device.address: device}  # the station only ever calls whom it has just heard
        self._station.receive_advertisement(device.address, advertisement.rssi, data, self._now())
        self._on_change()

    def perform(self, event: Connect | Transmit | HangUp) -> bool:
        """Do what the station asks; False where the link is not one of ours."""
        if isinstance(event, Connect):
            self._tasks.create_task(self._call(event.tag, self._devices[event.address]))
            return True
        queue = self._outgoing.get(event.link)
        if queue is None:
            return False
        queue.put_nowait(event.data if isinstance(event, Transmit) else None)
        return True

    async def _call(self, tag: str, device: BLEDevice) -> None:
        async with self._calls:
            gone = asyncio.Event()
            client = BleakClient(device, lambda _client: gone.set(), timeout=CONNECT_LIMIT_S, **self._client_options)
            try:
                await client.connect()
            except (BleakError, TimeoutError, OSError) as error:
                self._fail(error)
                self._station.call_failed(tag, self._now())
                self._on_change()
                return
        await self._serve(tag, client, gone)

    async def _serve(self, tag: str, client: BleakClient, gone: asyncio.Event) -> None:
        link = self._station.open_link(self._now(), tag)
        queue = self._outgoing[link] = asyncio.Queue()

        def received(_characteristic: BleakGATTCharacteristic, data: bytearray) -> None:
            self._station.receive_data(link, bytes(data), self._now())
            self._on_change()

        watch = asyncio.ensure_future(gone.wait())
        watch.add_done_callback(lambda _task: queue.put_nowait(None))
        try:
            async with asyncio.timeout(CALL_LIMIT_S):
                await client.start_notify(gatt.FROM_TAG_UUID, received)
            self._on_change()
            while (data := await queue.get()) is not None:
                await self._write(client, data)
        except (BleakError, TimeoutError, OSError) as error:
            self._fail(error)
        finally:
            watch.cancel()
            del self._outgoing[link]
            await self._hang_up(client)
            self._station.close_link(link, self._now())
            self._on_change()

    async def _write(self, client: BleakClient, data: bytes) -> None:
        portion = client.mtu_size - 3
        for start in range(0, len(data), portion):
            async with asyncio.timeout(CALL_LIMIT_S):
                await client.write_gatt_char(gatt.TO_TAG_UUID, data[start : start + portion], response=False)

    async def _hang_up(self, client: BleakClient) -> None:
        try:
            async with asyncio.timeout(CALL_LIMIT_S):
                await client.disconnect()
        except (BleakError, TimeoutError, OSError) as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        name = type(error).__name__
        self.failures[name] = self.failures.get(name, 0) + 1
