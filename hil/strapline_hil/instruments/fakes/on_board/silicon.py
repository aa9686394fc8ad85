# The line between a bench board that is not there and the fake that plays its pins: one request, one answer. Time is real here.
# The stand-in for `machine` is the virtual board's; this takes the place of the virtual board's own `silicon`.
import os
from struct import pack, unpack_from

_from_fake, _to_fake = [
    open(int(number), mode) for number, mode in zip(os.getenv("STRAPLINE_SILICON").split(","), ("rb", "wb"))
]
_uarts = {}


def ask(code, payload=b""):
    # The answer's bytes; OSError where a part refuses. What a UART hears back of what it sends comes as the answer.
    _to_fake.write(pack("<BH", code, len(payload)) + payload)
    error, size = unpack_from("<BH", _from_fake.read(3))
    answer = _from_fake.read(size) if size else b""
    if error:
        raise OSError(error)
    if code == 0x75 and answer and payload[0] in _uarts:
        _uarts[payload[0]](answer)
    return answer


def on_pin(ident, handler):
    pass


def on_uart(ident, handler):
    _uarts[ident] = handler
