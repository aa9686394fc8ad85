"""The same course of records, receipts, power cuts and starts on CPython and on real MicroPython: the same flash, byte for byte."""

import contextlib
import io
from pathlib import Path

from real_micropython import run_on_micropython

FIRMWARE = Path(__file__).parents[2] / "firmware"

COURSE = """
from hashlib import sha256
from strapline_tag.journal import Journal
from strapline_wire import frames

class Gone(Exception):
    pass

class Flash:
    def __init__(self, blocks, size):
        self.blocks, self.size, self.held, self.left = blocks, size, bytearray(b"\\xff" * blocks * size), -1
    def readblocks(self, block, data, offset):
        start = block * self.size + offset
        data[:] = self.held[start : start + len(data)]
    def writeblocks(self, block, data, offset):
        self.change(block * self.size + offset, data)
    def ioctl(self, op, block):
        if op == 6:
            self.change(block * self.size, b"\\xff" * self.size)
        return {4: self.blocks, 5: self.size}.get(op, 0)
    def change(self, start, data):
        self.left -= 1
        if self.left == 0:
            data = data[: len(data) * 2 // 3]
        self.held[start : start + len(data)] = data
        if self.left == 0:
            raise Gone

class Receipt:
    pass

def live(seed, flash, steps):
    draw = seed
    noted = boot = number = 0
    journal = None
    for step in range(steps):
        draw = (draw * 1103515245 + 12345) & 0x3FFFFFFF
        choice = draw >> 12
        try:
            if journal is None:
                boot += 1
                journal = Journal(flash, 7 + boot, noted, 3)
                noted = journal.ident << 32 | journal.newest
            if choice % 40 == 0:
                flash.left = 1 + choice // 40 % 25
            elif choice % 10 == 0:
                receipt = Receipt()
                receipt.journal, receipt.first, receipt.bitmap = journal.ident, max(1, journal.newest - choice % 60), draw
                journal.receipt_far(receipt)
            else:
                number += 1
                alarm = choice % 7 == 0
                if choice % 4 == 0 or alarm:
                    journal.append(frames.EVENT, alarm, frames.pack_event((1, 0, boot, number, 0, 0, number)))
                else:
                    journal.append(frames.FIX, 0, frames.pack_fix((boot, number, 0, 0, number, 0, 0, 0, 0)))
        except Gone:
            journal = None
    journal = Journal(flash, 7 + boot + 1, noted, 3)
    texts = sha256()
    for at in journal.pending(len(journal)):
        texts.update(repr(journal.record(at)).encode())
    print(boot, len(journal), journal.newest, sha256(flash.held).digest().hex(), texts.digest().hex())

for seed in range(6):
    live(seed, Flash(3 + seed, 256 + 128 * seed), 600)
live(77, Flash(8, 4096), 1500)
"""


def test_the_same_course_leaves_the_same_flash_on_both():
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(COURSE, {})
    here = said.getvalue().splitlines()
    there = run_on_micropython(f"import sys\nsys.path.append({str(FIRMWARE)!r})\n{COURSE}")
    assert there == here
    assert all(int(line.split()[0]) > 5 for line in here)  # boots


def test_a_journal_of_64_kib_takes_less_than_6_kib_of_memory():
    # On the unix port, whose words are twice as long as a board's.
    measure = """
import gc
class Blank:
    def readblocks(self, block, data, offset):
        data[:] = b"\\xff" * len(data)
    def ioctl(self, op, block):
        return {4: 16, 5: 4096}.get(op, 0)
gc.collect()
before = gc.mem_alloc()
journal = Journal(Blank(), 7, 0, 32)
gc.collect()
print(gc.mem_alloc() - before)
"""
    imports = f"import sys\nsys.path.append({str(FIRMWARE)!r})\nfrom strapline_tag.journal import Journal\n"
    (taken,) = run_on_micropython(imports + measure)
    assert 2048 < int(taken) < 6144
