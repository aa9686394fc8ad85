# What stands between the tag and the sky: nothing, a roof, foil, a jammer, or somebody who tells it lies. What could as well be a lift, a
# tunnel or a cellar is not told as an alarm: NO_FIX and, on the move, MOVING_WITHOUT_FIX speak of it.
from strapline_tag.nmea import UNKNOWN
from strapline_tag.zones import distance
from strapline_wire import frames
from strapline_wire.compat import const

_NO_CELL_DBM = const(-125)  # below it an LTE-M modem has no cell (3GPP TS 36.133: reported down to -140)
_FAST_CM_S = const(500)  # in a vehicle: what takes radio and sky away there at once is a tunnel
_MINUTES = const(60)  # R14: the window
_MINUTE_MS = const(60000)
_DROP_DB = const(25)  # R19: at once; buildings take 15 to 30 dB (ITU-R P.2109), but step by step
_JAM_MS = const(60000)  # R19: a jammer in a passing car is gone sooner
_SPOOF_S = const(30)  # R46: a receiver that has not heard the leap seconds yet is 18 s off
_SPOOF_M_S = const(100)  # R46: the fastest trains make 320 km/h
_FLIES_M_S = const(300)  # an airliner over ground, where the receiver itself measures such a speed
_SLACK_M = const(1000)  # so far an honest receiver may be wrong between houses


class Sky:
    # tell(code, now, detail): an event; warn(now): the wearer is to notice.
    def __init__(self, config, situation, clock, tell, warn):
        self._config = config
        self._situation = situation
        self._clock = clock
        self._tell = tell
        self._warn = warn
        self._cell_dbm = _NO_CELL_DBM
        self._dark_at = None  # since when there is no cell
        self._drop_db = 0  # by how much it fell at once, where the sky or home had been there just before; else 0
        self._jam_at = None  # since when the receiver hears jamming
        self.failed_at = -1  # the receiver gave up (whereabouts)
        self._fast = False
        self._minutes = bytearray(_MINUTES)  # of the last hour, those on the move without a position
        self._moved = 0  # how many of them
        self._minute = 0
        self.due = 0  # the next minute: then it is to be sampled, whatever the cell
        self.calm_dbm = None  # until then a cell of this level changes nothing; None: every sample counts
        self._warned_at = None
        self.told = 0  # bits, by their codes: alarms that hold until the next position, or home
        self._anchor = None  # (now, latitude, longitude, cm/s) of the last position

    def sample(self, now: int, jam: int, cell_dbm: int, is_on: bool, is_wanted: bool) -> None:
        # The receiver's jamming indicator where it is on, and the strength of the cell; whether positions are wanted at all.
        config = self._config
        situation = self._situation
        if cell_dbm > _NO_CELL_DBM:
            self._dark_at = None
        elif self._dark_at is None:
            self._dark_at = now
            drop_db = self._cell_dbm - cell_dbm
            recent = self._without_s(now) < config.away_fix_s + config.fix_timeout_s and not self._fast
            self._drop_db = drop_db if drop_db >= _DROP_DB and (recent or not situation.away) else 0
        self._cell_dbm = cell_dbm
        self.calm_dbm = None if is_on or self._dark_at is not None else cell_dbm
        if is_on:
            if jam < config.jam_limit:
                self._jam_at = None
            elif self._jam_at is None:
                self._jam_at = now
            elif now - self._jam_at >= _JAM_MS:
                self._alarm(now, frames.EVENT_JAMMED, jam)
        if is_wanted and self._drop_db and self._dark_at is not None and self.failed_at > self._dark_at:
            if now - self._dark_at >= config.shield_s * 1000:
                self._alarm(now, frames.EVENT_SHIELDED, self._drop_db * 10)
                situation.found_out = True  # no tub takes the network away
        # R14, once a minute: on the move without a position for so long, a warning, and after a grace an alarm.
        if now >= self.due:
            self.due = now + _MINUTE_MS
            new = is_wanted and situation.moving
            at = self._minute
            self._minute = (at + 1) % _MINUTES
            self._moved += new - self._minutes[at]
            self._minutes[at] = new
            if not is_wanted:
                self._warned_at = None
            elif self._warned_at is not None:
                if now - self._warned_at >= config.no_fix_grace_s * 1000:
                    self._alarm(now, frames.EVENT_MOVING_WITHOUT_FIX, self._without_s(now))
            elif self._moved * 60 >= config.no_fix_motion_s:
                self._warned_at = now
                self._warn(now)

    def _alarm(self, now: int, code: int, detail: int) -> None:
        bit = 1 << code - frames.EVENT_MOVING_WITHOUT_FIX
        if not self.told & bit:
            self.told |= bit
            self._tell(code, now, detail)

    def _without_s(self, now: int) -> int:
        return (now - (self._situation.fixed_at or 0)) // 1000

    def clear(self) -> None:
        # A position, or home: nothing is between.
        self._drop_db = 0
        self._jam_at = None
        self._warned_at = None
        self._moved = 0
        self._minutes = bytearray(_MINUTES)

    def fixed(self, now: int, position) -> bool:
        # A position: whether it can be believed. Whatever has taken the sky away until now has ended.
        if not self._believes(now, position):
            return False
        if position.dated:
            self._clock.confirm(now, position.utc_s)
        self._fast = UNKNOWN > position.speed_cm_s >= _FAST_CM_S
        self.clear()
        if self.told:
            self.told = 0
            self._tell(frames.EVENT_SKY_BACK, now, self._without_s(now))
        return True

    def _believes(self, now: int, position) -> bool:
        step = 0
        speed = position.speed_cm_s if position.speed_cm_s < UNKNOWN else 0
        if position.dated and self._clock.trusted(now):
            step = position.utc_s - self._clock.utc_s(now)
            if abs(step) <= _SPOOF_S:
                step = 0
        if self._anchor and not step:
            then, lat, lon, before = self._anchor
            step = distance(lat, lon, position.lat_e7, position.lon_e7) // 90
            # In between it may have been a quarter faster than the receiver measured.
            fastest = max(_SPOOF_M_S, min(_FLIES_M_S, max(before, speed) // 80))
            if step <= _SLACK_M + (now - then) // 1000 * fastest:
                step = 0
        self._anchor = (now, position.lat_e7, position.lon_e7, speed)
        if step:
            self._alarm(now, frames.EVENT_SPOOFED, step)
        return not step
