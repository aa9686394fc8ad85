# Flash for the bench program: the block device of a journal, in memory or in a file. Programming only clears bits, as in NOR flash. It can
# fail on demand: a block that is dead or worn, and power that sags in the middle of a write.
from strapline_wire import manifest
from strapline_wire.compat import const

_BLOCKS = const(4)  # ioctl of MicroPython's block devices
_BLOCK_SIZE = const(5)
_ERASE = const(6)
_PAGE = const(256)  # bytes that SparseFlash takes at once; a block is some of them

# Faults, as bench.FLASH has them.
_SAG = const(1)
_DEAD = const(2)
_WORN = const(3)
_WEAK = const(5)  # of a worn block each 16 bytes' fifth ...
_STUCK = const(0xFE)  # ... has a bit that is 0 for ever


class _Flash:
    def __init__(self, size, block_size):
        self._size = size
        self._block_size = block_size
        self._left = self._dead = self._worn = -1  # bytes until power sags, -1: it does not; the blocks
        self.sagged = False  # nothing is written any more, until power is back

    def fail(self, what, argument):
        if what == _SAG:
            self._left = argument
        elif what == _DEAD:
            self._dead = argument
        elif what == _WORN:
            self._worn = argument
        else:  # all is well
            self._dead = self._worn = -1

    def power(self):
        self._left = -1
        self.sagged = False

    def readblocks(self, block, data, offset):
        raise NotImplementedError

    def _put(self, start, data):
        raise NotImplementedError

    def ioctl(self, op, argument):
        if op == _BLOCKS:
            return self._size // self._block_size
        if op == _BLOCK_SIZE:
            return self._block_size
        if op == _ERASE:
            if argument == self._dead:
                raise OSError(5)
            if self._through(1):
                self._blank(argument * self._block_size)
        return 0

    def _blank(self, start):
        self._put(start, b"\xff" * self._block_size)

    def _through(self, count):
        # How many bytes of a write get there before power sags.
        if self.sagged:
            return 0
        if 0 <= self._left < count:
            self.sagged = True
            return self._left
        if self._left > 0:
            self._left -= count
        return count

    def writeblocks(self, block, data, offset):
        if block == self._dead:
            raise OSError(5)
        held = bytearray(len(data))
        self.readblocks(block, held, offset)
        for at in range(self._through(len(data))):
            held[at] &= data[at]
            if block == self._worn and (offset + at) % 16 == _WEAK:
                held[at] &= _STUCK
        self._put(block * self._block_size + offset, held)


class MemoryFlash(_Flash):
    def __init__(self, size, block_size, path=""):
        super().__init__(size, block_size)
        self._held = bytearray(b"\xff" * size)

    def readblocks(self, block, data, offset):
        start = block * self._block_size + offset
        data[:] = self._held[start : start + len(data)]

    def _put(self, start, data):
        self._held[start : start + len(data)] = data


class SparseFlash(_Flash):
    # In memory, and only what is not blank: a board's heap has no room for a whole journal, and its flash is not the bench's to write on.
    def __init__(self, size, block_size, path=""):
        super().__init__(size, block_size)
        self._pages = {}

    def readblocks(self, block, data, offset):
        start = block * self._block_size + offset
        for at in range(len(data)):
            page = self._pages.get((start + at) // _PAGE)
            data[at] = 0xFF if page is None else page[(start + at) % _PAGE]

    def _put(self, start, data):
        for at in range(len(data)):
            number, place = divmod(start + at, _PAGE)
            page = self._pages.get(number)
            if page is None:
                if data[at] == 0xFF:
                    continue
                page = self._pages[number] = bytearray(b"\xff" * _PAGE)
            page[place] = data[at]

    def _blank(self, start):
        for number in range(start // _PAGE, (start + self._block_size) // _PAGE):
            self._pages.pop(number, None)


class FileFlash(_Flash):
    # In a file of the folder that the program runs in: a board's flash is not in its heap either.
    def __init__(self, size, block_size, path="journal"):
        super().__init__(size, block_size)
        self._file = open(path, "w+b")
        for block in range(size // block_size):
            self.ioctl(_ERASE, block)

    def readblocks(self, block, data, offset):
        self._file.seek(block * self._block_size + offset)
        self._file.readinto(data)

    def _put(self, start, data):
        self._file.seek(start)
        self._file.write(data)


_BLOCK = const(4096)
_STARTS = (0, 2, 4, 5, 6)  # blocks: two slots of 8 KiB, and the two places of the record


class SlotStore:
    # The boot program's areas (strapline_boot/slots.py), one behind the other on a flash of their own.
    def __init__(self, make_flash):
        self._flash = make_flash(_STARTS[4] * _BLOCK, _BLOCK, "slots")
        self.capacity = _STARTS[1] * _BLOCK - manifest.HEAD

    def read(self, area, at, size):
        room = (_STARTS[area + 1] - _STARTS[area]) * _BLOCK - at
        data = bytearray(max(0, min(size, room)))
        self._flash.readblocks(_STARTS[area], data, at)
        return bytes(data)

    def write(self, area, at, data):
        self._flash.writeblocks(_STARTS[area], data, at)

    def erase(self, area, at):
        for block in range(_STARTS[area] + at // _BLOCK, _STARTS[area + 1]):
            self._flash.ioctl(_ERASE, block)
