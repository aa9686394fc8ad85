"""When a wearer may be out."""

from datetime import datetime, time
from typing import NamedTuple
from zoneinfo import ZoneInfo


class Window(NamedTuple):
    """A daily may-leave window in local time, within one day."""

    opens: time
    closes: time


class Schedule(NamedTuple):
    """May-leave windows in the wearer's time zone."""

    zone: ZoneInfo
    windows: tuple[Window, ...]

    def may_be_out(self, moment: datetime) -> bool:
        local = moment.astimezone(self.zone).time()
        return any(window.opens <= local < window.closes for window in self.windows)
