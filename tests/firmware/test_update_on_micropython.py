"""An update on real MicroPython: its LittleFS under the slots, the power cut in the middle of its block device's work."""

import json
import random

import pytest

from real_micropython import run_on_micropython
from strapline_boot.files import IMAGE, Files
from strapline_boot.slots import Slots
from strapline_simulator.quick_key import QuickKey
from update_bench import BOARD, image_of, signed

KEY = QuickKey()
OLD, NEW = image_of("old", 700), image_of("new", 1500)
FIRST, SECOND = signed(KEY, OLD, 5), signed(KEY, NEW, 6)

# A life on LittleFS in memory; the block device tears the operation that it is told to and is dead from then on. One line for each life:
# the operation's number, and how it is torn. Prints how many operations there were, what ran in each boot, and what was told.
LIFE = """
import gc, os, random, sys, vfs
from binascii import unhexlify
from hashlib import sha256
from strapline_boot.files import Files, IMAGE
from strapline_boot.slots import Slots
from strapline_tag.config import Config
from strapline_tag.timekeeping import Clock
from strapline_tag.update import Update
from strapline_wire import frames, manifest
from strapline_wire.documents import UpdateChunk

class Cut(Exception):
    pass

class Blocks:
    SIZE, COUNT = 512, 64
    def __init__(self, data):
        self.data = data
        self.count = 0
        self.cut = 0
        self.how = ""
    def readblocks(self, block, into, offset=0):
        if self.cut and self.count >= self.cut:
            return  # without power; the collector closes what was open
        at = block * self.SIZE + offset
        into[:] = memoryview(self.data)[at : at + len(into)]
    def writeblocks(self, block, data, offset=0):
        self.change(block * self.SIZE + offset, data)
    def ioctl(self, what, argument):
        if what == 4:
            return self.COUNT
        if what == 5:
            return self.SIZE
        if what == 6:
            self.change(argument * self.SIZE, b"\\xff" * self.SIZE)
        return 0
    def change(self, at, new):
        self.count += 1
        if self.cut and self.count > self.cut:
            return
        if self.count == self.cut and self.how == "none":
            raise Cut
        view = memoryview(self.data)
        for i in range(len(new)):
            if self.count == self.cut and self.how == "torn":
                drawn = random.getrandbits(10)
                if drawn < 340:
                    continue
                view[at + i] = new[i] if drawn < 680 else drawn & 0xFF
            else:
                view[at + i] = new[i]
        if self.count == self.cut:
            raise Cut

class Memory:
    # As a board would keep it: a small file, replaced whole.
    def __init__(self):
        try:
            with open("/flash/memory") as file:
                self.held = eval(file.read())
        except OSError:
            self.held = {}
    def get(self, name, default):
        return self.held.get(name, default)
    def put(self, name, value):
        self.held[name] = value
        with open("/flash/memory.new", "w") as file:
            file.write(repr(self.held))
        os.rename("/flash/memory.new", "/flash/memory")

def tell(code, now, detail):
    if code != frames.EVENT_APPLIED:
        told.append([code, detail])
    elif detail >> 24 == frames.UPDATE_CHUNK:
        progress[0] = detail & 0xFFFFFF

def boot():
    slots = Slots(Files("/flash/", 8192), [key], b"BOARD")
    slot = slots.start()
    if slot is None:
        ran.append("nothing")
        return None
    with open("/flash/slot" + str(slot) + "/" + IMAGE, "rb") as file:
        image = file.read()
    ran.append("old" if image == first[manifest.HEAD:] else "new" if image == second[manifest.HEAD:] else "alien")
    return slots

def live():
    for _ in range(8):
        slots = boot()
        update = Update(Config(), slots, Memory(), Clock(), lambda: True, tell, None)
        update.report(0)
        if slots.trial:
            update.heard()
            update.handle_timer(1)
        if ran[-1] == "new" and not slots.trial:
            return
        orders = update.orders()
        obey = lambda kind, body: orders[kind][1](2, body)
        obey(frames.UPDATE_BEGIN, frames.UpdateBegin((1, len(second), manifest.HEAD, digest)))
        for at in range(progress[0], len(second), manifest.PAGE):
            obey(frames.UPDATE_CHUNK, UpdateChunk((1, at, second[at : at + manifest.PAGE])))
        obey(frames.UPDATE_COMMIT, frames.UpdateCommit((1, digest)))

key, first, second = [unhexlify(part) for part in sys.stdin.readline().strip().split(",")]
digest = sha256(second).digest()
while True:
    line = sys.stdin.readline().split()
    if not line:
        break
    ran, told, progress = [], [], [0]
    random.seed(int(line[0]))
    gc.collect()
    blocks = Blocks(bytearray(b"\\xff" * (Blocks.SIZE * Blocks.COUNT)))
    vfs.VfsLfs2.mkfs(blocks)
    vfs.mount(vfs.VfsLfs2(blocks), "/flash")
    store = Files("/flash/", 8192)
    store.erase(0, 0)
    for at in range(0, len(first), manifest.PAGE):
        store.write(0, at, first[at : at + manifest.PAGE])
    store = None
    blocks.count, blocks.cut, blocks.how = 0, int(line[0]), line[1]
    try:
        live()
    except Cut:
        vfs.umount("/flash")
        vfs.mount(vfs.VfsLfs2(Blocks(blocks.data)), "/flash")
        live()
    total = blocks.count
    vfs.umount("/flash")
    import json
    print(json.dumps([total, ran, told]))
""".replace("BOARD", BOARD)


