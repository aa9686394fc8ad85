# Flash that is programmed by whole pages, for a journal whose slots are smaller: the rest of a page is filled up with ones, which change
# nothing of what is there.
_PAGE = b"\xff" * 256


class Pages:
    # flash: a block device of MicroPython's extended interface. What is written lies within one page.
    def __init__(self, flash):
        self._flash = flash
        self.readblocks = flash.readblocks
        self.ioctl = flash.ioctl

    def writeblocks(self, block: int, data: bytes, offset: int) -> None:
        at = offset & 255
        self._flash.writeblocks(block, _PAGE[:at] + data + _PAGE[at + len(data) :], offset - at)
