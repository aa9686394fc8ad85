# Records that have not been receipted, oldest first. Only the centre's receipt lets one go. When it is full the oldest position makes
# room for what is new; events stay.
# All its memory is taken once, at the start: a tag that is without a link for days must not find its heap full.
from struct import pack_into, unpack_from

from strapline_wire import frames
from strapline_wire.compat import const
from strapline_wire.errors import LocalProtocolError

ALARM_LANE = const(1)  # flag of the envelope

# One slot: length of the body, kind, flags, sequence, body; as long as the longest record, a FIX.
_SLOT = ">BBBL24s"
_SLOT_SIZE = const(31)
_BODY_AT = const(7)
_BODY_LIMIT = const(24)


class Journal:
    # capacity: records; the last `reserve` of them are for alarms alone, so that no flood of other records keeps one out.
    def __init__(self, ident: int, capacity: int, reserve: int):
        self.ident = ident
        self.newest = 0
        self.newest_alarm = 0
        self.dropped_positions = 0
        self._dropped = 0  # of them, those that no tombstone has told of yet, from _first to _last
        self._first = 0
        self._last = 0
        self.refused = 0  # records that found no room because all that is held are events
        self._capacity = capacity
        self._reserve = reserve
        self._slots = memoryview(bytearray(capacity * _SLOT_SIZE))
        self._count = 0
        self._alarms = 0

    def __len__(self) -> int:
        return self._count

    def append(self, kind: int, flags: int, body: bytes) -> bool:
        # False where there is no room: the journal is full and holds nothing that may go.
        size = len(body)
        if size > _BODY_LIMIT:
            raise LocalProtocolError("record too long for the journal", size)
        room = self._capacity if flags & ALARM_LANE else self._capacity - self._reserve
        if self._count >= room and not self._drop_position():
            self.refused += 1
            return False
        self.newest += 1
        if flags & ALARM_LANE:
            self.newest_alarm = self.newest
            self._alarms += 1
        pack_into(_SLOT, self._slots, self._count * _SLOT_SIZE, size, kind, flags, self.newest, body)
        self._count += 1
        return True

    def _drop_position(self) -> bool:
        for slot in range(self._count):
            if self._slots[slot * _SLOT_SIZE + 1] == frames.FIX:
                self._last = self.sequence(slot)
                if not self._dropped:
                    self._first = self._last
                self._dropped += 1
                self._move(slot + 1, self._count, slot)
                self._count -= 1
                self.dropped_positions += 1
                return True
        return False

    def bury(self, boot: int, uptime_s: int) -> None:
        # A tombstone for the positions that were dropped, as soon as there is room that no alarm may need: one for all of them, however
        # many. Until then it costs nothing.
        if self._dropped and self._count < self._capacity - self._reserve:
            body = frames.pack_tombstone((boot, uptime_s, self._first, self._last, self._dropped))
            self._dropped = 0
            self.append(frames.TOMBSTONE, 0, body)

    def _move(self, start: int, end: int, to: int) -> None:
        # The slots from `start` to before `end` move to `to`.
        if start != to and start < end:
            size = (end - start) * _SLOT_SIZE
            target = to * _SLOT_SIZE
            self._slots[target : target + size] = self._slots[start * _SLOT_SIZE : end * _SLOT_SIZE]

    # A record is known by its slot, until the journal changes.

    def pending(self):
        # The slots of alarms first, then of the rest, each in order.
        if self._alarms:
            for slot in range(self._count):
                if self.is_alarm(slot):
                    yield slot
        for slot in range(self._count):
            if not self.is_alarm(slot):
                yield slot

    def is_alarm(self, slot: int) -> bool:
        return self._slots[slot * _SLOT_SIZE + 2] & ALARM_LANE != 0

    def sequence(self, slot: int) -> int:
        # By hand: a tuple for each of hundreds of slots would be garbage at every receipt.
        slots = self._slots
        at = slot * _SLOT_SIZE + 3
        return (slots[at] << 24) | (slots[at + 1] << 16) | (slots[at + 2] << 8) | slots[at + 3]

    def record(self, slot: int) -> tuple:
        # (envelope, body)
        at = slot * _SLOT_SIZE
        size, kind, flags, sequence = unpack_from(">BBBL", self._slots, at)
        return (kind, flags, self.ident, sequence), bytes(self._slots[at + _BODY_AT : at + _BODY_AT + size])

    def alarm_pending(self) -> bool:
        return self._alarms > 0

    def receipt(self, receipt) -> int:
        # How many records left.
        return self._release(receipt.journal, receipt.base, receipt.base, receipt.bitmap << 1)

    def receipt_far(self, receipt) -> int:
        # The same for records behind a gap: nothing below them is meant.
        return self._release(receipt.journal, 0, receipt.first, receipt.bitmap << 1 | 1)

    def _release(self, journal: int, below: int, first: int, bitmap: int) -> int:
        if journal != self.ident:
            return 0
        before = self._count
        kept = slot = 0
        while slot < before:
            start = slot
            while slot < before and not self._covered(below, first, bitmap, slot):
                slot += 1
            self._move(start, slot, kept)
            kept += slot - start
            while slot < before and self._covered(below, first, bitmap, slot):
                self._alarms -= self.is_alarm(slot)
                slot += 1
        self._count = kept
        return before - kept

    def _covered(self, below: int, first: int, bitmap: int, slot: int) -> bool:
        sequence = self.sequence(slot)
        bit = sequence - first
        return sequence < below or (0 <= bit <= 32 and (bitmap >> bit) & 1 == 1)
