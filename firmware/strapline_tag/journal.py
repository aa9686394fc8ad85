# Records that have not been receipted, on raw flash: a ring of blocks that outlives a power cut at any moment. Only the centre's receipt
# lets a record go. When the ring is full the oldest positions are thinned, and a tombstone counts those that went; events stay.
#
# A block is slots of 32 bytes, each programmed once between two erases: a head, then records, and notes of the journal's own. What a slot
# is worth its checksum says. The flash is a block device as MicroPython's extended interface has it (readblocks and writeblocks with an
# offset, ioctl 4, 5 and 6). In memory is a byte for each slot, and no record. The layout stands in docs/decisions/0016.
from binascii import crc32
from struct import pack, pack_into, unpack_from

from strapline_wire import frames
from strapline_wire.compat import const

ALARM_LANE = const(1)  # flag of the envelope
COUNTER_LOW = const(
    0xFFF00000
)  # a million records are left: a journal that is empty begins anew then, under another id
_LAST = const(0xFFFFFFFE)  # a receipt's base goes one further

_SIZE = const(32)  # body (24), sequence (4), kind and flags (1), checksum (3)
_BODY = const(24)  # as long as the longest record, a FIX; an EVENT and a TOMBSTONE have 18
_BLANK = b"\xff" * 32

# Kind << 2 | flags, and what sequence means where there is no record of the tag.
_HEAD = const(4)  # id, newest alarm, serial number; all records that follow are above sequence
_COPY = const(5)  # the same of a block that stands for two others
_COMMIT = const(
    8
)  # all is copied: limit of the heads that this block stands for, and the tombstone; sequence: the newest before it
_MARK = const(12)  # all below sequence is receipted
_RECORDS = const(64)
_FIX = const(68)

# What waits in a slot.
_REST = const(1)
_POSITION = const(2)
_ALARM = const(3)

_MARK_AFTER = const(32)  # receipted records that a power cut may bring back: they only travel again


