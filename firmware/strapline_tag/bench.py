# The bench program: a tag whose sensors, radio and clock are somebody else's. It answers messages (one request, then the outputs that it
# caused, then DONE), in virtual or real time alike. A host drives it in the same process, in a MicroPython process or over a board's USB.
import gc
import json
from hashlib import sha256
from struct import pack, unpack_from

from strapline_tag import outputs as out
from strapline_tag.bench_flash import SlotStore
from strapline_tag.config import Config
from strapline_tag.journal import Journal
from strapline_tag.sampling import Sampler
from strapline_tag.tag import Tag
from strapline_wire.compat import const

# Requests: code, then `now` in ms since boot (8 bytes), then what follows.
BOOT = const(1)  # JSON: secret, seed (hex), config, memory; without memory power is back after a cut
SENSOR = const(2)  # sensor (1), value (4, signed)
STRAP_EDGE = const(3)  # open (1)
GNSS = const(4)  # bytes from the receiver
LINK_UP = const(5)  # bearer (1)
LINK_DATA = const(6)  # bearer (1), bytes
LINK_DOWN = const(7)  # bearer (1)
KEY = const(8)  # a sealed command
ADVANCE = const(9)  # nothing: run timers up to `now`, stop at the first output
MEASURE = const(10)  # nothing
MOTION = const(
    11
)  # Hz (1), then x, y, z in mg (2 each, signed) by turns: what the accelerometer says next; after it, it sleeps
BUTTON = const(12)  # pressed (1)
RING = const(13)  # nothing: the network has paged the modem
FACTORY = const(14)  # area (1), at (4), bytes: for the boot program's store, before BOOT, or to spoil what is there
FLASH = const(15)  # what (1), argument (4): a fault of the journal's flash, as bench_flash.py has them; 0: all is well

BOARD = b"bench"  # the board class of its images
# Areas of FACTORY beside the store's own.
KEYS = const(4)  # a public key for images
RUNNING = const(255)  # the slot that runs

# Answers: code, then `now` (8), then what follows.
OUTPUT = const(0x80)  # kind (1), then the output's fields
MEASURED = const(0xB0)  # JSON
DONE = const(0xC0)  # next deadline (8)

# faults: bits, as Tag.feed_faults has them.
SENSORS = (
    "strap_ohm",
    "skin_centi_c",
    "ambient_centi_c",
    "battery_percent",
    "battery_mv",
    "charging",
    "case_open",
    "immersed",
    "faults",
    "jam",
    "cell_dbm",
)
_JOURNAL_HEAD = const(4)  # kind of the slot that a block of the journal begins with
_NEVER = 1 << 62
_FIFO = const(32)  # triplets: an older one is lost when the next comes


