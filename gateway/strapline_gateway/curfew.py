"""Who is out when they should be at home, where the gateway was given a schedule. It judges as the tag does, and not without the time."""

from typing import NamedTuple

from strapline_protocol.codes import Window
from strapline_protocol.curfew_rules import CurfewRules
from strapline_protocol.notices import Notice, NoticeCode

GRACE_S = 300
"""As the tag's setting `curfew_grace_s`: so long after a boundary neither what held before nor what holds now is broken."""

_LOOK_AGAIN_S = 600
"""The wall clock may be set meanwhile."""


class Judgement(NamedTuple):
    """Of one look at the schedule."""

    home_hours: bool
    broken: bool
    again_s: int
    """When to look again, at the latest: seconds from now."""


class TagSchedule:
    """One tag's schedule at this gateway."""

    def __init__(self, tag: str, grace_s: int) -> None:
        self._tag = tag
        self._grace_s = grace_s
        self._rules: CurfewRules | None = None
        self.revision = -1
        self.broken = False

    def take(self, revision: int, document: bytes) -> bool:
        """A schedule, or none any more (empty). False for one that is older than what is held; RemoteProtocolError for what is none."""
        if revision < self.revision:
            return False
        rules = CurfewRules(document) if document else None
        if revision == self.revision:
            return True  # said again
        self.revision, self._rules = revision, rules
        if rules is None:
            self.broken = False
        return True

    @property
    def judges(self) -> bool:
        return self._rules is not None

    def judge(self, utc_s: int, away: bool | None) -> tuple[Judgement, Notice | None]:
        """`away` None: that cannot be known now, and what was said before stands."""
        assert self._rules is not None
        now, before = self._rules.at(utc_s), self._rules.at(utc_s - self._grace_s)
        home = now.window is Window.STAY_HOME
        broken = self.broken
        if away is not None:
            against = away if home else not away and now.window is Window.MUST_LEAVE
            broken = now.window is before.window and against
        changed, self.broken = broken != self.broken, broken
        again_s = min(now.until_s - utc_s, before.until_s + self._grace_s - utc_s, _LOOK_AGAIN_S)
        return Judgement(home, broken, again_s), self._notice() if changed else None

    def _notice(self) -> Notice:
        code = NoticeCode.CURFEW_BROKEN if self.broken else NoticeCode.CURFEW_KEPT
        return Notice(code, self._tag, {"revision": self.revision})
