"""bleak's client by the frame: a connection, a subscription, and writes."""

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

from bleak import BleakScanner
from bleak.args import SizedBuffer
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import BaseBleakScanner
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError

from strapline_simulator.frame_air import services
from strapline_simulator.frame_air.central import FrameCentral
from strapline_simulator.frame_air.end import End
from strapline_simulator.frame_air.peripheral import ATT_MTU, NOTIFICATION_MAX

_ATT_DEFAULT_MTU = 23
_ATTRIBUTE_MAX = 512  # Core Specification, Vol 3, Part F, 3.2.9
_READ_NOT_PERMITTED, _INVALID_LENGTH = 0x02, 0x0D  # Vol 3, Part F, 3.4.1.1


class FrameClient(BaseBleakClient):
    """One connection of one gateway. Subclasses name the radio and the scanner that goes with it."""

    radio: ClassVar[FrameCentral]
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
        self._end: End | None = None
        self._is_established = False
        self._notify: NotifyCallback | None = None
        self._turn = asyncio.Lock()
        self._answer: asyncio.Future[Any] | None = None

    @property
    def name(self) -> str:
        return self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        return _ATT_DEFAULT_MTU if self._end is None else ATT_MTU

    @property
    def is_connected(self) -> bool:
        return self._is_established

    async def connect(self, pair: bool, **_kwargs: Any) -> None:
        """TimeoutError if the device does not advertise, or not answer, in time; BleakError if the link is lost."""
        if pair:
            raise BleakError("the simulated radio does not pair")
        if self._end is not None:
            raise BleakError("Client is already connected")
        if not self._is_scanned:
            await self._find()
        async with asyncio.timeout(self._timeout):
            self._take(await self.radio.connect(bytes.fromhex(self.address.replace(":", ""))))
            try:
                await self._ask(lambda _tag: None)  # out of reach, it is not found out what the device has
            except BaseException:
                await self.disconnect()
                raise
        self.services = services.services(self._wanted_services, lambda: NOTIFICATION_MAX)
        self._is_established = True

    async def disconnect(self) -> None:
        """Returns when the link is closed; by then the disconnected callback has been called."""
        if self._end is not None:
            self._end.close()

    async def pair(self, *args: Any, **kwargs: Any) -> None:
        raise BleakError("the simulated radio does not pair")

    async def unpair(self) -> None:
        raise BleakError("the simulated radio does not pair")

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        def value(tag: Any) -> bytearray:
            if characteristic.handle == services.DEVICE_NAME:
                return bytearray(tag.name.encode())
            if characteristic.handle == services.APPEARANCE:
                return bytearray(2)
            raise BleakGATTProtocolError(_READ_NOT_PERMITTED)

        return bytearray(await self._ask(value))

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        return bytearray(await self._ask(lambda tag: bytes((tag.subscribed, 0))))

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool) -> None:
        value = bytes(data)
        if response:
            await self._write(value)
            return
        if len(value) > NOTIFICATION_MAX:
            raise BleakError(f"{len(value)} bytes do not fit a write without response")
        async with self._turn:
            if self._end is None:
                raise BleakError("Not connected")
            self._end.send(value)

    async def _write(self, value: bytes) -> None:
        if len(value) > _ATTRIBUTE_MAX:
            raise BleakGATTProtocolError(_INVALID_LENGTH)
        await self._ask(lambda tag: tag.receive(value))

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        await self._ask(lambda tag: tag.subscribe(on=bytes(data) != b"\0\0"))

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **kwargs: Any
    ) -> None:
        if not {"notify", "indicate"} & set(characteristic.properties):
            raise BleakError(f"{characteristic.uuid} neither notifies nor indicates")
        if self._notify is not None:
            raise BleakError(f"{characteristic.uuid} is notifying already")
        self._notify = callback
        try:
            await self._ask(lambda tag: tag.subscribe(on=True))
        except BaseException:
            self._notify = None
            raise

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        await self._ask(lambda tag: tag.subscribe(on=False))
        self._notify = None

    async def _find(self) -> None:
        """As BlueZ's backend does: scan first for an address that does not come from a scan."""
        device = await BleakScanner.find_device_by_address(self.address, self._timeout, backend=self.scanner)
        if device is None:
            raise BleakDeviceNotFoundError(self.address, f"Device with address {self.address} was not found.")
        self._is_scanned = True

    def _take(self, end: End) -> None:
        if not end.open:  # lost in the moment in which it came
            raise BleakError("Disconnected")
        self._end = end
        end.on_data = self._notified
        end.on_closed = self._closed

    def _notified(self, data: bytes) -> None:
        if self._notify is not None:
            self._notify(bytearray(data))

    def _closed(self) -> None:
        was_established, self._is_established = self._is_established, False
        self._end = self.services = self._notify = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(BleakError("Disconnected"))
        if was_established and self._disconnected_callback is not None:
            self._disconnected_callback()

    async def _ask(self, request: Callable[[Any], Any]) -> Any:
        """Have the tag do this and wait for its answer; one at a time."""
        async with self._turn:
            if self._end is None:
                raise BleakError("Not connected")
            answer = self._answer = asyncio.get_running_loop().create_future()
            self._end.ask(lambda far: _carry_out(far, request, answer))
            return await answer


def _carry_out(far: End, request: Callable[[Any], Any], answer: "asyncio.Future[Any]") -> None:
    """At the tag: its answer goes back over the connection."""
    try:
        value, error = request(far.owner), None
    except BleakError as refused:
        value, error = None, refused

    def arrive(_near: End) -> None:
        if answer.done():
            return  # its asker has given up
        if error is None:
            answer.set_result(value)
        else:
            answer.set_exception(error)

    far.ask(arrive)
