# Positions out of a GNSS receiver's NMEA 0183 bytes, and nothing else out of them: no satellites in view, no altitude, no heading.
# Integers only, buffers made once, and no sequence of bytes raises.
#
# An epoch is all that the receiver says about one time of day. It has a position when one of its sentences gives a valid one and
# none denies it, in whatever order: of two contradicting statements about where a person is, the tag believes neither. What rests
# on no satellites (dead reckoning, typed in, simulated) is a denial. A sentence without its checksum is dropped, or a cut line
# would pass for a whole one. The date is carried on from epoch to epoch: make a new parser when the receiver has been off.
from collections import deque, namedtuple

from strapline_wire.compat import const

# utc_s: Unix seconds where the date is known (dated), else seconds of the day. lat_e7, lon_e7: 1e-7 degree, north and east positive.
# accuracy_dm: distance root mean square in decimetres, from GST, else estimated from HDOP. What the receiver does not say is UNKNOWN.
Position = namedtuple(
    "Position", ("utc_s", "utc_ms", "dated", "lat_e7", "lon_e7", "accuracy_dm", "speed_cm_s", "satellites")
)
UNKNOWN = const(0xFFFF)  # accuracy_dm, speed_cm_s
UNKNOWN_COUNT = const(0xFF)  # satellites

# The standard ends a sentence at 82 characters; survey receivers send up to 91.
_LINE_LIMIT = const(120)
_FIELDS_LIMIT = const(16)
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

_EMPTY = const(-1)
_MALFORMED = const(-2)
_NOWHERE = const(2_000_000_000)  # an angle that is none

# Mode letters without a satellite fix: not valid, estimated (dead reckoning), manual input, simulator.
_NO_SATELLITES = b"NEMS"
_MONTH_DAYS = bytes((31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31))


