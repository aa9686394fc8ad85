"""What a CURFEW says at a second, for ends that are no tag. The tag reads the same from the bytes as they lie; tests hold both equal."""

from collections.abc import Iterator
from typing import NamedTuple

from strapline_protocol.codes import Window
from strapline_wire import documents
from strapline_wire.errors import RemoteProtocolError

_WEEK_S = 604800
_MONDAY_S = 259200
"""1 January 1970 was a Thursday."""

_OFFSETS_MIN = range(-840, 841)
_MINUTES = range(10080)
_KNOWN = frozenset(int(window) for window in Window)


class Ruling(NamedTuple):
    """What holds, and the first second at which something else may."""

    window: Window
    until_s: int


class CurfewRules:
    """One document, read once. Raises `RemoteProtocolError` for bytes that a tag would refuse."""

    def __init__(self, document: bytes) -> None:
        curfew = documents.unpack_curfew(document)
        self.revision: int = curfew.revision
        self._changes = [tuple(change) for change in curfew.changes]
        self._weekly = [tuple(window) for window in curfew.weekly]
        self._once = [tuple(window) for window in curfew.once]
        if not self._is_well():
            raise RemoteProtocolError("out_of_range", "CURFEW")

    def _is_well(self) -> bool:
        starts = [start for start, _ in self._changes]
        return (
            bool(starts)
            and starts == sorted(set(starts))
            and all(minutes in _OFFSETS_MIN for _, minutes in self._changes)
            and all(
                rule in _KNOWN and start in _MINUTES and 0 < length <= 10080 for rule, start, length in self._weekly
            )
            and all(rule in _KNOWN and start < end for rule, start, end in self._once)
        )

    def at(self, utc_s: int) -> Ruling:
        """Once-windows go before weekly ones; among equals staying at home goes before leaving, and no window says stay."""
        until_s = utc_s + _WEEK_S
        ruling: int | None = None
        for windows in (self._weeklies_at(utc_s), self._onces_at(utc_s)):
            open_now = []
            for rule, is_open, left_s in windows:
                until_s = min(until_s, utc_s + left_s)
                if is_open:
                    open_now.append(rule)
            ruling = max(open_now, default=ruling)
        for start, _ in self._changes:
            if start > utc_s:
                until_s = min(until_s, start)
        return Ruling(Window.STAY_HOME if ruling is None else Window(ruling), until_s)

    def _weeklies_at(self, utc_s: int) -> Iterator[tuple[int, bool, int]]:
        """(rule, whether it is open, seconds until that changes) of each weekly window."""
        week_s = (utc_s + self._offset_min(utc_s) * 60 + _MONDAY_S) % _WEEK_S
        for rule, start_min, length_min in self._weekly:
            since_s = (week_s - start_min * 60) % _WEEK_S
            left_s = length_min * 60 - since_s
            yield rule, left_s > 0, left_s if left_s > 0 else _WEEK_S - since_s

    def _onces_at(self, utc_s: int) -> Iterator[tuple[int, bool, int]]:
        for rule, start_s, end_s in self._once:
            if utc_s < start_s:
                yield rule, False, start_s - utc_s
            elif utc_s < end_s:
                yield rule, True, end_s - utc_s

    def _offset_min(self, utc_s: int) -> int:
        past = [minutes for start, minutes in self._changes if start <= utc_s]
        return past[-1] if past else self._changes[0][1]
