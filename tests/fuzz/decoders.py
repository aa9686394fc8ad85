"""Every generated decoder of the wire, held to its `construct` definition; found by their names, so that a new frame is covered."""

import importlib
import json
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import construct

import strapline_wire
from fuzz.target import Target, one_in
from strapline_protocol import decode, definitions
from strapline_wire import seal
from strapline_wire.errors import RemoteProtocolError

VECTORS = Path(__file__).parents[1] / "vectors" / "frames.json"
LONGEST = 512
COMPARE_ONE_IN = 8
"""`construct` takes fifty times as long as the decoder."""


class Decoder(NamedTuple):
    """One `unpack_` of the wire, its `pack_`, and the definition that both were made from, where there is one."""

    name: str
    unpack: Callable[[bytes], Any]
    pack: Callable[[Any], bytes] | None
    layout: Any

    def check(self, data: bytes) -> None:
        """Decode; the decoder and `construct` must both refuse, or read the same."""
        try:
            value = self.unpack(data)
        except RemoteProtocolError:
            value = None
        if value is not None and self.pack is not None:
            packed = self.pack(value)
            assert data.startswith(packed), (self.name, data.hex(), value)
        if self.layout is not None and one_in(COMPARE_ONE_IN, data):
            try:
                wanted = plain(self.layout.parse(data))
            except construct.ConstructError:
                wanted = None
            assert plain(value) == wanted, (self.name, data.hex(), value, wanted)


def plain(value: Any) -> Any:
    """Records and containers alike as tuples of what they hold, in order."""
    if isinstance(value, dict):
        return tuple(plain(field) for name, field in value.items() if name != "_io")
    if isinstance(value, list | tuple):
        return tuple(plain(field) for field in value)
    return value


def layouts() -> dict[str, Any]:
    """Every layout of the definitions, by the name that its decoder bears."""
    named = {name: it for name, it in vars(definitions).items() if isinstance(it, construct.Construct)}
    return named | {frame.kind.name: frame.layout for frame in definitions.FRAMES}


def decoders() -> list[Decoder]:
    """All of them, in the order of their names."""
    known = layouts()
    found = {}
    for module in pkgutil.iter_modules(strapline_wire.__path__):
        if module.name == "ccm":  # needs MicroPython's cryptolib
            continue
        names = vars(importlib.import_module(f"strapline_wire.{module.name}"))
        for name, unpack in names.items():
            if name.startswith("unpack_"):
                frame = name.removeprefix("unpack_").upper()
                found[frame] = Decoder(frame, unpack, names.get(f"pack_{frame.lower()}"), known.get(frame))
    return [found[name] for name in sorted(found)]


def build() -> Callable[[bytes], None]:
    table = decoders()

    def take(data: bytes) -> None:
        if data:
            table[data[0] % len(table)].check(data[1:])

    return take


def seeds() -> list[bytes]:
    """The golden vectors, whole, with a byte more and a byte less."""
    index = {decoder.name: at for at, decoder in enumerate(decoders())}
    inputs = []
    for vector in json.loads(VECTORS.read_text(encoding="utf-8"))["vectors"]:
        data = bytes([index[vector["frame"]]]) + bytes.fromhex(vector["bytes"])
        inputs += [data, data + b"\x00", data[:-1]]
    return [data for data in inputs if len(data) <= LONGEST]


def build_explanation() -> Callable[[bytes], None]:
    """`strapline decode`: what a person pastes out of a trace."""
    secret = bytes(range(16))

    def take(data: bytes) -> None:
        try:
            rows = decode.decode(data, secret if len(data) % 2 else None)
        except RemoteProtocolError:
            return
        assert rows

    return take


def explanation_seeds() -> list[bytes]:
    return [bytes([first | kind]) + bytes(40) for kind in definitions.Kind for first in (0, seal.VERSION << 6)]


TARGETS = [
    Target("decoders", build, seeds, share=260, max_len=LONGEST),
    Target("explanation", build_explanation, explanation_seeds, share=50, max_len=128),
]
