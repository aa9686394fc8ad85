"""Speed of the protocol's parts: every figure is the best of many short turns, taken in rotation, so that noise meets all alike."""

import json
import os
import struct
import timeit
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from strapline_protocol.cipher import HostCipher
from strapline_protocol.definitions import ENVELOPE, FRAMES, HEADER, is_fixed, leaves
from strapline_wire import documents, frames, seal
from strapline_wire.arq import ReliableLink
from strapline_wire.replay import ReplayWindow

TURNS = 30
CALLS = 400
VECTORS = json.loads((Path(__file__).parents[1] / "vectors/frames.json").read_text(encoding="utf-8"))["vectors"]
LAYOUTS = {"HEADER": HEADER, "ENVELOPE": ENVELOPE, **{frame.kind.name: frame.layout for frame in FRAMES}}


def best_ns(candidates, turns=TURNS, calls=CALLS):
    """{name: nanoseconds of one call} for {name: callable}."""
    best = dict.fromkeys(candidates, float("inf"))
    for _ in range(turns):
        for name, call in candidates.items():
            best[name] = min(best[name], timeit.timeit(call, number=calls) / calls * 1e9)
    return best


def flat_form(layout, data):
    """The `struct` format of just this message, lists and all, into one flat tuple; checks nothing."""
    form, at = "", 0
    for leaf in leaves(layout):
        form += leaf.code
        count = int.from_bytes(data[at : at + leaf.size], "big") if not leaf.is_fixed else 0
        at += leaf.size
        if leaf.record is not None:
            for _ in range(count):
                inner = flat_form(leaf.record.layout, data[at:])
                form += inner
                at += struct.calcsize(">" + inner)
        elif count:
            form += f"{count}s"
            at += count
    return form


def codec():
    """{frame: {operation: ns}} on the first random vector of each frame."""
    figures = {}
    for name, layout in LAYOUTS.items():
        vector = next(v for v in VECTORS if v["frame"] == name and v["case"] == "random")
        data, module = bytes.fromhex(vector["bytes"]), frames if is_fixed(layout) else documents
        unpack, pack = getattr(module, f"unpack_{name.lower()}"), getattr(module, f"pack_{name.lower()}")
        value, compiled, form = unpack(data), layout.compile(), ">" + flat_form(layout, data)
        parsed, plain = layout.parse(data), struct.unpack(form, data)
        figures[name] = best_ns(
            {
                "decode": lambda unpack=unpack, data=data: unpack(data),
                "decode_struct": lambda form=form, data=data: struct.unpack(form, data),
                "decode_construct": lambda layout=layout, data=data: layout.parse(data),
                "decode_construct_compiled": lambda compiled=compiled, data=data: compiled.parse(data),
                "encode": lambda pack=pack, value=value: pack(value),
                "encode_struct": lambda form=form, plain=plain: struct.pack(form, *plain),
                "encode_construct": lambda layout=layout, parsed=parsed: layout.build(parsed),
                "encode_construct_compiled": lambda compiled=compiled, parsed=parsed: compiled.build(parsed),
            },
            turns=12,
            calls=60 if not is_fixed(layout) else CALLS,
        )
    return figures


def sealing(size):
    """{operation: ns} for a body of `size` bytes: bare calls of `cryptography`, a record end to end, a frame between tag and gateway."""
    key, nonce, body = os.urandom(16), os.urandom(13), os.urandom(size)
    ccm, cipher, header, window = AESCCM(key, tag_length=8), HostCipher(key), HostCipher(os.urandom(16)), _AnyCounter()
    envelope = (frames.FIX, 0, 5, 7)
    record = seal.seal_envelope(envelope, body, cipher, seal.UP)
    frame = seal.seal_frame(frames.RECORD, 0xA1B2C3D4, 5, body, cipher, header, seal.UP)
    associated, closed = record[:10], ccm.encrypt(nonce, body, record[:10])
    return best_ns(
        {
            "bare_encrypt": lambda: ccm.encrypt(nonce, body, associated),
            "bare_decrypt": lambda: ccm.decrypt(nonce, closed, associated),
            "seal_record": lambda: seal.seal_envelope(envelope, body, cipher, seal.UP),
            "open_record": lambda: seal.open_envelope(record, cipher, seal.UP),
            "seal_frame": lambda: seal.seal_frame(frames.RECORD, 0xA1B2C3D4, 5, body, cipher, header, seal.UP),
            "open_frame": lambda: seal.open_frame(frame, cipher, header, seal.UP, window),
        }
    )


class _AnyCounter(ReplayWindow):
    """Takes the same counter again and again, at the price of one that is new."""

    def accept(self, counter):
        self.newest = counter - 1
        super().accept(counter)
        self.newest = -1


def link_frames_per_s(size):
    """Frames that go from one end to the other through framing, CRC, acknowledgement and back, one end after the other on one core."""
    one, other = ReliableLink(1, 1000), ReliableLink(2, 1000)
    frame = os.urandom(size)

    def four():
        for _ in range(4):
            one.send(frame)
        for line in one.data_to_send(0):
            other.receive_data(line, 0)
        for line in other.data_to_send(0):
            one.receive_data(line, 0)

    return 4 / (best_ns({"link": four}, calls=50)["link"] * 1e-9)
