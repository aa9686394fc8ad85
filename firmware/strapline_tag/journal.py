# Records that have not been receipted, oldest first. Only the centre's receipt lets one go. When it is full the oldest position makes
# room for what is new; events stay.
from strapline_wire import frames

ALARM_LANE = 1  # flag of the envelope


class Entry:
    def __init__(self, sequence: int, kind: int, flags: int, body: bytes):
        self.sequence = sequence
        self.kind = kind
        self.flags = flags
        self.body = body


class Journal:
    def __init__(self, ident: int, capacity: int):
        self.ident = ident
        self.newest = 0
        self.newest_alarm = 0
        self.dropped_positions = 0
        self.refused = 0  # records that found no room because everything held is an event
        self._capacity = capacity
        self._entries = []

    def __len__(self) -> int:
        return len(self._entries)

    def append(self, kind: int, flags: int, body: bytes) -> bool:
        # False where there is no room: the journal is full and holds nothing that may go.
        if len(self._entries) >= self._capacity and not self._drop_position():
            self.refused += 1
            return False
        self.newest += 1
        if flags & ALARM_LANE:
            self.newest_alarm = self.newest
        self._entries.append(Entry(self.newest, kind, flags, body))
        return True

    def _drop_position(self) -> bool:
        for i in range(len(self._entries)):
            if self._entries[i].kind == frames.FIX:
                self._entries.pop(i)
                self.dropped_positions += 1
                return True
        return False

    def pending(self):
        # Alarms first, then the rest, each in order.
        for entry in self._entries:
            if entry.flags & ALARM_LANE:
                yield entry
        for entry in self._entries:
            if not entry.flags & ALARM_LANE:
                yield entry

    def alarm_pending(self) -> bool:
        for entry in self._entries:
            if entry.flags & ALARM_LANE:
                return True
        return False

    def receipt(self, receipt) -> int:
        # How many records left.
        if receipt.journal != self.ident:
            return 0
        before = len(self._entries)
        self._entries = [e for e in self._entries if not _covers(receipt, e.sequence)]
        return before - len(self._entries)


def _covers(receipt, sequence: int) -> bool:
    bit = sequence - receipt.base - 1
    return sequence < receipt.base or (0 <= bit < 32 and (receipt.bitmap >> bit) & 1 == 1)
