"""NOR flash in memory, as strict as the strictest chip: a unit is programmed once between two erases. Power goes where a test says."""

from random import Random

UNIT = 32


class PowerGoneError(Exception):
    """Not an OSError: nobody on the tag lives to see it."""


class Flash:
    """A block device as MicroPython's extended interface has it.

    Power goes in the operation (a program or an erase) with the number `cut_at`. `torn` says what is left of that one: "none" of it,
    "all" of it, or something "part" of the way, with bits at random where a cell is between two states.
    """

    def __init__(self, blocks=16, block_size=4096, held=None):
        self.blocks, self.block_size = blocks, block_size
        self.held = bytearray(b"\xff" * blocks * block_size) if held is None else bytearray(held)
        self.operations = 0
        self.erases = [0] * blocks
        self.cut_at = None
        self.torn = "none"
        self.seed = 0
        self.worn = set()
        """Offsets of units that take nothing any more."""

    def copy(self):
        """What a reboot finds."""
        return Flash(self.blocks, self.block_size, self.held)

    def readblocks(self, block, data, offset):
        start = block * self.block_size + offset
        assert offset + len(data) <= self.block_size
        data[:] = self.held[start : start + len(data)]

    def writeblocks(self, block, data, offset):
        start = block * self.block_size + offset
        assert offset % UNIT == 0
        assert len(data) == UNIT
        assert offset + UNIT <= self.block_size
        before = bytes(self.held[start : start + UNIT])
        assert before == b"\xff" * UNIT, "programmed twice"
        if start not in self.worn:
            self._change(start, bytes(data))

    def ioctl(self, op, argument):
        if op == 4:
            return self.blocks
        if op == 5:
            return self.block_size
        assert op == 6
        self.erases[argument] += 1
        self._change(argument * self.block_size, b"\xff" * self.block_size)
        return 0

    def _change(self, start, after):
        number = self.operations
        self.operations += 1
        end = start + len(after)
        if number != self.cut_at:
            self.held[start:end] = after
            return
        if self.torn == "all":
            self.held[start:end] = after
        elif self.torn == "part":
            self.held[start:end] = between(bytes(self.held[start:end]), after, Random(f"{self.seed}/{number}"))
        raise PowerGoneError


def between(before, after, random):
    """Each bit is the old one or the new one; now and then whole ends of it are still old, already new, or noise."""
    size = len(after)
    mask = random.randbytes(size)
    mixed = bytearray((b & m) | (a & ~m & 0xFF) for b, a, m in zip(before, after, mask, strict=True))
    low, high = sorted((random.randrange(size + 1), random.randrange(size + 1)))
    mood = random.randrange(4)
    if mood == 0:
        mixed[:low] = after[:low]
    elif mood == 1:
        mixed[:low], mixed[high:] = after[:low], before[high:]
    elif mood == 2:
        mixed[high:] = after[high:]
    return bytes(mixed)
