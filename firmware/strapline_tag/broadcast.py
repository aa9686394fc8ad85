# Heartbeats: when the next one is due, under which pseudonym and address, with which counter.
from strapline_tag import outputs as out
from strapline_wire import frames, seal
from strapline_wire.compat import const
from strapline_wire.keys import Slot

_COUNTER_BLOCK = const(4096)  # counters are reserved in blocks, so that a reboot never uses one twice
_COUNTER_LIMIT = 0xFFFFFFFF
_SLOT_BLOCK = const(64)
# A change of pseudonym begins a rhythm of its own: the first heartbeat is drawn evenly from so long a span. A multiple of 4 s, 1 s and
# 100 ms, so that nothing of the old rhythm's phase is left.
_FRESH_SPAN_MS = const(4000)
_integer = int.from_bytes


class Broadcast:
    # `memory` keeps integers over reboots: get(name, default), put(name, value).
    def __init__(self, config, keys, memory, entropy):
        self._config = config
        self._keys = keys
        self._memory = memory
        self._entropy = entropy
        self._counter = self._reserved = memory.get("counter", 0)
        self._slot_reserved = memory.get("slot", 0)
        self._enter(self._slot_reserved, 0)
        self._burst = 0
        self._quick = 0
        self.due = self._interval()

    def _enter(self, index: int, now: int) -> None:
        if index >= self._slot_reserved:
            self._memory.put("slot", index + _SLOT_BLOCK)  # first: what a worn-out flash refuses is not used
            self._slot_reserved = index + _SLOT_BLOCK
        self.slot = Slot(self._keys.header, index)
        self._slot_ends = now + self.slot.length_s * 1000

    def _draw(self, below: int) -> int:
        entropy = self._entropy
        return _integer(entropy(3), "big") % below

    def _interval(self) -> int:
        shortest = self._config.heartbeat_shortest_ms
        return shortest + self._draw(self._config.heartbeat_longest_ms - shortest + 1)

    def _quick_interval(self) -> int:
        # Evenly around the spacing, as wide as it is: a fixed one would show the tag's phase, and the error of its crystal.
        spacing = self._config.quick_spacing_ms
        return spacing // 2 + self._draw(spacing)

    def _break_rhythm(self, now: int) -> None:
        # The next heartbeat after the one of `now` lies in another slot: it does not go on with the rhythm of this one, and comes no later
        # than any other.
        shortest = self._config.heartbeat_shortest_ms
        first = max(self._slot_ends, now + shortest)
        room = now + self._config.heartbeat_longest_ms - first - _FRESH_SPAN_MS
        if room >= 0 or self._slot_ends - now <= 2 * shortest:
            self.due = first + self._draw(_FRESH_SPAN_MS)
        else:  # one more under the old pseudonym, so that the pause does not grow too long
            self.due = now + shortest + self._draw(self._slot_ends - now - 2 * shortest)

    def rekeyed(self, now: int) -> None:
        # Another header key gives other pseudonyms; the counter goes on.
        self._enter(self.slot.index + 1, now)

    def alarm(self, now: int) -> None:
        self._burst = self._config.burst_count
        self.due = now

    def hurry(self, now: int, count: int = 0) -> None:
        # A record waits for a gateway: one heartbeat tells it, the next is what it connects on.
        self._quick = count or self._config.quick_count
        # Drawn, because sensors are sampled at a phase that a tag keeps.
        self.due = min(self.due, now + 1 + self._draw(self._config.quick_spacing_ms))

    def make(self, now: int, flags: int, openings: int, battery_percent: int, newest_alarm: int) -> "tuple | None":
        # The output of the heartbeat that is due now. None where the key's counters are used up: then the tag falls silent on the
        # air, which its gateway and the cellular bearer tell, and everything else goes on.
        if self._counter > _COUNTER_LIMIT:
            self.due = now + self._interval()
            return None
        if now >= self._slot_ends:
            self._enter(self.slot.index + 1, self._slot_ends)
        if self._counter >= self._reserved:
            self._memory.put("counter", self._reserved + _COUNTER_BLOCK)
            self._reserved += _COUNTER_BLOCK
        body = frames.pack_heartbeat(
            (flags, openings if openings < 255 else 255, battery_percent, (now // 4000) & 0xFFFF, newest_alarm & 0xFF)
        )
        slot = self.slot
        frame = seal.seal_frame(
            frames.HEARTBEAT, slot.pseudonym, self._counter, body, self._keys.broadcast, self._keys.header, seal.UP
        )
        self._counter += 1
        if self._burst:
            self._burst -= 1
            self.due = now + self._config.burst_spacing_ms
            return out.ADVERTISE, slot.address, frame
        if flags & frames.STATE_ALARM_PENDING:
            self.due = now + self._quick_interval()
        elif self._quick and flags & (frames.STATE_PENDING | frames.STATE_ASKS):
            self._quick -= 1
            self.due = now + self._quick_interval()
        else:
            self._quick = 0  # what is left of it is not for a later record
            self.due = now + self._interval()
        if self.due >= self._slot_ends:
            self._break_rhythm(now)
        return out.ADVERTISE, slot.address, frame