class Journal:
    # ident: the id of a journal that begins here; noted: id << 32 | newest, as they were at the last start, 0 at the first; the last
    # `reserve` slots are for alarms alone, so that no flood of other records keeps one out.
    def __init__(self, flash, ident: int, noted: int, reserve: int):
        self._flash = flash
        self._reserve = reserve
        blocks = flash.ioctl(4, 0)
        self._slots = flash.ioctl(5, 0) // _SIZE
        self._slot = bytearray(_SIZE)
        self._number = bytearray(4)
        self._checked = memoryview(self._slot)[:28]
        self._states = bytearray(blocks * self._slots)
        self._low = [0] * blocks  # its head's sequence
        self._fill = [1] * blocks  # slots that are used up; 0 where it is known to be blank
        self._count = [0] * blocks  # records that wait
        # Blocks that do not keep what is written, until the next start; none is what others are copied into.
        self._bad = set()
        self._order = []  # blocks in use, oldest first; what is new goes to the last
        self._next = self._waiting = self._unmarked = self._serial = 0
        self.ident = noted >> 32
        self.newest = noted & 0xFFFFFFFF
        self.newest_alarm = 0
        self.alarms = 0  # that wait
        self.dropped_positions = 0
        self.refused = 0  # records that found no room because all that is held are events
        self.faults = 0  # records that the flash lost or would not take, and blocks that it would not erase
        self.changes = 0
        self._mount()
        if not self._order or (self.newest >= COUNTER_LOW and not self._waiting):
            self.faults += self.newest > 0 and not self._order
            while self._order:
                self._wipe(self._order[0])
            self.ident = ident
            self.newest = self.newest_alarm = 0

    def __len__(self) -> int:
        return self._waiting

    # Slots.

    def _load(self, at: int) -> int:
        # What is in a slot: kind and flags, 0 where it is blank, -1 where it is damaged.
        data = self._slot
        self._flash.readblocks(at // self._slots, data, at % self._slots * _SIZE)
        if data == _BLANK:
            return 0
        return data[28] if unpack_from(">L", data, 28)[0] == self._check(data[28]) else -1

    def _check(self, meta: int) -> int:
        return meta << 24 | crc32(self._checked, meta) & 0xFFFFFF

    def _write(self, block: int) -> bool:
        # The slot at hand goes behind the others of a block. What does not read as it was written is no record.
        slot = self._fill[block]
        self._fill[block] = slot + 1
        meta = self._slot[28]
        try:
            self._flash.writeblocks(block, self._slot, slot * _SIZE)
        except OSError:
            pass  # reading it tells
        at = block * self._slots + slot
        if self._load(at) != meta:
            self.faults += 1
            return False
        self._note(at)
        return True

    def _note(self, at: int) -> None:
        # What the slot at hand means for what waits.
        meta = self._slot[28]
        if meta >= _RECORDS:
            sequence = unpack_from(">L", self._slot, _BODY)[0]
            self.newest = max(self.newest, sequence)
            state = _POSITION if meta == _FIX else _REST
            if meta & ALARM_LANE:
                self.newest_alarm = max(self.newest_alarm, sequence)
                self.alarms += 1
                state = _ALARM
            self._states[at] = state
            self._count[at // self._slots] += 1
            self._waiting += 1

    def _live(self, block: int):
        # The slots of what waits in a block.
        left = self._count[block]
        if left:
            for at in range(block * self._slots, (block + 1) * self._slots):
                if self._states[at]:
                    yield at
                    left -= 1
                    if not left:
                        return

    def _drop(self, at: int) -> None:
        self.alarms -= self._states[at] == _ALARM
        self._states[at] = 0
        self._count[at // self._slots] -= 1
        self._waiting -= 1

    def _put(self, meta: int, body: bytes, sequence: int) -> bool:
        order = self._order
        for attempt in range(6):  # so many slots may be bad; a block with two in a row is left, for it may be dead
            if order and attempt in (2, 4):
                self._fill[order[-1]] = self._slots
                self._bad.add(order[-1])
            if not order or self._fill[order[-1]] >= self._slots:
                block = self._open(_HEAD, self.newest)
                if block < 0:
                    break
                order.append(block)
            if sequence <= _LAST and self._store(order[-1], meta, body, sequence):
                return True
        return False

    def _store(self, block: int, meta: int, body: bytes, sequence: int) -> bool:
        pack_into(">24sL", self._slot, 0, body, sequence)
        pack_into(">L", self._slot, 28, self._check(meta))
        return self._write(block)

    # Blocks.

    def _open(self, meta: int, low: int) -> int:
        # A free block with its head; -1 where there is none. In turn, so that all wear alike.
        for _ in self._low:
            block = self._next
            self._next = (block + 1) % len(self._low)
            if block not in self._order and block not in self._bad:
                if self._fill[block]:
                    self._erase(block)
                self._fill[block] = 0
                self._low[block] = low
                self._serial += 1
                if self._store(block, meta, pack(">LLL", self.ident, self.newest_alarm, self._serial), low):
                    return block
                self._bad.add(block)
        return -1

    def _erase(self, block: int) -> None:
        try:
            self._flash.ioctl(6, block)
            self._fill[block] = 0
        except OSError:
            self.faults += 1
            self._bad.add(block)

    def _clear(self, block: int) -> None:
        for at in self._live(block):
            self._drop(at)

    def _wipe(self, block: int) -> None:
        self._clear(block)
        self._order.remove(block)
        self._erase(block)

    def _mount(self) -> None:
        order, lows, slots, data = self._order, self._low, self._slots, self._slot
        serials = lows[:]
        limits = [-1] * len(
            lows
        )  # of what a copy stands for, 0 of others; -1: not in use, or the copy was not finished
        floor = owed = 0
        stone = None
        for block in range(len(lows)):
            first = block * slots
            for at in range(first, first + slots):
                if at > first and block not in order:
                    break  # what follows no head of this journal is none of its records
                meta = self._load(at)
                ident, alarm, serial, sequence = unpack_from(">LLL12xL", data)
                if (
                    meta
                ):  # power may have gone when the next slot was begun and no bit of it had changed: it is not used
                    self._fill[block] = min(at - first + 2, slots)
                if at == first and _HEAD <= meta <= _COPY and ident == self.ident:
                    order.append(block)
                    limits[block] = _HEAD - meta
                    lows[block] = sequence
                    serials[block] = serial
                    self._serial = max(self._serial, serial)
                    self.newest_alarm = max(self.newest_alarm, alarm)
                if meta > 0 and block in order:
                    self.newest = max(self.newest, sequence - (meta == _MARK))
                    self._note(at)
                    if meta == _MARK:
                        floor = max(floor, sequence)
                    elif meta == _COMMIT:
                        limits[block] = ident
                        if data[21] and sequence >= owed:
                            owed = sequence
                            stone = bytes(data[4:22])
        for block in range(len(lows)):
            for other in range(len(lows)):
                if block in order and (
                    limits[block] < 0
                    or (lows[other] <= lows[block] < limits[other] and serials[block] < serials[other])
                ):  # not finished, or a copy stands for it
                    order.remove(block)
                    self._clear(block)
            if block not in order and self._load(block * slots):
                self._erase(block)  # what it holds must not come back
        if order:
            order.sort(key=lambda block: lows[block])
            self._next = (order[-1] + 1) % len(lows)
            if stone and owed == self.newest:
                self._put(frames.TOMBSTONE << 2, stone, owed + 1)
            self._release(self.ident, floor, floor, 0)

    # Records come.

    def append(self, kind: int, flags: int, body: bytes) -> bool:
        # False where there is no room: the journal is full and holds nothing that may go.
        self.changes += 1
        needed = 1 if flags & ALARM_LANE else 1 + self._reserve
        while self._room() < needed and self._thin(body[2:8] if kind == frames.EVENT else body[:6]):
            pass
        if self._room() >= needed and self._put(kind << 2 | flags, body, self.newest + 1):
            return True
        self.refused += 1
        return False

    def _room(self) -> int:
        # Slots. One block stays free, to copy into.
        order = self._order
        lost = len([block for block in self._bad if block not in order])  # those in use are among these
        room = (len(self._low) - lost - len(order) - 1) * (self._slots - 1)
        return room + self._slots - self._fill[order[-1]] if order else room

    def _thin(self, stamp: bytes) -> bool:
        # Two neighbours become one: those that lose nothing by it, else those that reach over the fewest records, of them the oldest. So a
        # long absence keeps its shape.
        order = self._order
        best = None
        for at in range(len(order) - 1):
            fixes = self._fixes(order[at]) + self._fixes(order[at + 1])
            keep = self._slots - 2 - self._count[order[at]] - self._count[order[at + 1]] + fixes
            if keep >= 0:
                limit = self._low[order[at + 2]] if at + 2 < len(order) else self.newest + 1
                cost = limit - self._low[order[at]]
                if keep >= fixes:
                    keep, cost = fixes, -1
                elif keep * 3 > fixes:
                    keep = min(keep, (fixes + 1) // 2)
                else:  # nearly all of them would have to go
                    cost += 0x100000000
                if best is None or cost < best[0]:
                    best = cost, at, limit, keep, fixes
        return best is not None and self._merge(stamp, *best[1:])

    def _fixes(self, block: int) -> int:
        return bytes(self._states[block * self._slots : (block + 1) * self._slots]).count(b"\x02")

    def _merge(self, stamp: bytes, place: int, limit: int, keep: int, fixes: int) -> bool:
        # The old blocks are there until the new one is whole; and the tombstone's number is known before it has one.
        order = self._order
        block = self._open(_COPY, self._low[order[place]])
        if block < 0:
            return False
        first = last = dropped = seen = 0
        for old in order[place : place + 2]:
            for at in self._live(old):
                position = self._states[at] == _POSITION
                seen += position
                if self._load(at) <= 0:
                    self.faults += 1
                elif position and seen * keep // fixes == (seen - 1) * keep // fixes:
                    last = unpack_from(">L", self._slot, _BODY)[0]
                    first = first or last
                    dropped += 1
                elif not self._write(block):
                    self._clear(block)
                    self._bad.add(block)
                    return False
        stone = stamp + pack(">LLL", first, last, dropped)
        if not self._store(block, _COMMIT, pack(">L", limit) + stone, self.newest):
            self._clear(block)
            return False
        self._wipe(order[place])
        self._wipe(order[place])
        order.insert(place, block)
        if dropped:
            self.dropped_positions = self.dropped_positions + dropped
            self._put(frames.TOMBSTONE << 2, stone, self.newest + 1)
        return True

    # Records go.

    def receipt(self, receipt) -> int:
        # How many records left.
        return self._release(receipt.journal, receipt.base, receipt.base, receipt.bitmap << 1)

    def receipt_far(self, receipt) -> int:
        # The same for records behind a gap: nothing below them is meant.
        return self._release(receipt.journal, 0, receipt.first, receipt.bitmap << 1 | 1)

    def _release(self, journal: int, below: int, first: int, bitmap: int) -> int:
        if journal != self.ident:
            return 0
        before = self._waiting
        for block in self._order[:]:
            if self._low[block] < first + 32:
                for at in self._live(block):
                    sequence = self.sequence(at)
                    bit = sequence - first
                    if sequence < below or (0 <= bit <= 32 and (bitmap >> bit) & 1):
                        self._drop(at)
            if not self._count[block] and block != self._order[-1]:
                self._wipe(block)
        gone = before - self._waiting
        if gone:
            self.changes += 1
            self._unmarked += gone
            if (self._unmarked >= _MARK_AFTER or not self._waiting) and self._room() > self._reserve:
                floor = self.newest + 1
                for at in self.pending(1):
                    floor = min(floor, self.sequence(at))
                self._put(_MARK, b"", floor)
                self._unmarked = 0
        return gone

    # Records wait. One is known by its slot, until the journal changes.

    def pending(self, window: int):
        # The slots of the first `window` alarms, then of as many of the rest, each in order.
        for alarms in (True, False):
            left = min(window, self.alarms if alarms else self._waiting - self.alarms)
            for block in self._order:
                if left:
                    for at in self._live(block):
                        if left and self.is_alarm(at) == alarms:
                            left -= 1
                            yield at

    def is_alarm(self, at: int) -> bool:
        return self._states[at] == _ALARM

    def sequence(self, at: int) -> int:
        # No more of the slot is read: each receipt asks it of all that waits.
        number = self._number
        self._flash.readblocks(at // self._slots, number, at % self._slots * _SIZE + _BODY)
        return number[0] << 24 | number[1] << 16 | number[2] << 8 | number[3]

    def record(self, at: int) -> "tuple | None":
        # (envelope, body), or None where the flash has lost it. The flags hold seven bits of the boot in which it was made: should numbers
        # come again, from flash that was put back to an earlier state, the nonces are still others.
        meta = self._load(at)
        if meta <= 0:
            self.faults += 1
            self._drop(at)
            return None
        data = self._slot
        flags = meta & ALARM_LANE | (data[3 if meta >> 2 == frames.EVENT else 1] << 1 & 0xFE)
        sequence = unpack_from(">L", data, _BODY)[0]
        return (meta >> 2, flags, self.ident, sequence), bytes(data[: _BODY if meta == _FIX else 18])
