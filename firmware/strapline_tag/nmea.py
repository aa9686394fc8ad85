# Positions out of a GNSS receiver's NMEA 0183 bytes, and nothing else out of them: no satellites in view, no altitude, no heading.
#
# An epoch is all that the receiver says about one time of day. It has a position when one of its sentences gives a valid one and
# none denies it, in whatever order: of two contradicting statements about where a person is, the tag believes neither. What rests
# on no satellites (dead reckoning, typed in, simulated) is a denial. An epoch is complete at the next time of day, at a sentence
# that knows no time, or at `flush`.
# The date is carried on from epoch to epoch, so `reset` it when the receiver has been off.
from collections import deque, namedtuple

from strapline_tag.nmea_sentence import EMPTY, MALFORMED, NOWHERE, SentenceReader, days
from strapline_wire.compat import const

# utc_s: Unix seconds where the date is known (dated), else seconds of the day. lat_e7, lon_e7: 1e-7 degree, north and east positive.
# accuracy_dm: distance root mean square in decimetres, from GST, else estimated from HDOP. What the receiver does not say is UNKNOWN.
Position = namedtuple(
    "Position", ("utc_s", "utc_ms", "dated", "lat_e7", "lon_e7", "accuracy_dm", "speed_cm_s", "satellites")
)
UNKNOWN = const(0xFFFF)  # accuracy_dm, speed_cm_s
UNKNOWN_COUNT = const(0xFF)  # satellites

# Positions kept for a caller that takes none: 0.8 s of a 10 Hz receiver.
_QUEUE_LIMIT = const(8)
# One epoch's time comes with two decimals in one sentence and with three in the next (200619.30 and 200619.295).
_SAME_MS = const(10)
_DAY_MS = const(86_400_000)
# After a longer silence the last date is not carried on: more than one midnight may have passed.
_CARRY_MS = const(3_600_000)
# One standard deviation of one range, which HDOP multiplies. The GPS SPS Performance Standard (5th edition, section 3.4) promises
# 7.0 m (95 %) for the signal in space, so 3.6 m; as much again for atmosphere, multipath and receiver makes 5 m.
_RANGE_ERROR_DM = const(50)
# Receivers write 99.0 to 99.99 for "no HDOP". In hundredths.
_HDOP_LIMIT = const(9900)
# Mode letters without a satellite fix: not valid, estimated (dead reckoning), manual input, simulator.
_NO_SATELLITES = b"NEMS"


