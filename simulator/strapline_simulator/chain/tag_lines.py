"""The tag's lines to its gateways: Bluetooth, and the cellular network."""

from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from random import Random
from typing import Any

from strapline_gateway.stream import ByteStream
from strapline_simulator.airs import Ether, TagRadio
from strapline_simulator.faults.ways import Lines
from strapline_simulator.tag_node import TagNode
from strapline_simulator.world.cellular import Cellular
from strapline_tag.outputs import BLE, CELLULAR


class TagLines:
    """Of one tag. What stands in `ways` is spoilt, lost or late as a scenario wants it."""

    def __init__(self, tag: TagNode, seed: int) -> None:
        self._tag = tag
        self._radio: TagRadio
        self.cellular: Cellular
        self.ways = Lines(
            Random(f"{seed}/lines"),
            ble={True: self._transmit, False: lambda data: tag.link_data(BLE, data)},
            cell={True: self._post, False: lambda data: tag.link_data(CELLULAR, data)},
        )
        self.on_gatt: Callable[[bool, bytes], None] | None = None
        """Told of all bytes on the BLE connection: (towards the gateway?, data)."""

    async def open(
        self, stack: AsyncExitStack, ether: Ether, serve: Callable[[ByteStream], Coroutine[Any, Any, None]]
    ) -> None:
        """Radio and network are there until the stack is closed; `serve` answers whom the tag calls over the network."""
        self._radio = ether.tag_radio(
            "tag",
            on_link_up=lambda: self._turned(BLE, up=True),
            on_data=self._to_tag,
            on_link_down=lambda: self._turned(BLE, up=False),
        )
        await self._radio.start()
        stack.push_async_callback(self._radio.stop)
        self.cellular = await stack.enter_async_context(
            Cellular(
                serve,
                on_up=lambda: self._turned(CELLULAR, up=True),
                on_data=self.ways.cell[False].send,
                on_down=lambda: self._turned(CELLULAR, up=False),
                on_ring=self._tag.ring,
            )
        )
        self._tag.on_advertise = self._radio.advertise
        self._tag.on_send = self._from_tag
        self._tag.on_dial = lambda _bearer: self.cellular.dial()
        self._tag.on_hang_up = lambda bearer: self._radio.disconnect() if bearer == BLE else self.cellular.hang_up()

    def drop(self) -> None:
        """All connections end."""
        self._radio.disconnect()
        self.cellular.hang_up()

    def _transmit(self, data: bytes) -> None:
        self._radio.send(data)

    def _post(self, data: bytes) -> None:
        self.cellular.send(data)

    def _to_tag(self, data: bytes) -> None:
        if self.on_gatt is not None:
            self.on_gatt(False, data)
        self.ways.ble[False].send(data)

    def _from_tag(self, bearer: int, data: bytes) -> None:
        if bearer == CELLULAR:
            self.ways.cell[True].send(data)
            return
        if self.on_gatt is not None:
            self.on_gatt(True, data)
        self.ways.ble[True].send(data)

    def _turned(self, bearer: int, *, up: bool) -> None:
        for way in (self.ways.ble if bearer == BLE else self.ways.cell).values():
            way.connection()
        (self._tag.link_up if up else self._tag.link_down)(bearer)
