"""What a person at the centre must look at. An alert stays until it is acknowledged; nothing here closes one."""

from datetime import datetime, timedelta
from typing import NamedTuple

from strapline_protocol.codes import ALARMS, MEANINGS, EventCode
from strapline_protocol.notices import Notice


class Alert(NamedTuple):
    """One alert: about a tag (or a gateway), why, since when (centre's clock)."""

    subject: str
    code: str
    text: str
    raised_utc: datetime


_SAME_ALARM = timedelta(minutes=15)
"""A tag whose record is here goes on telling of the alarm until the receipt has reached it; what it tells later is another alarm."""


class AlertBook:
    """Latched alerts, the oldest first. A provisional alarm and its record make one alert.

    A heartbeat has room for the low byte of a sequence only, which comes again with each new journal and each 256th record. So time
    decides too, and in doubt there is one alert too many. `heard` is when the gateway heard it; without it, `now`.
    """

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self._provisional: dict[tuple[str, int], int] = {}
        self._known: dict[tuple[str, int], datetime] = {}
        """When the record of an alarm was heard, by tag and low byte."""
        self._conflicts: set[tuple[str, str]] = set()
        self._refused: set[tuple[str, str]] = set()

    def provisional(self, tag: str, newest_alarm: int, now: datetime, heard: datetime | None = None) -> None:
        """A heartbeat told of the alarm with this sequence (low byte) before its record came."""
        known = self._known.get((tag, newest_alarm))
        if known is not None and (heard or now) <= known + _SAME_ALARM:
            return
        if (tag, newest_alarm) not in self._provisional:
            self._provisional[tag, newest_alarm] = len(self.alerts)
            self.alerts.append(Alert(tag, "alarm", "the tag reports an alarm; its record is still to come", now))

    def event(
        self, tag: str, sequence: int, code: int, now: datetime, *, allowed: bool = True, heard: datetime | None = None
    ) -> None:
        """An EVENT record has come; `allowed` says whether the schedule permits a LEFT_HOME."""
        if code == EventCode.LEFT_HOME and not allowed:
            self.alerts.append(Alert(tag, "left_home", "left home outside a may-leave window", now))
        if code not in ALARMS:
            return
        known = EventCode(code)
        self._known[tag, sequence & 0xFF] = heard or now
        at = self._provisional.pop((tag, sequence & 0xFF), None)
        if at is None:
            self.alerts.append(Alert(tag, known.name.lower(), MEANINGS[known].text, now))
        else:
            self.alerts[at] = Alert(tag, known.name.lower(), MEANINGS[known].text, self.alerts[at].raised_utc)

    def overdue(self, tag: str, now: datetime) -> None:
        """Out for longer than the schedule permits, and the tag does not know the time."""
        self.alerts.append(Alert(tag, "left_home", "still out, outside a may-leave window", now))

    def conflict(self, subject: str, now: datetime, which: str = "") -> None:
        """A record came again with other content; `which` names the two, so that a repetition is no further alert."""
        if which and (subject, which) in self._conflicts:
            return
        self._conflicts.add((subject, which))
        self.alerts.append(Alert(subject, "conflict", "the same record came twice with different content", now))

    def unreadable(self, tag: str, now: datetime) -> None:
        """A genuine record that we cannot read: it may be an alarm of a newer firmware."""
        self.alerts.append(Alert(tag, "unreadable", "a genuine record cannot be read; it is kept as it came", now))

    def refused(self, gateway: str, tag: str, now: datetime) -> None:
        """A gateway has sent something that cannot be opened; `tag` is empty for tags that are unknown here. One alert for each pair."""
        if (gateway, tag) in self._refused:
            return
        self._refused.add((gateway, tag))
        if tag:
            text = f"gateway {gateway} sends what this tag's keys do not open; it is kept as it came"
        else:
            text = "the gateway sends records of tags that are unknown here; they are kept as they came"
        self.alerts.append(Alert(tag or gateway, "refused", text, now))

    def refused_acknowledged(self, gateway: str, tag: str) -> None:
        """A person has looked at it: what is refused from now on is another alert."""
        self._refused.discard((gateway, tag))

    def notice(self, gateway: str, notice: Notice, now: datetime) -> None:
        """A gateway has told of itself, or of the air around it."""
        if notice.meaning.alert:
            self.alerts.append(Alert(notice.tag or gateway, notice.code, notice.meaning.text, now))

    def silent(self, gateway: str, now: datetime) -> None:
        """The broker told us that a gateway is gone (its last will)."""
        self.alerts.append(Alert(gateway, "gateway_lost", "the gateway has gone without a word", now))
