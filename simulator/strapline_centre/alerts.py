"""What a person at the centre must look at. An alert stays until it is acknowledged; nothing here closes one."""

from datetime import datetime
from typing import NamedTuple

from strapline_protocol.definitions import ALARMS, EventCode


class Alert(NamedTuple):
    """One alert: about a tag (or a gateway), why, since when (centre's clock)."""

    subject: str
    code: str
    text: str
    raised_utc: datetime


_TEXTS = {
    EventCode.STRAP_OPEN: "the strap is open",
    EventCode.STRAP_ALTERED: "the strap's resistance has changed: bypassed or lengthened",
    EventCode.REMOVED: "the tag is off the body: strap and heat agree",
}


class AlertBook:
    """Latched alerts, the oldest first. A provisional alarm and its record make one alert."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self._provisional: dict[tuple[str, int], int] = {}
        self._known: set[tuple[str, int]] = set()

    def provisional(self, tag: str, newest_alarm: int, now: datetime) -> None:
        """A heartbeat told of the alarm with this sequence (low byte) before its record came."""
        if (tag, newest_alarm) not in self._known and (tag, newest_alarm) not in self._provisional:
            self._provisional[tag, newest_alarm] = len(self.alerts)
            self.alerts.append(Alert(tag, "alarm", "the tag reports an alarm; its record is still to come", now))

    def event(self, tag: str, sequence: int, code: int, now: datetime, *, allowed: bool = True) -> None:
        """An EVENT record has come; `allowed` says whether the schedule permits a LEFT_HOME."""
        if code == EventCode.LEFT_HOME and not allowed:
            self.alerts.append(Alert(tag, "left_home", "left home outside a may-leave window", now))
        if code not in ALARMS:
            return
        known = EventCode(code)
        self._known.add((tag, sequence & 0xFF))
        at = self._provisional.pop((tag, sequence & 0xFF), None)
        if at is None:
            self.alerts.append(Alert(tag, known.name.lower(), _TEXTS[known], now))
        else:
            self.alerts[at] = Alert(tag, known.name.lower(), _TEXTS[known], self.alerts[at].raised_utc)

    def conflict(self, subject: str, now: datetime) -> None:
        """A record came again with other content."""
        self.alerts.append(Alert(subject, "conflict", "the same record came twice with different content", now))

    def silent(self, gateway: str, now: datetime) -> None:
        """The broker told us that a gateway is gone (its last will)."""
        self.alerts.append(Alert(gateway, "gateway_lost", "the gateway has gone without a word", now))