class NmeaParser(SentenceReader):
    def __init__(self) -> None:
        super().__init__()
        self.dropped = 0  # positions that nobody took in time
        self._positions: deque[Position] = deque((), _QUEUE_LIMIT)
        self._last_day = EMPTY  # of the last position
        self._last_ms = EMPTY
        self._begin(EMPTY)

    def take(self) -> "Position | None":
        return self._positions.popleft() if self._positions else None

    def flush(self) -> None:
        self._close()
        self._begin(EMPTY)

    def reset(self) -> None:
        # The receiver has been off: nothing of before counts, its date least of all.
        self._length = -1
        self._begin(EMPTY)
        self._last_day = EMPTY
        self._last_ms = EMPTY
        while self._positions:
            self._positions.popleft()

    def _read_sentence(self, kind: bytes) -> bool:
        reader = self._readers.get(kind)
        return reader is None or reader(self)

    # Epochs

    def _enter(self, time: int) -> None:
        if time < 0 or not _same(time, self._time):
            self._close()
            self._begin(time)

    def _begin(self, time: int) -> None:
        self._time = time
        self._day: int = EMPTY
        self._lat = 0
        self._lon = 0
        self._given = False
        self._denied = False
        self._hdop = EMPTY
        self._deviation_cm = EMPTY
        self._speed = EMPTY
        self._satellites: int = EMPTY

    def _close(self) -> None:
        if self._time < 0 or not self._given or self._denied:
            return
        day = self._day if self._day >= 0 else self._carried_day()
        # A receiver that is stuck repeats its last epoch: that is no new position.
        if day == self._last_day and _same(self._time, self._last_ms):
            return
        self._last_day = day
        self._last_ms = self._time
        if len(self._positions) == _QUEUE_LIMIT:  # a full deque lets go of its oldest
            self.dropped += 1
        seconds = self._time // 1000
        self._positions.append(
            Position(
                seconds + day * 86_400 if day >= 0 else seconds,
                self._time % 1000,
                day >= 0,
                self._lat,
                self._lon,
                self._accuracy(),
                min(self._speed, UNKNOWN - 1) if self._speed >= 0 else UNKNOWN,
                min(self._satellites, UNKNOWN_COUNT - 1) if self._satellites >= 0 else UNKNOWN_COUNT,
            )
        )

    def _carried_day(self) -> int:
        day = self._last_day
        step = self._time - self._last_ms
        if step < -_DAY_MS // 2:
            step += _DAY_MS
            day += 1
        elif step > _DAY_MS // 2:
            step -= _DAY_MS
            day -= 1
        return day if self._last_day >= 0 and -_CARRY_MS < step < _CARRY_MS else EMPTY

    def _accuracy(self) -> int:
        # Rounded up: a position is never said to be better than it is.
        if self._deviation_cm > 0:
            return min((self._deviation_cm + 9) // 10, UNKNOWN - 1)
        if self._hdop > 0:
            return (self._hdop * _RANGE_ERROR_DM + 99) // 100
        return UNKNOWN

    # Sentences. Every field is read before anything is changed.

    def _rmc(self) -> bool:
        day = self._date(9)
        speed = self._speed_field(7)
        status = self._letter(2)
        # "D" in place of "A" is an old habit for a differential fix.
        valid = (status == 0x41 or status == 0x44) and self._letter(12) not in _NO_SATELLITES
        if day == MALFORMED or speed == MALFORMED or not self._place(1, 3, valid):
            return False
        if speed >= 0:
            self._speed = speed
        if self._day < 0:  # ZDA's date, which has its century, goes first
            self._day = day
        return True

    def _gga(self) -> bool:
        # 1 to 5: satellites alone, differential, precise, RTK fixed, RTK float. An empty field is no fix.
        return self._fix_data(0x31 <= self._letter(6) <= 0x35)

    def _gns(self) -> bool:
        # A mode letter for each satellite system: one that contributes is enough. The navigational status at the end says "V" on
        # receivers that do not offer one.
        valid = False
        for i in range(self._width(6)):
            if self._letter(6, i) not in _NO_SATELLITES:
                valid = True
        return self._fix_data(valid)

    def _fix_data(self, valid: bool) -> bool:
        satellites = self._number(7, 0)
        hdop = self._number(8, 2)
        if satellites == MALFORMED or hdop == MALFORMED or not self._place(1, 2, valid):
            return False
        # GGA stops counting at 12, or counts one system; GNS does not.
        self._satellites = max(self._satellites, satellites)
        if 0 < hdop < _HDOP_LIMIT:
            self._hdop = hdop
        return True

    def _gll(self) -> bool:
        return self._place(5, 1, self._letter(6) == 0x41 and self._letter(7) not in _NO_SATELLITES)

    def _zda(self) -> bool:
        time = self._time_of_day(1)
        day = days(self._number(4, 0), self._number(3, 0), self._number(2, 0))
        if time == MALFORMED or day == MALFORMED:
            return False
        self._enter(time)
        if day >= 0:
            self._day = day
        return True

    def _gst(self) -> bool:
        time = self._time_of_day(1)
        north = self._number(6, 2)
        east = self._number(7, 2)
        if time == MALFORMED or north == MALFORMED or east == MALFORMED:
            return False
        self._enter(time)
        if north >= 0 and east >= 0:
            self._deviation_cm = root(north * north + east * east)
        return True

    def _vtg(self) -> bool:
        # It has no time: it belongs to the epoch under way. An "N" says that the field before it is in knots.
        speed = self._speed_field(5)
        if speed == MALFORMED:
            return False
        if self._speed < 0 and self._letter(6) == 0x4E and self._letter(9) not in _NO_SATELLITES:
            self._speed = speed
        return True

    _readers = {b"RMC": _rmc, b"GGA": _gga, b"GNS": _gns, b"GLL": _gll, b"ZDA": _zda, b"GST": _gst, b"VTG": _vtg}

    def _speed_field(self, field: int) -> int:
        knots = self._number(field, 3)
        return (knots * 463 + 4500) // 9000 if knots >= 0 else knots  # to cm/s: 1 knot is 1852 m in 3600 s

    def _place(self, time_field: int, field: int, valid: bool) -> bool:
        time = self._time_of_day(time_field)
        if time == MALFORMED:
            return False
        if not valid or not self._letter(field) or not self._letter(field + 2):
            self._enter(time)
            self._denied = True
            return True
        lat = self._angle(field, 0x4E, 0x53, 900_000_000)  # N, S
        lon = self._angle(field + 2, 0x45, 0x57, 1_800_000_000)  # E, W
        if lat == NOWHERE or lon == NOWHERE:
            return False
        self._enter(time)
        self._lat = lat
        self._lon = lon
        self._given = True
        return True


def root(square: int) -> int:
    # The integer square root: Newton's method, from above.
    root = square
    following = (root + 1) // 2
    while following < root:
        root = following
        following = (root + square // root) // 2
    return root


def _same(time: int, other: int) -> bool:
    apart = abs(time - other)
    return other >= 0 and (apart < _SAME_MS or apart > _DAY_MS - _SAME_MS)
