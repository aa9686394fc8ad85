"""Boot program and application are built apart, each with short names, and know each other: an update on real MicroPython, as flashed."""

import ast
import inspect

from real_micropython import run_on_micropython
from strapline_boot.files import IMAGE
from strapline_boot.slots import Slots
from strapline_simulator.firmware import image, sources
from strapline_simulator.firmware.bundle import make_bundle
from strapline_simulator.firmware.names import foreign_names, offered_names
from strapline_simulator.quick_key import QuickKey
from strapline_wire import manifest
from update_bench import BOARD, signed

KEY = QuickKey()
CAPACITY = 60_000

# A small application around the tag's own Update. It takes what lies beside it as an update, or confirms itself.
APPLICATION = """
from strapline_tag.config import Config
from strapline_tag.timekeeping import Clock
from strapline_tag.update import Update
from strapline_wire import documents, frames, manifest
from hashlib import sha256

__all__ = ["run"]

class Memory:
    def __init__(self):
        self.held = {}
    def get(self, name, default):
        return self.held.get(name, default)
    def put(self, name, value):
        self.held[name] = value

def tell(code, now, detail):
    print("event", code, detail & 0xFFFFFF)

def run(slots, stream):
    print("version", NUMBER, slots.version, slots.sequence, slots.running, slots.trial)
    update = Update(Config(), slots, Memory(), Clock(), lambda: True, tell, print)
    update.report(0)
    if slots.trial:
        update.heard()
        update.handle_timer(1)
    elif stream:
        orders = update.orders()
        digest = sha256(stream).digest()
        orders[frames.UPDATE_BEGIN][1](2, frames.unpack_update_begin(
            frames.pack_update_begin((1, len(stream), manifest.HEAD, digest))))
        for at in range(0, len(stream), manifest.PAGE):
            chunk = documents.pack_update_chunk((1, at, stream[at : at + manifest.PAGE]))
            orders[frames.UPDATE_CHUNK][1](2, documents.unpack_update_chunk(chunk))
        orders[frames.UPDATE_COMMIT][1](2, frames.unpack_update_commit(frames.pack_update_commit((1, digest))))
    print("restart", update.restart_at)
"""

BOOT = """
from strapline_boot import boot
slots = boot(b"BOARD", CAPACITY, "ROOT/")
import strapline_app
try:
    with open("ROOT/update", "rb") as file:
        stream = file.read()
except OSError:
    stream = None
strapline_app.run(slots, stream)
"""


def application(number):
    texts = {**sources.firmware_sources(), "strapline_tag.small": APPLICATION.replace("NUMBER", str(number))}
    return image.compile_bundle(make_bundle(texts, "strapline_tag.small"))


def test_an_update_between_programs_that_were_built_apart(tmp_path):
    bundle = make_bundle(sources.firmware_sources(), "strapline_boot.boot", "strapline_boot")
    compiled = image.compile_bundle(bundle)
    assert len(compiled) <= 5_000
    (tmp_path / "strapline_boot.mpy").write_bytes(compiled)
    (tmp_path / "strapline_update_keys").write_bytes(KEY.public)
    first = signed(KEY, application(1), 1)
    (tmp_path / "slot0").mkdir()
    (tmp_path / "slot0" / "head").write_bytes(first[: manifest.HEAD])
    (tmp_path / "slot0" / IMAGE).write_bytes(first[manifest.HEAD :])
    (tmp_path / "update").write_bytes(signed(KEY, application(2), 2))
    assert booted(tmp_path)[-2:] == ["event 7 2", "restart 5002"]
    (tmp_path / "update").unlink()
    assert booted(tmp_path) == ["version 2 1 2 1 True", "event 80 2", "restart None"]
    assert booted(tmp_path) == ["version 2 1 2 1 False", "restart None"]


def booted(folder):
    script = BOOT.replace("BOARD", BOARD).replace("CAPACITY", str(CAPACITY)).replace("ROOT", str(folder))
    return run_on_micropython(f"import sys\nsys.path[:] = ['{folder}']\n{script}", heap="96k")


def test_what_the_application_asks_of_slots_keeps_its_name():
    from strapline_tag import update

    asked = {
        node.attr
        for node in ast.walk(ast.parse(inspect.getsource(update)))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("slots", "self._slots")
    }
    assert len(asked) > 10
    assert asked <= foreign_names() | offered_names(sources.firmware_sources())
    assert asked <= set(dir(Slots)) | set(vars(Slots(_Nothing(), [], b"")))


class _Nothing:
    capacity = 0

    def read(self, area, at, size):
        return b""
