"""The tag's side of the radio: single advertising events, and a byte stream each way over GATT."""

import asyncio
from collections.abc import Callable

from bumble import att, gatt, hci
from bumble.core import UUID
from bumble.device import AdvertisingType, Connection, LegacyAdvertiser

from strapline_simulator.advertising import with_service_data
from strapline_simulator.ble.air import Air
from strapline_simulator.ble.host import RadioHost, random_address
from strapline_wire import gatt as ids

# What radios of tags usually accept: one whole ATT packet in one link-layer packet of 251 bytes.
_ATT_MTU = 247
_NOTIFICATION_HEADER = 3


class TagRadio:
    """Advertises when told to and serves one central at a time. Callbacks come from the loop, never from within a call."""

    def __init__(
        self,
        name: str,
        air: Air,
        *,
        on_link_up: Callable[[], None],
        on_data: Callable[[bytes], None],
        on_link_down: Callable[[], None],
    ) -> None:
        """`on_link_up` comes when a central has subscribed; `on_link_down` comes once for each `on_link_up`."""
        self._radio = RadioHost(name, air)
        self._air = air
        self._on_link_up = on_link_up
        self._on_data = on_data
        self._on_link_down = on_link_down
        self._from_tag: gatt.Characteristic[bytes] | None = None
        self._subscriber: Connection | None = None
        self._hanging_up: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Power on; RuntimeError if it is on already."""
        await self._radio.start()
        self._add_service()
        self._radio.device.on(self._radio.device.EVENT_CONNECTION, self._on_connection)

    async def stop(self) -> None:
        """Power off without a word: the central sees the supervision time-out, `on_link_down` comes now."""
        if self._hanging_up is not None and not self._hanging_up.done():
            self._hanging_up.cancel()
            await asyncio.wait([self._hanging_up])
        await self._radio.stop()
        self._link_down()

    def advertise(self, address: bytes, service_data: bytes) -> None:
        """One legacy advertising event now, from a random static address (6 bytes, most significant first).

        A central that waits for the address is connected by it, unless one is connected already. ValueError for an
        address of another kind or more than 24 bytes of service data; RuntimeError while the radio is off.
        """
        source = random_address(address)
        data = with_service_data(service_data)
        controller, device = self._radio.controller, self._radio.device
        controller.random_address = device.random_address = source
        connectable = not controller.le_connections
        if connectable and device.legacy_advertiser is None:
            # bumble asks it for the type of our address when a connection comes, and then drops it.
            device.legacy_advertiser = LegacyAdvertiser(
                device,
                AdvertisingType.UNDIRECTED_CONNECTABLE_SCANNABLE,
                hci.OwnAddressType.RANDOM,
                hci.Address.ANY,
                auto_restart=False,
            )
        self._air.advertise(controller, source, data, connectable=connectable)

    def send(self, data: bytes) -> None:
        """Send bytes to the subscribed central, in order, as notifications; dropped while there is none."""
        central, characteristic = self._subscriber, self._from_tag
        if central is None or characteristic is None:
            return
        size = central.att_mtu - _NOTIFICATION_HEADER
        for start in range(0, len(data), size):
            notification = att.ATT_Handle_Value_Notification(
                attribute_handle=characteristic.handle, attribute_value=data[start : start + size]
            )
            self._radio.device.gatt_server.send_gatt_pdu(central, bytes(notification))

    def disconnect(self) -> None:
        """Send what is queued, then close the connection, if there is one."""
        connections = list(self._radio.device.connections.values()) if self._radio.is_on else []
        if connections and (self._hanging_up is None or self._hanging_up.done()):
            self._hanging_up = asyncio.create_task(self._hang_up(connections[0]), name="tag hangs up")

    async def _hang_up(self, connection: Connection) -> None:
        await connection.drain()
        await self._radio.close(connection)

    def _add_service(self) -> None:
        to_tag: gatt.Characteristic[bytes] = gatt.Characteristic(
            UUID(ids.TO_TAG_UUID),
            gatt.Characteristic.Properties.WRITE | gatt.Characteristic.Properties.WRITE_WITHOUT_RESPONSE,
            gatt.Characteristic.WRITEABLE,
            gatt.CharacteristicValue(write=self._on_write),
        )
        self._from_tag = gatt.Characteristic(
            UUID(ids.FROM_TAG_UUID), gatt.Characteristic.Properties.NOTIFY, gatt.Characteristic.READABLE
        )
        self._from_tag.on(self._from_tag.EVENT_SUBSCRIPTION, self._on_subscription)
        self._radio.device.gatt_server.max_mtu = _ATT_MTU
        self._radio.device.add_service(gatt.Service(UUID(ids.SERVICE_UUID), [to_tag, self._from_tag]))

    def _on_connection(self, connection: Connection) -> None:
        connection.on(connection.EVENT_DISCONNECTION, lambda _reason: self._link_down())

    def _on_subscription(self, central: Connection, notify: bool, _indicate: bool) -> None:
        if not notify:
            self._link_down()
        elif self._subscriber is None:
            self._subscriber = central
            asyncio.get_running_loop().call_soon(self._on_link_up)

    def _on_write(self, _central: Connection, value: bytes) -> None:
        asyncio.get_running_loop().call_soon(self._on_data, value)

    def _link_down(self) -> None:
        if self._subscriber is not None:
            self._subscriber = None
            asyncio.get_running_loop().call_soon(self._on_link_down)
