"""What tests of updates share: signatures in no time, flash whose power can be cut, and a tag's life over boots."""

import hashlib
import random
from itertools import pairwise

from strapline_boot.slots import Slots
from strapline_protocol.codes import EventCode
from strapline_protocol.updates import Manifest
from strapline_tag.config import Config
from strapline_tag.timekeeping import Clock
from strapline_tag.update import Update
from strapline_wire import documents, frames, manifest

BOARD = "esp32-c3"


def signed(key, image, sequence, *, board=BOARD, expires=None):
    """A signed image's stream."""
    packed = Manifest.of(image, board, sequence, expires).pack()
    return packed + key.sign(packed) + image


def image_of(name, size):
    return random.Random(f"image {name}").randbytes(size)


class PowerCut(Exception):  # noqa: N818 - what happens to a tag, and no mistake
    """The tag has no power any more."""


class Power:
    """Counts operations on flash; the one numbered `cut` is torn in this way: `none`, `torn` or `all` of it happens."""

    def __init__(self, cut=None, how="none", seed=0):
        self.count = 0
        self.cut = cut
        self.how = how
        self.draw = random.Random(f"{cut} {how} {seed}")

    def step(self):
        self.count += 1
        return self.how if self.count == self.cut else ""


class Flash:
    """NOR flash as the slots' store: erased by the sector, programmed by the page, every byte once between two erases."""

    PROGRAM = 256

    def __init__(self, capacity, sector=1024):
        self.capacity = capacity
        self.sector = sector
        slot = -(-(manifest.HEAD + capacity) // sector) * sector
        self.areas = [bytearray(b"\xff" * size) for size in (slot, slot, sector, sector)]
        self.power = Power()

    def read(self, area, at, size):
        return bytes(self.areas[area][at : at + size])

    def erase(self, area, at):
        assert at % self.sector == 0
        for start in range(at, len(self.areas[area]), self.sector):
            self._change(area, start, b"\xff" * self.sector)

    def write(self, area, at, data):
        assert set(self.areas[area][at : at + len(data)]) <= {0xFF}, "programmed twice"
        ends = [at, *range(at - at % self.PROGRAM + self.PROGRAM, at + len(data), self.PROGRAM), at + len(data)]
        for start, end in pairwise(ends):
            self._change(area, start, data[start - at : end - at])

    def _change(self, area, at, new):
        how = self.power.step()
        old = self.areas[area][at : at + len(new)]
        if how == "torn":  # each byte is the old one, the new one, or anything
            draw = self.power.draw
            new = bytes(
                draw.choice([before, after, draw.randrange(256)]) for before, after in zip(old, new, strict=True)
            )
        if how != "none":
            self.areas[area][at : at + len(new)] = new
        if how:
            raise PowerCut


class Memory:
    """Integers that survive a power cut: each is the old one or the new one."""

    def __init__(self, flash):
        self.held = {}
        self._flash = flash

    def get(self, name, default):
        return self.held.get(name, default)

    def put(self, name, value):
        how = self._flash.power.step()
        if how != "none":
            self.held[name] = value
        if how:
            raise PowerCut


class Life:
    """A tag over its boots: what is in its flash, what ran, what it told."""

    def __init__(self, key, capacity=700, sector=1024, keys=None, board=BOARD):
        self.flash = Flash(capacity, sector)
        self.memory = Memory(self.flash)
        self.keys = keys or [key.public]
        self.board = board.encode()
        self.clock = Clock()
        self.told = []
        """(event, detail), as the journal has them."""
        self.ran = []
        """The image of each boot; None where none was genuine."""
        self.trials = []
        """How much was told before each boot that was a trial."""
        self.slots = self.update = None

    def install(self, slot, stream):
        """What the factory does."""
        self.flash.areas[slot][: len(stream)] = stream

    def boot(self):
        self.slots = self.update = None
        slots = Slots(self.flash, self.keys, self.board)
        slot = slots.start()
        self.ran.append(None if slot is None else self.image(slot))
        if slot is not None:
            self.slots = slots
            self.trials += [len(self.told)] * slots.trial
            self.sensed = False
            self.outputs = []
            report = lambda: self.sensed, self._event, self.outputs.append
            self.update = Update(Config(), slots, self.memory, self.clock, *report)
            self.update.report(0)
        return self.ran[-1]

    def image(self, slot):
        at = manifest.FIELDS - 36
        size = int.from_bytes(self.flash.areas[slot][at : at + 4], "big")
        return bytes(self.flash.areas[slot][manifest.HEAD : manifest.HEAD + size])

    def _event(self, code, now, detail):
        self.told.append((EventCode(code), detail))

    def progress(self):
        """What the tag has said last of how far it is."""
        details = [
            detail for code, detail in self.told if code == EventCode.APPLIED and detail >> 24 == frames.UPDATE_CHUNK
        ]
        return details[-1] & 0xFFFFFF

    # The centre's side, without the wire.

    def begin(self, stream, ident=7, **changes):
        fields = {
            "size": len(stream),
            "manifest_size": manifest.HEAD,
            "digest": hashlib.sha256(stream).digest(),
        } | changes
        body = frames.UpdateBegin((ident, fields["size"], fields["manifest_size"], fields["digest"]))
        return self.obey(frames.UPDATE_BEGIN, body)

    def chunk(self, stream, at, ident=7, size=manifest.PAGE):
        body = documents.UpdateChunk((ident, at, stream[at : at + size]))
        return self.obey(frames.UPDATE_CHUNK, body)

    def commit(self, stream, ident=7):
        body = frames.UpdateCommit((ident, hashlib.sha256(stream).digest()))
        return self.obey(frames.UPDATE_COMMIT, body)

    def obey(self, kind, body):
        return self.update.orders()[kind][1](0, body)

    def send(self, stream, ident=7):
        """A whole delivery from where the tag is; gives whether the tag wants to restart into it."""
        assert self.begin(stream, ident) == 0
        for at in range(self.progress(), len(stream), manifest.PAGE):
            self.chunk(stream, at, ident)
        self.commit(stream, ident)
        return self.update.restart_at is not None

    def show_all(self):
        self.sensed = True
        self.update.heard()
        self.update.handle_timer(0)

    def refusal(self):
        """Why the last update was refused."""
        code, detail = self.told[-1]
        assert code == EventCode.UPDATE_REFUSED
        return detail


def record_events(life):
    """What was told of updates, without the progress."""
    return [(code, detail) for code, detail in life.told if code != EventCode.APPLIED]
