"""Whether a wearer who has left was allowed to, where the tag cannot judge that itself. What it knows outlives a restart."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from strapline_centre.ledger import Entry
from strapline_centre.notes import Notes
from strapline_centre.schedule import Schedule
from strapline_protocol.codes import EventCode, Kind

_NOTE = "leaving/"


class Leaving:
    """Of all wearers; `schedule_of(tag)` gives a wearer's schedule, or None. What is noted stands with the transaction around it."""

    def __init__(self, notes: Notes, schedule_of: Callable[[str], Schedule | None]) -> None:
        self._notes = notes
        self._schedule_of = schedule_of
        self._judges_itself: set[str] = set()
        """Tags that have taken a curfew: with trusted time their word goes."""
        self._out: dict[str, bool] = {}
        """Who has left and told it without trusted time, and whether that is an alert by now."""
        self.monitored: dict[str, bool] = {}
        """Tags that were armed, and whether they still are."""
        self.reload()

    def reload(self) -> None:
        kept = self._notes.all(_NOTE)
        self._judges_itself = {tag for tag, known in kept.items() if known["judges_itself"]}
        self._out = {tag: known["out"] for tag, known in kept.items() if known["out"] is not None}
        self.monitored = {tag: known["monitored"] for tag, known in kept.items() if known["monitored"] is not None}

    def _note(self, tag: str) -> None:
        known = {
            "judges_itself": tag in self._judges_itself,
            "out": self._out.get(tag),
            "monitored": self.monitored.get(tag),
        }
        self._notes.put(_NOTE + tag, known)

    def follow(self, told: Entry, code: int) -> None:
        """An event of a tag."""
        tag, detail = told.source, int(told.fields["detail"])
        if code == EventCode.APPLIED and detail >> 24 == Kind.CURFEW:
            self._judges_itself.add(tag)
        elif code in (EventCode.ARMED, EventCode.DISARMED, EventCode.CAME_HOME):
            if code != EventCode.ARMED:
                self._out.pop(tag, None)
            if code != EventCode.CAME_HOME:
                self.monitored[tag] = code == EventCode.ARMED
        elif code == EventCode.LEFT_HOME and not self._tag_judges(told):
            self._out[tag] = not self._may_be_out(told)
        else:
            return
        self._note(tag)

    def is_allowed(self, told: Entry, code: int) -> bool:
        """Whether this event is no leaving against the schedule."""
        return code != EventCode.LEFT_HOME or self._tag_judges(told) or self._may_be_out(told)

    def overdue(self, now: datetime) -> Iterator[str]:
        """A tag without trusted time tells of leaving and coming, and no more: who is out longer than allowed shows here, once."""
        for tag, alerted in self._out.items():
            schedule = self._schedule_of(tag)
            if not alerted and schedule is not None and not schedule.may_be_out(now):
                self._out[tag] = True
                self._note(tag)
                yield tag

    @property
    def anybody_out(self) -> bool:
        """Whether time alone could make somebody overdue: who has no schedule is out for as long as they like."""
        return any(not alerted and self._schedule_of(tag) is not None for tag, alerted in self._out.items())

    def _tag_judges(self, told: Entry) -> bool:
        return told.source in self._judges_itself and int(told.fields["flags"]) >> 1 & 3 != 0

    def _may_be_out(self, entry: Entry) -> bool:
        # `detail` tells how long ago home was last heard: the moment of leaving is that, not when the tag was sure of it.
        schedule = self._schedule_of(entry.source)
        if schedule is None:
            return True
        told = int(entry.fields["utc_s"])
        moment = datetime.fromtimestamp(told, UTC) if told else entry.gateway_utc
        return schedule.may_be_out(moment - timedelta(seconds=int(entry.fields["detail"])))
