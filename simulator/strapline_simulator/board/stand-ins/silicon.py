# The line between a MicroPython process and the chips that the simulator plays: one request, one answer, and time stands still between.
# Virtual time moves while the program sleeps, and nowhere else; interrupts run when it does.
import gc
import sys
from struct import pack, unpack_from

# As on a 32-bit board ticks wrap at 2^30, and soon after the start, so that every run crosses it.
TICKS_PERIOD = 1 << 30
TICKS_AT_START = TICKS_PERIOD - 30000

_to_host = open(int(sys.argv[6]), "wb")
_from_host = open(int(sys.argv[5]), "rb")
_pins = {}
_uarts = {}
_radio = []
now = 0  # ms since power was switched on


def ask(code, payload=b""):
    # The answer's bytes; OSError where a chip refuses.
    _to_host.write(pack("<BH", code, len(payload)) + payload)
    head = _from_host.read(3)
    if len(head) < 3:
        sys.exit(0)  # the host has gone
    error, size = unpack_from("<BH", head)
    answer = _from_host.read(size) if size else b""
    if error:
        raise OSError(error)
    return answer


def sleep(until):
    # Until then, or until something has come: gives whether an interrupt ran. until: None for ever.
    global now
    answer = ask(0x53, pack("<q", -1 if until is None else until))
    now = unpack_from("<q", answer)[0]
    at = 8
    while at < len(answer):
        kind, ident, size = unpack_from("<BBH", answer, at)
        at += 4
        _raise(kind, ident, answer[at : at + size])
        at += size
    return at > 8


def _raise(kind, ident, data):
    if kind == 1:
        if ident in _pins:
            _pins[ident](data[0])
    elif kind == 2:
        if ident in _uarts:
            _uarts[ident](data)
    elif kind == 3:
        if _radio:
            _radio[0](ident, data)
    else:  # the simulator wants to know what is alive
        gc.collect()
        ask(0x6D, pack("<II", gc.mem_alloc(), gc.mem_free()))


def on_pin(ident, handler):
    _pins[ident] = handler


def on_uart(ident, handler):
    _uarts[ident] = handler


def on_radio(handler):
    _radio[:] = [handler]
