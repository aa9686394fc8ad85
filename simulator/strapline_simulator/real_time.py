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
WORN = {"strap_ohm": 1000, "skin_centi_c": 3350, "ambient_centi_c": 2200, "battery_percent": 90, "battery_mv": 4000}


class LiveNode(TagNode):
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
    """One tag that is worn, and was armed before it started. Use as an asynchronous context manager; closes its body at the end."""

    def __init__(
        self, name: str, air: Air, body: Body, secret: bytes, settings: Mapping[str, int] | None = None
    ) -> None:
        self.name = name
        self.node = LiveNode(body)
        self._secret = secret
        self._settings = dict(settings or {})
        self._stack = AsyncExitStack()
        self._is_connected = False
        node = self.node
        self._radio = TagRadio(
            name,
            air,
            on_link_up=self._link_up,
            on_data=lambda data: node.link_data(BLE, data),
            on_link_down=self._link_down,
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
        now, seed = asyncio.get_running_loop().time(), secrets.token_bytes(16)
        node.boot(now, self._secret, seed, self._settings, {"armed_ohm": WORN["strap_ohm"]})
        for sensor, value in WORN.items():
            node.sense(sensor, value)
        return self

    def _link_up(self) -> None:
        self._is_connected = True
        self.node.link_up(BLE)

    def _link_down(self) -> None:
        self._is_connected = False
        self.node.link_down(BLE)

    async def __aexit__(self, *_error: object) -> None:
        self.node.lose_power()
        await self._stack.aclose()

    @property
    def is_connected(self) -> bool:
        """Whether a base station has subscribed to it."""
        return self._is_connected

    def cut_strap(self) -> None:
        """The band is cut: the resistance is gone, and the comparator says so."""
        self.node.sense("strap_ohm", 1_000_000)
        self.node.strap_edge(is_open=True)

    def close_strap(self) -> None:
        """The band is whole again."""
        self.node.sense("strap_ohm", WORN["strap_ohm"])
        self.node.strap_edge(is_open=False)
