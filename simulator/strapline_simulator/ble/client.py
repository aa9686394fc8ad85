"""bleak's client on the simulated air, over bumble's ATT and GATT."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, ClassVar, TypeVar

from bleak import BleakScanner
from bleak.args import SizedBuffer
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import BaseBleakScanner
from bleak.backends.service import BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError
from bumble import att, hci
from bumble.core import BaseBumbleError
from bumble.device import Connection
from bumble.gatt_client import Client

from strapline_simulator.ble.central import Central, is_cancelled
from strapline_simulator.ble.discovery import discover

_T = TypeVar("_T")

_MTU_WANTED = 517  # what BlueZ asks for; the smaller of both ends' counts


class AirClient(BaseBleakClient):
    """One connection of one gateway. Subclasses name the radio and the scanner that goes with it."""

    radio: ClassVar[Central]
    scanner: ClassVar[type[BaseBleakScanner]]

    def __init__(
        self,
        address_or_ble_device: BLEDevice | str,
        services: set[str] | None = None,
        *,
        disconnected_callback: Callable[[], None] | None,
        timeout: float,
        **_kwargs: Any,
    ) -> None:
        super().__init__(address_or_ble_device, disconnected_callback=disconnected_callback, timeout=timeout)
        self._is_scanned = isinstance(address_or_ble_device, BLEDevice)
        self._wanted_services = services
        self._connection: Connection | None = None
        self._is_established = False
        self._notifying: set[int] = set()
        self._turn = asyncio.Lock()
        self._transaction: asyncio.Task[Any] | None = None

    @property
    def name(self) -> str:
        return self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        return self._connection.att_mtu if self._connection else att.ATT_DEFAULT_MTU

    @property
    def is_connected(self) -> bool:
        return self._is_established

    async def connect(self, pair: bool, **_kwargs: Any) -> None:
        """TimeoutError if the device does not advertise, or not answer, in time; BleakError if the link is lost."""
        if pair:
            raise BleakError("the simulated radio does not pair")
        if self._connection is not None:
            raise BleakError("Client is already connected")
        if not self._is_scanned:
            await self._find()
        async with AsyncExitStack() as on_failure, asyncio.timeout(self._timeout):
            self._connection = await self.radio.connect(hci.Address(self.address))
            self._connection.on(Connection.EVENT_DISCONNECTION, self._on_disconnection)
            on_failure.push_async_callback(self.disconnect)
            self.services = await self._ask(self._explore)
            self._is_established = True
            on_failure.pop_all()

    async def disconnect(self) -> None:
        """Returns when the link is closed; by then the disconnected callback has been called."""
        if self._connection is not None:
            await self.radio.close(self._connection)

    async def pair(self, *args: Any, **kwargs: Any) -> None:
        raise BleakError("the simulated radio does not pair")

    async def unpair(self) -> None:
        raise BleakError("the simulated radio does not pair")

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        return bytearray(await self._ask(lambda client: client.read_value(characteristic.handle)))

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        return bytearray(await self._ask(lambda client: client.read_value(descriptor.handle)))

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool) -> None:
        value = bytes(data)
        if not response and len(value) > characteristic.max_write_without_response_size:
            raise BleakError(f"{len(value)} bytes do not fit a write without response")
        await self._ask(lambda client: client.write_value(characteristic.handle, value, with_response=response))

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        await self._ask(lambda client: client.write_value(descriptor.handle, bytes(data), with_response=True))

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **kwargs: Any
    ) -> None:
        if not {"notify", "indicate"} & set(characteristic.properties):
            raise BleakError(f"{characteristic.uuid} neither notifies nor indicates")
        if characteristic.handle in self._notifying:
            raise BleakError(f"{characteristic.uuid} is notifying already")
        await self._ask(lambda client: client.subscribe(characteristic.obj, lambda value: callback(bytearray(value))))
        self._notifying.add(characteristic.handle)

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        await self._ask(lambda client: client.unsubscribe(characteristic.obj))
        self._notifying.discard(characteristic.handle)

    async def _explore(self, client: Client) -> BleakGATTServiceCollection:
        await client.request_mtu(_MTU_WANTED)
        return await discover(client, self._wanted_services)

    async def _find(self) -> None:
        """As BlueZ's backend does: scan first for an address that does not come from a scan."""
        device = await BleakScanner.find_device_by_address(self.address, self._timeout, backend=self.scanner)
        if device is None:
            raise BleakDeviceNotFoundError(self.address, f"Device with address {self.address} was not found.")
        self._is_scanned = True

    def _on_disconnection(self, _reason: int) -> None:
        was_established = self._is_established
        self._connection = self.services = None
        self._is_established = False
        self._notifying.clear()
        if self._transaction is not None:
            self._cut_off(self._transaction)
        if was_established and self._disconnected_callback is not None:
            self._disconnected_callback()

    def _cut_off(self, transaction: asyncio.Task[Any]) -> None:
        """End a transaction whose link is gone; bumble ends only the request that waits, not the rest of a discovery."""
        if not transaction.done():
            transaction.cancel()
            # Again, because asyncio's wait_for, up to 3.11, drops a cancellation that comes with its result.
            asyncio.get_running_loop().call_soon(self._cut_off, transaction)

    async def _ask(self, ask: Callable[[Client], Coroutine[Any, Any, _T]]) -> _T:
        """One transaction at a time, with bleak's errors for bumble's.

        It runs to its end even if our caller is cancelled: bumble would take its late answer for that of the next.
        """
        await self._turn.acquire()
        if self._connection is None:
            self._turn.release()
            raise BleakError("Not connected")
        self._transaction = asyncio.create_task(ask(self._connection.gatt_client), name=f"GATT of {self.address}")
        self._transaction.add_done_callback(self._end_turn)
        try:
            return await asyncio.shield(self._transaction)
        except att.ATT_Error as error:
            raise BleakGATTProtocolError(error.error_code) from error
        except BaseBumbleError as error:
            raise BleakError(str(error)) from error
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            raise BleakError("Disconnected") from None

    def _end_turn(self, transaction: asyncio.Task[Any]) -> None:
        if not transaction.cancelled():
            transaction.exception()  # Seen, even if our caller no longer waits for it.
        self._turn.release()
