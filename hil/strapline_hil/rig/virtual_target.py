"""The device under test of a virtual rig: the virtual board, between its bench messages and the world that instruments act on."""

import asyncio

from strapline_hil.rig.world import World
from strapline_simulator.board.body import VirtualBoard
from strapline_tag import bench


class VirtualTarget:
    """A `Dut`."""

    def __init__(self, board: VirtualBoard, world: World) -> None:
        self.board = board
        self.identity = board.identity
        self._world = world

    def request(self, message: bytes) -> list[bytes]:
        if message[0] == bench.BOOT:
            self._world.take()  # whoever boots it knows of its power
        return self.board.request(message)

    def arrive(self, now_ms: int) -> None:
        self.board.arrive(now_ms)

    def answer(self) -> list[bytes]:
        self._world.settle()
        return self.board.answer()

    def close(self) -> None:
        self.board.close()


def loop_time_s() -> float:
    """The rig's time: that of the simulation around it."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:  # outside of a run nothing passes
        return 0.0
