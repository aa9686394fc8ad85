"""What a tag keeps over a reboot, in as little memory as ten thousand of them in one process allow."""

from typing import Any

_BLOCKS, _BLOCK_SIZE, _ERASE = 4, 5, 6
"""ioctl of MicroPython's block devices."""


class Kept:
    """The tag's memory: integers by `get` and `put`, bytes by `read` and `write`."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: dict[str, Any] = {}

    def read(self, name: str) -> bytes:
        return bytes(self._held.get(name, b""))

    def write(self, name: str, value: bytes) -> None:
        self._held[name] = bytes(value)

    def get(self, name: str, default: int) -> int:
        return int(self._held.get(name, default))

    def put(self, name: str, value: int) -> None:
        self._held[name] = value


class SparseFlash:
    """The journal's block device. As in NOR flash, programming only clears bits; a block that is erased takes no room."""

    __slots__ = ("_block_size", "_blocks", "_size")

    def __init__(self, size: int, block_size: int) -> None:
        self._size = size
        self._block_size = block_size
        self._blocks: dict[int, bytearray] = {}

    def ioctl(self, op: int, argument: int) -> int:
        if op == _BLOCKS:
            return self._size // self._block_size
        if op == _BLOCK_SIZE:
            return self._block_size
        if op == _ERASE:
            self._blocks.pop(argument, None)
        return 0

    def readblocks(self, block: int, data: bytearray, offset: int) -> None:
        held = self._blocks.get(block)
        data[:] = b"\xff" * len(data) if held is None else held[offset : offset + len(data)]

    def writeblocks(self, block: int, data: bytes, offset: int) -> None:
        held = self._blocks.get(block)
        if held is None:
            held = self._blocks[block] = bytearray(b"\xff" * self._block_size)
        end = offset + len(data)
        before = int.from_bytes(held[offset:end], "big")
        held[offset:end] = (before & int.from_bytes(data, "big")).to_bytes(len(data), "big")
