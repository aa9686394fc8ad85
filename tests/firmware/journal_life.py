"""A journal on a flash whose power may go, and what must be true of it whatever happens. Its books are kept beside it."""

import copy

from flash import Flash, PowerGoneError
from strapline_tag.journal import ALARM_LANE, Journal
from strapline_wire import frames
from strapline_wire.frames import Receipt, ReceiptFar

BASE = 0xC0FFEE


def event(number, *, alarm=False, boot=1):
    code = frames.EVENT_STRAP_OPEN if alarm else frames.EVENT_BEACON
    return frames.EVENT, ALARM_LANE * alarm, frames.pack_event((code, 0, boot, number, 7, 0, number))


def fix(number, *, boot=1):
    return frames.FIX, 0, frames.pack_fix((boot, number, 0, 0, number % 1000, -5, 65535, 3, 1))


def record(letter, number, *, boot=1):
    """`f` a position, `e` an event, `a` an alarm."""
    return fix(number, boot=boot) if letter == "f" else event(number, alarm=letter == "a", boot=boot)


def held(journal):
    """Body by sequence, with the envelope's kind, of all that waits."""
    found = {}
    for slot in journal.pending(len(journal)):
        (kind, flags, ident, sequence), body = journal.record(slot)
        assert ident == journal.ident
        assert sequence not in found, "twice"
        assert bool(flags & 1) == journal.is_alarm(slot)
        found[sequence] = kind, flags, body
    assert len(found) == len(journal)
    return found


class Life:
    """A journal, and beside it what was promised. `start` is a tag's start."""

    def __init__(self, flash, reserve=0):
        self.flash = flash
        self.reserve = reserve
        self.boot = 0
        self.noted = 0
        self.asked = 0
        self.promised = {}
        """What an append said yes to, and tombstones: sequence to (kind, body)."""
        self.receipted = set()
        self.possible = []
        """Records that were being written when power went."""
        self.texts = {}
        """Envelope to body of all that could have been sealed."""

    def start(self):
        self.boot += 1
        self.journal = Journal(self.flash, BASE + self.boot, self.noted, self.reserve)
        self.noted = self.journal.ident << 32 | self.journal.newest

    def copy(self):
        twin = copy.copy(self)
        twin.flash = self.flash.copy()
        twin.promised, twin.receipted = dict(self.promised), set(self.receipted)
        twin.possible, twin.texts = list(self.possible), dict(self.texts)
        twin.journal = copy.copy(self.journal)
        for name, value in vars(self.journal).items():
            if isinstance(value, list | bytearray):
                setattr(twin.journal, name, value[:])
        twin.journal._checked = memoryview(twin.journal._slot)[:28]
        twin.journal._flash = twin.flash
        return twin

    def append(self, letter):
        self.asked += 1
        kind, flags, body = record(letter, self.asked, boot=self.boot)
        before = self.journal.newest
        self.possible = [(kind, body)]
        done = self.journal.append(kind, flags, body)
        self.possible = []
        for sequence in range(before + 1, self.journal.newest + 1):
            is_it = done and sequence == self.journal.newest
            self.promised[sequence] = (kind, body) if is_it else (frames.TOMBSTONE, None)
        return done

    def receipt(self, base, bitmap):
        named = {n for n in self.promised if n < base} | {base + 1 + bit for bit in range(32) if bitmap >> bit & 1}
        self.receipted |= named & self._held()
        self.journal.receipt(Receipt((self.journal.ident, base, bitmap)))

    def receipt_far(self, first, bitmap):
        named = {first} | {first + 1 + bit for bit in range(32) if bitmap >> bit & 1}
        self.receipted |= named & self._held()
        self.journal.receipt_far(ReceiptFar((self.journal.ident, first, bitmap)))

    def _held(self):
        here = held(self.journal)
        self._note_texts(here)
        return set(here)

    def _note_texts(self, here):
        for sequence, (kind, flags, body) in here.items():
            envelope = kind, flags, self.journal.ident, sequence
            assert self.texts.setdefault(envelope, body) == body, "a nonce for two texts"

    def do(self, step):
        getattr(self, step[0])(*step[1:])

    def check(self, *, exact=True):
        """`exact`: no power went since the start, so nothing that was receipted may be here again."""
        here = held(self.journal)
        for sequence, (kind, _flags, body) in here.items():
            wanted = self.promised.get(sequence)
            if wanted is None:
                assert kind == frames.TOMBSTONE or (kind, body) in self.possible, "invented"
            elif wanted[1] is not None:
                assert (kind, body) == wanted
        self._note_texts(here)
        if exact:
            assert not self.receipted & set(here)
        gone = set(self.promised) - self.receipted - set(here)
        assert all(self.promised[n][0] == frames.FIX for n in gone), (
            f"an event is gone: {gone} {sorted(here)} {self.receipted}"
        )
        self._check_tombstones(here, gone)
        for alarm in (True, False):
            order = [self.journal.sequence(s) for s in self.journal.pending(10**6) if self.journal.is_alarm(s) == alarm]
            assert order == sorted(order)
        assert self.journal.newest >= max(self.promised, default=0)
        assert self.journal.newest_alarm >= max((n for n, (_, flags, _) in here.items() if flags & 1), default=0)
        assert bool(self.journal.alarms) == any(flags & 1 for _, flags, _ in here.values())

    def _check_tombstones(self, here, gone):
        stones = [body for kind, _, body in here.values() if kind == frames.TOMBSTONE]
        stones += [
            self.texts_of(n) for n in self.receipted if self.promised[n][0] == frames.TOMBSTONE and n not in here
        ]
        told = [frames.unpack_tombstone(stone) for stone in stones]
        assert sum(stone.dropped for stone in told) == len(gone)
        for stone in told:
            assert sum(stone.first <= n <= stone.last for n in gone) >= stone.dropped

    def texts_of(self, sequence):
        return next(body for (kind, _, _, n), body in self.texts.items() if n == sequence and kind == frames.TOMBSTONE)


def steps(random, count, letters="fffea"):
    """A long course of records and receipts, as a list that can be played again."""
    course, newest = [], 0
    for _ in range(count):
        choice = random.random()
        if choice < 0.92:
            course.append(("append", random.choice(letters)))
            newest += 1
        elif choice < 0.96:
            course.append(
                ("receipt", max(0, newest - random.randrange(25)), random.getrandbits(32) & random.getrandbits(32))
            )
        else:
            course.append(
                ("receipt_far", max(1, newest - random.randrange(12)), random.getrandbits(32) & random.getrandbits(32))
            )
    return course


def cut(life, step, number, torn, seed):
    """Power goes in the flash operation `number` of this step; gives the life that is left, not started yet. None: no such operation."""
    twin = life.copy()
    twin.flash.cut_at, twin.flash.torn, twin.flash.seed = number, torn, seed
    try:
        twin.do(step)
    except PowerGoneError:
        twin.flash = twin.flash.copy()
        return twin
    return None


def small(blocks=4, slots=8):
    return Flash(blocks, slots * 32)
