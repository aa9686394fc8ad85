"""A GNSS receiver's recorded serial output as bytes with a pace, and nothing about positions."""

import re
from functools import reduce
from operator import xor
from pathlib import Path
from typing import NamedTuple

from strapline_protocol.errors import UserError

_DAY_S = 86_400.0
_JUMP_S = 3_600.0
_UNTIMED_STEP_S = 1.0

# The sentences that carry the epoch's time of day, and the field that it is in.
_TIME_FIELD = {b"RMC": 1, b"GGA": 1, b"GNS": 1, b"ZDA": 1, b"GLL": 5}
_SENTENCE = re.compile(rb"\$([A-OQ-Z][A-Z](RMC|GGA|GNS|ZDA|GLL),[^$*\r\n]*)\*([0-9A-Fa-f]{2})")
_TIME = re.compile(rb"(\d\d)(\d\d)(\d\d(?:\.\d+)?)")


class GnssLogError(UserError):
    """The file is no receiver's log; one line that names the file and the mend."""


class Epoch(NamedTuple):
    """The bytes that a receiver sends in one go, `offset_s` seconds after the first."""

    offset_s: float
    data: bytes


class _Mark(NamedTuple):
    """Where an epoch begins in the file, and its time of day in seconds if it has one."""

    start: int
    time_s: float | None


def read_gnss_log(path: Path) -> list[Epoch]:
    """The file cut into epochs, with no byte left out, changed or moved: joined, they are the file.

    A sentence with a right checksum (RMC, GGA, GNS, GLL or ZDA) begins an epoch when its time of day is another than that of the epoch
    so far, or when it has no time and its kind has been in the epoch already. What stands in front of the first sentence, such as
    GPSD's comment lines, belongs to the first epoch.

    The offsets follow the times in the log, over midnight too. Where an epoch has no time, or its time goes backwards or jumps by more
    than an hour, it comes one second after the one before.
    """
    data = _read(path)
    marks = _marks(data)
    if not marks:
        raise GnssLogError(f"{path}: no NMEA sentence in it; give a receiver's raw serial output")
    starts = [0, *(mark.start for mark in marks[1:]), len(data)]
    return [
        Epoch(offset_s, data[start:stop])
        for offset_s, start, stop in zip(_offsets(marks), starts, starts[1:], strict=False)
    ]


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise GnssLogError(f"{path}: no such file; give the path of a receiver's raw serial output") from None
    except OSError as error:
        raise GnssLogError(f"{path}: cannot be read ({error.strerror}); give a file that you may read") from None
    if not data:
        raise GnssLogError(f"{path}: the file is empty; give a receiver's raw serial output")
    return data


def _marks(data: bytes) -> list[_Mark]:
    marks: list[_Mark] = []
    seen: set[bytes] = set()
    for sentence in _SENTENCE.finditer(data):
        content, kind, checksum = sentence.groups()
        if reduce(xor, content, 0) != int(checksum, 16):
            continue
        address = content[:5]
        time_s = _time_of_day(content.split(b","), _TIME_FIELD[kind])
        if marks and time_s is not None and marks[-1].time_s is None and address not in seen:
            # The epoch began with a sentence that knew no time, and this one says it.
            marks[-1] = marks[-1]._replace(time_s=time_s)
        elif not marks or (address in seen if time_s is None else time_s != marks[-1].time_s):
            marks.append(_Mark(sentence.start(), time_s))
            seen.clear()
        seen.add(address)
    return marks


def _time_of_day(fields: list[bytes], index: int) -> float | None:
    found = _TIME.fullmatch(fields[index]) if index < len(fields) else None
    return None if found is None else int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])


def _offsets(marks: list[_Mark]) -> list[float]:
    offsets: list[float] = []
    timed: tuple[float, float] | None = None  # the last time of day, and its offset
    for mark in marks:
        offset = offsets[-1] + _UNTIMED_STEP_S if offsets else 0.0
        if mark.time_s is not None:
            if timed is not None:
                elapsed = round((mark.time_s - timed[0]) % _DAY_S, 6)
                if elapsed <= _JUMP_S:
                    offset = max(offsets[-1], timed[1] + elapsed)
            timed = mark.time_s, offset
        offsets.append(round(offset, 6))
    return offsets