class NmeaParser:
    def __init__(self) -> None:
        self.sentences = 0  # good sentences, of any type
        self.broken = 0  # lines that began like a sentence and were dropped: cut, too long, bad checksum, malformed field
        self.dropped = 0  # positions that nobody took in time
        self._line = bytearray(_LINE_LIMIT)
        self._length = -1  # of the line so far, without "$"; -1 between sentences
        self._star = 0  # where the checksum's "*" stands; 0: not seen
        self._sum = 0
        self._starts = bytearray(_FIELDS_LIMIT + 1)
        self._positions = deque((), _QUEUE_LIMIT)
        self._last_day = _EMPTY  # of the last position
        self._last_ms = _EMPTY
        self._begin(_EMPTY)

    def feed(self, data: bytes) -> None:
        line = self._line
        length = self._length
        star = self._star
        total = self._sum
        for byte in data:
            if byte == 0x24:  # "$"
                self._drop(length)
                length = star = total = 0
            elif length < 0:
                continue
            elif byte < 0x20 or byte > 0x7E or length == _LINE_LIMIT:
                self._drop(length)
                length = -1
            else:
                line[length] = byte
                length += 1
                if star:
                    if length == star + 3:
                        self._complete(star, total)
                        length = -1
                elif byte == 0x2A:  # "*"
                    star = length - 1
                else:
                    total ^= byte
        self._length = length
        self._star = star
        self._sum = total

    def take(self) -> "Position | None":
        return self._positions.popleft() if self._positions else None

    def flush(self) -> None:
        self._close()
        self._begin(_EMPTY)

    # Lines

    def _drop(self, length: int) -> None:
        # In binary data a "$" is noise; in front of five capitals it began a sentence.
        if length < 5:
            return
        for i in range(5):
            if not 0x41 <= self._line[i] <= 0x5A:
                return
        self.broken += 1

    def _complete(self, end: int, total: int) -> None:
        line = self._line
        if _hex(line[end + 1]) * 16 + _hex(line[end + 2]) != total:
            self._drop(end)
            return
        # A proprietary sentence begins with P: Garmin's $PGRMC is no RMC.
        if line[0] == 0x50 or end < 6 or line[5] != 0x2C or self._sentence(end):
            self.sentences += 1
        else:
            self.broken += 1

    def _sentence(self, end: int) -> bool:
        reader = _READERS.get(bytes(self._line[2:5]))
        if reader is None:
            return True
        # Field i lies from starts[i] up to starts[i + 1] - 1; what is past the last one is empty.
        starts = self._starts
        count = 0
        for i in range(5, end):
            if self._line[i] == 0x2C and count < _FIELDS_LIMIT - 1:  # ","
                count += 1
                starts[count] = i + 1
        for i in range(count + 1, _FIELDS_LIMIT + 1):
            starts[i] = end + 1
        return reader(self)

    # Sentences: each gives False, and changes nothing, when a field is malformed.

    def _rmc(self) -> bool:
        speed = self._number(7, 3)
        day = self._date(9)
        status = self._letter(2)
        # "D" in place of "A" is an old habit for a differential fix.
        valid = (status == 0x41 or status == 0x44) and self._letter(12) not in _NO_SATELLITES
        if speed == _MALFORMED or day == _MALFORMED or not self._place(1, 3, valid):
            return False
        if speed >= 0:
            self._speed = (speed * 463 + 4500) // 9000  # 1 knot is 1852 m in 3600 s
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
        for i in range(self._starts[6], self._starts[7] - 1):
            if self._line[i] not in _NO_SATELLITES:
                valid = True
        return self._fix_data(valid)

    def _fix_data(self, valid: bool) -> bool:
        satellites = self._number(7, 0)
        hdop = self._number(8, 2)
        if satellites == _MALFORMED or hdop == _MALFORMED or not self._place(1, 2, valid):
            return False
        # GGA stops counting at 12, GNS does not.
        self._satellites = max(self._satellites, satellites)
        if 0 < hdop < _HDOP_LIMIT:
            self._hdop = hdop
        return True

    def _gll(self) -> bool:
        return self._place(5, 1, self._letter(6) == 0x41 and self._letter(7) not in _NO_SATELLITES)

    def _zda(self) -> bool:
        time = self._time_of_day(1)
        day = _days(self._number(4, 0), self._number(3, 0), self._number(2, 0))
        if day == _MALFORMED or time == _MALFORMED:
            return False
        self._enter(time)
        if day >= 0:
            self._day = day
        return True

    def _gst(self) -> bool:
        time = self._time_of_day(1)
        north = self._number(6, 2)
        east = self._number(7, 2)
        if time == _MALFORMED or north == _MALFORMED or east == _MALFORMED:
            return False
        self._enter(time)
        if north >= 0 and east >= 0:
            self._deviation_cm = _root(north * north + east * east)
        return True

    def _vtg(self) -> bool:
        # It has no time: it belongs to the epoch under way. Letter N: the field before it is in knots.
        speed = self._number(5, 3)
        if speed == _MALFORMED:
            return False
        if speed >= 0 and self._speed < 0 and self._letter(6) == 0x4E and self._letter(9) not in _NO_SATELLITES:
            self._speed = (speed * 463 + 4500) // 9000
        return True

    # Fields

    def _number(self, field: int, places: int) -> int:
        return _decimal(self._line, self._starts[field], self._starts[field + 1] - 1, places)

    def _letter(self, field: int) -> int:
        start = self._starts[field]
        return self._line[start] if start < self._starts[field + 1] - 1 else 0

    def _time_of_day(self, field: int) -> int:
        # hhmmss, hhmmss.s, hhmmss.ss ... in ms; second 60 is a leap second.
        start = self._starts[field]
        length = self._starts[field + 1] - 1 - start
        if length <= 0:
            return _EMPTY
        hour = _pair(self._line, start)
        minute = _pair(self._line, start + 2)
        second = _pair(self._line, start + 4)
        ms = _decimal(self._line, start + 6, start + length, 3) if length > 6 else 0
        if length < 6 or min(hour, minute, second, ms) < 0 or hour > 23 or minute > 59 or second > 60 or ms > 999:
            return _MALFORMED
        return ((hour * 60 + minute) * 60 + second) * 1000 + ms

    def _date(self, field: int) -> int:
        # ddmmyy. GPS began in 1980, and a receiver that does not know the date says so by a day of that year.
        start = self._starts[field]
        length = self._starts[field + 1] - 1 - start
        if length <= 0:
            return _EMPTY
        year = _pair(self._line, start + 4)
        if length != 6 or year < 0:
            return _MALFORMED
        return _days(year + (2000 if year < 80 else 1900), _pair(self._line, start + 2), _pair(self._line, start))

    def _angle(self, field: int, plus: int, minus: int, limit: int) -> int:
        # d...dmm.mmm, and the hemisphere in the next field, in 1e-7 degree.
        start = self._starts[field]
        stop = self._starts[field + 1] - 1
        point = start
        while point < stop and self._line[point] != 0x2E:
            point += 1
        degrees = _decimal(self._line, start, point - 2, 0)
        minutes = _decimal(self._line, point - 2, stop, 7) if point - start > 2 else _MALFORMED
        if degrees < 0 or not 0 <= minutes < 600_000_000:
            return _NOWHERE
        angle = degrees * 10_000_000 + (minutes + 30) // 60
        hemisphere = self._letter(field + 1)
        if angle > limit or (hemisphere != plus and hemisphere != minus):
            return _NOWHERE
        return angle if hemisphere == plus else -angle

    # Epochs

    def _place(self, time_field: int, field: int, valid: bool) -> bool:
        time = self._time_of_day(time_field)
        if time == _MALFORMED:
            return False
        if valid and self._letter(field) and self._letter(field + 2):
            lat = self._angle(field, 0x4E, 0x53, 900_000_000)
            lon = self._angle(field + 2, 0x45, 0x57, 1_800_000_000)
            if lat == _NOWHERE or lon == _NOWHERE:
                return False
            self._enter(time)
            self._lat = lat
            self._lon = lon
            self._given = True
        else:
            self._enter(time)
            self._denied = True
        return True

    def _enter(self, time: int) -> None:
        # A sentence without a time of day belongs to no epoch that is known, and ends the one before.
        if time < 0 or not _same(time, self._time):
            self._close()
            self._begin(time)

    def _begin(self, time: int) -> None:
        self._time = time
        self._day = _EMPTY
        self._lat = 0
        self._lon = 0
        self._given = False
        self._denied = False
        self._hdop = _EMPTY
        self._deviation_cm = _EMPTY
        self._speed = _EMPTY
        self._satellites = _EMPTY

    def _close(self) -> None:
        if self._time < 0 or not self._given or self._denied:
            return
        day = self._day if self._day >= 0 else self._carried_day()
        # A receiver that is stuck repeats its last epoch: that is no new position.
        if day == self._last_day and _same(self._time, self._last_ms):
            return
        self._last_day = day
        self._last_ms = self._time
        if len(self._positions) == _QUEUE_LIMIT:
            self._positions.popleft()
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
        return day if self._last_day >= 0 and -_CARRY_MS < step < _CARRY_MS else _EMPTY

    def _accuracy(self) -> int:
        # Rounded up: a position is never said to be better than it is.
        if self._deviation_cm > 0:
            return min((self._deviation_cm + 9) // 10, UNKNOWN - 1)
        if self._hdop > 0:
            return (self._hdop * _RANGE_ERROR_DM + 99) // 100
        return UNKNOWN


_READERS = {
    b"RMC": NmeaParser._rmc,
    b"GGA": NmeaParser._gga,
    b"GNS": NmeaParser._gns,
    b"GLL": NmeaParser._gll,
    b"ZDA": NmeaParser._zda,
    b"GST": NmeaParser._gst,
    b"VTG": NmeaParser._vtg,
}


def _hex(byte: int) -> int:
    if 0x30 <= byte <= 0x39:
        return byte - 0x30
    byte |= 0x20
    return byte - 0x57 if 0x61 <= byte <= 0x66 else 0x100


def _pair(line: bytearray, start: int) -> int:
    tens = line[start] - 0x30
    ones = line[start + 1] - 0x30
    return tens * 10 + ones if 0 <= tens <= 9 and 0 <= ones <= 9 else _MALFORMED


def _decimal(line: bytearray, start: int, stop: int, places: int) -> int:
    # A number times 10 ** places, cut; a whole part past 9999 stays at 9999, so that no sum here leaves a board's small integers.
    if start >= stop:
        return _EMPTY
    value = 0
    digits = 0
    point = False
    for i in range(start, stop):
        digit = line[i] - 0x30
        if digit == -2 and not point:  # "."
            point = True
        elif not 0 <= digit <= 9:
            return _MALFORMED
        else:
            digits += 1
            if not point:
                value = value * 10 + digit if value < 1000 else 9999
            elif places > 0:
                value = value * 10 + digit
                places -= 1
    if digits == 0:
        return _MALFORMED
    return value * 10**places


def _days(year: int, month: int, day: int) -> int:
    # Days since 1970-01-01.
    if year < 0 or month < 0 or day < 0:
        return min(year, month, day)
    if not (1980 <= year <= 2099 and 1 <= month <= 12 and 1 <= day <= _MONTH_DAYS[month - 1]):
        return _MALFORMED
    if month == 2 and day == 29 and year % 4:
        return _MALFORMED
    # Counted from March, so that the leap day comes last; from 1980 to 2099 every fourth year has one.
    months = (month + 9) % 12
    years = year - 1970 - months // 10
    return years * 365 + (years + 2) // 4 + (months * 153 + 2) // 5 + day + 58


def _root(square: int) -> int:
    # The integer square root, by Newton's method from above.
    root = square
    following = (root + 1) // 2
    while following < root:
        root = following
        following = (root + square // root) // 2
    return root


def _same(time: int, other: int) -> bool:
    apart = abs(time - other)
    return other >= 0 and (apart < _SAME_MS or apart > _DAY_MS - _SAME_MS)
