"""When a wearer may, must or must not be out."""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from strapline_protocol import document_rules
from strapline_protocol.codes import Kind
from strapline_protocol.codes import Window as Rule
from strapline_protocol.curfews import CurfewValues, Once, Weekly, curfew_values
from strapline_wire import documents

YEARS = 5
"""A tag is sent the changes of its time zone for so long ahead."""


class Window(NamedTuple):
    """A daily may-leave window in local time; over midnight where it closes before it opens, the whole day where both are the same."""

    opens: time
    closes: time


def window_of(text: str) -> Window:
    """`07:30-17:30`, `21:00-06:00` over midnight, `00:00-24:00` for the whole day. Raises `ValueError`, one line with the mend."""
    try:
        begins, ends = (part.strip() for part in text.split("-"))
        window = Window(time.fromisoformat(begins), time(0) if ends == "24:00" else time.fromisoformat(ends))
    except ValueError:
        raise ValueError(f'"{text}" is no window; write two times of day, such as "07:30-17:30"') from None
    if window.opens.tzinfo is not None or window.closes.tzinfo is not None:
        raise ValueError(f'"{text}" has a time zone; write two times of day, and the zone in zone')
    if window.opens == window.closes and ends != "24:00":
        raise ValueError(f'"{text}" is empty; write two different times, or "00:00-24:00" for the whole day')
    return window


class Schedule(NamedTuple):
    """Windows in the wearer's time zone; outside all of them the wearer is to be at home."""

    zone: ZoneInfo
    windows: tuple[Window, ...]
    weekly: tuple[Weekly, ...] = ()
    once: tuple[Once, ...] = ()

    def rule_at(self, moment: datetime) -> Rule:
        """What holds at a moment: one-off windows go before weekly ones, and of several in one list the highest."""
        once = [window.window for window in self.once if window.begins <= moment < window.ends]
        local = moment.astimezone(self.zone)
        weekly = [window.window for window in self._weekly() if _holds(window, local)]
        return max(once or weekly or [Rule.STAY_HOME])

    def may_be_out(self, moment: datetime) -> bool:
        return self.rule_at(moment) != Rule.STAY_HOME

    def _weekly(self) -> Iterator[Weekly]:
        yield from self.weekly
        for window in self.windows:
            yield from (Weekly(Rule.MAY_LEAVE, day, window.opens, window.closes) for day in range(7))

    def curfew(self, since: datetime) -> CurfewValues:
        """The same for the tag."""
        until = since + timedelta(days=365 * YEARS)
        return curfew_values(self.zone, self._weekly(), self.once, since=since, until=until)


def _holds(window: Weekly, local: datetime) -> bool:
    # By the clock on the wall: an hour that comes twice counts twice, one that is left out does not come.
    since_min = (local.weekday() - window.day) % 7 * 1440 + local.hour * 60 + local.minute - _minute(window.begins)
    length_min = (_minute(window.ends) - _minute(window.begins) - 1) % 1440 + 1
    return since_min % (7 * 1440) < length_min


def _minute(moment: time) -> int:
    return moment.hour * 60 + moment.minute


def curfew_document(revision: int, values: CurfewValues) -> bytes:
    """The CURFEW as a tag gets it, for a gateway that judges by it."""
    checked = document_rules.checked(Kind.CURFEW, (revision, values.changes, values.weekly, values.once))
    return bytes(documents.pack_curfew(checked))
