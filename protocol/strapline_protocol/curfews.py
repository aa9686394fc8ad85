"""A wearer's week, as people say it, made into the CURFEW that a tag keeps: the time zone with its changes worked out for years."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from strapline_protocol.codes import Window
from strapline_wire.errors import LocalProtocolError

CHANGES_LIMIT = 16
"""As CURFEW's layout has it: eight years of summer time."""

_DAY_MIN = 1440
_WEEK_MIN = 7 * _DAY_MIN
_STEP = timedelta(hours=6)


class Weekly(NamedTuple):
    """A window of each week, in local time."""

    window: Window
    day: int
    """0 is Monday."""
    begins: time
    ends: time
    """On the next day where it is not after `begins`; the same is 24 h."""


class Once(NamedTuple):
    """A window that comes once, such as the doctor's; it goes before the weekly ones."""

    window: Window
    begins: datetime
    ends: datetime


class CurfewValues(NamedTuple):
    """What `CommandSealer.curfew` takes: `sealer.curfew(revision, **values._asdict())`."""

    changes: tuple[tuple[int, int], ...]
    weekly: tuple[tuple[int, int, int], ...]
    once: tuple[tuple[int, int, int], ...]


def curfew_values(
    zone: ZoneInfo, weekly: Iterable[Weekly], once: Iterable[Once], *, since: datetime, until: datetime
) -> CurfewValues:
    """The document for a tag that keeps it from `since` to `until`; behind that the zone stays as it was: send another before.

    Raises `LocalProtocolError` where the zone changes more often than a document holds, or not by whole minutes.
    """
    return CurfewValues(
        zone_changes(zone, since, until),
        tuple((int(w.window), w.day * _DAY_MIN + _minute(w.begins), _length_min(w)) for w in weekly),
        tuple((int(o.window), int(o.begins.timestamp()), int(o.ends.timestamp())) for o in once),
    )


def _minute(moment: time) -> int:
    if moment.second or moment.microsecond:
        raise LocalProtocolError(f"{moment} is no whole minute")
    return moment.hour * 60 + moment.minute


def _length_min(weekly: Weekly) -> int:
    return (_minute(weekly.ends) - _minute(weekly.begins) - 1) % _DAY_MIN + 1


def zone_changes(zone: ZoneInfo, since: datetime, until: datetime) -> tuple[tuple[int, int], ...]:
    """(Unix second, minutes ahead of UTC from then on): what holds at `since`, and each change up to `until`."""
    changes = tuple(_changes(zone, since.astimezone(UTC).replace(microsecond=0), until))
    if len(changes) > CHANGES_LIMIT:
        raise LocalProtocolError(f"{zone.key} changes {len(changes) - 1} times until {until:%Y-%m-%d}: fewer years")
    return changes


def _changes(zone: ZoneInfo, at: datetime, until: datetime) -> Iterator[tuple[int, int]]:
    known = _offset_min(zone, at)
    yield int(at.timestamp()), known
    while at < until:
        ahead = min(at + _STEP, until)
        if _offset_min(zone, ahead) != known:
            ahead = _first_after(zone, at, ahead)
            known = _offset_min(zone, ahead)
            yield int(ahead.timestamp()), known
        at = ahead


def _first_after(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The second of the change between two moments, of which only the second has the new offset."""
    old = _offset_min(zone, before)
    while after - before > timedelta(seconds=1):
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if middle == before:
            break
        before, after = (middle, after) if _offset_min(zone, middle) == old else (before, middle)
    return after


def _offset_min(zone: ZoneInfo, moment: datetime) -> int:
    offset = moment.astimezone(zone).utcoffset() or timedelta()
    if offset % timedelta(minutes=1):
        raise LocalProtocolError(f"{zone.key} is {offset} ahead of UTC: not by whole minutes")
    return offset // timedelta(minutes=1)
