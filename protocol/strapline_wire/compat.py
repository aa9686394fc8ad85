# mypy: disable-error-code="no-redef, misc, assignment"
# What MicroPython has and CPython lacks, and the other way round, for sources that run on both.
try:
    from micropython import const
except ImportError:

    def const(value):
        return value


try:
    from strapline_wire.host import CUTS, FORGED, SHORT, reader, record, rows, utf8, writer
except ImportError:
    from collections import namedtuple
    from struct import pack, unpack_from

    CUTS = True  # struct cuts numbers that are too large, and says nothing

    class FORGED(Exception):
        pass

    SHORT = ValueError  # what unpack_from raises where the data are too short

    def reader(form):
        # Data, and where to begin, into a tuple.
        return lambda data, at=0: unpack_from(form, data, at)

    def writer(form):
        # Values into bytes. What lies out of range is cut here and refused there: check before.
        return lambda *values: pack(form, *values)

    def record(name, fields):
        # Makes an immutable record with named fields out of a tuple of values.
        made = namedtuple(name, fields)
        return lambda values: made(*values)

    def rows(form):
        # So many records of the same form, one behind the other.
        from struct import calcsize

        size = calcsize(form)

        def read(make, data, at, count):
            return tuple([make(unpack_from(form, data, at + size * i)) for i in range(count)])

        return read

    def utf8(data):
        # Text out of UTF-8, as strict as CPython's: no surrogate, nothing longer than need be, nothing above U+10FFFF.
        from strapline_wire.errors import RemoteProtocolError

        at = 0
        while at < len(data):
            first = data[at]
            at += 1
            more = (first >= 0xC2) + (first >= 0xE0) + (first >= 0xF0)
            if first > 0xF4 or (first >= 0x80 and not more):
                raise RemoteProtocolError("not_utf8")
            low, high = _SECOND.get(first, (0x80, 0xBF))
            for _ in range(more):
                if at >= len(data) or not low <= data[at] <= high:
                    raise RemoteProtocolError("not_utf8")
                low, high = 0x80, 0xBF
                at += 1
        return str(data, "utf-8")

    # Unicode 15, table 3-7: the second byte where it is narrower than the rest.
    _SECOND = {0xE0: (0xA0, 0xBF), 0xED: (0x80, 0x9F), 0xF0: (0x90, 0xBF), 0xF4: (0x80, 0x8F)}
