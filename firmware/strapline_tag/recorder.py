# Makes records of what happens: the journal keeps them, the heartbeats and the bearers are told that there is something to fetch.
from strapline_tag.journal import ALARM_LANE
from strapline_wire import frames, seal


class Recorder:
    # boot: number of starts; on_event(now, code, is an alarm).
    def __init__(self, boot: int, clock, journal, keys, on_event):
        self.boot = boot & 0xFFFF
        self._clock = clock
        self._journal = journal
        self._keys = keys
        self._on_event = on_event

    def _quality(self, now: int) -> int:
        return 2 if self._clock.trusted(now) else 0

    def event(self, code: int, now: int, detail: int, at: "int | None" = None) -> None:
        # at: when it happened, where that was before now.
        if at is None:
            at = now
        alarm = code in frames.EVENT_ALARMS
        flags = ALARM_LANE if alarm else 0
        stamp = (self.boot, at // 1000, at % 1000, self._clock.utc_s(at))
        detail = max(-0x80000000, min(detail, 0x7FFFFFFF))  # a sensor may say anything
        body = frames.pack_event((code, flags | self._quality(now)) + stamp + (detail,))
        if self._journal.append(frames.EVENT, flags, body) or alarm:
            self._on_event(now, code, alarm)  # an alarm that finds no room still shows in the heartbeat's state

    def fix(self, position, now: int) -> None:
        flags = (1 if position.dated else 0) | self._quality(now)
        body = frames.pack_fix(
            (
                self.boot,
                now // 1000,
                position.utc_s,
                position.utc_ms,
                position.lat_e7,
                position.lon_e7,
                position.accuracy_dm,
                min(position.speed_cm_s // 10, 255),
                flags,
            )
        )
        self._journal.append(frames.FIX, 0, body)

    def seal_record(self, slot: int) -> "bytes | None":
        # None where the flash has lost it.
        record = self._journal.record(slot)
        return record and seal.seal_envelope(record[0], record[1], self._keys.end_to_end, seal.UP)