class _Sensors:
    moved = True

    def __init__(self):
        self.strap_ohm = 1000
        self.skin_centi_c = 3300
        self.ambient_centi_c = 2200
        self.battery_percent = 100
        self.jam = 0
        self.cell_dbm = -85
        self.battery_mv = 3900
        self.charging = self.case_open = self.immersed = self.faults = 0
        self.lie_still()

    def lie_still(self):
        # Also when the clock begins anew.
        self.now = 0
        self._motion = b""
        self._rate = 25
        self._from = 0  # when the first of _motion was measured
        self._taken = 0

    def play(self, now, rate, motion):
        due = self._due(now)
        taken = self._taken
        if due * 6 == len(self._motion):  # it sleeps: the first is measured now, after those that nobody has read yet
            self._rate = rate or 1
            self._from = now - (due - taken) * 1000 // self._rate
        else:
            self._from += taken * 1000 // self._rate
        self._motion = self._motion[taken * 6 :] + motion
        self._taken = 0

    def _due(self, now):
        return min((now - self._from) * self._rate // 1000, len(self._motion) // 6)

    def read_motion(self, samples):
        due = self._due(self.now)
        taken = max(self._taken, due - _FIFO)
        count = due - taken
        for i in range(count * 3):
            samples[i] = unpack_from(">h", self._motion, taken * 6 + i * 2)[0]
        self._taken = due
        return count


class _Memory:
    # What a board keeps over a reboot; the host may hand in an earlier state (integers, and bytes as hex).
    def __init__(self, held):
        self.held = dict(held)

    def read(self, name):
        return bytes.fromhex(self.held.get(name, ""))

    def write(self, name, value):
        self.held[name] = bytes(value).hex()

    def get(self, name, default):
        return self.held.get(name, default)

    def put(self, name, value):
        self.held[name] = value


class _Entropy:
    # Repeatable bytes from a seed: a simulation must come out the same twice. A product hands in os.urandom instead.
    def __init__(self, seed: bytes):
        self._seed = seed
        self._count = 0

    def __call__(self, size: int) -> bytes:
        self._count += 1
        return sha256(self._seed + self._count.to_bytes(4, "big")).digest()[:size]


class Bench:
    # make_flash(bytes, bytes of a block): the journal's block device, which keeps what it holds as long as it has the same size
    # make_slots(store, keys, board): the boot program's Slots, to try updates. They judge and choose as on a board; in either slot it is
    # this program that runs.
    def __init__(self, make_cipher, make_flash, measure=None, make_slots=None):
        self._make_cipher = make_cipher
        self._make_slots = make_slots
        self._store = self._slots = None
        self._keys = b""
        self._make_flash = make_flash
        self._flash = self._shape = None
        self._measure = measure  # what the interpreter can say of itself
        self._memory = None
        self._tag = None
        self._sampler = None
        self._sensors = _Sensors()
        self._now = 0
        self._dark = False  # power has sagged; until BOOT

    def handle(self, message: bytes) -> list:
        code = message[0]
        now = unpack_from(">Q", message, 1)[0]
        rest = message[9:]
        if code == FACTORY:
            self._write(rest[0], unpack_from(">L", rest, 1)[0], rest[5:])
            return [bytes((DONE,)) + pack(">QQ", now, now)]
        if code == FLASH:
            self._flash.fail(rest[0], unpack_from(">L", rest, 1)[0])
            return [self._done()]
        if code == BOOT:
            self._boot(json.loads(rest))
        elif code == ADVANCE:
            self._advance(now)
        elif code == MEASURE:
            return [bytes((MEASURED,)) + message[1:9] + json.dumps(self._measured()).encode(), self._done()]
        elif not self._dark or code == SENSOR:
            self._now = max(self._now, now)
            self._feed(code, self._now, rest)
        return self._answers()

    def _boot(self, given) -> None:
        config = Config(given["config"])
        entropy = _Entropy(bytes.fromhex(given["seed"]))
        secret = bytes.fromhex(given["secret"])
        self._sensors.lie_still()
        self._tag = self._sampler = None  # the life before it: a board has no room for two
        shape = config.journal_bytes, config.journal_block_bytes
        if self._shape != shape:
            self._shape = shape
            self._flash = self._make_flash(*shape)
        self._flash.power()
        self._dark = False
        if "memory" in given or self._memory is None:  # else power is back, and what the tag keeps is as it was
            self._memory = _Memory(given.get("memory", {}))
        if "noted" in given.get("memory", ()):
            self._count_from(self._memory.get("noted", 0))
        if hasattr(gc, "mem_free"):  # elsewhere than on MicroPython it would look through a whole simulator
            gc.collect()
        slots = None
        if self._keys:
            slots = self._make_slots(self._store, [self._keys], BOARD)
            if slots.start() is None:
                raise ValueError("no slot holds a genuine image")
        self._slots = slots
        self._tag = Tag(secret, self._memory, entropy, self._make_cipher, self._flash, config, slots)
        self._sampler = Sampler(self._tag, self._sensors, config, 0)
        self._now = 0

    def _write(self, area: int, at: int, data: bytes) -> None:
        if area == KEYS:
            self._keys = data
            return
        if not self._store:
            self._store = SlotStore(self._make_flash)
        self._store.write(self._slots.running if area == RUNNING else area, at, data)

    def _count_from(self, noted: int) -> None:
        # A journal that stands at this number already: a blank flash would begin a new one at 1.
        journal = Journal(self._flash, noted >> 32, 0, 0)
        journal.newest = noted & 0xFFFFFFFF
        journal._open(_JOURNAL_HEAD, journal.newest)  # noqa: SLF001 - a journal itself begins at 1 and nowhere else

    def _advance(self, until: int) -> None:
        tag, sampler = self._tag, self._sampler
        while not self._dark:
            tag_at, sample_at = tag.next_deadline(), sampler.due
            at = min(tag_at, sample_at)
            if at > until:
                self._now = max(self._now, until)
                return
            self._now = at = max(self._now, at)
            if sample_at <= at:
                self._now = sampler.run(at, min(tag_at, until + 1))
            if tag_at <= at:
                tag.handle_timer(at)
            if tag.has_outputs() or self._flash.sagged:
                return

    def _feed(self, code: int, now: int, rest: bytes) -> None:
        tag = self._tag
        if code == SENSOR:
            setattr(self._sensors, SENSORS[rest[0]], unpack_from(">i", rest, 1)[0])
        elif code == MOTION:
            self._sensors.play(now, rest[0], rest[1:])
        elif code == STRAP_EDGE:
            tag.feed_strap_edge(now, bool(rest[0]))
        elif code == GNSS:
            tag.feed_gnss(now, rest)
        elif code == LINK_UP:
            tag.feed_link_up(now, rest[0])
        elif code == LINK_DATA:
            tag.feed_link(now, rest[0], rest[1:])
        elif code == LINK_DOWN:
            tag.feed_link_down(now, rest[0])
        elif code == KEY:
            tag.feed_key(now, rest)
        elif code == BUTTON:
            tag.feed_button(now, bool(rest[0]))
        elif code == RING:
            tag.feed_ring(now)

    def _measured(self) -> dict:
        figures = self._measure() if self._measure else {}
        figures["journal_waits"] = len(self._tag.journal)
        figures["journal_newest"] = self._tag.journal.newest
        figures["journal_ident"] = self._tag.journal.ident
        figures["gnss_sentences"] = self._tag.parser.sentences
        figures["gnss_broken"] = self._tag.parser.broken
        figures["moving"] = self._tag.situation.moving
        figures["resting"] = self._tag.situation.resting
        return figures

    def _answers(self) -> list:
        stamp = pack(">Q", self._now)
        answers = []
        if self._flash.sagged and not self._dark:  # so did the processor: what it would have said, it has not
            self._dark = True
            self._tag.take_outputs()
            answers.append(bytes((OUTPUT,)) + stamp + bytes((out.RESTART, 1)))
        for output in self._tag.take_outputs():
            kind = output[0]
            head = bytes((OUTPUT,)) + stamp + bytes((kind,))
            if kind == out.ADVERTISE:
                answers.append(head + output[1] + output[2])
            elif kind == out.LINK_SEND:
                answers.append(head + bytes((output[1],)) + output[2])
            elif kind == out.VIBRATE:
                answers.append(head + pack(">H", output[1]))
            elif kind == out.SHOW:
                answers.append(head + output[1])
            else:
                answers.append(head + bytes((int(output[1]),)))
        answers.append(self._done())
        return answers

    def _done(self) -> bytes:
        deadline = _NEVER if self._dark else min(self._tag.next_deadline(), self._sampler.due)
        return bytes((DONE,)) + pack(">QQ", self._now, deadline)