def lives(cuts):
    lines = [",".join(part.hex() for part in (KEY.public, FIRST, SECOND)), *(f"{cut} {how}" for cut, how in cuts)]
    said = run_on_micropython(LIFE, lines, heap="1m")  # the flash is in there, too
    # The collector closes what a cut left open, and prints what the dead device says to that.
    answers = [json.loads(line) for line in said if line.startswith("[")]
    assert len(answers) == len(cuts)
    return answers


def test_a_power_cut_in_every_operation_of_littlefs():
    ((total, ran, told),) = lives([(0, "-")])
    assert ran == ["old", "new"]
    assert told == [[80, 6]]
    assert total > 50
    draw = random.Random("littlefs")
    cuts = [(cut, draw.choice(["none", "torn", "torn", "all"])) for cut in range(1, total + 1)]
    for cut, (_, ran, told) in zip(cuts, lives(cuts), strict=True):
        assert set(ran) == {"old", "new"}, (cut, ran, told)
        assert ran[-1] == "new", (cut, ran, told)
        assert [80, 6] in told, (cut, ran, told)
        assert {code for code, _ in told} <= {80, 82}, (cut, ran, told)


def test_the_files_of_a_slot_are_its_stream_and_an_image_that_can_be_imported(tmp_path):
    store = Files(f"{tmp_path}/", 8192)
    for at in range(0, len(SECOND), 256):
        store.write(1, at, SECOND[at : at + 256])
    assert (tmp_path / "slot1" / IMAGE).read_bytes() == NEW
    slots = Slots(store, [KEY.public], BOARD.encode())
    assert slots.examine(1) == 0
    assert slots.examine(0) != 0
    assert slots.start() == 1
    store.write(1, len(SECOND), b"\0")
    assert slots.examine(1) != 0
    store.erase(1, 0)
    assert not list((tmp_path / "slot1").iterdir())
    assert slots.start() is None


@pytest.mark.parametrize("keys", [1, 2])
def test_the_boot_program_puts_the_slot_that_runs_first_on_the_path_on_real_micropython(tmp_path, keys):
    program = b"print('the application of slot', __file__)\n"
    stream = signed(KEY, program, 5)
    (tmp_path / "strapline_update_keys").write_bytes(QuickKey("other").public * (keys - 1) + KEY.public)
    store = Files(f"{tmp_path}/", 8192)
    for at in range(0, len(stream), 256):
        store.write(1, at, stream[at : at + 256])
    (tmp_path / "slot1" / IMAGE).rename(tmp_path / "slot1" / "strapline_app.py")  # the test's image is a source
    script = """
from strapline_boot import files
files.IMAGE = "strapline_app.py"
from strapline_boot.boot import boot
slots = boot(b"BOARD", 8192, "ROOT/")
print(slots.running, slots.sequence, slots.trial)
import strapline_app
with open("ROOT/slot1/strapline_app.py", "r+b") as file:
    file.write(b"q")
print(boot(b"BOARD", 8192, "ROOT/"))
""".replace("BOARD", BOARD).replace("ROOT", str(tmp_path))
    said = run_on_micropython(script, heap="96k")
    assert said == ["1 5 False", f"the application of slot {tmp_path}/slot1/strapline_app.py", "None"]
