"""Simulated tags in real time: the loop's own clock moves them, and their radio is on a simulated air."""

import asyncio
import secrets
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Self

from strapline_simulator.ble import Air, TagRadio
from strapline_simulator.bodies import Body
from strapline_simulator.tag_node import TagNode
from strapline_tag.outputs import BLE

_EARLIEST_S = 0.001
_WORN = {"strap_ohm": 1000, "skin_centi_c": 3350, "ambient_centi_c": 2200, "battery_percent": 90, "battery_mv": 4000}


class _LiveNode(TagNode):
    """An actor that arms the loop's own timer."""

    def __init__(self, body: Body) -> None:
        super().__init__(body)
        self._timer: asyncio.TimerHandle | None = None

    def arm(self) -> None:
        self.disarm()
        deadline = self.next_deadline()
        if deadline is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(deadline, loop.time() + _EARLIEST_S), self._run)

    def disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _run(self) -> None:
        self.advance(asyncio.get_running_loop().time())
        self.deliver()
        self.arm()

    def _note_done(self, answer: bytes) -> None:
        super()._note_done(answer)
        self.arm()


class LiveTag:
    """One tag that is worn. Use as an asynchronous context manager; closes its body at the end."""

    def __init__(
        self, name: str, air: Air, body: Body, secret: bytes, settings: Mapping[str, int] | None = None
    ) -> None:
        self.name = name
        self.node = _LiveNode(body)
        self._secret = secret
        self._settings = dict(settings or {})
        self._stack = AsyncExitStack()
        node = self.node
        self._radio = TagRadio(
            name,
            air,
            on_link_up=lambda: node.link_up(BLE),
            on_data=lambda data: node.link_data(BLE, data),
            on_link_down=lambda: node.link_down(BLE),
        )

    async def __aenter__(self) -> Self:
        node, radio = self.node, self._radio
        self._stack.callback(node.body.close)
        try:
            await radio.start()
        except BaseException:
            await self._stack.aclose()
            raise
        self._stack.push_async_callback(radio.stop)
        self._stack.callback(node.disarm)
        node.on_advertise = radio.advertise
        node.on_send = lambda _bearer, data: radio.send(data)
        node.on_hang_up = lambda _bearer: radio.disconnect()
        node.boot(asyncio.get_running_loop().time(), self._secret, secrets.token_bytes(16), self._settings)
        for sensor, value in _WORN.items():
            node.sense(sensor, value)
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.node.lose_power()
        await self._stack.aclose()

    def cut_strap(self) -> None:
        """The band is cut: the resistance is gone, and the comparator says so."""
        self.node.sense("strap_ohm", 1_000_000)
        self.node.strap_edge(is_open=True)

    def close_strap(self) -> None:
        """The band is whole again."""
        self.node.sense("strap_ohm", _WORN["strap_ohm"])
        self.node.strap_edge(is_open=False)
