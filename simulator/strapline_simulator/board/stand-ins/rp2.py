# MicroPython's `rp2.Flash`: a part of the board's flash as a block device, in a file. It programs whole pages and only clears bits.
_BLOCK = 4096
_PAGE = 256
_BLANK = b"\xff" * _PAGE
_NAME = "rp2_flash"


class Flash:
    def __init__(self, start=-1, len=-1):
        self._size = len
        try:
            self._file = open(_NAME, "r+b")
        except OSError:
            with open(_NAME, "wb") as file:
                for _ in range(len // _PAGE):
                    file.write(_BLANK)
            self._file = open(_NAME, "r+b")

    def readblocks(self, block, data, offset=0):
        self._file.seek(block * _BLOCK + offset)
        self._file.readinto(data)

    def writeblocks(self, block, data, offset=0):
        if offset % _PAGE or len(data) % _PAGE:
            raise ValueError("whole pages")  # as the Pico SDK asserts
        held = bytearray(len(data))
        self.readblocks(block, held, offset)
        for at in range(len(data)):
            held[at] &= data[at]
        self._file.seek(block * _BLOCK + offset)
        self._file.write(held)

    def ioctl(self, op, argument):
        if op == 4:
            return self._size // _BLOCK
        if op == 5:
            return _BLOCK
        if op == 6:
            self._file.seek(argument * _BLOCK)
            for _ in range(_BLOCK // _PAGE):
                self._file.write(_BLANK)
        return 0
