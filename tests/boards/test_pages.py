"""A journal's slots on flash that is programmed by the page."""

from hypothesis import given
from hypothesis import strategies as st

from strapline_boards.pages import Pages


class Nor:
    """Whole pages of 256 bytes; a program only clears bits."""

    def __init__(self):
        self.held = bytearray(b"\xff" * 4096)

    def readblocks(self, block, data, offset):
        data[:] = self.held[offset : offset + len(data)]

    def writeblocks(self, block, data, offset):
        assert (block, offset % 256, len(data)) == (0, 0, 256)
        for at, byte in enumerate(data, offset):
            self.held[at] &= byte

    def ioctl(self, op, argument):
        return op


@given(st.dictionaries(st.integers(0, 127), st.binary(min_size=32, max_size=32)))
def test_slots_leave_each_other_alone(slots):
    pages = Pages(Nor())
    for slot, data in slots.items():
        pages.writeblocks(0, data, 32 * slot)
    for slot in range(128):
        read = bytearray(32)
        pages.readblocks(0, read, 32 * slot)
        assert read == slots.get(slot, b"\xff" * 32)
    assert pages.ioctl(5, 0) == 5
