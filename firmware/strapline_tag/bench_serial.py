# The bench program's door on a bare board: messages as link frames over its USB or UART. It writes nothing on the board's flash, and
# Ctrl-C between two frames ends it, so that whoever comes next (mpremote, a terminal, another run) finds a board that listens.
import gc
import select
import sys

import micropython

from strapline_boot.slots import Slots
from strapline_tag.bench import Bench
from strapline_tag.bench_flash import SparseFlash
from strapline_tag.bench_heap import measure as measure_heap
from strapline_wire import link
from strapline_wire.ccm import CcmCipher
from strapline_wire.compat import const

_GAP_MS = const(1000)  # a host that was killed leaves half a line behind; the next begins after a pause
_CTRL_C = b"\x03"


def main():
    gc.collect()
    gc.threshold(16384)  # type: ignore[attr-defined] # as bench_main: it leaves the heap whole
    loaded = gc.mem_alloc()  # type: ignore[attr-defined]

    def measure():
        figures = measure_heap()
        figures["heap_loaded"] = loaded
        return figures

    bench = Bench(CcmCipher, SparseFlash, measure, Slots)
    micropython.kbd_intr(-1)  # a frame may hold the byte of Ctrl-C
    try:
        _serve(bench)
    finally:
        micropython.kbd_intr(3)


def _serve(bench):
    receive, send = sys.stdin.buffer.read, sys.stdout.buffer.write
    poller = select.poll()
    poller.register(sys.stdin, select.POLLIN)
    deframer = link.Deframer()
    line = b""
    while True:
        if line and not poller.poll(_GAP_MS):
            line = b""
        byte = receive(1)
        # A message's `now` begins with a zero, so no line begins with this byte.
        if not byte or (byte == _CTRL_C and line.strip(b"\r") == b""):
            return
        line += byte
        if byte != b"\x00":
            continue
        for message in deframer.feed(line):
            for answer in bench.handle(message):
                send(link.encode(answer))
        line = b""


main()
