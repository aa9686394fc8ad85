# The bench program's door on a board or in a MicroPython process: messages as link frames on stdin and stdout.
import gc
import sys

import micropython

from strapline_boot.slots import Slots
from strapline_tag.bench import Bench
from strapline_tag.bench_flash import FileFlash
from strapline_tag.bench_heap import measure as measure_heap
from strapline_wire import link
from strapline_wire.ccm import CcmCipher


def main():
    gc.collect()
    # Collected early and often, garbage leaves the heap whole: large blocks are there when a document comes.
    gc.threshold(16384)  # type: ignore[attr-defined]
    loaded = gc.mem_alloc()  # type: ignore[attr-defined] # not while loading: what that took is free by now

    def measure():
        figures = measure_heap()
        figures["heap_loaded"] = loaded
        return figures

    micropython.kbd_intr(-1)  # a frame may hold the byte of Ctrl-C
    receive, send = sys.stdin.buffer.read, sys.stdout.buffer.write
    deframer = link.Deframer()
    bench = Bench(CcmCipher, FileFlash, measure, Slots)
    line = b""
    while True:
        byte = receive(1)
        if not byte:
            return  # the host has gone
        line += byte
        if byte != b"\x00":
            continue
        for message in deframer.feed(line):
            for answer in bench.handle(message):
                send(link.encode(answer))
        line = b""


main()
