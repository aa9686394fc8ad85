"""Who has a radio and means harm: one that records and sends again, and one whose device has the tag's keys."""

import asyncio
from contextlib import suppress

from strapline_simulator.airs import Ether
from strapline_simulator.bodies import ModelBody
from strapline_simulator.tag_node import TagNode, virtual_loop
from strapline_tag.outputs import BLE

RECORDER = "recorder"
CLONE = "clone"
FOREIGN = "foreign"


class Recorder:
    """Hears every advertisement of the tag, wherever it is, and can send them again from beside the base station."""

    def __init__(self, ether: Ether) -> None:
        self._radio = ether.tag_radio(RECORDER, on_link_up=_nothing, on_data=_ignore, on_link_down=_nothing)
        self._tape: list[tuple[float, bytes, bytes]] = []
        self._sending: asyncio.Task[None] | None = None
        self.records = False

    def hear(self, now: float, address: bytes, data: bytes) -> None:
        if self.records:
            self._tape.append((now, address, data))

    async def replay(self, for_s: float) -> None:
        """Begin to send what is on the tape, in its rhythm, over and over for so long; an earlier sending ends."""
        await self.stop()
        await self._radio.start()
        self._sending = asyncio.create_task(self._play(for_s))

    async def _play(self, for_s: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + for_s
        try:
            while self._tape and loop.time() < end:
                before = self._tape[0][0]
                for at, address, data in self._tape:
                    await asyncio.sleep(max(at - before, 0.1))
                    before = at
                    if loop.time() >= end:
                        break
                    self._radio.advertise(address, data)
        finally:
            await self._radio.stop()

    async def stop(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            with suppress(asyncio.CancelledError):
                await self._sending


class Clone:
    """The tag's own program on a second device, with the tag's keys or others; always on `model`, whatever the tag runs on."""

    def __init__(self, ether: Ether, name: str = CLONE) -> None:
        self._node = TagNode(ModelBody())
        node = self._node
        self._radio = ether.tag_radio(
            name,
            on_link_up=lambda: node.link_up(BLE),
            on_data=lambda data: node.link_data(BLE, data),
            on_link_down=lambda: node.link_down(BLE),
        )

    async def start(self, secret: bytes, seed: bytes, settings: dict[str, int], held: dict[str, int]) -> None:
        await self._radio.start()
        node, loop = self._node, virtual_loop()
        node.on_advertise = self._radio.advertise
        node.on_send = lambda bearer, data: self._radio.send(data) if bearer == BLE else None
        node.on_hang_up = lambda bearer: self._radio.disconnect() if bearer == BLE else None
        loop.add_actor(node)
        node.boot(loop.time(), secret, seed, settings, held)

    async def stop(self) -> None:
        virtual_loop().remove_actor(self._node)
        await self._radio.stop()


def _nothing() -> None:
    """Nobody is behind this radio."""


def _ignore(_data: bytes) -> None:
    """Nobody is behind this radio."""
