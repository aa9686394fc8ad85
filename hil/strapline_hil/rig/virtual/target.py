"""The device under test of a virtual rig: the virtual board, between its bench messages and the world that instruments act on."""

import asyncio
import struct

from strapline_hil.rig.virtual.meter import Current
from strapline_hil.rig.virtual.world import World
from strapline_simulator.board.body import VirtualBoard
from strapline_tag import bench


class VirtualTarget:
    """A `Dut`."""

    def __init__(self, board: VirtualBoard, world: World, current: Current) -> None:
        self.board = board
        self.identity = board.identity
        self._world = world
        self._current = current

    def request(self, message: bytes) -> list[bytes]:
        if message[0] == bench.BOOT:
            self._world.take()  # whoever boots it knows of its power
            self._current.is_dark = False
        self._current.pass_time(loop_time_s())
        self._current.asked(message[0], message[9:])
        return self._heard(self.board.request(message))

    def arrive(self, now_ms: int) -> None:
        self._current.pass_time(loop_time_s())
        if not self._current.is_dark:
            self.board.arrive(now_ms)

    def answer(self) -> list[bytes]:
        self._world.settle()
        if self._current.is_dark:  # the wires are as they are, and nobody looks
            self.board.wiring.circuit.interrupts.clear()
            self.board.wiring.circuit.outputs.clear()
            return [struct.pack(">BQQ", bench.DONE, 0, 0)]
        return self._heard(self.board.answer())

    def lose_power(self) -> None:
        self._world.take()
        self._current.is_dark = True

    def _heard(self, answers: list[bytes]) -> list[bytes]:
        self._current.said(answers)
        return answers

    @property
    def serial_log(self) -> str:
        """What the board has printed."""
        return self.board.serial_log

    def close(self) -> None:
        self.board.close()


def loop_time_s() -> float:
    """The rig's time: that of the simulation around it."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:  # outside of a run nothing passes
        return 0.0
