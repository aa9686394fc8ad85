# Checked NMEA 0183 sentences out of a receiver's bytes, and their fields as integers; nothing about positions.
# Integers only, the buffers made once, and no sequence of bytes raises.
from strapline_wire.compat import const

# What a field reader gives in place of a number.
EMPTY = const(-1)
MALFORMED = const(-2)
NOWHERE = const(2_000_000_000)  # in place of an angle

# The standard ends a sentence at 82 characters; survey receivers send up to 91.
_LINE_LIMIT = const(120)
_FIELDS_LIMIT = const(16)
_MONTH_DAYS = bytes((31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31))


class SentenceReader:
    # A subclass says in `_read_sentence` what a sentence means.

    def __init__(self) -> None:
        # Good sentences, of any kind, and lines that began like one and were dropped: cut, too long, bad checksum, malformed field.
        self.sentences = 0
        self.broken = 0
        self._line = bytearray(_LINE_LIMIT)
        self._length = -1  # of the line so far, without "$"; -1 between sentences
        self._star = 0  # where the checksum's "*" stands; 0: not seen
        self._sum = 0
        self._starts = bytearray(_FIELDS_LIMIT + 1)

    def feed(self, data: bytes) -> None:
        # A sentence is complete at its checksum's second digit: what follows, line end or binary data, is no part of it.
        # One without a checksum is never complete, or a line that was cut off would pass for a whole one.
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

    def _read_sentence(self, kind: bytes) -> bool:
        # False, with nothing changed, when a field is malformed.
        raise NotImplementedError

    def _drop(self, length: int) -> None:
        # In binary data a "$" is noise; in front of five capitals or digits it began a sentence.
        if length < 5:
            return
        for i in range(5):
            if not (0x41 <= self._line[i] <= 0x5A or 0x30 <= self._line[i] <= 0x39):
                return
        self.broken += 1

    def _complete(self, end: int, total: int) -> None:
        line = self._line
        if end < 5:
            return
        if _hex(line[end + 1]) * 16 + _hex(line[end + 2]) != total:
            self._drop(end)
            return
        good = True
        # Two letters for the talker, whoever it is, and three for the kind; but a proprietary sentence begins with P, and Garmin's
        # $PGRMC is no RMC.
        if line[0] != 0x50 and end > 5 and line[5] == 0x2C:
            self._split(end)
            good = self._read_sentence(bytes(line[2:5]))
        if good:
            self.sentences += 1
        else:
            self.broken += 1

    def _split(self, end: int) -> None:
        # Field i lies from starts[i] up to starts[i + 1] - 1; a field that the sentence does not have is empty.
        starts = self._starts
        count = 0
        for i in range(5, end):
            if self._line[i] == 0x2C and count < _FIELDS_LIMIT - 1:  # ","
                count += 1
                starts[count] = i + 1
        for i in range(count + 1, _FIELDS_LIMIT + 1):
            starts[i] = end + 1

    def _width(self, field: int) -> int:
        return max(0, self._starts[field + 1] - 1 - self._starts[field])

    def _letter(self, field: int, index: int = 0) -> int:
        # A letter of the field, or 0 past its end.
        return self._line[self._starts[field] + index] if index < self._width(field) else 0

    def _number(self, field: int, places: int) -> int:
        return _decimal(self._line, self._starts[field], self._starts[field + 1] - 1, places)

    def _time_of_day(self, field: int) -> int:
        # hhmmss and any number of decimals, in ms, cut; second 60 is a leap second.
        width = self._width(field)
        if width == 0:
            return EMPTY
        start = self._starts[field]
        if width < 6 or (width > 6 and self._line[start + 6] != 0x2E):
            return MALFORMED
        hour = _pair(self._line, start)
        minute = _pair(self._line, start + 2)
        second = _pair(self._line, start + 4)
        ms = _decimal(self._line, start + 6, start + width, 3) if width > 6 else 0
        if min(hour, minute, second, ms) < 0 or hour > 23 or minute > 59 or second > 60:
            return MALFORMED
        return ((hour * 60 + minute) * 60 + second) * 1000 + ms

    def _date(self, field: int) -> int:
        # ddmmyy, in days since 1970. GPS began in 1980: a receiver that does not know the date names a day of that year.
        width = self._width(field)
        if width == 0:
            return EMPTY
        start = self._starts[field]
        if width != 6:
            return MALFORMED
        year = _pair(self._line, start + 4)
        if year >= 0:
            year += 2000 if year < 80 else 1900
        return days(year, _pair(self._line, start + 2), _pair(self._line, start))

    def _angle(self, field: int, plus: int, minus: int, limit: int) -> int:
        # d...dmm.mmm and in the next field its hemisphere, in 1e-7 degree.
        start = self._starts[field]
        stop = start + self._width(field)
        point = start
        while point < stop and self._line[point] != 0x2E:
            point += 1
        if point - start < 3:
            return NOWHERE
        degrees = _decimal(self._line, start, point - 2, 0)
        minutes = _decimal(self._line, point - 2, stop, 7)
        if degrees < 0 or not 0 <= minutes < 600_000_000:
            return NOWHERE
        angle = degrees * 10_000_000 + (minutes + 30) // 60
        hemisphere = self._letter(field + 1)
        if angle > limit or (hemisphere != plus and hemisphere != minus):
            return NOWHERE
        return angle if hemisphere == plus else -angle


def _hex(byte: int) -> int:
    if 0x30 <= byte <= 0x39:
        return byte - 0x30
    byte |= 0x20
    return byte - 0x57 if 0x61 <= byte <= 0x66 else 0x100


def _pair(line: bytearray, start: int) -> int:
    tens = line[start] - 0x30
    ones = line[start + 1] - 0x30
    return tens * 10 + ones if 0 <= tens <= 9 and 0 <= ones <= 9 else MALFORMED


def _decimal(line: bytearray, start: int, stop: int, places: int) -> int:
    # An unsigned number times 10 ** places, cut. A whole part of more than four digits gives 9999: no number grows without bound.
    if start >= stop:
        return EMPTY
    value = 0
    digits = 0
    point = False
    for i in range(start, stop):
        digit = line[i] - 0x30
        if digit == -2 and not point:  # "."
            point = True
        elif not 0 <= digit <= 9:
            return MALFORMED
        else:
            digits += 1
            if not point:
                value = value * 10 + digit if value < 1000 else 9999
            elif places > 0:
                value = value * 10 + digit
                places -= 1
    return value * 10**places if digits else MALFORMED


def days(year: int, month: int, day: int) -> int:
    # Days since 1970-01-01, from 1980 to 2099. EMPTY and MALFORMED go through.
    if year < 0 or month < 0 or day < 0:
        return min(year, month, day)
    if not (1980 <= year <= 2099 and 1 <= month <= 12 and 1 <= day <= _MONTH_DAYS[month - 1]):
        return MALFORMED
    if month == 2 and day == 29 and year % 4:
        return MALFORMED
    # Counted from March, so that the leap day, every fourth year in this range, comes last.
    months = (month + 9) % 12
    years = year - 1970 - months // 10
    return years * 365 + (years + 2) // 4 + (months * 153 + 2) // 5 + day + 58
