# When the receiver is on, and what becomes of its positions: records, zones, the answer to LOCATE.
from struct import unpack_from

from strapline_tag import outputs as out
from strapline_tag.sky import Sky
from strapline_tag.zones import METRE, Zones, blur, distance
from strapline_wire import frames
from strapline_wire.compat import const

_SILENCE_MS = const(300)  # a receiver sends an epoch in one go: silence ends it
_RADIO = const(1)  # `mode` without a receiver
_DOUBT_FIX_S = const(60)  # R11: AWAY's shortest interval, while a zone may be broken
_WARNING_MS = const(2000)


class Positioning:
    # emit(output) hands an output to the body.
    def __init__(self, config, situation, memory, clock, parser, recorder, broadcast, emit):
        self._config = config
        self._situation = situation
        self._parser = parser
        self._recorder = recorder
        self._tell = tell = recorder.event
        self._broadcast = broadcast
        self._emit = emit
        self.zones = Zones(config, situation, memory, tell)
        self.sky = Sky(config, situation, clock, tell, self._warn)
        self.power = False
        self._interval_ms = None  # None: no positions are wanted (at home: R50)
        self._next_at = None
        self._started = 0
        self._give_up_at = 0
        self._silent_at = None
        self._no_sky = False  # NO_FIX is told; again only after a position, or after home
        self._request = None  # of a LOCATE that is not answered yet
        self._doubt_at = None  # the first position since home is in doubt

    def sample(self, now: int, jam: int, cell_dbm: int) -> None:
        self.sky.sample(now, jam, cell_dbm, self.power, self._interval_ms is not None)

    def arm(self) -> None:
        # Also at home: what was told before is told again where it happens again.
        self._no_sky = False
        self.sky.clear()
        self.sky.told = 0

    def came_home(self, now: int) -> None:
        # Or is still there: home was heard.
        self.arm()
        self.zones.judge(now)

    # What is wanted.

    def locate(self, now: int, order: bytes) -> int:
        # LOCATE: one position as soon as there is one, whatever the interval. Gives a refusal reason, or 0.
        if len(order) < 6:
            return frames.REFUSAL_MALFORMED
        request, within_s = unpack_from(">LH", order)
        if not self._situation.armed or self._request not in (None, request):
            return frames.REFUSAL_NOT_NOW
        self._request = request
        if self._may_seek():
            if not self.power:
                self._start(now)
            self._give_up_at = now + within_s * 1000
        return 0

    def _may_seek(self) -> bool:
        # At home only where the deployment allows it (R50), and of nobody who is not monitored.
        config = self._config
        situation = self._situation
        return situation.armed and config.mode != _RADIO and (situation.away or config.locate_at_home)

    def want(self, now: int) -> None:
        # After anything that may have changed what is wanted.
        if not self._situation.doubted:
            self._doubt_at = None
        interval_s = self._interval_s()
        if interval_s is not None:
            self._want(now, interval_s * 1000)
        elif self._request is None or not self._may_seek():
            self._off()
            self._next_at = self._interval_ms = None
            self._located(now)  # where no positions are taken, there is no better answer

    def _interval_s(self) -> "int | None":
        # R11; R50: none at home. A zone or a curfew that may be broken is looked at more closely.
        config = self._config
        situation = self._situation
        if config.log_every_epoch:
            return 1
        if config.mode == _RADIO or not (situation.armed and (situation.away or situation.doubted)):
            return None
        if situation.violation:
            return config.violation_fix_s
        doubted = situation.doubted or any(self.zones.points)
        return min(config.away_fix_s, _DOUBT_FIX_S) if doubted else config.away_fix_s

    def _want(self, now: int, interval_ms: int) -> None:
        if self._interval_ms is None and not self.power:
            self._start(now)
        elif self._next_at is not None and interval_ms != self._interval_ms:
            self._next_at = min(self._next_at, now + interval_ms)
        self._interval_ms = interval_ms

    def _start(self, now: int) -> None:
        self._switch(True)
        self._started = now
        self._give_up_at = now + self._config.fix_timeout_s * 1000
        self._next_at = None

    def _off(self) -> None:
        if self.power:
            self._switch(False)
            self._silent_at = None
            self._parser.reset()

    def _switch(self, on: bool) -> None:
        self.power = on
        self.sky.calm_dbm = None
        self._emit((out.GNSS_POWER, on))

    # Bytes and time.

    def next_deadline(self) -> "int | None":
        if not self.power:
            return self._next_at
        if self._config.log_every_epoch:
            return self._silent_at
        return self._give_up_at if self._silent_at is None else min(self._give_up_at, self._silent_at)

    def feed(self, now: int, data: bytes) -> None:
        # Bytes from the receiver.
        if self.power:
            self._silent_at = now + _SILENCE_MS
            self._parser.feed(data)
            self._take(now)

    def handle_timer(self, now: int) -> None:
        if self._silent_at is not None and now >= self._silent_at:
            self._silent_at = None
            self._parser.flush()
            self._take(now)
        if self.power:
            if not self._config.log_every_epoch and now >= self._give_up_at:
                self._rest(now)
                self.sky.failed_at = now
                if not (self._no_sky or self._situation.doubted):
                    self._no_sky = True
                    self._tell(frames.EVENT_NO_FIX, now, (now - self._started) // 1000)
                self._located(now)
        elif self._next_at is not None and now >= self._next_at:
            self._start(now)

    def _take(self, now: int) -> None:
        while True:
            position = self._parser.take()
            if position is None:
                return
            situation = self._situation
            # Where the home of who has not left is, is nobody's business (R50).
            is_told = not situation.doubted or self._request is not None
            if is_told:
                self._recorder.fix(position, now)
            self._no_sky = False
            if self._config.log_every_epoch:  # a receiver under test may be anywhere, at any time
                self._broadcast.hurry(now)
                continue
            if self.sky.fixed(now, position):
                situation.fixed_at = now
                if situation.away:
                    self.zones.judge(now, position)
                elif situation.doubted and self._is_elsewhere(position):
                    situation.found_out = True
                    if not is_told:
                        self._recorder.fix(position, now)
            self._located(now)
            self._rest(now)
            return

    def _is_elsewhere(self, position) -> bool:
        # Further from where the doubt began than both positions may be wrong. The first may be at home: under many a roof there is one.
        first = self._doubt_at
        if first is None:
            self._doubt_at = position
            return False
        way = distance(first.lat_e7, first.lon_e7, position.lat_e7, position.lon_e7)
        return way > max(3 * (blur(first) + blur(position)), self._config.zone_sure_m * METRE)

    def _rest(self, now: int) -> None:
        self._off()
        if self._interval_ms is not None:
            self._next_at = max(now + 1000, self._started + self._interval_ms)

    def _located(self, now: int) -> None:
        if self._request is not None:
            self._tell(frames.EVENT_LOCATED, now, self._request & 0x7FFFFFFF)
            self._request = None

    def _warn(self, now: int) -> None:
        self._emit((out.VIBRATE, _WARNING_MS))
        self._tell(frames.EVENT_VIBRATED, now, _WARNING_MS)
