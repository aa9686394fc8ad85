"""The wearer's time of day for simulated seconds, changes of the clock included."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_SEARCH_STEP_S = 6 * 3600

# In a run not much longer than a day, the date beside each time would only be noise.
_ONE_OF_EACH_S = 36 * 3600


class LocalClock:
    """Turns seconds since the start into local time; ValueError for a naive start, KeyError for an unknown time zone."""

    def __init__(self, start_utc: datetime, tz_name: str, end_s: float) -> None:
        if start_utc.tzinfo is None:
            raise ValueError(f"the start {start_utc} has no time zone")
        self._start = start_utc.astimezone(UTC)
        self.start_epoch_s = start_utc.timestamp()
        self.end_s = end_s
        self._zone = ZoneInfo(tz_name)

    def at(self, t_s: float) -> datetime:
        """The local date and time."""
        return (self._start + timedelta(seconds=t_s)).astimezone(self._zone)

    def clock(self, t_s: float) -> str:
        """Time of day to the second, as in "23:40:02"."""
        return f"{self.at(t_s):%H:%M:%S}"

    def brief(self, t_s: float, seconds: bool = False) -> str:
        """Time of day as short as it can be: "23:40", with the day before it in a run that has more than one such time."""
        when = self.at(t_s)
        clock = f"{when:%H:%M:%S}" if seconds else f"{when:%H:%M}"
        return clock if self.end_s <= _ONE_OF_EACH_S else f"{when:%a} {when.day} {when:%b} {clock}"

    def stamp(self, t_s: float) -> str:
        """Day and time of day, as in "Tue 13 Jan 23:40:02"."""
        when = self.at(t_s)
        return f"{when:%a} {when.day} {when:%b %H:%M:%S}"

    def date(self, t_s: float) -> str:
        """The day in full, as in "Tuesday 13 January 2026"."""
        when = self.at(t_s)
        return f"{when:%A} {when.day} {when:%B %Y}"

    def offset_s(self, t_s: float) -> int:
        """How far local time is ahead of UTC, in seconds."""
        offset = self.at(t_s).utcoffset()
        return int(offset.total_seconds()) if offset is not None else 0

    def offsets(self) -> list[tuple[float, int]]:
        """(t_s from which it holds, offset in seconds) from the start to the end; one entry unless the clocks change."""
        found = [(0.0, self.offset_s(0))]
        t_s = 0.0
        while t_s < self.end_s:
            step_end = min(t_s + _SEARCH_STEP_S, self.end_s)
            if self.offset_s(step_end) != self.offset_s(t_s):
                found.append(self._change(t_s, step_end))
            t_s = step_end
        return found

    def _change(self, before_s: float, after_s: float) -> tuple[float, int]:
        """The whole second at which the offset changes, found by halving."""
        low, high = int(before_s), int(after_s) + 1
        old = self.offset_s(before_s)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.offset_s(middle) == old else (low, middle)
        return float(high), self.offset_s(after_s)
