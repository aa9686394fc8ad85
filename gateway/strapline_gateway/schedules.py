"""The schedules that this gateway was given, looked at when they or the wearer's presence change."""

from collections.abc import Callable

from strapline_gateway.curfew import TagSchedule
from strapline_gateway.deadlines import Deadlines
from strapline_gateway.enrolment import Enrolled
from strapline_gateway.events import Event
from strapline_gateway.presence import PresenceWatch

_NO_CLOCK_S = 60.0


class Schedules:
    """`utc_s()` is the wall clock, None while it cannot be trusted: then nothing is judged, and what was said stands."""

    def __init__(
        self,
        tell: Callable[[Event], None],
        presence: PresenceWatch,
        utc_s: Callable[[], float | None] | None,
        grace_s: int,
    ) -> None:
        self._tell = tell
        self._presence = presence
        self._utc_s = utc_s
        self._grace_s = grace_s
        self._held: dict[str, TagSchedule] = {}
        self._deadlines: Deadlines[str] = Deadlines()

    def set(self, enrolled: Enrolled, revision: int, document: bytes, away: bool | None, now: float) -> bool:
        """As `Station.set_schedule`, for a tag that is enrolled."""
        held = self._held.get(enrolled.tag) or TagSchedule(enrolled.tag, self._grace_s)
        if not held.take(revision, document):
            return False
        self._held[enrolled.tag] = held
        self.judge(enrolled, away, now)
        return True

    def judge(self, enrolled: Enrolled, away: bool | None, now: float) -> None:
        """Look, where there is a schedule; `away` as in `TagSchedule.judge`."""
        held = self._held.get(enrolled.tag)
        if held is None:
            return
        if not held.judges:
            self._deadlines.set(enrolled.tag, None)
            self._presence.set_curfew_hours(enrolled, False, now)
            return
        utc_s = None if self._utc_s is None else self._utc_s()
        if utc_s is None:
            self._deadlines.set(enrolled.tag, now + _NO_CLOCK_S)
            return
        second = int(utc_s)
        # Who is only weak, or silent for a moment, is away for those who ask; an alarm needs more.
        sure_at = enrolled.heard_at + self._presence.limits.curfew_silent_s
        unsure = bool(away) and now < sure_at
        judgement, notice = held.judge(second, None if unsure else away)
        self._presence.set_curfew_hours(enrolled, judgement.home_hours, now)
        # At the very second: windows begin at whole ones, and the clock is somewhere within one.
        again_at = now + judgement.again_s - (utc_s - second)
        self._deadlines.set(enrolled.tag, min(again_at, sure_at) if unsure else again_at)
        if notice is not None:
            self._tell(notice)

    def forget(self, tag: str) -> None:
        """It is no tag of ours any more."""
        self._held.pop(tag, None)
        self._deadlines.set(tag, None)

    def next_deadline(self) -> float | None:
        return self._deadlines.soonest()

    def due(self, now: float) -> list[str]:
        """Whose schedule is to be looked at now."""
        return self._deadlines.due(now)
